"""The outside of the project: command line, MLflow store and model flavor, reports. The only package a user types at."""

"""Only what pyproject.toml cannot say: the C engine is a cffi extension, built out of line in API mode."""

from setuptools import setup

setup(cffi_modules=["cengine/build.py:builder"])

"""Rows that someone else wrote: trained on and probed as they are. No scene, no surface and no compiler is known here."""

"""Restoration: fill what is missing, remove noise, add resolution."""

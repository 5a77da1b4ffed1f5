"""Coding: sparse codes of patches over a dictionary, one problem per file."""

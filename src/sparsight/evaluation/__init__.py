"""Evaluation: how well defects are found, against masks that are known."""

"""Restoration: what should have been here?"""

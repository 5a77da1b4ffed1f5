"""Errors that a user can mend. Each message is one sentence that names the cause and the remedy."""

from __future__ import annotations


class SparsightError(Exception):
    """Base of every error that Sparsight raises on purpose."""


class ImageError(SparsightError, ValueError):
    """An image, mask or folder of images cannot be used."""


class ModelError(SparsightError, ValueError):
    """A model file cannot be read, or does not fit the images it is given."""


class ParameterError(SparsightError, ValueError):
    """A parameter, or an array of data, has a value that cannot work."""

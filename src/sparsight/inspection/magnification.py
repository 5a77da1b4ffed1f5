"""The magnification of an image relative to the training images, as far as their pixel sizes tell."""

from __future__ import annotations

from collections.abc import Sequence

_ALIKE = 0.02
_NEAR_ENOUGH = 0.12


def relative_magnification(
    training_pixel_sizes: Sequence[float | None], pixel_size: float | None
) -> float | None:
    """Scale of an image, 1 being that of the training images, or None when pixel sizes do not tell.

    Parameters
    ----------
    training_pixel_sizes : sequence of float or None
        Of each training image; they only tell when all are known and alike.
    pixel_size : float or None
        Of the image, in the same unit.
    """
    known = [size for size in training_pixel_sizes if size is not None]
    if pixel_size is None or not known or len(known) < len(training_pixel_sizes):
        return None
    if max(known) > (1 + _ALIKE) * min(known):
        return None
    return sum(known) / len(known) / pixel_size


def magnification_doubt(magnification: float | None, scales: Sequence[float]) -> str | None:
    """Say that a model is not ready for the magnification of an image, and what to do; None if it is."""
    if magnification is None:
        return None
    smallest, largest = min(scales), max(scales)
    if (1 - _NEAR_ENOUGH) * smallest <= magnification <= (1 + _NEAR_ENOUGH) * largest:
        return None
    ready = f"{largest:g}" if smallest == largest else f"{smallest:g} to {largest:g}"
    remedy = (
        f"train with scales down to {magnification:.2g}"
        if magnification < smallest
        else "train on images of at least this magnification"
    )
    return (
        f"by its pixel size it was taken at {magnification:.2g} times the magnification of the training images, "
        f"but the model is ready for {ready}: {remedy}."
    )

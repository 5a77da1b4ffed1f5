"""Images on their way into a detector: read, and checked against what it knows."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsight.errors import ImageError, ParameterError
from sparsight.images import Image, as_image

ImageLike = ArrayLike | Image | os.PathLike[str] | str


def load_training_images(images: Sequence[ImageLike]) -> list[Image]:
    """Read the training images.

    Raises
    ------
    ImageError
        If one cannot be read, or there is none.
    ParameterError
        If a single image was given instead of a list.
    """
    if isinstance(images, (str, os.PathLike, Image)) or getattr(images, "ndim", 3) == 2:
        raise ParameterError("Give a list of training images, even if it holds only one.")
    loaded = [as_image(image) for image in images]
    if not loaded:
        raise ImageError("No training images were given; give at least one good image.")
    return loaded


def check_fits(
    image: Image,
    mask: ArrayLike | None,
    *,
    n_channels: int,
    intensity_range: tuple[float, float],
    patch_size: int,
) -> NDArray[np.bool_] | None:
    """Check that an image fits a detector; return its mask, or None when that hides nothing.

    Raises
    ------
    ImageError
        If the image has other channels or another intensity range, is smaller than a patch or constant, or
        its mask has another size or hides everything.
    """
    subject = str(image.path or image.name)
    if image.n_channels != n_channels:
        raise ImageError(
            f"{subject} has {image.n_channels} channel(s), but the training images have {n_channels}; convert "
            "it, or train on images of its kind."
        )
    if image.intensity_range != intensity_range:
        raise ImageError(
            f"{subject} has intensities from {image.intensity_range[0]:g} to {image.intensity_range[1]:g}, but "
            f"the training images from {intensity_range[0]:g} to {intensity_range[1]:g}; convert it, or train "
            "on images of its kind."
        )
    height, width = image.pixels.shape[:2]
    if min(height, width) < patch_size:
        raise ImageError(
            f"{subject} is {height}×{width} pixels, smaller than a {patch_size}×{patch_size} patch; use larger "
            "images or a smaller patch size."
        )
    if np.array_equal(image.pixels.min(axis=(0, 1)), image.pixels.max(axis=(0, 1))):
        raise ImageError(
            f"{subject} is constant: every pixel has the same value; check how it was acquired and leave it out."
        )
    if mask is None:
        return None
    hidden = np.asarray(mask, dtype=bool)
    if hidden.shape != (height, width):
        raise ImageError(
            f"The mask of {subject} has shape {hidden.shape}, but the image is {height}×{width} pixels; give a "
            "mask of the image's height and width."
        )
    if hidden.all():
        raise ImageError(f"The mask of {subject} hides every pixel; nothing is left to see.")
    return hidden if hidden.any() else None


def checked_masks(masks: Sequence[ArrayLike | None] | None, n_images: int) -> Sequence[ArrayLike | None]:
    """Masks for each of some images, or a ParameterError."""
    if masks is None:
        return [None] * n_images
    if len(masks) != n_images:
        raise ParameterError(f"{len(masks)} masks were given for {n_images} images; give one for each.")
    return masks

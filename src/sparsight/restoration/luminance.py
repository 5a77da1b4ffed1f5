"""What of an image is learned and upscaled: its luminance, with intensities from 0 (black) to 1 (white)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight.images import Image

# ITU-R BT.601
LUMINANCE_WEIGHTS = np.array([0.299, 0.587, 0.114])


def to_unit(image: Image) -> NDArray[np.float32]:
    """Pixels as float32 with black at 0 and white at 1."""
    low, high = image.intensity_range
    scaled = (image.pixels.astype(np.float64) - low) / (high - low)
    return scaled.astype(np.float32)


def from_unit(values: NDArray[Any], image: Image) -> NDArray[Any]:
    """Inverse of `to_unit` for pixels like those of `image`: same dtype, and clipped to the same range.

    A floating-point image that exceeds its stated range is not clipped.
    """
    low, high = image.intensity_range
    pixels = values.astype(np.float64) * (high - low) + low
    dtype = image.pixels.dtype
    if dtype.kind != "f" or (image.pixels.min() >= low and image.pixels.max() <= high):
        pixels = np.clip(pixels, low, high)
    if dtype.kind == "b":
        return pixels >= 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        pixels = np.clip(np.floor(pixels + 0.5), limits.min, limits.max)
    return pixels.astype(dtype)


def luminance(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Luminance of (H, W) or (H, W, 3) pixels; the mean of any other number of channels."""
    if unit.ndim == 2:
        return unit
    weights = LUMINANCE_WEIGHTS if unit.shape[2] == 3 else np.full(unit.shape[2], 1 / unit.shape[2])
    return np.ascontiguousarray(unit @ weights.astype(np.float32))

"""An image at half its size, and smaller."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sparsight.inspection.scorers import Observed

# Averages of less than this lie elsewhere than they should.
_LEAST_SEEN = 0.75


def halvings(image: Observed, n_sizes: int, smallest: int = 1) -> list[Observed]:
    """The image itself, at half its size, at a quarter …, each as by `half_size`."""
    images = [image]
    while len(images) < n_sizes:
        images.append(half_size(images[-1], smallest))
    return images


def half_size(image: Observed, smallest: int = 1) -> Observed:
    """Average of neighbouring pixels, at every second; mirrored on to at least `smallest` rows and columns."""
    if image.mask is None:
        return Observed(_enlarged(_every_second(image.pixels), smallest))
    channels = (1,) * (image.pixels.ndim - 2)
    seen = (~image.mask).astype(np.float32)
    weight = _every_second(seen)
    total = _every_second(image.pixels * seen.reshape(seen.shape + channels))
    pixels = total / np.maximum(weight, np.float32(1e-6)).reshape(weight.shape + channels)
    return Observed(_enlarged(pixels, smallest), _enlarged(weight < _LEAST_SEEN, smallest))


def _every_second(values: NDArray[np.float32]) -> NDArray[np.float32]:
    kernel = np.array([1, 3, 3, 1], np.float32) / 8
    for axis in (0, 1):
        values = ndimage.correlate1d(values, kernel, axis=axis, mode="reflect", origin=-1)
    return values[::2, ::2]


def _enlarged(values: NDArray[Any], smallest: int) -> NDArray[Any]:
    missing = [max(0, smallest - length) for length in values.shape[:2]]
    padding = [(0, n) for n in missing] + [(0, 0)] * (values.ndim - 2)
    return np.ascontiguousarray(np.pad(values, padding, mode="symmetric"))

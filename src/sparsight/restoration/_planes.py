"""An image as the restoration loops want it: float32 planes whose black is 0 and white 255."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight.images import Image

Array = NDArray[np.float32]

# An orthonormal transform that takes the correlation out of red, green and blue: noise of equal strength in all
# three stays of equal strength, and what the channels have in common gathers in the first plane.
_OPPONENT = np.array(
    [
        [1 / np.sqrt(3), 1 / np.sqrt(3), 1 / np.sqrt(3)],
        [1 / np.sqrt(2), 0, -1 / np.sqrt(2)],
        [1 / np.sqrt(6), -2 / np.sqrt(6), 1 / np.sqrt(6)],
    ]
)


@dataclass(frozen=True, eq=False)
class Planes:
    """Planes (n, height, width), and how to turn them back into the image's own pixels and range."""

    planes: Array
    black: float
    scale: float
    mixed: bool  # the planes are opponent colours
    flat: bool  # the image has no axis of channels

    def grey(self) -> Array:
        """Return the mean of the channels."""
        mean: Array = self.planes[0] / np.float32(np.sqrt(3)) if self.mixed else self.planes.mean(axis=0)
        return mean

    def to_pixels(self, planes: Array) -> NDArray[np.float64]:
        """Return planes as pixels of the image's shape and range."""
        pixels = planes.astype(np.float64)
        if self.mixed:
            pixels = np.tensordot(_OPPONENT.T, pixels, axes=1)
        pixels = np.moveaxis(pixels, 0, -1) / self.scale + self.black
        return pixels[:, :, 0] if self.flat else pixels


def to_planes(image: Image, *, mix: bool = True) -> Planes:
    """Split an image into planes; with `mix`, three channels become decorrelated opponent colours."""
    black, white = image.intensity_range
    pixels: NDArray[Any] = np.asarray(image.pixels, dtype=np.float64)
    flat = pixels.ndim == 2
    planes = pixels[None] if flat else np.moveaxis(pixels, -1, 0)
    scale = 255.0 / (white - black)
    planes = (planes - black) * scale
    mixed = mix and len(planes) == 3
    if mixed:
        planes = np.tensordot(_OPPONENT, planes, axes=1)
    return Planes(np.ascontiguousarray(planes, dtype=np.float32), black, scale, mixed, flat)

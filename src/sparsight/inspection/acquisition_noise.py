"""The noise that an image loses when it is shrunk, and a real acquisition at low magnification has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sparsight.inspection.scorers import Observed

_N_BINS = 8
_FEWEST = 50  # squares of a bin to measure on
# Of the pixels of one brightness, those with the faintest surroundings show noise and little else.
_FAINTEST = 0.05


@dataclass(frozen=True)
class AcquisitionNoise:
    """Standard deviation of the noise as a function of brightness, linear in between.

    Attributes
    ----------
    brightness, deviation : arrays of shape (n_bins,)
    """

    brightness: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def of(cls, images: Sequence[Observed]) -> AcquisitionNoise:
        """Estimate the noise from diagonal details, where horizontal and vertical ones are faint."""
        brightness, edges, detail = (
            np.concatenate(parts) for parts in zip(*(_details(image) for image in images), strict=True)
        )
        n_bins = max(1, min(_N_BINS, int(_FAINTEST * len(detail)) // _FEWEST))
        levels, deviations = [], []
        for part in np.array_split(np.argsort(brightness, kind="stable"), n_bins):
            faintest = part[np.argsort(edges[part], kind="stable")[: max(1, int(_FAINTEST * len(part)))]]
            levels.append(brightness[part].mean(dtype=np.float64))
            deviations.append(np.sqrt(np.mean(np.square(detail[faintest]), dtype=np.float64)))
        return cls(np.array(levels), np.array(deviations))

    def shrunk(
        self, image: Observed, shrink: Callable[[Observed], Observed], random_state: np.random.RandomState
    ) -> Observed:
        """Shrink an image, and add what noise it lost by that.

        Independent noise of unit deviation has deviation k after shrinking; √(1 − k²) of it is missing.
        """
        small = shrink(image)
        white = Observed(np.random.RandomState(0).standard_normal((256, 256)).astype(np.float32))
        kept = float(shrink(white).pixels.std() / white.pixels.std())
        missing = np.sqrt(max(0.0, 1 - kept**2))
        local = ndimage.uniform_filter(small.pixels, size=(3, 3) + (1,) * (small.pixels.ndim - 2))
        deviation = missing * np.interp(local, self.brightness, self.deviation)
        noise = deviation * random_state.standard_normal(small.pixels.shape)
        return Observed((small.pixels + noise).astype(np.float32), small.mask)


def _details(image: Observed) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Of every square of four pixels: brightness, strength of edges around it, and diagonal detail.

    The three, and so noise in them, have nothing in common but what the image shows.
    """
    pixels = image.pixels
    height, width = (length // 2 * 2 for length in pixels.shape[:2])
    a, b, c, d = (pixels[i:height:2, j:width:2] for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)))
    squares = np.square(a + b - c - d) + np.square(a - b + c - d)
    edges = ndimage.uniform_filter(squares, size=(3, 3) + (1,) * (pixels.ndim - 2))
    brightness, detail = (a + b + c + d) / 4, (a - b - c + d) / 2
    if image.mask is not None:
        seen = ~ndimage.binary_dilation(image.mask, iterations=4)[0:height:2, 0:width:2]
        brightness, edges, detail = brightness[seen], edges[seen], detail[seen]
    return brightness.ravel(), edges.ravel(), detail.ravel()

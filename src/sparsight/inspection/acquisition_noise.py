"""The noise that an image loses when it is shrunk, and a real acquisition at low magnification has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sparsight.inspection.rescaling import rescale
from sparsight.inspection.scorers import Observed

_N_BINS = 8
_FEWEST = 200  # pixels of a bin
# A low quantile of the sizes of fine details is that of the noise, where edges are sparse: for normal noise
# of unit deviation it is 0.385.
_QUANTILE = 0.3
_QUANTILE_OF_NORMAL = 0.385


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
    def of(cls, images: list[Observed]) -> AcquisitionNoise:
        """Estimate the noise from diagonal details of images."""
        pairs = [_details(image) for image in images]
        brightness = np.concatenate([pair[0] for pair in pairs])
        details = np.concatenate([pair[1] for pair in pairs])
        n_bins = max(1, min(_N_BINS, len(details) // _FEWEST))
        parts = np.array_split(np.argsort(brightness, kind="stable"), n_bins)
        deviation = [np.quantile(details[part], _QUANTILE) / _QUANTILE_OF_NORMAL for part in parts]
        return cls(np.array([brightness[part].mean() for part in parts]), np.array(deviation))

    def restored(self, image: Observed, scale: float, random_state: np.random.RandomState) -> Observed:
        """Add to an image that was shrunk by a factor what noise it lost by that.

        Independent noise of unit deviation has deviation k after shrinking; √(1 − k²) of it is missing.
        """
        white = Observed(np.random.RandomState(0).standard_normal((256, 256)).astype(np.float32))
        kept = float(rescale(white, scale).pixels.std())
        missing = np.sqrt(max(0.0, 1 - kept**2))
        local = ndimage.uniform_filter(image.pixels, size=(3, 3) + (1,) * (image.pixels.ndim - 2))
        deviation = missing * np.interp(local, self.brightness, self.deviation)
        noise = deviation * random_state.standard_normal(image.pixels.shape)
        return Observed((image.pixels + noise).astype(np.float32), image.mask)


def _details(image: Observed) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Brightness of the surroundings, and size of the diagonal detail, of every second pixel."""
    pixels = image.pixels
    height, width = (length // 2 * 2 for length in pixels.shape[:2])
    local = ndimage.uniform_filter(pixels, size=(3, 3) + (1,) * (pixels.ndim - 2))
    a, b, c, d = (pixels[i:height:2, j:width:2] for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)))
    detail = np.abs(a - b - c + d) / 2
    brightness = local[0:height:2, 0:width:2]
    if image.mask is not None:
        seen = ~ndimage.binary_dilation(image.mask, iterations=2)[0:height:2, 0:width:2]
        brightness, detail = brightness[seen], detail[seen]
    return brightness.ravel(), detail.ravel()

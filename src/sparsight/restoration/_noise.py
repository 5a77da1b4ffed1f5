"""How strong noise is, and the transform that makes photon noise equally strong everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_PATCH = 7
_ROOT = np.sqrt(1.5)


def noise_level(plane: Array) -> float:
    """Standard deviation of white noise in a plane.

    The covariance of small patches has many equal eigenvalues, the noise alone, and a few larger ones, the image.
    The largest ones are dropped until mean and median of those left agree (Chen, Zhu, Heng: An efficient
    statistical method for image noise level estimation, ICCV 2015).
    """
    windows = np.lib.stride_tricks.sliding_window_view(plane, (_PATCH, _PATCH))
    step = max(1, int(np.sqrt(windows.shape[0] * windows.shape[1] / 60_000)))
    patches = windows[::step, ::step].reshape(-1, _PATCH * _PATCH).astype(np.float64)
    patches = patches - patches.mean(axis=0)
    values = np.sort(np.linalg.eigvalsh(patches.T @ patches / len(patches)))[::-1]
    for first in range(len(values)):
        rest = values[first:]
        if np.count_nonzero(rest > rest.mean()) <= len(rest) // 2 and rest.mean() <= np.median(rest):
            return float(np.sqrt(max(rest.mean(), 0.0)))
    return float(np.sqrt(max(values[-1], 0.0)))


@dataclass(frozen=True)
class VarianceStabiliser:
    r"""Generalised Anscombe transform for pixels of variance ``gain * (value - black) + sigma²``.

    Afterwards noise has the standard deviation 1 wherever the image is not nearly black. The inverse is the
    closed-form approximation of the exact unbiased one (Mäkitalo, Foi: Optimal inversion of the generalized
    Anscombe transformation for Poisson-Gaussian noise, IEEE Transactions on Image Processing 22(1), 2013).
    """

    gain: float
    sigma: float
    black: float

    def forward(self, pixels: NDArray[Any]) -> NDArray[np.float64]:
        """Return pixels whose noise has the standard deviation 1."""
        counts = (np.asarray(pixels, np.float64) - self.black) / self.gain
        noise = (self.sigma / self.gain) ** 2
        stabilised: NDArray[np.float64] = 2 * np.sqrt(np.maximum(counts + 0.375 + noise, 0))
        return stabilised

    def inverse(self, stabilised: NDArray[Any]) -> NDArray[np.float64]:
        """Return the pixels whose stabilised mean this is."""
        noise = (self.sigma / self.gain) ** 2
        d = np.maximum(np.asarray(stabilised, np.float64), 2 * np.sqrt(0.375 + noise))
        counts = d**2 / 4 + _ROOT / (4 * d) - 11 / (8 * d**2) + 5 * _ROOT / (8 * d**3) - 0.125 - noise
        pixels: NDArray[np.float64] = np.maximum(counts, 0) * self.gain + self.black
        return pixels

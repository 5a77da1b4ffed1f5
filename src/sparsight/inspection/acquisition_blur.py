"""The blur of an instrument, which an image at low magnification has as well, and a shrunk one less of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, optimize

from sparsight.inspection.rescaling import rescale
from sparsight.inspection.scorers import Observed

_TILE = 64
_LOWEST_FREQUENCY = 0.1
_MOST = 1.0


@dataclass(frozen=True)
class AcquisitionBlur:
    r"""Variance, in pixels, of the Gaussian that sharp edges look smoothed by.

    Objects that hide each other have edges, whose power falls with the third power of frequency. So the
    spectrum of an image, averaged over directions, is at frequencies above that of its objects

    .. math:: P(\nu) = p(\nu) + p(1 - \nu) + n, \qquad p(\nu) = a \nu^{-3} \exp(-4 \pi^2 v \nu^2),

    with aliasing and white noise n. The variance v is fitted together with a and n.

    Attributes
    ----------
    variance : float
    """

    variance: float

    @classmethod
    def of(cls, images: Sequence[Observed]) -> AcquisitionBlur:
        """Estimate the blur of images; none where all tiles lack pixels or are constant."""
        size = min(_TILE, *(min(image.pixels.shape[:2]) for image in images))
        powers = [power for image in images for power in _powers(image, size)]
        if not powers:
            return cls(0.0)
        return cls(_fitted_variance(np.mean(powers, axis=0), size))

    def shrunk(self, image: Observed, scale: float) -> Observed:
        """Shrink an image by a factor, to the sharpness of one that was taken at that magnification.

        What aliasing is left after this blur, such an image has as well.
        """
        small = rescale(image, scale)
        if scale == 1 or self.variance == 0:
            return small
        from skimage.transform import resize

        smooth = _blurred(image, self.variance * (1 / scale**2 - 1))
        pixels = resize(smooth, small.pixels.shape, order=3, anti_aliasing=False, mode="reflect")
        return Observed(pixels.astype(np.float32), small.mask)


def _powers(image: Observed, size: int) -> Iterator[NDArray[np.float64]]:
    """Power of each frequency of tiles, without a few frequencies along the axes."""
    window = np.hanning(size + 2)[1:-1]
    pixels = image.pixels if image.pixels.ndim == 2 else image.pixels.mean(axis=2)
    for top in range(0, pixels.shape[0] - size + 1, size // 2):
        for left in range(0, pixels.shape[1] - size + 1, size // 2):
            here = (slice(top, top + size), slice(left, left + size))
            tile = pixels[here].astype(np.float64)
            if np.ptp(tile) > 0 and (image.mask is None or not image.mask[here].any()):
                yield np.abs(np.fft.fft2((tile - tile.mean()) * np.outer(window, window))) ** 2


def _fitted_variance(power: NDArray[np.float64], size: int) -> float:
    along = np.fft.fftfreq(size)
    ring = np.rint(np.hypot(along[:, np.newaxis], along) * size).astype(int).ravel()
    of_rings = np.bincount(ring, power.ravel()) / np.bincount(ring)
    rings = np.arange(max(1, int(np.ceil(_LOWEST_FREQUENCY * size))), size // 2 + 1)
    frequency, log_power = rings / size, np.log(of_rings[rings] + 1e-12 * power.max())

    def edges(at: NDArray[np.float64], log_amount: float, variance: float) -> NDArray[np.float64]:
        return np.asarray(np.exp(log_amount - 4 * np.pi**2 * variance * at**2) / at**3)

    def misfit(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        amount, variance, noise = parameters
        model = edges(frequency, amount, variance) + edges(1 - frequency, amount, variance) + np.exp(noise)
        return np.asarray((np.log(model) - log_power) * np.sqrt(frequency))

    start = [log_power[0] + 3 * np.log(frequency[0]), 0.2, log_power[-1] - 1]
    bounds = ([-np.inf, 0.0, -np.inf], [np.inf, _MOST, np.inf])
    return float(optimize.least_squares(misfit, start, bounds=bounds).x[1])


def _blurred(image: Observed, variance: float) -> NDArray[np.float32]:
    """Smoothed by a Gaussian, which may be narrower than a pixel: samples of it would tell too little."""
    pixels = image.pixels
    if image.mask is not None and not image.mask.all():
        pixels = pixels.copy()
        pixels[image.mask] = pixels[~image.mask].mean(axis=0)
    gain = np.outer(
        *(np.exp(-0.5 * variance * np.square(np.pi * np.arange(n) / n)) for n in pixels.shape[:2])
    )
    waves = fft.dctn(pixels, axes=(0, 1), norm="ortho")
    smooth = fft.idctn(waves * gain.reshape(gain.shape + (1,) * (pixels.ndim - 2)), axes=(0, 1), norm="ortho")
    return np.asarray(smooth, dtype=np.float32)

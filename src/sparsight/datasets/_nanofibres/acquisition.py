"""From the surface to the image: shadows, saturation, beam width, noise and 8 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .surface import Float, Surface

SUPERSAMPLING = 2
_BEAM_SIGMA = 0.30  # output pixels
_SHADOWS = ((0.4, 0.60), (1.5, 0.40))  # (width in fibre diameters, strength)
_TRUNCATE = 3.0  # blurs end at so many sigmas, so that a defect changes nothing far away


def acquire(surface: Surface, random: np.random.Generator) -> NDArray[np.uint8]:
    """Image of the surface, (H, W) for a surface of (2 H, 2 W)."""
    from scipy.ndimage import gaussian_filter

    signal = surface.brightness * _illumination(surface)
    sigma = SUPERSAMPLING * _BEAM_SIGMA
    signal = block_mean(gaussian_filter(signal, sigma, truncate=_TRUNCATE))
    noise = np.sqrt(0.011**2 + 0.017**2 * signal)
    noisy = signal + noise * random.standard_normal(signal.shape, dtype=np.float32)
    return np.asarray(np.rint(255 * _saturate(np.maximum(noisy, 0))), dtype=np.uint8)


def block_mean(values: Float) -> Float:
    """Mean over blocks of supersampled pixels."""
    n = SUPERSAMPLING
    parts = [values[row::n, col::n] for row in range(n) for col in range(n)]
    return np.asarray(sum(parts[1:], start=parts[0]) / np.float32(n * n))


def majority_label(label: NDArray[np.int32]) -> NDArray[np.int32]:
    """Label of each pixel of the image: of the defect that half of it or more shows, else 0."""
    n = SUPERSAMPLING
    blocks = label.reshape(label.shape[0] // n, n, label.shape[1] // n, n)
    covered = block_mean((label > 0).astype(np.float32)) >= 0.5
    return np.where(covered, blocks.max(axis=(1, 3)), 0).astype(np.int32)


def _illumination(surface: Surface) -> Float:
    """Share of electrons that reach the detector: what lies below its surroundings is darker."""
    from scipy.ndimage import gaussian_filter

    coarse = block_mean(surface.height)
    rows, cols = coarse.shape
    height = surface.height.reshape(rows, SUPERSAMPLING, cols, SUPERSAMPLING)
    burial = np.zeros_like(height)
    for width, strength in _SHADOWS:
        sigma = width * surface.diameter / SUPERSAMPLING
        around = gaussian_filter(coarse, sigma, truncate=_TRUNCATE)[:, None, :, None]
        burial += strength * np.maximum(around - height, 0)
    return np.exp(-burial).reshape(surface.height.shape)


def _saturate(signal: Float) -> Float:
    """Compress the brightest parts below white, as a detector set for good contrast does."""
    eighth_power = np.square(np.square(np.square(signal)))
    return np.asarray(signal / np.sqrt(np.sqrt(np.sqrt(1 + eighth_power))))

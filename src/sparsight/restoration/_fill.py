"""Smooth filling: the start of every inpainting method, and the answer inside holes too large for patches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsight import _kernels

Array = NDArray[np.float32]

_SWEEPS = 12
_RELAXATION = 1.3


def smooth_fill(plane: Array, missing: NDArray[np.bool_]) -> Array:
    """Fill missing pixels with a smooth surface through the known ones, from coarse to fine.

    An approximate solution of the Laplace equation: the half-sized image is filled first and gives the start,
    which a few sweeps of over-relaxation refine. At least one pixel must be known.
    """
    filled = np.where(missing, np.float32(0), plane)
    if not missing.any():
        return filled
    if min(plane.shape) >= 2:
        sums, counts = _halved(filled), _halved((~missing).astype(np.float32))
        coarse = smooth_fill((sums / np.maximum(counts, 1)).astype(np.float32), counts == 0)
        filled[missing] = _doubled(coarse, plane.shape)[missing]
    else:
        filled[missing] = plane[~missing].mean()
    _kernels.relax(filled, np.flatnonzero(missing).astype(np.int32), _SWEEPS, _RELAXATION)
    return filled


def _halved(plane: Array) -> Array:
    """Sums of 2×2 blocks; an odd last row or column stands alone."""
    height, width = plane.shape
    padded = np.pad(plane, ((0, height % 2), (0, width % 2)))
    sums: Array = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2).sum(axis=(1, 3))
    return sums


def _doubled(coarse: Array, shape: tuple[int, ...]) -> Array:
    """Bilinear interpolation of block means to pixels."""
    result = coarse
    for axis, extent in enumerate(shape):
        padded = np.concatenate([result.take([0], axis), result, result.take([-1], axis)], axis)
        before, here, after = (padded.take(range(k, k + result.shape[axis]), axis) for k in range(3))
        pairs = np.stack([(3 * here + before) / 4, (3 * here + after) / 4], axis + 1)
        doubled = pairs.reshape(*result.shape[:axis], 2 * result.shape[axis], *result.shape[axis + 1 :])
        result = doubled.take(range(extent), axis).astype(np.float32)
    return result

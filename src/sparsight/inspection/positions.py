"""From values at the centres of patches to values in between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsight.patches import PatchGrid

Positions = tuple[NDArray[np.floating], NDArray[np.floating]]


def centres(grid: PatchGrid, scale: float = 1.0) -> Positions:
    """Rows and columns of the centres of patches, in pixels of an image `scale` times as large."""
    height, width = grid.patch_size
    return (grid.rows + height / 2) * scale - 0.5, (grid.columns + width / 2) * scale - 0.5


def interpolate(
    values: NDArray[np.float32],
    here: Positions,
    there: Positions,
) -> NDArray[np.float32]:
    """Bilinear interpolation along the first two axes; beyond the outermost positions, the nearest value.

    NaN values are left out where others are near; the result is NaN only where all neighbours are.
    """
    known = ~np.isnan(values)
    if known.all():
        return _along(_along(values, here[0], there[0], 0), here[1], there[1], 1)
    total = interpolate(np.where(known, values, np.float32(0)), here, there)
    weight = interpolate(known.astype(np.float32), here, there)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(weight > 1e-6, total / weight, np.float32(np.nan)))


def _along(
    values: NDArray[np.float32], here: NDArray[np.floating], there: NDArray[np.floating], axis: int
) -> NDArray[np.float32]:
    if len(here) == 1:
        return np.repeat(values, len(there), axis=axis)
    left = np.clip(np.searchsorted(here, there, side="right") - 1, 0, len(here) - 2)
    weight = np.clip((there - here[left]) / (here[left + 1] - here[left]), 0, 1).astype(np.float32)
    weight = weight.reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    return np.asarray(values.take(left, axis) * (1 - weight) + values.take(left + 1, axis) * weight)

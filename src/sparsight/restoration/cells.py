"""Cells of the low-resolution grid in a high-resolution image: windows around them, blocks over them.

The cell of a low-resolution pixel is the square of ``scale`` × ``scale`` high-resolution pixels under it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW_CELLS = 5  # what of the estimate a correction is derived from
BLOCK_CELLS = 3  # what of the estimate a correction changes
REACH_CELLS = (WINDOW_CELLS + BLOCK_CELLS) // 2 - 1  # how far away a pixel can influence a corrected one


def padded(image: NDArray[np.float32], margin: int) -> NDArray[np.float32]:
    """Continue an image by reflection."""
    return np.ascontiguousarray(np.pad(image, margin, mode="symmetric"))


def squares(image: NDArray[Any], scale: int, n_cells: int) -> NDArray[Any]:
    """Read-only view of the square of ``n_cells`` × ``n_cells`` cells around every cell.

    Shape (rows, columns, n_cells * scale, n_cells * scale); beyond the edge the image is reflected.
    """
    margin, edge = (n_cells - 1) // 2 * scale, n_cells * scale
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, margin, mode="symmetric"), (edge, edge))
    return windows[::scale, ::scale]


def gradient_operator(scale: int) -> NDArray[np.float64]:
    """First and second derivatives, down and across, of the block inside a window: a linear map.

    Their taps are ``scale`` pixels apart, as nothing finer is known of a low-resolution image. Shape
    (4 * block pixels, window pixels).

    References
    ----------
    R. Zeyde, M. Elad, M. Protter, "On single image scale-up using sparse-representations", 2010.
    """
    block, window = BLOCK_CELLS * scale, WINDOW_CELLS * scale
    operator = np.zeros((4, block, block, window, window))
    row, column = np.mgrid[:block, :block]
    y, x = row + scale, column + scale
    before = scale // 2
    after = scale - before
    operator[0, row, column, y, x - before] -= 1
    operator[0, row, column, y, x + after] += 1
    operator[1, row, column, y - before, x] -= 1
    operator[1, row, column, y + after, x] += 1
    for channel, (dy, dx) in enumerate([(0, scale), (scale, 0)], start=2):
        operator[channel, row, column, y, x] -= 1
        operator[channel, row, column, y - dy, x - dx] += 0.5
        operator[channel, row, column, y + dy, x + dx] += 0.5
    return operator.reshape(4 * block**2, window**2)

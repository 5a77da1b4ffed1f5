"""Large images in tiles: each is upscaled with a halo that is wide enough to make the seams vanish."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sparsight.restoration.progress import Progress

Plane = NDArray[np.float32]


def in_tiles(
    low: Plane,
    scale: int,
    tile: int | None,
    halo: int,
    upscale: Callable[[Plane], Plane],
    progress: Progress | None,
) -> Plane:
    """Upscale an image tile by tile.

    Parameters
    ----------
    low : array of shape (H, W)
    scale : int
        By which `upscale` enlarges.
    tile : int or None
        Edge of a tile in low-resolution pixels; None for the whole image at once.
    halo : int
        Low-resolution pixels around a tile that its result depends on.
    upscale : callable
    progress : callable or None
        Called after each tile.
    """
    edge = max(low.shape) if tile is None else tile
    corners = [(y, x) for y in range(0, low.shape[0], edge) for x in range(0, low.shape[1], edge)]
    if len(corners) == 1:
        output = upscale(low)
        if progress is not None:
            progress(1, 1, "upscaling")
        return output
    output = np.empty((low.shape[0] * scale, low.shape[1] * scale), np.float32)
    for done, (y, x) in enumerate(corners, start=1):
        top, left = max(0, y - halo), max(0, x - halo)
        part = upscale(np.ascontiguousarray(low[top : y + edge + halo, left : x + edge + halo]))
        target = output[y * scale : (y + edge) * scale, x * scale : (x + edge) * scale]
        row, column = (y - top) * scale, (x - left) * scale
        target[...] = part[row : row + target.shape[0], column : column + target.shape[1]]
        if progress is not None:
            progress(done, len(corners), "upscaling")
    return output

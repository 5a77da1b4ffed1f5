"""Large images piece by piece: overlapping tiles, blended where they overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

TILE = 768  # pixels along the edge of a tile
HALO = 48  # pixels that neighbouring tiles share: twice the reach of the search for similar patches


def tile_slices(shape: tuple[int, int], tile: int = TILE, halo: int = HALO) -> list[tuple[slice, slice]]:
    """Slices of tiles that cover an image and overlap by `halo` at least; one slice if a single tile does."""
    rows, columns = (list(_spans(extent, tile, halo)) for extent in shape)
    return [(row, column) for row in rows for column in columns]


def _spans(extent: int, tile: int, halo: int) -> Iterator[slice]:
    if extent <= tile + halo:
        yield slice(0, extent)
        return
    count = -(-(extent - halo) // (tile - halo))
    starts = np.linspace(0, extent - tile, count).round().astype(int)
    for start in starts:
        yield slice(int(start), int(start) + tile)


def blend_tiles(
    shape: tuple[int, ...], slices: list[tuple[slice, slice]], restore: Callable[[tuple[slice, slice]], Array]
) -> Array:
    """Restore planes (n, height, width) tile by tile; in the overlaps one tile fades into the next."""
    if len(slices) == 1:
        return restore(slices[0])
    values = np.zeros(shape, np.float32)
    total = np.zeros(shape[1:], np.float32)
    for where in slices:
        ramps = [_ramp(span, extent) for span, extent in zip(where, shape[1:], strict=True)]
        weight = np.outer(*ramps).astype(np.float32)
        values[:, *where] += restore(where) * weight
        total[where] += weight
    return values / total


def _ramp(span: slice, extent: int) -> NDArray[np.float64]:
    """Weight of a tile along one axis: rises over the halo, except at the border of the image."""
    places = np.arange(span.start, span.stop)
    rise = np.ones(len(places)) if span.start == 0 else np.minimum((places - span.start + 1) / HALO, 1)
    fall = np.ones(len(places)) if span.stop == extent else np.minimum((span.stop - places) / HALO, 1)
    return rise * fall

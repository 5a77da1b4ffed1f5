"""Large images, tile by tile: bounded memory, and the same scores bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from sparsight.inspection.scorers import Observed, Scorer

SIDE = 2_048


@dataclass(frozen=True)
class Tile:
    """Part of an image whose scores are wanted, and the larger part that these depend on."""

    rows: slice
    columns: slice
    seen_rows: slice
    seen_columns: slice

    @property
    def inside(self) -> tuple[slice, slice]:
        """Where the part whose scores are wanted lies in the larger one."""
        pairs = ((self.rows, self.seen_rows), (self.columns, self.seen_columns))
        rows, columns = (slice(own.start - seen.start, own.stop - seen.start) for own, seen in pairs)
        return rows, columns


def tiles(shape: tuple[int, int], margin: int, side: int) -> Iterator[Tile]:
    """Divide an image into tiles of about `side` pixels that begin at multiples of `margin`.

    Each sees `margin` pixels more on all sides, as far as the image goes.
    """
    spans = [_spans(length, margin, side) for length in shape]
    for (rows, seen_rows), (columns, seen_columns) in product(*spans):
        yield Tile(rows, columns, seen_rows, seen_columns)


def score_in_tiles(scorer: Scorer, image: Observed) -> NDArray[np.float32]:
    """Scores of an image, shape (height, width), whose pixels become float32 one tile at a time."""
    height, width = image.pixels.shape[:2]
    parts = list(tiles((height, width), scorer.margin, SIDE))
    if len(parts) == 1:
        return scorer.score(image.part(slice(None), slice(None)))
    surveyed = scorer.surveyed(image)
    scores = np.empty((height, width), np.float32)
    for tile in parts:
        part = surveyed.part(tile.seen_rows, tile.seen_columns)
        if part.n_observed == 0:
            scores[tile.rows, tile.columns] = np.nan
        else:
            scores[tile.rows, tile.columns] = scorer.score(part)[tile.inside]
    return scores


def _spans(length: int, margin: int, side: int) -> list[tuple[slice, slice]]:
    """Parts of an axis, all about as long, and with their margins."""
    n_parts = -(-length // side)
    borders = [length * number // n_parts // margin * margin for number in range(n_parts)] + [length]
    return [
        (slice(start, stop), slice(max(0, start - margin), min(length, stop + margin)))
        for start, stop in pairwise(borders)
    ]

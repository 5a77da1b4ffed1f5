"""Connected regions of large maps, some rows at a time, so that hardly more memory is needed than for the maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PIXELS_AT_A_TIME = 1_000_000
_RUNS_AT_A_TIME = 100_000
_EIGHT_NEIGHBOURS = np.ones((3, 3))


@dataclass(frozen=True)
class Regions:
    """Regions by their runs: pixels of a row that lie side by side; all of shape (n_runs,), row by row.

    Attributes
    ----------
    region : numbers of the regions, from 0, in the order of their first runs
    row, start, stop : where each run lies
    peak, total : largest score of each run, and the sum of its scores
    """

    region: NDArray[np.intp]
    row: NDArray[np.intp]
    start: NDArray[np.intp]
    stop: NDArray[np.intp]
    peak: NDArray[np.floating]
    total: NDArray[np.float64]

    @property
    def areas(self) -> NDArray[np.intp]:
        """Number of pixels of each region."""
        return np.bincount(self.region, weights=self.stop - self.start).astype(np.intp)

    def chosen(self, runs: NDArray[Any]) -> Regions:
        """Some of the runs, by their indices or by a mask; regions keep their numbers."""
        return Regions(*(getattr(self, name)[runs] for name in self.__dataclass_fields__))

    def each(self) -> Iterator[Regions]:
        """One region after another."""
        if not len(self.region):
            return
        order = np.argsort(self.region, kind="stable")
        ends = np.flatnonzero(np.diff(self.region[order])) + 1
        for runs in np.split(order, ends):
            yield self.chosen(runs)

    def erase_from(self, mask: NDArray[np.bool_]) -> None:
        """Set all pixels of the runs to False."""
        flat = mask.reshape(-1)
        starts = self.row * mask.shape[1] + self.start
        for first in range(0, len(starts), _RUNS_AT_A_TIME):
            part = slice(first, first + _RUNS_AT_A_TIME)
            lengths = self.stop[part] - self.start[part]
            within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            flat[np.repeat(starts[part], lengths) + within] = False


def bands(shape: tuple[int, ...], halo: int = 0) -> Iterator[tuple[slice, slice, slice]]:
    """Rows of a map, these with `halo` more on both sides as far as it goes, and where in the latter the former lie."""
    height = max(1, _PIXELS_AT_A_TIME // max(1, shape[1]))
    for start in range(0, shape[0], height):
        stop = min(start + height, shape[0])
        first = max(0, start - halo)
        yield slice(start, stop), slice(first, min(stop + halo, shape[0])), slice(start - first, stop - first)


def above(score_map: NDArray[np.floating], threshold: float, blur: int = 0) -> NDArray[np.bool_]:
    """Pixels above a threshold and, with `blur`, not below half of the largest score so near."""
    from scipy import ndimage

    mask = np.empty(score_map.shape, bool)
    for rows, seen, inside in bands(score_map.shape, blur):
        scores = score_map[seen]
        high = scores > threshold
        if blur > 0 and high.any():
            peaks = ndimage.maximum_filter(np.where(high, scores, threshold), size=2 * blur + 1)
            high &= scores >= 0.5 * peaks
        mask[rows] = high[inside]
    return mask


def find_regions(mask: NDArray[np.bool_], score_map: NDArray[np.floating], gap: int = 0) -> Regions:
    """Regions of a mask; pixels at most `gap` apart are of one, as are neighbours and those at a corner."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    parts: list[list[NDArray[Any]]] = []
    links: list[NDArray[np.intp]] = []
    n_labels, above_it = 0, np.zeros(mask.shape[1], np.intp)
    for rows, seen, inside in bands(mask.shape, ceil(gap / 2)):
        labels, n_new = _labels(mask[seen], gap, inside)
        labels[labels > 0] += n_labels
        n_labels += n_new
        links.append(_touching(above_it, labels[0]))
        above_it = labels[-1]
        parts.append(_runs(mask[rows], labels, score_map[rows], rows.start))
    label, *others = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    pairs = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(pairs.shape[1], bool), pairs), shape=(n_labels + 1, n_labels + 1))
    _, component = connected_components(graph, directed=False)
    _, first, region = np.unique(component[label], return_index=True, return_inverse=True)
    # Numbered by their first runs.
    number = np.empty(len(first), np.intp)
    number[np.argsort(first)] = np.arange(len(first))
    return Regions(number[region], *others)


def _labels(mask: NDArray[np.bool_], gap: int, inside: slice) -> tuple[NDArray[np.intp], int]:
    """Number, from 1, of the region of each pixel in some rows; pixels in gaps have one, too."""
    from scipy import ndimage

    joined = mask
    if gap > 0 and mask.any():
        joined = ndimage.distance_transform_edt(~mask) <= gap / 2
    labels, n_labels = ndimage.label(joined[inside], structure=_EIGHT_NEIGHBOURS)
    return labels.astype(np.intp, copy=False), int(n_labels)


def _touching(upper: NDArray[np.intp], lower: NDArray[np.intp]) -> NDArray[np.intp]:
    """Pairs of labels of two rows, one below the other, that touch; shape (2, n)."""
    width = len(upper)
    pairs = []
    for step in (-1, 0, 1):
        here = slice(max(0, -step), width - max(0, step))
        there = slice(max(0, step), width - max(0, -step))
        both = (upper[here] > 0) & (lower[there] > 0)
        pairs.append(np.stack([upper[here][both], lower[there][both]]))
    return np.unique(np.concatenate(pairs, axis=1), axis=1)


def _runs(
    mask: NDArray[np.bool_], labels: NDArray[np.intp], scores: NDArray[np.floating], first_row: int
) -> list[NDArray[Any]]:
    """Labels, rows, starts, stops, peaks and totals of the runs of some rows."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    row, start = np.nonzero(steps == 1)
    _, stop = np.nonzero(steps == -1)
    label = labels[row, start]
    if not len(row):
        return [label, row, start, stop, np.empty(0, scores.dtype), np.empty(0)]
    inside = scores[mask]
    offsets = np.concatenate([[0], np.cumsum(stop - start)[:-1]])
    peak, total = np.maximum.reduceat(inside, offsets), np.add.reduceat(inside, offsets, dtype=np.float64)
    return [label, row + first_row, start, stop, peak, total]

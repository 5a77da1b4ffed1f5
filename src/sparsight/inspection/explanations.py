"""Why a place is taken for anomalous: which indicator and which scale speak, and what could not be rebuilt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sparsight.inspection.scorers import Observed


@dataclass(frozen=True, eq=False)
class Explanation:
    """What speaks for an anomaly at its strongest place.

    Attributes
    ----------
    corner : tuple of int
        First row and column of the patch, in pixels of the image.
    indicators : dict of str to float
        Share of each indicator in the distance from normal; they sum to 1.
    scales : dict of float to float
        Share of the atoms of each scale in the code of the patch, or, for "universal", of the features of each
        size in the distance; they sum to 1, or are all 0 where the code is.
    atoms : list of (int, float)
        The atoms with the largest codes, largest first, and their codes.
    patch, reconstruction : float32 arrays of shape (height, width) or (height, width, channels)
        The patch, and its best sparse approximation by what normal images are made of.
    """

    corner: tuple[int, int]
    indicators: dict[str, float]
    scales: dict[float, float]
    atoms: list[tuple[int, float]]
    patch: NDArray[np.float32]
    reconstruction: NDArray[np.float32]

    def __str__(self) -> str:
        indicator = max(self.indicators, key=self.indicators.__getitem__)
        said = f"{indicator} ({self.indicators[indicator]:.0%})"
        if len(self.scales) > 1 and any(self.scales.values()):
            scale = max(self.scales, key=self.scales.__getitem__)
            said += f", at scale {scale:g} ({self.scales[scale]:.0%})"
        return said


@runtime_checkable
class Explaining(Protocol):
    """A scorer that can say why."""

    def explain(self, image: Observed, place: tuple[int, int]) -> Explanation:
        """What makes the surroundings of a place anomalous, or normal."""
        ...


def strongest_place(
    score_map: NDArray[np.floating], mask: NDArray[np.bool_], box: tuple[int, int, int, int]
) -> tuple[int, int]:
    """Row and column of the largest score of a region, given as in `Defect.bounding_box`."""
    top, left, bottom, right = box
    inside = np.where(mask[top:bottom, left:right], score_map[top:bottom, left:right], -np.inf)
    row, column = np.unravel_index(np.argmax(inside), inside.shape)
    return top + int(row), left + int(column)


def patch_around(place: tuple[int, int], patch_size: int, shape: Sequence[int]) -> tuple[int, int]:
    """First row and column of the patch that has a place at its centre, or as near to it as fits."""
    row, column = (
        min(max(at - patch_size // 2, 0), length - patch_size)
        for at, length in zip(place, shape[:2], strict=True)
    )
    return row, column

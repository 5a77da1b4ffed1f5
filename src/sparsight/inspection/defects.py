"""From a score map to defects: connected regions above the threshold, with their measurements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sparsight.images import Image
from sparsight.inspection.regions import Regions, above, bands, find_regions


@dataclass(frozen=True)
class Defect:
    """One connected region of anomalous pixels.

    Attributes
    ----------
    label : int
        Number of the defect in its image, from 1, strongest first.
    bounding_box : tuple of int
        First row, first column, and one past the last row and column.
    centroid : tuple of float
        Row and column of the centre, in pixels.
    peak : tuple of int
        Row and column of the pixel with the largest score.
    area_px : int
        Number of anomalous pixels.
    area_um2 : float or None
        Area in square micrometres, when the pixel size is known.
    peak_score, mean_score : float
        Largest and mean score inside.
    """

    label: int
    bounding_box: tuple[int, int, int, int]
    centroid: tuple[float, float]
    peak: tuple[int, int]
    area_px: int
    area_um2: float | None
    peak_score: float
    mean_score: float


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found in one image.

    Attributes
    ----------
    image : Image
        The image inspected.
    score_map : float32 array of shape (height, width)
        Raw scores; larger is more anomalous; NaN where not observed.
    threshold : float
        Score above which a pixel is anomalous.
    mask : bool array of shape (height, width)
        Anomalous pixels, without regions smaller than the smallest defect.
    defects : list of Defect
        Strongest first.
    seconds : float
        Wall-clock time that the inspection took.
    magnification : float or None
        That of the image by its pixel size, 1 being that of the training images; None where it is not known.
    doubt : str or None
        Why not to rely on what was found: a magnification that the model is not ready for, or more than a quarter of
        the image marked.
    """

    image: Image
    score_map: NDArray[np.float32]
    threshold: float
    mask: NDArray[np.bool_]
    defects: list[Defect] = field(default_factory=list)
    seconds: float = 0.0
    magnification: float | None = None
    doubt: str | None = None

    @property
    def verdict(self) -> Literal["defective", "normal"]:
        """Whether any defect was found."""
        return "defective" if self.defects else "normal"

    @property
    def area_fraction(self) -> float:
        """Share of the observed pixels that is anomalous."""
        observed = sum(int(np.isfinite(self.score_map[rows]).sum()) for rows, *_ in bands(self.mask.shape))
        return float(self.mask.sum() / max(1, observed))

    @property
    def peak_score(self) -> float:
        """Largest score of the image."""
        return float(np.nanmax(self.score_map))

    @property
    def pixel_size_um(self) -> float | None:
        """Edge of a pixel in micrometres, when known."""
        return self.image.pixel_size_um


def find_defects(
    score_map: NDArray[np.floating],
    threshold: float,
    *,
    min_area: int = 1,
    gap: int = 0,
    blur: int = 0,
    pixel_size_um: float | None = None,
) -> tuple[NDArray[np.bool_], list[Defect]]:
    """Group the pixels above the threshold into defects.

    Parameters
    ----------
    score_map : array of shape (height, width)
        NaN is never anomalous.
    threshold : float
    min_area : int
        Defects with fewer anomalous pixels are dropped.
    gap : int
        Fragments at most this many pixels apart belong to one defect. The mask itself is not closed.
    blur : int
        Extent, in pixels, over which an anomaly spreads its score. Pixels with less than half of the largest
        score so far away as that are taken for its blur: the border of a defect lies at half its height.
    pixel_size_um : float, optional
        Edge of a pixel in micrometres, for areas in µm².

    Returns
    -------
    mask : bool array of shape (height, width)
    defects : list of Defect
        By peak score, largest first.
    """
    mask = above(score_map, threshold, blur)
    regions = find_regions(mask, score_map, gap)
    small = regions.areas[regions.region] < min_area
    regions.chosen(small).erase_from(mask)
    found = [_measure(region, score_map, pixel_size_um) for region in regions.chosen(~small).each()]
    found.sort(key=lambda region: -region["peak_score"])
    return mask, [Defect(label=number, **region) for number, region in enumerate(found, start=1)]


def _measure(region: Regions, score_map: NDArray[np.floating], pixel_size_um: float | None) -> dict[str, Any]:
    lengths = region.stop - region.start
    area = int(lengths.sum())
    best = int(np.argmax(region.peak))
    row, start = int(region.row[best]), int(region.start[best])
    column = start + int(np.argmax(score_map[row, start : region.stop[best]]))
    return {
        "bounding_box": (
            int(region.row[0]),
            int(region.start.min()),
            int(region.row[-1]) + 1,
            int(region.stop.max()),
        ),
        "centroid": (
            float((region.row * lengths).sum() / area),
            float(((region.start + region.stop - 1) * lengths).sum() / (2 * area)),
        ),
        "peak": (row, column),
        "area_px": area,
        "area_um2": None if pixel_size_um is None else area * pixel_size_um**2,
        "peak_score": float(region.peak[best]),
        "mean_score": float(region.total.sum() / area),
    }

"""From a score map to defects: connected regions above the threshold, with their measurements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sparsight.images import Image


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
        Why not to rely on what was found: a magnification that the model is not ready for.
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
        return float(self.mask.sum() / max(1, np.isfinite(self.score_map).sum()))

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
    from scipy import ndimage

    mask = np.asarray(score_map > threshold)
    if blur > 0 and mask.any():
        peaks = ndimage.maximum_filter(np.where(mask, score_map, threshold), size=2 * blur + 1)
        mask &= score_map >= 0.5 * peaks
    joined = mask
    if gap > 0:
        joined = ndimage.distance_transform_edt(~mask) <= gap / 2 if mask.any() else mask
    labels, _ = ndimage.label(joined, structure=np.ones((3, 3)))
    labels[~mask] = 0
    areas = np.bincount(labels.ravel())
    kept = np.flatnonzero(areas >= min_area)
    kept = kept[kept > 0]
    boxes = ndimage.find_objects(labels)
    regions = [_measure(labels, score_map, int(k), boxes[k - 1], pixel_size_um) for k in kept]
    regions.sort(key=lambda region: -region["peak_score"])
    defects = [Defect(label=number, **region) for number, region in enumerate(regions, start=1)]
    return np.isin(labels, kept), defects


def _measure(
    labels: NDArray[np.integer],
    score_map: NDArray[np.floating],
    label: int,
    box: tuple[slice, slice],
    pixel_size_um: float | None,
) -> dict[str, Any]:
    rows, columns = np.nonzero(labels[box] == label)
    scores = score_map[box][rows, columns]
    area, strongest = len(rows), int(np.argmax(scores))
    return {
        "bounding_box": (box[0].start, box[1].start, box[0].stop, box[1].stop),
        "centroid": (float(rows.mean() + box[0].start), float(columns.mean() + box[1].start)),
        "peak": (int(rows[strongest]) + box[0].start, int(columns[strongest]) + box[1].start),
        "area_px": area,
        "area_um2": None if pixel_size_um is None else area * pixel_size_um**2,
        "peak_score": float(scores.max()),
        "mean_score": float(scores.mean()),
    }

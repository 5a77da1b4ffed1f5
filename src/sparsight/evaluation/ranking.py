"""Pixels ranked by anomaly score: the one sort from which every figure of merit follows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["RankedPixels"]

Scores = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class RankedPixels:
    """Scores of normal and of anomalous pixels, each in ascending order.

    Every curve below is a staircase whose corners lie at the scores of anomalous pixels, so
    looking those few up among the sorted normal scores gives the exact area: no grid of
    thresholds, and no labelling of regions for each of them. Equal scores of normal and
    anomalous pixels are joined by a straight line, as in scikit-learn.

    Parameters
    ----------
    normal, anomalous
        Scores, ascending.
    region_share
        For each anomalous pixel, one over the number of (observed) pixels of its region.
    n_regions
        Number of regions, the sum of ``region_share``.
    """

    normal: Scores
    anomalous: Scores
    region_share: NDArray[np.float64]
    n_regions: int

    @classmethod
    def from_map(cls, score_map: ArrayLike, mask: ArrayLike) -> RankedPixels:
        """Rank the pixels of one image, without those not observed (whose score is NaN).

        Parameters
        ----------
        score_map : (H, W)
            Anomaly score of each pixel, larger is more anomalous.
        mask : (H, W)
            True where a pixel is anomalous. Its 8-connected components are the regions.

        Raises
        ------
        ValueError
            If the two differ in shape.
        """
        from scipy import ndimage

        scores = np.asarray(score_map)
        truth = np.asarray(mask, dtype=bool)
        if scores.shape != truth.shape or scores.ndim != 2:
            msg = f"a score map of shape {scores.shape} and a mask of shape {truth.shape} do not pair"
            raise ValueError(msg)
        observed = ~np.isnan(scores)
        regions, _ = ndimage.label(truth, structure=np.ones((3, 3), dtype=int))
        region = regions[truth & observed]
        anomalous = scores[truth & observed]
        size = np.bincount(region)
        order = np.argsort(anomalous, kind="stable")
        return cls(
            normal=np.sort(scores[~truth & observed]),
            anomalous=anomalous[order],
            region_share=1.0 / size[region[order]],
            n_regions=int(np.count_nonzero(size)),
        )

    @classmethod
    def pool(cls, images: Iterable[RankedPixels]) -> RankedPixels:
        """Rank the pixels of several images together."""
        images = list(images)
        anomalous = np.concatenate([image.anomalous for image in images])
        order = np.argsort(anomalous, kind="stable")
        return cls(
            normal=np.sort(np.concatenate([image.normal for image in images])),
            anomalous=anomalous[order],
            region_share=np.concatenate([image.region_share for image in images])[order],
            n_regions=sum(image.n_regions for image in images),
        )

    @property
    def has_both(self) -> bool:
        """Whether there are normal *and* anomalous pixels; without both no curve is defined."""
        return self.normal.size > 0 and self.anomalous.size > 0

    def auroc(self) -> float:
        """Area under the ROC curve, P(anomalous > normal) + ½ P(equal); NaN without both kinds."""
        if not self.has_both:
            return float("nan")
        above, reached = self._false_positives(self.anomalous)
        return 1.0 - float(np.mean(above + reached)) / (2.0 * self.normal.size)

    def average_precision(self) -> float:
        """Average precision Σ (Rₙ − Rₙ₋₁) Pₙ over falling thresholds; NaN without both kinds."""
        if not self.has_both:
            return float("nan")
        thresholds, first = np.unique(self.anomalous, return_index=True)
        true_positives = self.anomalous.size - first
        _, false_positives = self._false_positives(thresholds)
        precision = true_positives / (true_positives + false_positives)
        steps = -np.diff(np.append(true_positives, 0))
        return float(np.sum(steps * precision)) / self.anomalous.size

    def aupro(self, max_fpr: float) -> float:
        """Area under the per-region-overlap curve up to ``max_fpr``, divided by ``max_fpr``."""
        from scipy.integrate import trapezoid

        if not 0 < max_fpr <= 1:
            msg = f"max_fpr must lie in (0, 1], got {max_fpr}"
            raise ValueError(msg)
        if not self.has_both:
            return float("nan")
        thresholds, first = np.unique(self.anomalous, return_index=True)
        overlap_gained = np.add.reduceat(self.region_share, first)[::-1] / self.n_regions
        above, reached = (count[::-1] / self.normal.size for count in self._false_positives(thresholds))
        # Falling thresholds: the curve runs level to `above`, then rises along ties to `reached`.
        overlap = np.cumsum(overlap_gained)
        fpr = np.ravel(np.column_stack([above, reached]))
        pro = np.ravel(np.column_stack([overlap - overlap_gained, overlap]))
        fpr, pro = np.append(fpr, 1.0), np.append(pro, 1.0)
        inside = fpr <= max_fpr
        end = float(np.interp(max_fpr, fpr, pro))
        area = trapezoid(np.append(pro[inside], end), np.append(fpr[inside], max_fpr))
        return float(area) / max_fpr

    def rates(self, thresholds: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Share of anomalous and of normal pixels that score above each threshold (TPR, FPR).

        NaN where there is no pixel of that kind.
        """
        return _share_above(self.anomalous, thresholds), _share_above(self.normal, thresholds)

    def _false_positives(self, thresholds: Scores) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Count the normal pixels that score above, and at least, each threshold."""
        n = self.normal.size
        return (
            n - np.searchsorted(self.normal, thresholds, side="right"),
            n - np.searchsorted(self.normal, thresholds, side="left"),
        )


def _share_above(ascending: Scores, thresholds: ArrayLike) -> NDArray[np.float64]:
    # In the scores' own precision, as `score_map > threshold` compares them.
    at = np.asarray(thresholds, dtype=ascending.dtype)
    if not ascending.size:
        return np.full(at.shape, np.nan)
    above = ascending.size - np.searchsorted(ascending, at, side="right")
    return np.asarray(above / ascending.size, dtype=np.float64)

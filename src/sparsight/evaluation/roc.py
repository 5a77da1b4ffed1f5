"""The ROC curve averaged over images at common thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .ranking import RankedPixels, Scores

__all__ = ["RocCurve", "mean_rates"]


@dataclass(frozen=True, eq=False)
class RocCurve:
    """True and false positive rate at falling thresholds, from (0, 0) to (1, 1)."""

    threshold: NDArray[np.float64]
    tpr: NDArray[np.float64]
    fpr: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Area under the curve (trapezoidal rule); NaN when a rate is undefined."""
        from scipy.integrate import trapezoid

        return float(trapezoid(self.tpr, self.fpr))

    @classmethod
    def averaged(
        cls, images: Sequence[RankedPixels], pooled: RankedPixels, *, n_thresholds: int = 1000
    ) -> RocCurve:
        """Average the rates of all images at thresholds that follow the pixels' distribution.

        A third of the thresholds spreads evenly over the anomalous pixels, a third over the normal
        ones, and a third over the few normal pixels with the highest scores, where a threshold
        that is of use lies.
        """
        even = np.linspace(0, 1, n_thresholds // 3)
        top = 1 - np.geomspace(1e-6, 1, even.size)
        thresholds = np.unique(
            np.concatenate(
                [
                    _quantiles(pooled.anomalous, even),
                    _quantiles(pooled.normal, even),
                    _quantiles(pooled.normal, top),
                ]
            )
        )
        thresholds = np.concatenate([[np.inf], thresholds[::-1], [-np.inf]])
        tpr, fpr = mean_rates(images, thresholds)
        return cls(threshold=thresholds, tpr=tpr, fpr=fpr)


def mean_rates(
    images: Sequence[RankedPixels], thresholds: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """TPR and FPR at common thresholds, each averaged over the images for which it is defined."""
    if not images:
        msg = "there are no images to average over"
        raise ValueError(msg)
    rates = [image.rates(thresholds) for image in images]
    return _mean([tpr for tpr, _ in rates]), _mean([fpr for _, fpr in rates])


def _mean(rates: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    defined = [rate for rate in rates if not np.isnan(rate).any()]
    if not defined:
        return np.full_like(rates[0], np.nan)
    return np.asarray(np.mean(defined, axis=0))


def _quantiles(ascending: Scores, at: NDArray[np.float64]) -> NDArray[np.float64]:
    if not ascending.size:
        return np.zeros(0)
    return np.asarray(ascending[np.rint(at * (ascending.size - 1)).astype(int)], dtype=np.float64)

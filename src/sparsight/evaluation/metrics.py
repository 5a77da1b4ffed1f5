"""How well score maps tell anomalous from normal pixels.

In all of these, ``score_maps`` and ``masks`` are equally long sequences of (H, W) arrays, one pair
per image: larger scores are more anomalous, a mask is True where a pixel is anomalous, and pixels
whose score is NaN were not observed and count for nothing. A figure that is undefined (there are
no anomalous pixels, or only such) is NaN.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from .ranking import RankedPixels
from .roc import RocCurve, mean_rates

__all__ = [
    "aupro",
    "mean_roc_curve",
    "pixel_auroc",
    "pixel_auroc_pooled",
    "pixel_average_precision",
    "rates_at_threshold",
]


def pixel_auroc(score_maps: Iterable[ArrayLike], masks: Iterable[ArrayLike]) -> float:
    """Area under the ROC curve of each image, averaged over images with both kinds of pixel.

    Examples
    --------
    >>> pixel_auroc([[[0.1, 0.9], [0.4, 0.3]]], [[[0, 1], [0, 0]]])
    1.0
    """
    areas = [image.auroc() for image in _ranked(score_maps, masks) if image.has_both]
    return float(np.mean(areas)) if areas else float("nan")


def pixel_auroc_pooled(score_maps: Iterable[ArrayLike], masks: Iterable[ArrayLike]) -> float:
    """Area under the ROC curve of the pixels of all images together, at one common threshold."""
    return RankedPixels.pool(_ranked(score_maps, masks)).auroc()


def pixel_average_precision(score_maps: Iterable[ArrayLike], masks: Iterable[ArrayLike]) -> float:
    """Average precision of the pixels of all images together."""
    return RankedPixels.pool(_ranked(score_maps, masks)).average_precision()


def aupro(score_maps: Iterable[ArrayLike], masks: Iterable[ArrayLike], *, max_fpr: float = 0.3) -> float:
    """Area under the per-region-overlap curve up to a false positive rate, normalised to 1.

    At each threshold the overlap is the share of an anomalous region that is found, averaged over
    all regions of all images, so that a small defect counts as much as a large one. Regions are
    the 8-connected components of the masks. The area is exact: every distinct score is a
    threshold.

    References
    ----------
    P. Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 129 (2021), section 5.
    """
    return RankedPixels.pool(_ranked(score_maps, masks)).aupro(max_fpr)


def rates_at_threshold(
    score_maps: Iterable[ArrayLike], masks: Iterable[ArrayLike], threshold: float
) -> tuple[float, float]:
    """Share of anomalous and of normal pixels above the threshold, each averaged over images.

    Returns
    -------
    tpr, fpr
        Images without anomalous (or without normal) pixels have no such rate and are left out of
        that average.
    """
    tpr, fpr = mean_rates(_ranked(score_maps, masks), threshold)
    return float(tpr), float(fpr)


def mean_roc_curve(
    score_maps: Iterable[ArrayLike], masks: Iterable[ArrayLike], *, n_thresholds: int = 1000
) -> RocCurve:
    """ROC curve averaged over images at common thresholds.

    References
    ----------
    D. Carrera et al., "Scale-invariant anomaly detection with multiscale group-sparse models",
    ICIP 2016, Fig. 3.
    """
    images = _ranked(score_maps, masks)
    return RocCurve.averaged(images, RankedPixels.pool(images), n_thresholds=n_thresholds)


def _ranked(score_maps: Iterable[ArrayLike], masks: Iterable[ArrayLike]) -> list[RankedPixels]:
    return [RankedPixels.from_map(*pair) for pair in zip(score_maps, masks, strict=True)]

"""The seven methods that ICIP 2016 compares, each a composition of the same parts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sparsight.inspection.indicators import IndicatorScorer
from sparsight.inspection.normality import Tolerance

_SCALES = (1.0, 0.75, 0.5)
_ALL = ("error", "sparsity", "spread")

#: By the names of section 4. The oracles are trained at the magnification of the images to inspect: on images
#: taken at it, or with `scales` naming it; as detectors they are single-scale ones.
PAPER_METHODS: dict[str, Callable[..., IndicatorScorer]] = {
    "group-coding": partial(IndicatorScorer, scales=_SCALES, group_coding=True, indicators=_ALL),
    "group-indicator": partial(IndicatorScorer, scales=_SCALES, indicators=_ALL),
    "all-in-one": partial(IndicatorScorer, scales=_SCALES),
    "outlier-coding": partial(IndicatorScorer, scales=_SCALES, indicators=("error",), region=Tolerance),
    "oracle": IndicatorScorer,
    "oracle-outlier": partial(IndicatorScorer, indicators=("error",), region=Tolerance),
    "single-scale": IndicatorScorer,
}

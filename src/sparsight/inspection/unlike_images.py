"""A good image that looks unlike the others, and raises the threshold for all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sparsight.inspection.conformal import conformal_threshold

_FAR_LOWER = 1.5
_FEWEST = 3


def unlike_the_others(
    of_images: Sequence[Sequence[NDArray[np.floating]]], threshold: float, false_alarm_rate: float
) -> tuple[int, float] | None:
    """Find the good image without which the threshold would be lower by more than a third.

    Parameters
    ----------
    of_images : sequence of sequences of arrays
        Scores of each good image, by models that were not trained on it.
    threshold : float
        `conformal_threshold` of them all.
    false_alarm_rate : float

    Returns
    -------
    number, threshold : int, float
        Which image, counted from 0, and the threshold without it; None if there is no such image, or there are
        fewer than three.
    """
    if len(of_images) < _FEWEST:
        return None
    heights = [max(_height(scores, false_alarm_rate) for scores in parts) for parts in of_images]
    highest = int(np.argmax(heights))
    others = [scores for number, parts in enumerate(of_images) if number != highest for scores in parts]
    if not any(np.isfinite(scores).any() for scores in others):
        return None
    without = conformal_threshold(others, false_alarm_rate)
    return (highest, without) if 0 < _FAR_LOWER * without < threshold else None


def _height(scores: NDArray[np.floating], false_alarm_rate: float) -> float:
    seen = scores[np.isfinite(scores)]
    return float(np.quantile(seen, 1 - false_alarm_rate)) if seen.size else -np.inf

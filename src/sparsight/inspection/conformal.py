"""The threshold that keeps a promised rate of pixels on the scores of normal images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sparsight.errors import ParameterError


def conformal_threshold(score_maps: Sequence[NDArray[np.floating]], false_alarm_rate: float) -> float:
    r"""Lowest threshold that keeps the promised false-alarm rate on the scores of normal images.

    Every image weighs the same, and within an image every pixel. For images of equal size, with N scores in
    all, the threshold is the split-conformal one: the k-th smallest score with k = ⌈(N + 1)(1 − α)⌉. Pixels
    of one image are correlated, so the promise is kept on average over images, not for each.

    Parameters
    ----------
    score_maps : sequence of arrays
        Scores of normal images that the model was not trained on; NaN pixels are not observed.
    false_alarm_rate : float
        α, between 0 and 1, both excluded.

    Raises
    ------
    ParameterError
        If no pixel is observed.
    """
    observed = [scores[np.isfinite(scores)].ravel() for scores in score_maps]
    observed = [scores for scores in observed if scores.size]
    if not observed:
        raise ParameterError("No pixel is left to calibrate the threshold on; check the masks.")
    scores = np.concatenate(observed)
    if len({part.size for part in observed}) == 1:
        rank = int(np.ceil((scores.size + 1) * (1.0 - false_alarm_rate) - 1e-9))
        index = min(rank, scores.size) - 1
        return float(np.partition(scores, index)[index])
    weights = np.concatenate([np.full(part.size, 1.0 / (len(observed) * part.size)) for part in observed])
    order = np.argsort(scores, kind="stable")
    below = np.cumsum(weights[order])
    needed = (1.0 - false_alarm_rate) * (1.0 + 1.0 / scores.size)
    index = min(int(np.searchsorted(below, needed - 1e-12)), scores.size - 1)
    return float(scores[order[index]])

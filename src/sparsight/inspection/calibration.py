"""Thresholds from the scores of normal images only, with the promise that stands behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight.errors import ParameterError


@dataclass(frozen=True)
class Calibration:
    """Where a threshold comes from, and what it promises.

    Attributes
    ----------
    false_alarm_rate : float or None
        Share of the pixels of an unseen good image that lie above the threshold, on average over images;
        None for a threshold that was given by the user.
    n_images, n_pixels : int
        Normal images, and pixels in them, that the threshold was computed from.
    how : str
        How the scores came about: ``"leave-one-image-out"``, ``"folds of images"``,
        ``"two halves of one image"``, ``"the training images themselves"`` or ``"given"``.
    warning : str or None
        What a user should know before relying on the promise.
    """

    false_alarm_rate: float | None
    n_images: int
    n_pixels: int
    how: str
    warning: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as a JSON-able dictionary."""
        return asdict(self)


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
    weights = np.concatenate([np.full(part.size, 1.0 / (len(observed) * part.size)) for part in observed])
    order = np.argsort(scores, kind="stable")
    below = np.cumsum(weights[order])
    needed = (1.0 - false_alarm_rate) * (1.0 + 1.0 / scores.size)
    index = min(int(np.searchsorted(below, needed - 1e-12)), scores.size - 1)
    return float(scores[order[index]])

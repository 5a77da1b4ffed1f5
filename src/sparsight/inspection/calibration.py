"""Thresholds from the scores of normal images only, with the promise that stands behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight.errors import ParameterError, SparsightError
from sparsight.inspection.scorers import Fold, Observed, Progress, Scorer

_MAX_FOLDS = 5
_MAX_FOLDS_OF_ONE_IMAGE = 4


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
        ``"strips of one image"``, ``"the training images themselves"`` or ``"given"``.
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


def n_folds(images: Sequence[Observed]) -> int:
    """How many models `calibrate_on_folds` trains for these images."""
    if len(images) == 1:
        return min(_MAX_FOLDS_OF_ONE_IMAGE, len(images[0].strips()))
    return min(_MAX_FOLDS, len(images))


def calibrate_on_folds(
    trained: Scorer,
    images: Sequence[Observed],
    false_alarm_rate: float,
    random_state: np.random.RandomState,
    progress: Progress,
) -> tuple[float, Calibration]:
    """Threshold from the scores of each training image by a model that was not trained on it.

    Each image in turn is left out (of more than five, a fifth at a time), or, with only one image, every
    fourth strip of it.

    Parameters
    ----------
    trained : Scorer
        Trained on all images; also scores them when they are too small to leave a part out.
    images : sequence of Observed
        Normal images.
    false_alarm_rate : float
    random_state : RandomState
    progress : callable
        Called after each fold, counting from 1.

    Returns
    -------
    threshold : float
    calibration : Calibration
    """
    folds, how, warning = _folds(images)
    scores: list[NDArray[np.float32]] = []
    try:
        for done, part in enumerate(trained.left_out(folds, random_state), start=1):
            progress(done, len(folds) + 1, "calibrating on images left out")
            scores += part
    except SparsightError:
        # All images together were enough to learn from, so what is left without some is too little.
        scores = [trained.score(image) for image in images]
        how = "the training images themselves"
        warning = (
            "The threshold rests on the training images themselves, which are too small to leave a part out: "
            "expect more false alarms than promised, and give more or larger good images."
        )
    n_pixels = int(sum(np.isfinite(part).sum() for part in scores))
    threshold = conformal_threshold(scores, false_alarm_rate)
    return threshold, Calibration(false_alarm_rate, len(images), n_pixels, how, warning)


def _folds(
    images: Sequence[Observed],
) -> tuple[list[Fold], str, str | None]:
    """Training and held-out parts such that every image is held out once; how, and a warning."""
    if len(images) == 1:
        # Every fourth strip in turn: plain halves would differ by what varies slowly, such as the lighting.
        strips = images[0].strips()
        n_groups = min(_MAX_FOLDS_OF_ONE_IMAGE, len(strips))
        parts: list[Fold] = [
            ([strip for i, strip in enumerate(strips) if i % n_groups != group], strips[group::n_groups])
            for group in range(n_groups)
        ]
        warning = (
            "The threshold rests on one image, whose strips were left out in turn: other good images may differ "
            "more from it than its strips from each other. Calibrate on more good images before relying on the "
            "rate."
        )
        return parts, "strips of one image", warning
    groups = [range(k, len(images), _MAX_FOLDS) for k in range(n_folds(images))]
    folds: list[Fold] = [
        ([image for i, image in enumerate(images) if i not in group], [images[i] for i in group])
        for group in groups
    ]
    return folds, "leave-one-image-out" if len(images) <= _MAX_FOLDS else "folds of images", None

"""Thresholds from the scores of normal images only, with the promise that stands behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight._checks import check_number
from sparsight.errors import ParameterError, SparsightError
from sparsight.inspection.conformal import conformal_threshold
from sparsight.inspection.scorers import Fold, Observed, Progress, Scorer
from sparsight.inspection.unlike_images import unlike_the_others

_MAX_FOLDS = 5
_MAX_FOLDS_OF_ONE_IMAGE = 8
_BISECTIONS = 10


@dataclass(frozen=True)
class Calibration:
    """Where a threshold comes from, and what it promises.

    Attributes
    ----------
    false_alarm_rate : float or None
        Share of the pixels of an unseen good image that lie above the threshold, on average over images;
        None for a threshold that was given by the user.
    image_false_alarm_rate : float or None
        Probability that a defect is found in an unseen good image; None when none is promised.
    n_images, n_pixels : int
        Normal images, and pixels in them, that the threshold was computed from.
    how : str
        How the scores came about: ``"leave-one-image-out"``, ``"folds of images"``,
        ``"strips of one image"``, ``"the training images themselves"``, ``"held-out images"`` or
        ``"given"``.
    warning : str or None
        What a user should know before relying on the promise.
    n_called_defective : int or None
        In how many of these normal images the threshold finds a defect, although there is none.
    """

    false_alarm_rate: float | None
    n_images: int
    n_pixels: int
    how: str
    warning: str | None = None
    image_false_alarm_rate: float | None = None
    n_called_defective: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as a JSON-able dictionary."""
        return asdict(self)


@dataclass(frozen=True)
class Promise:
    """What a threshold is to keep, and how images are judged by it.

    Attributes
    ----------
    false_alarm_rate : float
        Of pixels.
    image_false_alarm_rate : float or None
        Of images.
    is_defective : callable
        Called as ``is_defective(score_map, threshold)``.
    resolution : int
        Extent in pixels of what a score depends on: closer ones are not independent.
    """

    false_alarm_rate: float
    image_false_alarm_rate: float | None
    is_defective: Callable[[NDArray[np.floating], float], bool]
    resolution: int


def check_rates(false_alarm_rate: float, image_false_alarm_rate: float | None) -> None:
    """Refuse rates of false alarms that are not between 0 and 1, both excluded."""
    rates = {"false_alarm_rate": false_alarm_rate, "image_false_alarm_rate": image_false_alarm_rate}
    for name, rate in rates.items():
        if rate is None:
            continue
        check_number(name, rate, minimum=0, inclusive=False)
        if rate >= 1:
            raise ParameterError(f"{name} must be below 1, got {rate}.")


def n_folds(images: Sequence[Observed]) -> int:
    """How many models `scores_left_out` trains for these images."""
    if len(images) == 1:
        return min(_MAX_FOLDS_OF_ONE_IMAGE, len(images[0].strips()))
    return min(_MAX_FOLDS, len(images))


def scores_left_out(
    trained: Scorer,
    images: Sequence[Observed],
    random_state: np.random.RandomState,
    progress: Progress,
) -> tuple[list[NDArray[np.float32]], str, str | None]:
    """Score each training image by a model that was not trained on it.

    Each image in turn is left out (of more than five, a fifth at a time), or, with only one image, every
    strip of it.

    Parameters
    ----------
    trained : Scorer
        Trained on all images; also scores them when they are too small to leave a part out.
    images : sequence of Observed
        Normal images.
    progress : callable
        Called after each fold, counting from 1.

    Returns
    -------
    score_maps : list of arrays
        Those of one image follow each other.
    how : str
    warning : str or None
    """
    folds, how, warning = _folds(images)
    left_out: list[list[NDArray[np.float32]]] = []
    try:
        for done, part in enumerate(trained.left_out(folds, random_state), start=1):
            progress(done, len(folds) + 1, "calibrating on images left out")
            left_out.append(part)
        scores = _in_order(trained.settled(left_out), folds, images)
    except SparsightError:
        # All images together were enough to learn from, so what is left without some is too little.
        scores = [trained.score(image) for image in images]
        how = "the training images themselves"
        warning = (
            "The threshold rests on the training images themselves, which are too small to leave a part out: "
            "expect more false alarms than promised, and give more or larger good images."
        )
    return scores, how, warning


def calibrate(
    score_maps: Sequence[NDArray[np.floating]],
    names: Sequence[str],
    how: str,
    warning: str | None,
    promise: Promise,
) -> tuple[float, Calibration]:
    """Threshold from the scores of normal images that the model was not trained on.

    The larger of two thresholds is taken when a rate of images is promised, too; see `conformal_threshold`
    and `image_threshold`.

    Parameters
    ----------
    score_maps : sequence of arrays
        Equally many of each image, those of one image one after another.
    names : sequence of str
        What to call each image.
    how, warning
        As in `Calibration`; further warnings are added.
    promise : Promise

    Returns
    -------
    threshold : float
    calibration : Calibration
    """
    warnings = [] if warning is None else [warning]
    n_images = len(names)
    n_pixels = int(sum(np.isfinite(part).sum() for part in score_maps))
    threshold = conformal_threshold(score_maps, promise.false_alarm_rate)
    n_separate = n_pixels / promise.resolution**2
    if n_separate * promise.false_alarm_rate < 1:
        warnings.append(
            f"The good images are too small, or too few, for a rate of {promise.false_alarm_rate:g}: they hold "
            f"about {n_separate:,.0f} places that have nothing in common. Rates of {1 / n_separate:.1g} and "
            "above can be relied on; for lower ones, calibrate on more good images."
        )
    share = len(score_maps) // n_images
    of_images = [score_maps[i * share : (i + 1) * share] for i in range(n_images)]
    unlike = unlike_the_others(of_images, threshold, promise.false_alarm_rate)
    if unlike is not None:
        number, without = unlike
        warnings.append(
            f"The good image {names[number]} looks unlike the others: without it the threshold would be "
            f"{without:.3g}, not {threshold:.3g}, and fainter defects would be found. If it is good, give more like "
            "it, of the same lighting and material; if not, leave it out."
        )
    if promise.image_false_alarm_rate is not None:
        least, supported = image_threshold(of_images, promise)
        threshold = max(threshold, least)
        if not supported:
            needed = int(np.ceil(1 / promise.image_false_alarm_rate)) - 1
            warnings.append(
                f"{n_images} good images cannot support a rate of {promise.image_false_alarm_rate:g} of images; "
                f"at least {needed} can. The threshold finds no defect in any of them, which promises a rate of "
                f"{1 / (n_images + 1):.2g}."
            )
    n_called = sum(any(promise.is_defective(part, threshold) for part in image) for image in of_images)
    return threshold, Calibration(
        promise.false_alarm_rate,
        n_images,
        n_pixels,
        how,
        " ".join(warnings) or None,
        promise.image_false_alarm_rate,
        n_called,
    )


def image_threshold(
    of_images: Sequence[Sequence[NDArray[np.floating]]], promise: Promise
) -> tuple[float, bool]:
    r"""Threshold at which a defect is found in a share of the good images.

    For each image, the lowest threshold that finds nothing in it is searched. Of the n of them, the k-th
    smallest with k = ⌈(n + 1)(1 − α)⌉ is taken: with exchangeable images, the probability that a defect is
    found in another good image is then at most α (split-conformal prediction).

    Returns
    -------
    threshold : float
    supported : bool
        Whether there are enough images, n + 1 ≥ 1 / α. If not, the largest is taken.
    """
    assert promise.image_false_alarm_rate is not None
    silent = sorted(
        max(_silent_threshold(part, promise.is_defective) for part in image) for image in of_images
    )
    wanted = int(np.ceil((len(silent) + 1) * (1 - promise.image_false_alarm_rate) - 1e-9))
    return silent[min(wanted, len(silent)) - 1], wanted <= len(silent)


def _silent_threshold(
    scores: NDArray[np.floating], is_defective: Callable[[NDArray[np.floating], float], bool]
) -> float:
    """Lowest threshold, to a thousandth of the range of scores, at which nothing is found."""
    seen = scores[np.isfinite(scores)]
    low, high = float(np.median(seen)), float(seen.max())
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_defective(scores, middle) else (low, middle)
    return high


def _in_order(
    scores: list[NDArray[np.float32]], folds: Sequence[Fold], images: Sequence[Observed]
) -> list[NDArray[np.float32]]:
    """Score maps in the order of the images, equally many of each, instead of that in which they were left out."""
    if len(images) == 1:
        return scores
    held_out = [image for _, part in folds for image in part]
    share = len(scores) // len(images)
    of_image = {image: scores[i * share : (i + 1) * share] for i, image in enumerate(held_out)}
    return [score_map for image in images for score_map in of_image[image]]


def _folds(
    images: Sequence[Observed],
) -> tuple[list[Fold], str, str | None]:
    """Training and held-out parts such that every image is held out once; how, and a warning."""
    if len(images) == 1:
        # Every strip in turn: plain halves would differ by what varies slowly, such as the lighting.
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

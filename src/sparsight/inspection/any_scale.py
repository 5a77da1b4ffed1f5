"""The universal detector for a range of magnifications: one model, one threshold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from sparsight.inspection.anchoring import Anchors
from sparsight.inspection.explanations import Explanation
from sparsight.inspection.likelihood import ENOUGH_TO_KEEP_DICTIONARIES, Learning, LikelihoodScorer
from sparsight.inspection.likelihood_ratio import LikelihoodRatio
from sparsight.inspection.rescaling import checked_scales
from sparsight.inspection.scale_estimate import ScaleEstimate
from sparsight.inspection.scale_steps import ScaleSteps
from sparsight.inspection.scorers import Fold, Observed
from sparsight.inspection.shrunk_copies import ShrunkCopies
from sparsight.inspection.small_sizes import unshown_variance
from sparsight.inspection.survey import is_large, samples
from sparsight.models import arrays_under

_LEVELS_THAT_TELL = 2
# How much of what the scores of most of an image have in common is taken for its own, and for no defect.
_OWN_SHARE = 0.5
_CLIPPINGS = 6
_CLIPPED_ABOVE = 1.5
_BELOW_BY_ONE_DEVIATION = 0.16


@dataclass
class AnyScaleScorer(LikelihoodScorer):
    r"""Likelihood ratio with the statistics of the magnification that an image was taken at.

    The training images are shrunk by factors σ from the largest to the smallest of `scales`, in steps of at
    most 0.87, to the sharpness of an image taken at that scale, and given the noise of one. Features are
    measured with dictionaries learned on all of them; each σ has its own `LikelihoodRatio`. Where the
    magnification of an image is not known, `ScaleEstimate` tells it. The score is an average over the factors
    near to it (`ScaleSteps.weights`), of which half of its typical value on the image is subtracted. Where
    training images are left out to calibrate a threshold, `Anchors` make scores of all scales alike.

    Parameters
    ----------
    patch_size, stride, n_components, n_threads
        As in `LikelihoodScorer`.
    scales : sequence of float
        Magnifications to be ready for, relative to the training images: a range, from the largest to the
        smallest.
    match_noise : bool
        Expect images taken at these magnifications. False: expect images shrunk in software, which have
        less noise and blur.
    """

    scales: Sequence[float] = (1.0, 0.5)
    match_noise: bool = True
    steps: list[LikelihoodRatio] = field(init=False, repr=False)
    estimate: ScaleEstimate = field(init=False, repr=False)
    anchors: Anchors | None = field(init=False, repr=False, default=None)
    _copies: ShrunkCopies = field(init=False, repr=False)
    _looks_like: WeakKeyDictionary[Observed, float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.scales = checked_scales(self.scales)
        self._looks_like = WeakKeyDictionary()

    @property
    def factors(self) -> list[float]:
        """The scales that have statistics of their own, largest first."""
        return list(self._range.factors)

    @property
    def _range(self) -> ScaleSteps:
        return ScaleSteps.over(self.scales[0], self.scales[-1])

    def fit(self, images: Sequence[Observed], random_state: np.random.RandomState) -> AnyScaleScorer:
        """Learn dictionaries, and the densities of each scale, from normal images."""
        return self._learn_scales(images, random_state, None, self._n_separate(images))

    def _learn_scales(
        self,
        images: Sequence[Observed],
        random_state: np.random.RandomState,
        whole: LikelihoodScorer | None,
        n_separate: float,
    ) -> AnyScaleScorer:
        """Learn; with `whole`, what was learned from these images and others, a model just as detailed."""
        self._copies = ShrunkCopies(
            images,
            self.factors,
            match_noise=self.match_noise,
            smallest=4 * self.patch_size,
            random_state=random_state,
        )
        copies = [self._copies.of(image) for image in images]
        self._learn_levels(
            [copied for of_image in copies for copied in of_image], random_state, whole, n_separate
        )
        by_step = list(zip(*copies, strict=True))
        self._learning = Learning(tuple(self._odd_features(step, random_state) for step in by_step))
        self._learn_steps(images, random_state, None, n_separate)
        return self

    def _learn_steps(
        self,
        images: Sequence[Observed],
        random_state: np.random.RandomState,
        whole: AnyScaleScorer | None,
        n_separate: float,
    ) -> None:
        """Learn the densities of each scale, and how to tell it, with the dictionaries as they are."""
        by_step = list(zip(*(self._copies.of(image) for image in images), strict=True))
        self.steps = [
            self._learned(
                copies,
                random_state,
                n_separate * factor**2,
                whole=None if whole is None else whole.steps[step],
                step=step,
            )
            for step, (copies, factor) in enumerate(zip(by_step, self.factors, strict=True))
        ]
        self.ratio = self.steps[0]
        features = [
            [self._telling(self._training_features(copied)) for copied in copies] for copies in by_step
        ]
        self.estimate = ScaleEstimate.of(features, self.factors)

    def _unshown(self, n_features: int, n_separate: float) -> NDArray[np.floating]:
        """Images that support the smallest size at full scale may not when shrunk."""
        return unshown_variance(n_separate, len(self.levels), n_features)

    def left_out(
        self, folds: Iterable[Fold], random_state: np.random.RandomState
    ) -> Iterator[list[NDArray[np.float32]]]:
        """Score maps, at every scale, of the held-out part of each fold.

        As with one scale, dictionaries are kept only when many large images share them.
        """
        for training, held_out in folds:
            copies = [copied for image in held_out for copied in self._copies.of(image)]
            measured = self._learning.measured
            known = all(image in self._copies and self._copies.of(image)[0] in measured for image in training)
            n_separate = self._n_separate([*training, *held_out])
            if known and n_separate > ENOUGH_TO_KEEP_DICTIONARIES:
                less = replace(self)
                vars(less).update(vars(self))
                less._learn_steps(training, random_state, self, n_separate)
                scores = [less._scores_of_whole(self._training_features(copied))[1] for copied in copies]
                yield [
                    self._to_pixels(copied, self._shared(of_copy))
                    for copied, of_copy in zip(copies, scores, strict=True)
                ]
            else:
                anew = replace(self)._learn_scales(training, random_state, self, n_separate)
                yield [anew.score(copied) for copied in copies]

    def settled(self, left_out: Sequence[list[NDArray[np.float32]]]) -> list[NDArray[np.float32]]:
        """Learn the anchors from the score maps of images left out, at every scale; return these as anchored."""
        maps = super().settled(left_out)
        n_steps = len(self.factors)
        self.anchors = Anchors.of([maps[step::n_steps] for step in range(n_steps)])
        shares = np.resize(np.linspace(0, 1, n_steps), len(maps))
        return [self.anchors.apply(scores, share) for scores, share in zip(maps, shares, strict=True)]

    def score(self, image: Observed) -> NDArray[np.float32]:
        """Score map: where anchored, standard normal on good images of any scale; NaN where not observed."""
        if image.typical_score is None and not is_large(image):
            # Measured and judged once, for the survey and for the scores.
            features = np.concatenate(list(self._strips(image)))
            scale, scores = self._scores_of_whole(features, image.magnification)
        else:
            known = image if image.typical_score is not None else self.surveyed(image)
            assert known.magnification is not None
            assert known.typical_score is not None
            scale = self._range.within(known.magnification)
            strips = [self._at_scale(strip, scale) for strip in self._strips(image)]
            scores = _compared(np.concatenate(strips), known.typical_score)
        shared = self._shared(scores)
        if self.anchors is not None:
            shared = self.anchors.apply(shared, self._range.share_of_way(scale))
        return self._to_pixels(image, shared)

    def surveyed(self, image: Observed) -> Observed:
        """The image with the scale that it is judged at, and with its typical score."""
        features = [np.concatenate(list(self._strips(part))) for part in samples(image)]
        scale = self._judged_at(features, image.magnification)
        scores = np.concatenate([self._at_scale(part, scale).ravel() for part in features])
        return replace(image, magnification=scale, typical_score=_typical(scores))

    def scale_of(self, image: Observed) -> float:
        """The scale that an image is judged at: the nearest to its own for which there are statistics."""
        if image.magnification is not None:
            return self._range.within(image.magnification)
        if image not in self._looks_like:
            scale = self.surveyed(image).magnification
            assert scale is not None
            self._looks_like[image] = scale
        return self._looks_like[image]

    def explain(self, image: Observed, place: tuple[int, int]) -> Explanation:
        """Which features, at which of the sizes, make the surroundings of a place unusual."""
        return super().explain(replace(image, magnification=self.scale_of(image)), place)

    def _judged_by(
        self, part: Observed, at: tuple[int, int]
    ) -> tuple[NDArray[np.float32], LikelihoodRatio, float | None]:
        """Features of a position of a part of an image, what judges them, and at which magnification."""
        features, _, _ = super()._judged_by(part, at)
        scale = self.scale_of(part)
        return features, self.steps[round(self._range.position(scale))], scale

    def _scores_of_whole(
        self, features: NDArray[np.float32], magnification: float | None = None
    ) -> tuple[float, NDArray[np.float32]]:
        """Scale of a whole image, which may be known, and scores at the positions of its features."""
        scale = self._judged_at([features], magnification)
        scores = self._at_scale(features, scale)
        return scale, _compared(scores, _typical(scores))

    def _at_scale(self, features: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
        """Scores by the statistics of a scale."""
        weights = self._range.weights(scale)
        parts = [np.float32(weight) * self.steps[step].score(features) for step, weight in weights.items()]
        return np.asarray(np.sum(parts, axis=0))

    def _judged_at(self, features: Sequence[NDArray[np.float32]], magnification: float | None) -> float:
        """The nearest scale, of those that there are statistics for, to the known one or to what features look like."""
        if magnification is not None:
            return self._range.within(magnification)
        told = self.estimate.scale([self._telling(part) for part in features])
        return self._range.within(told) if np.isfinite(told) else self.factors[0]

    def _telling(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features that tell the scale: those of the smallest size see too few places of a small image."""
        return features[..., : features.shape[-1] // len(self.levels) * _LEVELS_THAT_TELL]

    def notes(self) -> dict[str, Any]:
        """What a user should know of the model: the magnifications that it is ready for."""
        return {"scales": [round(factor, 3) for factor in self.factors]}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, to be stored in a model file."""
        arrays = super().arrays()
        arrays |= {f"estimate.{key}": array for key, array in self.estimate.arrays().items()}
        if self.anchors is not None:
            arrays["anchors"] = self.anchors.knots
        for number, step in enumerate(self.steps):
            arrays |= {f"scale{number}.{key}": array for key, array in step.arrays().items()}
        return arrays

    def restore(self, arrays: dict[str, NDArray[Any]]) -> AnyScaleScorer:
        """Take what was learned from a model file."""
        super().restore(arrays)
        self.estimate = ScaleEstimate(**arrays_under("estimate.", arrays))
        self.anchors = Anchors(arrays["anchors"]) if "anchors" in arrays else None
        self.steps = [
            LikelihoodRatio.restored(arrays_under(f"scale{number}.", arrays))
            for number in range(len(self.factors))
        ]
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is only needed while learning, and what was told of images."""
        temporary = ("_copies", "_learning", "_looks_like")
        return {name: value for name, value in vars(self).items() if name not in temporary}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _looks_like=WeakKeyDictionary())


def _compared(scores: NDArray[np.float32], typical: float) -> NDArray[np.float32]:
    """Scores compared with the typical one of their image."""
    return scores - np.float32(_OWN_SHARE * typical)


def _typical(scores: NDArray[np.float32]) -> float:
    """Median score of what is left of an image when outstanding scores are clipped again and again."""
    left = scores[~np.isnan(scores)]
    middle = float(np.median(left)) if len(left) else 0.0
    for _ in range(_CLIPPINGS):
        deviation = middle - float(np.quantile(left, _BELOW_BY_ONE_DEVIATION))
        left = left[left <= middle + _CLIPPED_ABOVE * deviation]
        middle = float(np.median(left))
    return middle

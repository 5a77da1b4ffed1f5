"""The universal detector for a range of magnifications: one model, one threshold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sparsight.errors import ParameterError
from sparsight.inspection.acquisition_blur import AcquisitionBlur
from sparsight.inspection.acquisition_noise import AcquisitionNoise
from sparsight.inspection.halving import half_size
from sparsight.inspection.likelihood import (
    ENOUGH_TO_KEEP_DICTIONARIES,
    Learning,
    LikelihoodScorer,
    some_vectors,
)
from sparsight.inspection.likelihood_ratio import LikelihoodRatio
from sparsight.inspection.normal_scores import NormalScores
from sparsight.inspection.rescaling import checked_scales, rescale
from sparsight.inspection.scorers import Fold, Observed
from sparsight.models import arrays_under

_STEP = 0.87
_NEIGHBOURHOOD = 48.0  # pixels: standard deviation of the weights with which a place's scale is judged
_EVERY = 4
_FLOOR = 0.05
_POSITIONS_TO_LEARN_FROM = 8_000


@dataclass
class AnyScaleScorer(LikelihoodScorer):
    r"""Likelihood ratio with the statistics of the magnification that each place looks like.

    The training images are shrunk by factors σ from the largest to the smallest of `scales`, in steps of at
    most 0.87, and given back the noise that shrinking takes away. Features are measured with dictionaries
    learned on all of them; each σ has its own `LikelihoodRatio`. Around each position the σ is chosen that
    maximises the mean, with Gaussian weights, of

    .. math:: \max(\log p_\sigma(f), q_\sigma) - \sum_i \log s_{\sigma i},

    s being the spread of each feature at that scale, and q the 5 % quantile on the training images, below
    which a place only tells that it is odd. The score is that of the chosen σ.

    Parameters
    ----------
    patch_size, stride, n_components, n_threads
        As in `LikelihoodScorer`.
    scales : sequence of float
        Magnifications to be ready for, relative to the training images: a range, from the largest to the
        smallest.
    anchored : bool
        Measure each score against those of most of its image (median and interquartile range), and map it as
        those of normal images of that scale are: good for images that are normal for the most part, blind to
        what is wrong with a whole image.
    match_noise : bool
        Expect images taken at these magnifications. False: expect images shrunk in software, which have
        less noise.
    """

    n_components: int = 192
    scales: Sequence[float] = (1.0, 0.5)
    match_noise: bool = True
    anchored: bool = True
    steps: list[ScaleStatistics] = field(init=False, repr=False)
    _copies: WeakKeyDictionary[Observed, list[Observed]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.scales = checked_scales(self.scales)

    @property
    def factors(self) -> list[float]:
        """The scales that have statistics of their own, largest first."""
        largest, smallest = self.scales[0], self.scales[-1]
        n_steps = int(np.ceil(np.log(largest / smallest) / -np.log(_STEP) - 1e-3))
        return [float(factor) for factor in np.geomspace(largest, smallest, n_steps + 1)]

    def fit(self, images: Sequence[Observed], random_state: np.random.RandomState) -> AnyScaleScorer:
        """Learn dictionaries, and the densities of each scale, from normal images."""
        self._copies = WeakKeyDictionary()
        self._noise = AcquisitionNoise.of(images)
        self._blur = AcquisitionBlur.of(images)
        self._seed = int(random_state.randint(2**31))
        every = [copy for image in images for copy in self._copied(image)]
        halves = [half_size(copy, self.patch_size) for copy in every]
        for level, level_images in zip(self.levels, (every, halves), strict=True):
            level.fit(level_images, random_state)
        odd = [
            self._odd_features([self._copied(image)[step] for image in images], random_state)
            for step in range(len(self.factors))
        ]
        self._learning = Learning(tuple(odd))
        self.steps = self._statistics(images, random_state)
        return self

    def left_out(
        self, folds: Iterable[Fold], random_state: np.random.RandomState
    ) -> Iterator[list[NDArray[np.float32]]]:
        """Score maps, at every scale, of the held-out part of each fold.

        As with one scale, dictionaries are kept only when many large images share them.
        """
        for training, held_out in folds:
            copies = [copy for image in held_out for copy in self._copied(image)]
            measured = self._learning.measured
            known = all(image in self._copies and self._copies[image][0] in measured for image in training)
            if known and self._n_separate(training) > ENOUGH_TO_KEEP_DICTIONARIES:
                steps = self._statistics(training, random_state, self.steps)
                yield [
                    self._to_pixels(copy, self._scored(self._training_features(copy), None, steps)[0])
                    for copy in copies
                ]
            else:
                anew = replace(self).fit(training, random_state)
                yield [anew.score(copy) for copy in copies]

    def score(self, image: Observed) -> NDArray[np.float32]:
        """Score map: standard normal on good images of any scale; NaN where not observed."""
        features = np.concatenate(list(self._strips(image)))
        return self._to_pixels(image, self._scored(features, image.magnification)[0])

    @property
    def reach(self) -> int:
        """How far, in pixels, the scale of a place and its features see."""
        step = 2 * self.stride
        return super().reach + int(3 * _NEIGHBOURHOOD) // step * step

    @property
    def margin(self) -> int | None:
        """How far, in pixels, a score can see: everywhere, where it is compared with the rest of its image."""
        return None

    def _judged_by(
        self, part: Observed, at: tuple[int, int]
    ) -> tuple[NDArray[np.float32], LikelihoodRatio, float | None]:
        """Features of a position of a part of an image, what judges them, and at which magnification."""
        features = np.concatenate(list(self._strips(part)))
        chosen = self._scored(features, part.magnification)[1][at]
        return features[at], self.steps[chosen].ratio, self.factors[chosen]

    def scale_map(self, image: Observed) -> NDArray[np.float32]:
        """The scale that each pixel was judged at."""
        features = np.concatenate(list(self._strips(image)))
        chosen = self._scored(features, image.magnification)[1]
        return self._to_pixels(image, np.asarray(self.factors, np.float32)[chosen])

    def _scored(
        self,
        features: NDArray[np.float32],
        magnification: float | None,
        steps: list[ScaleStatistics] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        steps = steps or self.steps
        coarse = features[_EVERY // 2 :: _EVERY, _EVERY // 2 :: _EVERY]
        if magnification is None:
            chosen = _likeliest(coarse, steps, self.stride, features.shape[:2])
        else:
            nearest = np.argmin(np.abs(np.log(np.array(self.factors) / magnification)))
            chosen = np.full(features.shape[:2], nearest)
        scores = np.empty(features.shape[:2], np.float32)
        for number, step in enumerate(steps):
            here = chosen == number
            if not here.any():
                continue
            scores[here] = step.ratio.score(features[here])
            if self.anchored:
                scores[here] = step.anchored(scores[here], _location_and_spread(step.ratio.score(coarse)))
        return scores, chosen

    def _statistics(
        self,
        images: Sequence[Observed],
        random_state: np.random.RandomState,
        whole: list[ScaleStatistics] | None = None,
    ) -> list[ScaleStatistics]:
        steps = []
        share = -(-_POSITIONS_TO_LEARN_FROM // len(images))
        for step in range(len(self.factors)):
            copies = [self._copied(image)[step] for image in images]
            chosen = [some_vectors(self._training_features(copy), share, random_state) for copy in copies]
            features = np.concatenate(chosen)
            ratio = LikelihoodRatio.of(
                features,
                self._learning.odd[step],
                resolvable=self._resolvable(features.shape[1] // len(self.levels)),
                n_separate=self._n_separate(copies),
                random_state=random_state,
                whole=None if whole is None else whole[step].ratio,
            )
            steps.append(ScaleStatistics.of(ratio, chosen))
        return steps

    def _copied(self, image: Observed) -> list[Observed]:
        """The image at every scale."""
        if image not in self._copies:
            smallest = min(image.pixels.shape[:2]) * self.factors[-1]
            if smallest < 4 * self.patch_size:
                raise ParameterError(
                    f"A training image of {image.pixels.shape[0]}×{image.pixels.shape[1]} pixels is too small to "
                    f"be shrunk by {self.factors[-1]:g}; give larger images or larger scales."
                )
            random_state = np.random.RandomState(self._seed)
            # Whose magnification is to be found out, as that of most images.
            unknown = replace(image, magnification=None)
            if self.match_noise:
                copies = [
                    self._noise.shrunk(unknown, partial(self._blur.shrunk, scale=factor), random_state)
                    for factor in self.factors
                ]
            else:
                copies = [rescale(unknown, factor) for factor in self.factors]
            self._copies[image] = copies
        return self._copies[image]

    def notes(self) -> dict[str, Any]:
        """What a user should know of the model: the magnifications that it is ready for."""
        return {"scales": [round(factor, 3) for factor in self.factors]}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, to be stored in a model file."""
        self.ratio = self.steps[0].ratio
        arrays = super().arrays()
        for number, step in enumerate(self.steps):
            arrays |= {f"scale{number}.{key}": array for key, array in step.arrays().items()}
        return arrays

    def restore(self, arrays: dict[str, NDArray[Any]]) -> AnyScaleScorer:
        """Take what was learned from a model file."""
        super().restore(arrays)
        self.steps = [
            ScaleStatistics.restored(arrays_under(f"scale{number}.", arrays))
            for number in range(len(self.factors))
        ]
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is only needed while learning."""
        temporary = ("_copies", "_noise", "_blur", "_seed", "_learning")
        return {name: value for name, value in vars(self).items() if name not in temporary}


@dataclass(frozen=True)
class ScaleStatistics:
    """What is normal at one scale, and how to compare its likelihood with that of other scales."""

    ratio: LikelihoodRatio
    floor: float
    log_spread: float
    anchor: NormalScores

    @classmethod
    def of(cls, ratio: LikelihoodRatio, per_image: list[NDArray[np.float32]]) -> ScaleStatistics:
        """Measure on the features of normal positions of each image, shape (n, n_features)."""
        features = np.concatenate(per_image)
        log_density = ratio.normal.log_density(ratio.marginals.apply(features))
        spread = np.log(np.std(features, axis=0, dtype=np.float64) + 1e-6)
        alike = []
        for part in per_image:
            scores = ratio.score(part)
            location, width = _location_and_spread(scores)
            alike.append((scores - location) / width)
        anchor = NormalScores.of(np.concatenate(alike)[:, np.newaxis])
        return cls(ratio, float(np.quantile(log_density, _FLOOR)), float(spread.sum()), anchor)

    def anchored(
        self, scores: NDArray[np.float32], location_and_spread: tuple[float, float]
    ) -> NDArray[np.float32]:
        """Scores relative to those of most of the image, mapped as those of normal images are."""
        location, spread = location_and_spread
        relative = (scores - np.float32(location)) / np.float32(spread)
        return self.anchor.apply(relative[:, np.newaxis], limit=np.inf)[:, 0]

    def evidence(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """How well vectors, shape (..., n_features), fit this scale; NaN where a feature is."""
        flat = features.reshape(-1, features.shape[-1])
        seen = ~np.isnan(flat).any(axis=1)
        evidence = np.full(len(flat), np.nan, np.float32)
        log_density = self.ratio.normal.log_density(self.ratio.marginals.apply(flat[seen]))
        evidence[seen] = np.maximum(log_density, self.floor) - self.log_spread
        return evidence.reshape(features.shape[:-1])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was measured, to be stored in a model file."""
        comparison = np.array([self.floor, self.log_spread])
        return self.ratio.arrays() | {"comparison": comparison, "anchor": self.anchor.knots}

    @classmethod
    def restored(cls, arrays: dict[str, NDArray[Any]]) -> ScaleStatistics:
        """Take what was measured from a model file."""
        ratio, anchor = LikelihoodRatio.restored(arrays), NormalScores(arrays["anchor"])
        floor, log_spread = map(float, arrays["comparison"])
        return cls(ratio, floor, log_spread, anchor)


def _likeliest(
    coarse: NDArray[np.float32], steps: list[ScaleStatistics], stride: int, shape: tuple[int, ...]
) -> NDArray[np.intp]:
    """Number of the scale that the surroundings of each position look like, from every few positions."""
    evidence = np.stack([step.evidence(coarse) for step in steps])
    # What is not observed counts the same for all scales.
    evidence = np.where(np.isnan(evidence), np.float32(0), evidence)
    sigma = _NEIGHBOURHOOD / (stride * _EVERY)
    chosen = np.argmax([ndimage.gaussian_filter(part, sigma) for part in evidence], axis=0)
    rows, columns = (
        np.minimum(np.arange(length) // _EVERY, n - 1) for length, n in zip(shape, chosen.shape, strict=True)
    )
    return np.asarray(chosen[np.ix_(rows, columns)])


def _location_and_spread(scores: NDArray[np.float32]) -> tuple[float, float]:
    """Median, and the standard deviation that a normal distribution of this interquartile range has."""
    low, middle, high = np.nanquantile(scores, [0.25, 0.5, 0.75])
    return float(middle), max(float(high - low) / 1.349, 1e-6)

"""The universal detector: is what is seen more likely to be normal, or to be some odd thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from sparsight.errors import ParameterError
from sparsight.inspection.directed import Direction, Example, declared_weights, learned_weights
from sparsight.inspection.explained_features import explain_features
from sparsight.inspection.explanations import Explanation
from sparsight.inspection.extents import Extents
from sparsight.inspection.halving import halvings
from sparsight.inspection.likelihood_ratio import LikelihoodRatio
from sparsight.inspection.neighbourhoods import shared_evidence
from sparsight.inspection.normal_scores import NormalScores
from sparsight.inspection.pooled_features import PooledFeatures, some_vectors
from sparsight.inspection.positions import centres, interpolate
from sparsight.inspection.scorers import Fold, LocalScores, Observed
from sparsight.inspection.synthetic_defects import crops_with_defects

_LEVELS = ("full", "half", "quarter")
_POSITIONS_TO_LEARN_FROM = 10_000
ENOUGH_TO_KEEP_DICTIONARIES = 2_000
_LEAST_SEPARATE = 100


@dataclass
class LikelihoodScorer(LocalScores):
    r"""Likelihood of pooled features of sparse codes, against a broad alternative.

    The features are those of `PooledFeatures` at full, half and quarter size; what is normal in them, and how far
    synthetic defects, pasted into the training images, stray is learned by `LikelihoodRatio`. That knows no
    direction: only in which features, and how far, anything may stray. Neighbouring positions share their
    evidence (`shared_evidence`, over a standard deviation of ¾ of a patch), and the score of a pixel is interpolated
    between them.

    Parameters
    ----------
    patch_size, stride, n_components
        As in `PooledFeatures`.
    defects : str or sequence of str, optional
        What is known of the defects; see `declared_weights`.
    n_threads : int, optional
    """

    patch_size: int = 8
    stride: int = 4
    n_components: int = 256
    defects: str | Sequence[str] | None = None
    n_threads: int | None = None
    levels: list[PooledFeatures] = field(init=False, repr=False)
    ratio: LikelihoodRatio = field(init=False, repr=False)
    direction: Direction | None = field(init=False, repr=False, default=None)
    _learning: Learning = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.levels = self._new_levels(len(_LEVELS))

    def _new_levels(self, n_levels: int) -> list[PooledFeatures]:
        return [
            PooledFeatures(self.patch_size, self.stride, self.n_components, n_threads=self.n_threads)
            for _ in range(n_levels)
        ]

    @property
    def extents(self) -> Extents:
        """How far features and scores see."""
        return Extents(self.patch_size, self.stride, self.levels[0].smoothing, len(self.levels))

    @property
    def resolution(self) -> int:
        """Extent, in pixels, of what a score depends on for the most part."""
        return self.extents.score

    @property
    def blur(self) -> int:
        """Distance, in pixels, at which a strong anomaly still raises the score."""
        return self.extents.blur

    @property
    def margin(self) -> int:
        """How far, in pixels, a score can see."""
        return self.extents.margin

    def fit(self, images: Sequence[Observed], random_state: np.random.RandomState) -> LikelihoodScorer:
        """Learn dictionaries and densities from normal images."""
        return self._learn(images, random_state, None, self._n_separate(images))

    def _learn(
        self,
        images: Sequence[Observed],
        random_state: np.random.RandomState,
        whole: LikelihoodScorer | None,
        n_separate: float,
    ) -> LikelihoodScorer:
        """Learn; with `whole`, what was learned from these images and others, a model just as detailed."""
        self._learn_levels(images, random_state, whole, n_separate)
        self._learning = Learning((self._odd_features(images, random_state),))
        self.ratio = self._learned(images, random_state, n_separate)
        if self.defects is not None:
            declared = [self.defects] if isinstance(self.defects, str) else self.defects
            n_features = self.ratio.marginals.knots.shape[1] // len(self.levels)
            n_means = n_features - self.levels[0].n_derived
            self._look(declared_weights(declared, n_means, n_features, len(self.levels)), images)
        elif whole is not None and whole.direction is not None:
            self._look(whole.direction.weights, images)
        return self

    def _learn_levels(
        self,
        images: Sequence[Observed],
        random_state: np.random.RandomState,
        whole: LikelihoodScorer | None,
        n_separate: float,
    ) -> None:
        supported = sum(n_separate / 4**number >= _LEAST_SEPARATE for number in range(len(_LEVELS)))
        n_levels = max(2, supported) if whole is None else len(whole.levels)
        self.levels = self._new_levels(n_levels)
        by_level = zip(*(halvings(image, n_levels, self.patch_size) for image in images), strict=True)
        for number, level_images in enumerate(by_level):
            like = None if whole is None else whole.levels[number]
            self.levels[number].fit(level_images, random_state, like)

    def learn_direction(
        self,
        images: Sequence[Observed],
        marked: Sequence[tuple[Observed, NDArray[np.bool_]]],
        random_state: np.random.RandomState,
    ) -> dict[str, Any]:
        """Learn, after `fit` to the same normal images, from images whose defects are marked, what to look for.

        Returns
        -------
        dict
            Pixel AUROC of marked images left out, with and without.

        Raises
        ------
        ParameterError
            If that does not help.
        """
        examples = []
        for image, mask in marked:
            down, across = (np.rint(c).astype(int) for c in centres(self.levels[0].grid(image)))
            features = np.concatenate(list(self._strips(image)))
            scores = self.ratio.score(features).ravel()
            seen = ~np.isnan(scores)
            mapped = self.ratio.marginals.apply(features.reshape(-1, features.shape[-1])[seen])
            examples.append(Example(scores[seen], mapped, mask[np.ix_(down, across)].ravel()[seen]))
        weights, without, with_direction = learned_weights(examples, random_state)
        self._look(weights, images)
        return {
            "n_marked": len(without),
            "auroc_without": float(np.mean(without)),
            "auroc_with": float(np.mean(with_direction)),
        }

    def _look(self, weights: NDArray[np.float64], images: Sequence[Observed]) -> None:
        """Look in a direction: the score is made standard normal on the normal images again."""
        some = [self._training_features(image)[::2, ::2] for image in images]
        features = np.concatenate([part.reshape(-1, part.shape[-1]) for part in some])
        features = features[~np.isnan(features).any(axis=1)]
        scores = self.ratio.score(features)
        self.direction = Direction.of(weights, scores, self.ratio.marginals.apply(features))

    def _judged(self, ratio: LikelihoodRatio, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of features, shape (..., n_features), in the direction if there is one."""
        scores = ratio.score(features)
        if self.direction is not None:
            seen = ~np.isnan(scores)
            scores[seen] = self.direction.score(scores[seen], ratio.marginals.apply(features[seen]))
        return scores

    def left_out(
        self, folds: Iterable[Fold], random_state: np.random.RandomState
    ) -> Iterator[list[NDArray[np.float32]]]:
        """Score maps of the held-out part of each fold.

        Of several large training images, the dictionaries and synthetic defects are kept, of which each image
        is a small part; the densities, which decide what is normal, are learned without the part held out. Of
        small images, and the strips of a single one, everything is learned anew.
        """
        for training, held_out in folds:
            known = all(image in self._learning.measured for image in training)
            # Scores of a coarser model are smaller: the promise would be broken by the finer one.
            n_separate = self._n_separate([*training, *held_out])
            if known and n_separate > ENOUGH_TO_KEEP_DICTIONARIES:
                ratio = self._learned(training, random_state, n_separate, whole=self.ratio)
                yield [
                    self._to_pixels(image, self._shared(self._judged(ratio, self._training_features(image))))
                    for image in held_out
                ]
            else:
                anew = replace(self)._learn(training, random_state, self, n_separate)
                yield [anew.score(image) for image in held_out]

    def score(self, image: Observed) -> NDArray[np.float32]:
        """Score map: seldom above 1 on good images, larger where less likely; NaN where not observed."""
        strips = [self._judged(self.ratio, features) for features in self._strips(image)]
        return self._to_pixels(image, self._shared(np.concatenate(strips)))

    def explain(self, image: Observed, place: tuple[int, int]) -> Explanation:
        """Which features, at which of the sizes, make the surroundings of a place unusual."""
        part, (top, left) = image.around(place, self.extents.reach, self.extents.step)
        down, across = centres(self.levels[0].grid(part))
        at = int(np.argmin(np.abs(down - place[0] + top))), int(np.argmin(np.abs(across - place[1] + left)))
        features, ratio, judged_at = self._judged_by(part, at)
        window, corner = image.window(place, 2 * self.extents.features)
        return explain_features(features, ratio, self.levels, window, corner, judged_at)

    def _judged_by(
        self, part: Observed, at: tuple[int, int]
    ) -> tuple[NDArray[np.float32], LikelihoodRatio, float | None]:
        """Features of a position of a part of an image, what judges them, and at which magnification."""
        row = slice(at[0], at[0] + 1)
        return next(self._strips(part, [row]))[0, at[1]], self.ratio, None

    def _learned(
        self,
        images: Sequence[Observed],
        random_state: np.random.RandomState,
        n_separate: float,
        whole: LikelihoodRatio | None = None,
        step: int = 0,
    ) -> LikelihoodRatio:
        share = -(-_POSITIONS_TO_LEARN_FROM // len(images))
        features = np.concatenate(
            [some_vectors(self._training_features(image), share, random_state) for image in images]
        )
        n_features = features.shape[1] // len(self.levels)
        return LikelihoodRatio.of(
            features,
            self._learning.odd[step],
            parts=[n_features * number for number in range(1, len(self.levels))],
            resolvable=self._resolvable(n_features),
            n_separate=n_separate,
            random_state=random_state,
            whole=whole,
            unshown=self._unshown(n_features, n_separate),
        )

    def _unshown(self, n_features: int, n_separate: float) -> NDArray[np.floating] | None:
        """Variance of features, as many of each size, that few vectors do not show; see `LikelihoodRatio.of`."""
        del n_features, n_separate
        return None

    def _n_separate(self, images: Sequence[Observed]) -> float:
        """How many positions whose features have nothing in common there is room for."""
        return sum(image.n_observed for image in images) / self.extents.features**2

    def _training_features(self, image: Observed) -> NDArray[np.float32]:
        measured = self._learning.measured
        if image not in measured:
            measured[image] = np.concatenate(list(self._strips(image)))
        return measured[image]

    def _strips(
        self, image: Observed, strips: Sequence[slice] | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Features of all levels at the positions of the first, some rows at a time; all, or those of strips."""
        _, *smaller = halvings(image, len(self.levels), self.patch_size)
        coarse = [
            (level.measure(small), centres(level.grid(small), 2.0**number))
            for number, (level, small) in enumerate(zip(self.levels[1:], smaller, strict=True), start=1)
        ]
        full = self.levels[0]
        grid = full.grid(image)
        down, across = centres(grid)
        for rows in full.strips(grid) if strips is None else strips:
            placed = [interpolate(values, where, (down[rows], across)) for values, where in coarse]
            yield np.concatenate([full.measure(image, rows), *placed], axis=-1)

    def _shared(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of positions, shape (rows, columns), that share their evidence with their neighbours."""
        return shared_evidence(scores, self.extents.shared_over)

    def _to_pixels(self, image: Observed, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        down, across = (np.arange(length, dtype=np.float64) for length in image.pixels.shape[:2])
        score = interpolate(scores, centres(self.levels[0].grid(image)), (down, across))
        if image.mask is not None:
            score[image.mask] = np.nan
        return score

    def _resolvable(self, n_features: int) -> NDArray[np.float64]:
        """Differences of the features that are no sign of anything: 3 % of contrast, or of a ratio."""
        units = np.full((len(self.levels), n_features), 0.03)
        for level, row in zip(self.levels, units, strict=True):
            row[: n_features - level.n_derived] *= level.contrast / level.patch_size
        return units.ravel()

    def _odd_features(
        self, images: Sequence[Observed], random_state: np.random.RandomState
    ) -> NDArray[np.float32]:
        """Features at the positions inside of synthetic defects."""
        inside = []
        for odd, defects in crops_with_defects(images, random_state):
            down, across = (np.rint(c).astype(int) for c in centres(self.levels[0].grid(odd)))
            features = np.concatenate(list(self._strips(odd)))[defects[np.ix_(down, across)]]
            inside.append(features[~np.isnan(features).any(axis=1)])
        features = np.concatenate(inside)
        if len(features) <= features.shape[1]:
            raise ParameterError(
                "The training images are too small to learn what is odd in them; give images of at least "
                f"{4 * self.patch_size}×{4 * self.patch_size} pixels, or more of them."
            )
        return features

    def notes(self) -> dict[str, Any]:
        """What a user should know of the model: nothing that its parameters do not say."""
        return {}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, to be stored in a model file."""
        arrays = self.ratio.arrays()
        for name, level in zip(_LEVELS, self.levels, strict=False):
            arrays |= {f"{name}.{key}": array for key, array in level.arrays().items()}
        if self.direction is not None:
            arrays |= {"direction": self.direction.weights, "direction.scale": self.direction.scale.knots}
        return arrays

    def restore(self, arrays: dict[str, NDArray[Any]]) -> LikelihoodScorer:
        """Take what was learned from a model file."""
        self.levels = self._new_levels(sum(f"{name}.dictionary" in arrays for name in _LEVELS))
        for name, level in zip(_LEVELS, self.levels, strict=False):
            level.restore({key: arrays[f"{name}.{key}"] for key in ("dictionary", "typical")})
        self.ratio = LikelihoodRatio.restored(arrays)
        if "direction" in arrays:
            self.direction = Direction(arrays["direction"], NormalScores(arrays["direction.scale"]))
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is only needed while learning."""
        return {name: value for name, value in vars(self).items() if name != "_learning"}


@dataclass
class Learning:
    """Features of synthetic defects at each scale, and of the training images for as long as these exist."""

    odd: tuple[NDArray[np.float32], ...]
    measured: WeakKeyDictionary[Observed, NDArray[np.float32]] = field(default_factory=WeakKeyDictionary)

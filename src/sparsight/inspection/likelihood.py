"""The universal detector: is what is seen more likely to be normal, or to be some odd thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sparsight.errors import ParameterError
from sparsight.inspection.densities import MixtureDensity
from sparsight.inspection.normal_scores import NormalScores
from sparsight.inspection.pooled_features import PooledFeatures
from sparsight.inspection.positions import Positions, centres, interpolate
from sparsight.inspection.scorers import Observed
from sparsight.inspection.synthetic_defects import paste_defects

_LEVELS = ("full", "half")
_POSITIONS_TO_LEARN_FROM = 20_000
_MOST_COMPONENTS = 24
_SEPARATE_POSITIONS_PER_COMPONENT = 40
_REGULARIZATION = 3e-3
_CROP = 384
_CROPS = 10
# How much the broad idea of a defect counts against the exact one of normality. At 1 the score is the
# likelihood ratio itself, which trusts the synthetic defects too much.
_WEIGHT_OF_ALTERNATIVE = 0.5


@dataclass
class LikelihoodScorer:
    r"""Likelihood of pooled features of sparse codes, against a broad alternative.

    .. math:: u = -\log p_\text{normal}(f) + \tfrac12 \log p_\text{odd}(f)

    The features f are those of `PooledFeatures` at full and at half size, each mapped to a normal score.
    p_normal is a mixture of Gaussians; p_odd one Gaussian, on features of synthetic defects pasted into the
    training images: it knows no direction, only in which features and how far anything may stray. The score
    of a pixel is u, interpolated between patches, mapped so that it is standard normal on the training images.

    Parameters
    ----------
    patch_size, stride, n_components, n_nonzero_coefs
        As in `PooledFeatures`.
    n_threads : int, optional
    """

    patch_size: int = 8
    stride: int = 4
    n_components: int = 128
    n_nonzero_coefs: int = 5
    n_threads: int | None = None
    levels: list[PooledFeatures] = field(init=False, repr=False)
    marginals: NormalScores = field(init=False, repr=False)
    normal: MixtureDensity = field(init=False, repr=False)
    odd: MixtureDensity = field(init=False, repr=False)
    scale: NormalScores = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.levels = [
            PooledFeatures(
                self.patch_size,
                self.stride,
                self.n_components,
                self.n_nonzero_coefs,
                n_threads=self.n_threads,
            )
            for _ in _LEVELS
        ]

    @property
    def resolution(self) -> int:
        """Extent, in pixels, of what a score depends on for the most part."""
        return round(self.patch_size + 4 * self.levels[0].smoothing)

    @property
    def blur(self) -> int:
        """Distance, in pixels, at which a strong anomaly still raises the score."""
        return self.resolution

    def fit(self, images: Sequence[Observed], random_state: np.random.RandomState) -> LikelihoodScorer:
        """Learn dictionaries and densities from normal images."""
        halves = [self._half(image) for image in images]
        for level, level_images in zip(self.levels, (images, halves), strict=True):
            level.fit(level_images, random_state)
        share = -(-_POSITIONS_TO_LEARN_FROM // len(images))
        features = np.concatenate([_some(self._features(image), share, random_state) for image in images])
        self.marginals = NormalScores.of(features, self._resolvable(features.shape[1] // 2))
        features = self.marginals.apply(features)
        # Neighbouring positions see nearly the same: as many count as separate as there is room for.
        n_separate = sum(image.n_observed for image in images) / self.resolution**2
        self.normal = MixtureDensity.of(
            features,
            int(np.clip(n_separate / _SEPARATE_POSITIONS_PER_COMPONENT, 1, _MOST_COMPONENTS)),
            regularization=_REGULARIZATION + (features.shape[1] / n_separate) ** 2,
            random_state=random_state,
        )
        odd = self.marginals.apply(self._odd_features(images, random_state))
        # So broad that u grows in every direction away from a component: Σ_odd ⪰ w Σ_normal.
        spread = np.cov(odd.T) + _WEIGHT_OF_ALTERNATIVE * self.normal.covariance_within()
        self.odd = MixtureDensity.gaussian(odd.mean(axis=0), spread + 0.03 * np.eye(len(spread)))
        self.scale = NormalScores.of(self._ratio(features)[:, np.newaxis])
        return self

    def score(self, image: Observed) -> NDArray[np.float32]:
        """Score map: standard normal on good images, larger where less likely; NaN where not observed."""
        grid = self.levels[0].grid(image)
        half = self._half_features(image)
        scores = np.concatenate([self._score_rows(image, rows, half) for rows in self.levels[0].strips(grid)])
        pixels = tuple(np.arange(length, dtype=np.float64) for length in image.pixels.shape[:2])
        score = interpolate(scores, centres(grid), (pixels[0], pixels[1]))
        if image.mask is not None:
            score[image.mask] = np.nan
        return score

    def _score_rows(self, image: Observed, rows: slice, half: Placed) -> NDArray[np.float32]:
        features = self._joined(image, rows, half)
        flat = features.reshape(-1, features.shape[-1])
        seen = ~np.isnan(flat).any(axis=1)
        scores = np.full(len(flat), np.nan, np.float32)
        ratio = self._ratio(self.marginals.apply(flat[seen]))
        scores[seen] = self.scale.apply(ratio[:, np.newaxis], limit=np.inf)[:, 0]
        return scores.reshape(features.shape[:2])

    def _ratio(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        odd = _WEIGHT_OF_ALTERNATIVE * self.odd.log_density(features)
        ratio = odd - self.normal.log_density(features)
        # Log-likelihoods grow with the square of a deviation; their root keeps the order and a natural scale.
        return np.asarray(np.sign(ratio) * np.sqrt(np.abs(ratio)))

    def _features(self, image: Observed) -> NDArray[np.float32]:
        """Features of both levels at the positions of the first, shape (rows, columns, n_features)."""
        grid = self.levels[0].grid(image)
        half = self._half_features(image)
        return np.concatenate([self._joined(image, rows, half) for rows in self.levels[0].strips(grid)])

    def _half_features(self, image: Observed) -> Placed:
        half = self._half(image)
        return Placed(self.levels[1].measure(half), centres(self.levels[1].grid(half), 2.0))

    def _joined(self, image: Observed, rows: slice, half: Placed) -> NDArray[np.float32]:
        down, across = centres(self.levels[0].grid(image))
        return np.concatenate(
            [
                self.levels[0].measure(image, rows),
                interpolate(half.values, half.positions, (down[rows], across)),
            ],
            axis=-1,
        )

    def _resolvable(self, n_features: int) -> NDArray[np.float64]:
        """Differences of the features that are no sign of anything: 5 % of contrast, or of a ratio."""
        units = np.full((len(self.levels), n_features), 0.05)
        for level, row in zip(self.levels, units, strict=True):
            row[: n_features - level.n_derived] *= level.contrast / level.patch_size
        return units.ravel()

    def _half(self, image: Observed) -> Observed:
        return half_size(image, self.patch_size)

    def _odd_features(
        self, images: Sequence[Observed], random_state: np.random.RandomState
    ) -> NDArray[np.float32]:
        """Features at the positions inside of synthetic defects."""
        inside = []
        for number in range(max(_CROPS, len(images))):
            crop = _crop(images[number % len(images)], random_state)
            pixels, defects = paste_defects(crop.pixels, random_state)
            odd = Observed(pixels, crop.mask)
            down, across = (np.rint(c).astype(int) for c in centres(self.levels[0].grid(odd)))
            features = self._features(odd)[defects[np.ix_(down, across)]]
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
        arrays = {"marginals": self.marginals.knots, "scale": self.scale.knots}
        for name, level in zip(_LEVELS, self.levels, strict=True):
            arrays |= {f"{name}.{key}": array for key, array in level.arrays().items()}
        for name, density in (("normal", self.normal), ("odd", self.odd)):
            arrays |= {f"{name}.{part.name}": getattr(density, part.name) for part in fields(density)}
        return arrays

    def restore(self, arrays: dict[str, NDArray[Any]]) -> LikelihoodScorer:
        """Take what was learned from a model file."""
        self.marginals, self.scale = NormalScores(arrays["marginals"]), NormalScores(arrays["scale"])
        for name, level in zip(_LEVELS, self.levels, strict=True):
            level.restore({key: arrays[f"{name}.{key}"] for key in ("dictionary", "typical")})
        self.normal, self.odd = (
            MixtureDensity(*(arrays[f"{name}.{part.name}"] for part in fields(MixtureDensity)))
            for name in ("normal", "odd")
        )
        return self


@dataclass(frozen=True)
class Placed:
    """Features, and the rows and columns of their positions in pixels."""

    values: NDArray[np.float32]
    positions: Positions


def half_size(image: Observed, smallest: int = 1) -> Observed:
    """Average of neighbouring pixels, at every second; mirrored on to at least `smallest` rows and columns."""
    if image.mask is None:
        return Observed(_enlarged(_every_second(image.pixels), smallest))
    seen = (~image.mask).astype(np.float32)
    weight = _every_second(seen)
    seen = seen.reshape(seen.shape + (1,) * (image.pixels.ndim - 2))
    total = _every_second(image.pixels * seen)
    divisor = np.maximum(weight, 1e-6).reshape(weight.shape + (1,) * (image.pixels.ndim - 2))
    return Observed(_enlarged(total / divisor, smallest), _enlarged(weight < 0.5, smallest))


def _every_second(values: NDArray[np.float32]) -> NDArray[np.float32]:
    kernel = np.array([1, 3, 3, 1], np.float32) / 8
    for axis in (0, 1):
        values = ndimage.correlate1d(values, kernel, axis=axis, mode="reflect", origin=-1)
    return values[::2, ::2]


def _enlarged(values: NDArray[Any], smallest: int) -> NDArray[Any]:
    missing = [max(0, smallest - length) for length in values.shape[:2]]
    padding = [(0, n) for n in missing] + [(0, 0)] * (values.ndim - 2)
    return np.ascontiguousarray(np.pad(values, padding, mode="symmetric"))


def _some(
    features: NDArray[np.float32], n_positions: int, random_state: np.random.RandomState
) -> NDArray[np.float32]:
    flat = features.reshape(-1, features.shape[-1])
    flat = flat[~np.isnan(flat).any(axis=1)]
    return flat[random_state.permutation(len(flat))[:n_positions]]


def _crop(image: Observed, random_state: np.random.RandomState) -> Observed:
    starts = [random_state.randint(max(0, length - _CROP) + 1) for length in image.pixels.shape[:2]]
    part = tuple(slice(start, start + _CROP) for start in starts)
    return Observed(image.pixels[part], None if image.mask is None else image.mask[part])

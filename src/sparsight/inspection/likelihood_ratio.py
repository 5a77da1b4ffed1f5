"""How much more likely features are on normal images than on odd things: the universal detector's score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight.inspection.densities import MixtureDensity
from sparsight.inspection.normal_scores import NormalScores
from sparsight.models import arrays_under

_MOST_COMPONENTS = 12
_SEPARATE_VECTORS_PER_COMPONENT = 40
_REGULARIZATION = 1e-3
_REGULARIZATION_OF_ALTERNATIVE = 0.03
# How much the broad idea of a defect counts against the exact one of normality. At 1 the score is the
# likelihood ratio itself, which trusts the synthetic defects too much.
_WEIGHT_OF_ALTERNATIVE = 0.7


@dataclass(frozen=True)
class LikelihoodRatio:
    r"""Score of feature vectors, learned from normal ones and from those of synthetic defects.

    Each feature is mapped to a normal score first. The score is the sum of several, of all features and of
    those of the finer scales alone, in which small defects are not diluted; see `Verdict` for each. It is
    mapped so that it is standard normal on what it was learned from.
    """

    marginals: NormalScores
    verdicts: tuple[Verdict, ...]
    scale: NormalScores

    @classmethod
    def of(
        cls,
        normal: NDArray[np.float32],
        odd: NDArray[np.float32],
        *,
        parts: Sequence[int] = (),
        resolvable: NDArray[np.floating],
        n_separate: float,
        random_state: np.random.RandomState,
        whole: LikelihoodRatio | None = None,
        unshown: NDArray[np.floating] | None = None,
    ) -> LikelihoodRatio:
        """Learn from feature vectors.

        Parameters
        ----------
        normal, odd : arrays of shape (n, n_features)
            Features of normal positions, and of positions inside of synthetic defects.
        parts : sequence of int
            How many features, from the first, are to be judged by themselves, too: those of finer scales.
        resolvable : array of shape (n_features,)
            Differences of each feature that are no sign of anything.
        n_separate : float
            As how many independent vectors the normal ones count: neighbouring positions see nearly the same.
        random_state : RandomState
        whole : LikelihoodRatio, optional
            What was learned from these vectors and others: its mixtures are refitted to these, which is quick.
        unshown : array of shape (n_features,), optional
            Variance of normal features, mapped to normal scores, that the vectors are too few to show; by default the
            same for all, (n_features / n_separate)².
        """
        marginals = NormalScores.of(normal, resolvable) if whole is None else whole.marginals
        normal, odd = marginals.apply(normal), marginals.apply(odd)
        verdicts = tuple(
            Verdict.of(
                normal[:, :n_features],
                odd[:, :n_features],
                n_separate=n_separate,
                random_state=random_state,
                whole=None if whole is None else whole.verdicts[number],
                unshown=None if unshown is None else unshown[:n_features],
            )
            for number, n_features in enumerate([normal.shape[1], *parts])
        )
        total = _total(verdicts, normal)
        return cls(marginals, verdicts, NormalScores.of(total[:, np.newaxis]))

    @property
    def normal(self) -> MixtureDensity:
        """Density of all features, mapped to normal scores, on normal images."""
        return self.verdicts[0].normal

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of vectors, shape (..., n_features); NaN where a feature is."""
        flat = features.reshape(-1, features.shape[-1])
        seen = ~np.isnan(flat).any(axis=1)
        scores = np.full(len(flat), np.nan, np.float32)
        total = _total(self.verdicts, self.marginals.apply(flat[seen]))
        scores[seen] = self.scale.apply(total[:, np.newaxis], limit=np.inf)[:, 0]
        return scores.reshape(features.shape[:-1])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, to be stored in a model file."""
        arrays = {"marginals": self.marginals.knots, "scale": self.scale.knots}
        for number, verdict in enumerate(self.verdicts):
            arrays |= {f"verdict{number}.{name}": array for name, array in verdict.arrays().items()}
        return arrays

    @classmethod
    def restored(cls, arrays: dict[str, NDArray[Any]]) -> LikelihoodRatio:
        """Take what was learned from a model file."""
        verdicts: list[Verdict] = []
        while f"verdict{len(verdicts)}.scale" in arrays:
            verdicts.append(Verdict.restored(arrays_under(f"verdict{len(verdicts)}.", arrays)))
        return cls(NormalScores(arrays["marginals"]), tuple(verdicts), NormalScores(arrays["scale"]))


@dataclass(frozen=True)
class Verdict:
    r"""Likelihood of features under two densities.

    .. math:: u(f) = -\log p_\text{normal}(f) + 0.7 \log p_\text{odd}(f)

    p_normal is a mixture of Gaussians, p_odd one Gaussian. The score is √|u| with the sign of u, mapped so
    that it is standard normal on what it was learned from.
    """

    normal: MixtureDensity
    odd: MixtureDensity
    scale: NormalScores

    @classmethod
    def of(
        cls,
        normal: NDArray[np.float32],
        odd: NDArray[np.float32],
        *,
        n_separate: float,
        random_state: np.random.RandomState,
        whole: Verdict | None,
        unshown: NDArray[np.floating] | None,
    ) -> Verdict:
        """Learn from features that were mapped to normal scores; parameters as of `LikelihoodRatio.of`."""
        if unshown is None:
            unshown = np.full(normal.shape[1], (normal.shape[1] / n_separate) ** 2)
        regularization = _REGULARIZATION + unshown
        if whole is None:
            n_components = int(np.clip(n_separate / _SEPARATE_VECTORS_PER_COMPONENT, 1, _MOST_COMPONENTS))
            density = MixtureDensity.of(
                normal, n_components, regularization=regularization, random_state=random_state
            )
        else:
            density = whole.normal.refined(normal, regularization=regularization)
        spread = np.cov(odd.T) + _REGULARIZATION_OF_ALTERNATIVE * np.eye(odd.shape[1])
        # So broad that u grows in every direction away from a component: Σ_odd ⪰ w Σ_normal.
        spread = at_least(spread, _WEIGHT_OF_ALTERNATIVE * density.covariance_within())
        alternative = MixtureDensity.gaussian(odd.mean(axis=0), spread)
        scale = NormalScores.of(_root_ratio(normal, density, alternative)[:, np.newaxis])
        return cls(density, alternative, scale)

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of vectors, shape (n, n_features)."""
        ratio = _root_ratio(features, self.normal, self.odd)
        return self.scale.apply(ratio[:, np.newaxis], limit=np.inf)[:, 0]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, to be stored in a model file."""
        arrays = {"scale": self.scale.knots}
        for name, density in (("normal", self.normal), ("odd", self.odd)):
            arrays |= {f"{name}.{part.name}": getattr(density, part.name) for part in fields(density)}
        return arrays

    @classmethod
    def restored(cls, arrays: dict[str, NDArray[Any]]) -> Verdict:
        """Take what was learned from a model file."""
        normal, odd = (
            MixtureDensity(*(arrays[f"{name}.{part.name}"] for part in fields(MixtureDensity)))
            for name in ("normal", "odd")
        )
        return cls(normal, odd, NormalScores(arrays["scale"]))


def at_least(covariance: NDArray[np.floating], smallest: NDArray[np.floating]) -> NDArray[np.float64]:
    """Smallest widening of a covariance that leaves it no narrower than another in any direction."""
    root = np.linalg.cholesky(smallest)
    inverse = np.linalg.inv(root)
    variances, directions = np.linalg.eigh(inverse @ covariance @ inverse.T)
    widened = (directions * np.maximum(variances, 1.0)) @ directions.T
    return np.asarray(root @ widened @ root.T)


def _total(verdicts: tuple[Verdict, ...], features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum of the scores of vectors, each by its first features."""
    parts = [verdict.score(features[:, : verdict.normal.means.shape[1]]) for verdict in verdicts]
    return np.asarray(np.sum(parts, axis=0))


def _root_ratio(
    features: NDArray[np.float32], normal: MixtureDensity, odd: MixtureDensity
) -> NDArray[np.float32]:
    """√|u| with the sign of u: log-likelihoods grow with the square of a deviation."""
    ratio = _WEIGHT_OF_ALTERNATIVE * odd.log_density(features) - normal.log_density(features)
    return np.asarray(np.sign(ratio) * np.sqrt(np.abs(ratio)))

"""How much less likely a feature vector is on a good image than on any odd thing."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight.inspection.densities import MixtureDensity
from sparsight.inspection.normal_scores import NormalScores

_MOST_COMPONENTS = 24
_SEPARATE_VECTORS_PER_COMPONENT = 40
_REGULARIZATION = 3e-3
_REGULARIZATION_OF_ALTERNATIVE = 0.03
# How much the broad idea of a defect counts against the exact one of normality. At 1 the score is the
# likelihood ratio itself, which trusts the synthetic defects too much.
_WEIGHT_OF_ALTERNATIVE = 0.5


@dataclass(frozen=True)
class LikelihoodRatio:
    r"""Score of feature vectors, learned from normal ones and from those of synthetic defects.

    .. math:: u(f) = -\log p_\text{normal}(f) + \tfrac12 \log p_\text{odd}(f)

    Each feature is mapped to a normal score first. p_normal is a mixture of Gaussians, p_odd one Gaussian. The
    score is √|u| with the sign of u, mapped so that it is standard normal on what it was learned from.
    """

    marginals: NormalScores
    normal: MixtureDensity
    odd: MixtureDensity
    scale: NormalScores

    @classmethod
    def of(
        cls,
        normal: NDArray[np.float32],
        odd: NDArray[np.float32],
        *,
        resolvable: NDArray[np.floating],
        n_separate: float,
        random_state: np.random.RandomState,
        whole: LikelihoodRatio | None = None,
    ) -> LikelihoodRatio:
        """Learn from feature vectors.

        Parameters
        ----------
        normal, odd : arrays of shape (n, n_features)
            Features of normal positions, and of positions inside of synthetic defects.
        resolvable : array of shape (n_features,)
            Differences of each feature that are no sign of anything.
        n_separate : float
            As how many independent vectors the normal ones count: neighbouring positions see nearly the same.
        random_state : RandomState
        whole : LikelihoodRatio, optional
            What was learned from these vectors and others: its mixture is refitted to these, which is quick.
        """
        marginals = NormalScores.of(normal, resolvable) if whole is None else whole.marginals
        normal, odd = marginals.apply(normal), marginals.apply(odd)
        regularization = _REGULARIZATION + (normal.shape[1] / n_separate) ** 2
        if whole is None:
            n_components = int(np.clip(n_separate / _SEPARATE_VECTORS_PER_COMPONENT, 1, _MOST_COMPONENTS))
            density = MixtureDensity.of(
                normal, n_components, regularization=regularization, random_state=random_state
            )
        else:
            density = whole.normal.refined(normal, regularization=regularization)
        # So broad that u grows in every direction away from a component: Σ_odd ⪰ w Σ_normal.
        spread = np.cov(odd.T) + _WEIGHT_OF_ALTERNATIVE * density.covariance_within()
        spread += _REGULARIZATION_OF_ALTERNATIVE * np.eye(len(spread))
        alternative = MixtureDensity.gaussian(odd.mean(axis=0), spread)
        scale = NormalScores.of(_root_ratio(normal, density, alternative)[:, np.newaxis])
        return cls(marginals, density, alternative, scale)

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of vectors, shape (..., n_features); NaN where a feature is."""
        flat = features.reshape(-1, features.shape[-1])
        seen = ~np.isnan(flat).any(axis=1)
        scores = np.full(len(flat), np.nan, np.float32)
        ratio = _root_ratio(self.marginals.apply(flat[seen]), self.normal, self.odd)
        scores[seen] = self.scale.apply(ratio[:, np.newaxis], limit=np.inf)[:, 0]
        return scores.reshape(features.shape[:-1])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, to be stored in a model file."""
        arrays = {"marginals": self.marginals.knots, "scale": self.scale.knots}
        for name, density in (("normal", self.normal), ("odd", self.odd)):
            arrays |= {f"{name}.{part.name}": getattr(density, part.name) for part in fields(density)}
        return arrays

    @classmethod
    def restored(cls, arrays: dict[str, NDArray[Any]]) -> LikelihoodRatio:
        """Take what was learned from a model file."""
        normal, odd = (
            MixtureDensity(*(arrays[f"{name}.{part.name}"] for part in fields(MixtureDensity)))
            for name in ("normal", "odd")
        )
        return cls(NormalScores(arrays["marginals"]), normal, odd, NormalScores(arrays["scale"]))


def _root_ratio(
    features: NDArray[np.float32], normal: MixtureDensity, odd: MixtureDensity
) -> NDArray[np.float32]:
    """√|u| with the sign of u: log-likelihoods grow with the square of a deviation."""
    ratio = _WEIGHT_OF_ALTERNATIVE * odd.log_density(features) - normal.log_density(features)
    return np.asarray(np.sign(ratio) * np.sqrt(np.abs(ratio)))

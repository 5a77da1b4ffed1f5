"""Densities of feature vectors: mixtures of Gaussians, evaluated fast and stored as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

_AT_A_TIME = 8_192


@dataclass(frozen=True)
class MixtureDensity:
    """A mixture of Gaussians with full covariances.

    Attributes
    ----------
    log_weights : array of shape (n_components,)
        Logarithm of each component's weight, plus that of the determinant of its whitening factor.
    means : array of shape (n_components, n_features)
    factors : array of shape (n_components, n_features, n_features)
        Upper triangular U with inverse covariance U Uᵀ.
    """

    log_weights: NDArray[np.float32]
    means: NDArray[np.float32]
    factors: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        features: NDArray[np.floating],
        n_components: int,
        *,
        regularization: float,
        random_state: np.random.RandomState,
    ) -> MixtureDensity:
        """Fit by expectation maximisation to feature vectors, shape (n, n_features).

        `regularization` is added to the diagonal of every covariance.
        """
        # Imported here: scikit-learn's mixtures are only needed to learn, not to inspect.
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        mixture = GaussianMixture(
            n_components, reg_covar=regularization, max_iter=25, tol=3e-3, random_state=random_state
        )
        with warnings.catch_warnings():
            # The likelihood has levelled off long before the parameters have.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(np.asarray(features, np.float64))
        return cls._of_components(mixture.weights_, mixture.means_, mixture.precisions_cholesky_)

    def refined(self, features: NDArray[np.float32], *, regularization: float) -> MixtureDensity:
        """One more step of expectation maximisation, to feature vectors of shape (n, n_features).

        Where these are a part of those that the mixture was fitted to, the components come out as if the rest
        had never been there, but for the choice of which vector belongs to which. Components that hardly
        explain any of them vanish.
        """
        log_densities = np.concatenate(
            [self._log_densities(features[s : s + _AT_A_TIME]) for s in range(0, len(features), _AT_A_TIME)]
        )
        shares = np.exp(log_densities - logsumexp(log_densities, axis=1, keepdims=True)).astype(np.float64)
        totals = shares.sum(axis=0)
        kept = totals > features.shape[1]
        shares, totals = shares[:, kept], totals[kept]
        vectors = features.astype(np.float64)
        means = (shares.T @ vectors) / totals[:, np.newaxis]
        factors = []
        for share, total, mean in zip(shares.T, totals, means, strict=True):
            deviations = vectors - mean
            covariance = (deviations * share[:, np.newaxis]).T @ deviations / total
            factors.append(_inverse_factor(covariance + regularization * np.eye(len(mean))))
        return self._of_components(totals / totals.sum(), means, np.stack(factors))

    @classmethod
    def gaussian(cls, mean: NDArray[np.floating], covariance: NDArray[np.floating]) -> MixtureDensity:
        """One Gaussian, of shape (n_features,) and (n_features, n_features)."""
        return cls._of_components(
            np.ones(1), np.asarray(mean)[np.newaxis], _inverse_factor(covariance)[np.newaxis]
        )

    @classmethod
    def _of_components(
        cls, weights: NDArray[np.floating], means: NDArray[np.floating], factors: NDArray[np.floating]
    ) -> MixtureDensity:
        log_weights = np.log(weights) + np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        return cls(
            log_weights.astype(np.float32),
            np.ascontiguousarray(means, np.float32),
            np.ascontiguousarray(factors, np.float32),
        )

    def covariance_within(self) -> NDArray[np.float64]:
        """Average covariance of the components, each by its weight."""
        factors = self.factors.astype(np.float64)
        log_determinants = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        weights = np.exp(self.log_weights - log_determinants)
        precisions = factors @ factors.transpose(0, 2, 1)
        return np.asarray(np.einsum("k,kfg->fg", weights, np.linalg.inv(precisions)))

    def log_density(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logarithm of the density at feature vectors, shape (n, n_features)."""
        parts = [
            logsumexp(self._log_densities(features[start : start + _AT_A_TIME]), axis=1)
            for start in range(0, len(features), _AT_A_TIME)
        ]
        n_features = self.means.shape[1]
        total = np.concatenate(parts) if parts else np.empty(0, np.float32)
        return np.asarray(total - 0.5 * n_features * np.log(2 * np.pi), np.float32)

    def _log_densities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Weighted density of each component, shape (n, n_components), up to a constant."""
        n_components, n_features = self.means.shape
        factors = self.factors.transpose(1, 0, 2).reshape(n_features, -1)
        offsets = np.einsum("kf,kfg->kg", self.means, self.factors).ravel()
        whitened = (features @ factors - offsets).reshape(-1, n_components, n_features)
        return np.asarray(self.log_weights - 0.5 * np.einsum("nkf,nkf->nk", whitened, whitened))


def _inverse_factor(covariance: NDArray[np.floating]) -> NDArray[np.float64]:
    """Upper triangular U with covariance⁻¹ = U Uᵀ."""
    return np.asarray(np.linalg.inv(np.linalg.cholesky(covariance)).T)

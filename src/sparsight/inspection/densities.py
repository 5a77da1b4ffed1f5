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
            n_components, reg_covar=regularization, max_iter=40, tol=3e-3, random_state=random_state
        )
        with warnings.catch_warnings():
            # The likelihood has levelled off long before the parameters have.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(np.asarray(features, np.float64))
        factors = mixture.precisions_cholesky_
        log_weights = np.log(mixture.weights_) + np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        return cls(
            log_weights.astype(np.float32),
            mixture.means_.astype(np.float32),
            np.ascontiguousarray(factors, np.float32),
        )

    @classmethod
    def gaussian(cls, mean: NDArray[np.floating], covariance: NDArray[np.floating]) -> MixtureDensity:
        """One Gaussian, of shape (n_features,) and (n_features, n_features)."""
        inverse_factor = np.linalg.inv(np.linalg.cholesky(covariance)).T
        log_determinant = np.log(np.diagonal(inverse_factor)).sum()
        return cls(
            np.array([log_determinant], np.float32),
            np.asarray(mean, np.float32)[np.newaxis],
            np.ascontiguousarray(inverse_factor[np.newaxis], np.float32),
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
        n_components, n_features = self.means.shape
        factors = self.factors.transpose(1, 0, 2).reshape(n_features, -1)
        offsets = np.einsum("kf,kfg->kg", self.means, self.factors).ravel()
        result = np.empty(len(features), np.float32)
        for start in range(0, len(features), _AT_A_TIME):
            part = slice(start, start + _AT_A_TIME)
            whitened = (features[part] @ factors - offsets).reshape(-1, n_components, n_features)
            distances = np.einsum("nkf,nkf->nk", whitened, whitened)
            result[part] = logsumexp(self.log_weights - 0.5 * distances, axis=1)
        return result - np.float32(0.5 * n_features * np.log(2 * np.pi))

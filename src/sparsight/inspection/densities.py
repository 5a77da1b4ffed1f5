"""Densities of feature vectors: mixtures of Gaussians, evaluated fast and stored as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsight import _kernels
from sparsight.inspection.normality import shares_of_distance

_AT_A_TIME = 8_192
_STEPS = 25
_STEPS_TO_FORGET = 5
_LEVELLED_OFF = 3e-3
_VECTORS_PER_CLUSTER = 200


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
        regularization: NDArray[np.floating] | float,
        random_state: np.random.RandomState,
    ) -> MixtureDensity:
        """Fit by expectation maximisation to feature vectors, shape (n, n_features).

        `regularization`, of each feature or of all, is added to the diagonal of every covariance.
        """
        vectors = np.asarray(features, np.float32)
        n_components = min(n_components, len(vectors))
        nearest = _clusters(vectors, n_components, random_state)
        shares = np.eye(n_components)[nearest]
        density = cls._maximising(vectors, shares[:, shares.any(axis=0)], regularization)
        likelihood = -np.inf
        for _ in range(_STEPS):
            shares, log_density = density._shares(vectors)
            gain, likelihood = log_density - likelihood, log_density
            if gain < _LEVELLED_OFF:
                break
            density = cls._maximising(vectors, shares, regularization)
        return density

    def refined(
        self, features: NDArray[np.float32], *, regularization: NDArray[np.floating] | float
    ) -> MixtureDensity:
        """A few more steps of expectation maximisation, to feature vectors of shape (n, n_features).

        Where these are a part of those that the mixture was fitted to, the components come out nearly as if the
        rest had never been there. Components that hardly explain any of them vanish.
        """
        density = self
        for _ in range(_STEPS_TO_FORGET):
            shares, _ = density._shares(features)
            kept = shares.sum(axis=0) > features.shape[1]
            density = self._maximising(features, shares[:, kept], regularization)
        return density

    def _shares(self, features: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
        """Probability that each vector belongs to each component; mean log-likelihood, up to a constant."""
        log_densities = np.concatenate(
            [self._log_densities(features[s : s + _AT_A_TIME]) for s in range(0, len(features), _AT_A_TIME)]
        )
        largest = log_densities.max(axis=1, keepdims=True)
        shares = np.exp(log_densities - largest)
        totals = shares.sum(axis=1, keepdims=True)
        return shares / totals, float(np.mean(largest + np.log(totals), dtype=np.float64))

    @classmethod
    def _maximising(
        cls,
        features: NDArray[np.float32],
        shares: NDArray[np.floating],
        regularization: NDArray[np.floating] | float,
    ) -> MixtureDensity:
        """The mixture whose components have these shares of the vectors."""
        totals = shares.sum(axis=0, dtype=np.float64)
        centre = features.mean(axis=0)
        # Around the centre, so that single precision does for the products.
        vectors = features - centre
        means = (shares.T.astype(np.float32) @ vectors) / totals[:, np.newaxis]
        factors = []
        for share, total, mean in zip(shares.T.astype(np.float32), totals, means, strict=True):
            products = (vectors * share[:, np.newaxis]).T @ vectors / total
            covariance = products.astype(np.float64) - np.outer(mean, mean)
            factors.append(_inverse_factor(covariance + regularization * np.eye(len(mean))))
        return cls._of_components(totals / totals.sum(), means + centre, np.stack(factors))

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

    def shares(self, vector: NDArray[np.float32]) -> NDArray[np.float64]:
        """Share of each feature in the Mahalanobis distance of a vector from its likeliest component."""
        nearest = int(np.argmax(self._log_densities(vector[np.newaxis])[0]))
        factor = self.factors[nearest].astype(np.float64)
        return shares_of_distance(vector - self.means[nearest], np.linalg.inv(factor @ factor.T))

    def log_density(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logarithm of the density at feature vectors, shape (n, n_features)."""
        parts = [np.empty(0, np.float32)]
        for start in range(0, len(features), _AT_A_TIME):
            of_components = self._log_densities(features[start : start + _AT_A_TIME])
            largest = of_components.max(axis=1)
            parts.append(largest + np.log(np.exp(of_components - largest[:, np.newaxis]).sum(axis=1)))
        n_features = self.means.shape[1]
        total = np.concatenate(parts)
        return np.asarray(total - 0.5 * n_features * np.log(2 * np.pi), np.float32)

    def _log_densities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Weighted density of each component, shape (n, n_components), up to a constant."""
        n_components, n_features = self.means.shape
        factors = np.ascontiguousarray(self.factors.transpose(0, 2, 1)).reshape(-1, n_features)
        offsets = np.einsum("kf,kfg->kg", self.means, self.factors).ravel()
        products = _kernels.row_products(np.ascontiguousarray(features), factors, n_threads=1)
        whitened = (products - offsets).reshape(-1, n_components, n_features)
        return np.asarray(self.log_weights - 0.5 * np.einsum("nkf,nkf->nk", whitened, whitened))


def _clusters(
    vectors: NDArray[np.float32], n_clusters: int, random_state: np.random.RandomState
) -> NDArray[np.intp]:
    """Number of the cluster of each vector."""
    import warnings

    from scipy.cluster.vq import kmeans2, vq

    some = vectors[random_state.permutation(len(vectors))[: _VECTORS_PER_CLUSTER * n_clusters]]
    with warnings.catch_warnings():
        # A cluster that runs empty only makes one component fewer.
        warnings.simplefilter("ignore", UserWarning)
        centres, _ = kmeans2(some, n_clusters, minit="++", rng=random_state)
    return np.asarray(vq(vectors, centres)[0])


def _inverse_factor(covariance: NDArray[np.floating]) -> NDArray[np.float64]:
    """Upper triangular U with covariance⁻¹ = U Uᵀ."""
    return np.asarray(np.linalg.inv(np.linalg.cholesky(covariance)).T)

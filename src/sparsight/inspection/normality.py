"""The region of indicator vectors that normal patches fill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from sparsight import _kernels
from sparsight.errors import ParameterError


@dataclass(frozen=True)
class NormalityRegion:
    r"""Ellipsoid of normal indicator vectors (ICIP 2016, eq. 7).

    .. math:: R_\gamma = \{ \varphi : \sqrt{(\varphi - \bar g)^T \Sigma^{-1} (\varphi - \bar g)} \le \gamma \}

    Attributes
    ----------
    mean : array of shape (n_indicators,)
        Average indicators of normal patches.
    factor : array of shape (n_indicators, n_indicators)
        Lower Cholesky factor of their covariance, after a ridge of 1e-9 of its mean variance, so that
        indicators that are (nearly) collinear or constant cannot make it singular.
    """

    mean: NDArray[np.float64]
    factor: NDArray[np.float64]

    @classmethod
    def of(cls, indicators: NDArray[np.floating]) -> NormalityRegion:
        """Measure the region on indicators of normal patches, shape (n_patches, n_indicators).

        Raises
        ------
        ParameterError
            If there are not more patches than indicators.
        """
        n_patches, n_indicators = indicators.shape
        if n_patches <= n_indicators:
            raise ParameterError(
                f"A normality region of {n_indicators} indicators needs more than {n_indicators} held-out "
                f"normal patches, got {n_patches}; give larger or more images, or smaller patches."
            )
        covariance = np.atleast_2d(np.cov(indicators, rowvar=False, dtype=np.float64))
        ridge = max(1e-9 * float(np.trace(covariance)) / n_indicators, np.finfo(np.float64).tiny)
        factor = np.linalg.cholesky(covariance + ridge * np.eye(n_indicators))
        return cls(indicators.mean(axis=0, dtype=np.float64), factor)

    def distance(self, indicators: NDArray[np.floating]) -> NDArray[np.float64]:
        """Mahalanobis distance of indicators, shape (n_patches, n_indicators), to the normal mean."""
        inverse = solve_triangular(self.factor, np.eye(len(self.factor)), lower=True)
        deviations = np.ascontiguousarray(indicators - self.mean, np.float64)
        whitened = _kernels.row_products(deviations, np.ascontiguousarray(inverse), n_threads=1)
        return np.asarray(np.sqrt(np.square(whitened).sum(axis=1)))

    def shares(self, indicators: NDArray[np.floating]) -> NDArray[np.float64]:
        """Share of each indicator in the squared distance of one vector, shape (n_indicators,)."""
        return shares_of_distance(indicators - self.mean, self.factor @ self.factor.T)

    def deviations(self, indicators: NDArray[np.floating]) -> NDArray[np.float64]:
        """How far each indicator of one vector lies above normal, in standard deviations."""
        return np.asarray((indicators - self.mean) / np.linalg.norm(self.factor, axis=1))

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the attributes by name, to be stored in a model file."""
        return {"mean": self.mean, "factor": self.factor}


@dataclass(frozen=True)
class Tolerance:
    r"""Patches whose coding error is within a tolerance (Adler et al. 2015, per patch).

    Coding s ≈ D x + e with an outlier e,

    .. math:: \min_{x, e} \tfrac12 \|s - D x - e\|^2 + \lambda \|x\|_1 + \alpha \|e\|_2 ,

    calls a patch normal when e = 0. By the optimality conditions that is exactly when the code without
    outliers (the lasso) has ‖s − Dx‖ ≤ α. So the distance is that error, and every α is one threshold on it.

    Attributes
    ----------
    scale : array of shape ()
        Root mean square error of normal patches: distances are multiples of it.

    References
    ----------
    A. Adler, M. Elad, Y. Hel-Or, E. Rivlin: Sparse coding with anomaly detection, Journal of Signal
    Processing Systems 79, 2015.
    """

    scale: NDArray[np.float64]

    @classmethod
    def of(cls, indicators: NDArray[np.floating]) -> Tolerance:
        """Measure the scale on the errors of normal patches, shape (n_patches, 1)."""
        tiny = np.finfo(np.float64).tiny
        return cls(np.asarray(max(float(np.sqrt(np.mean(np.square(indicators)))), tiny)))

    def distance(self, indicators: NDArray[np.floating]) -> NDArray[np.float64]:
        """Error of each patch, shape (n_patches, 1), over that of normal patches."""
        return np.asarray(indicators[:, 0] / self.scale, dtype=np.float64)

    def shares(self, indicators: NDArray[np.floating]) -> NDArray[np.float64]:
        """The only indicator has all of it."""
        return np.ones(len(indicators))

    def deviations(self, indicators: NDArray[np.floating]) -> NDArray[np.float64]:
        """How many times the error of normal patches the error is larger than theirs."""
        return np.asarray(indicators / self.scale - 1, dtype=np.float64)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the attributes by name, to be stored in a model file."""
        return {"scale": self.scale}


def shares_of_distance(
    deviation: NDArray[np.floating], covariance: NDArray[np.floating]
) -> NDArray[np.float64]:
    r"""Share of each of several correlated features in the squared Mahalanobis distance of a deviation d.

    The squares of :math:`P^{-1/2} V^{-1/2} d`, over their sum, P being the correlations and V the variances: of
    all ways to decorrelate features the one that leaves each most like itself (A. Kessy, A. Lewin, K. Strimmer:
    Optimal whitening and decorrelation, 2018).
    """
    spread = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(spread, spread))
    apart = np.square(vectors @ ((vectors.T @ (deviation / spread)) / np.sqrt(np.maximum(values, 1e-12))))
    return np.asarray(apart / max(float(apart.sum()), np.finfo(np.float64).tiny))

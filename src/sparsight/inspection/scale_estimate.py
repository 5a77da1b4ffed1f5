"""At which magnification an image was taken, told by what is typical of its texture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_EVERY = 2
# Spread of a feature's medians that says nothing of the scale, as a share of its spread over all scales.
_SAYS_NOTHING = 0.1


@dataclass(frozen=True)
class ScaleEstimate:
    r"""Logarithm of the scale as a linear function of the median of each feature over an image.

    With medians :math:`x = a + b \log \sigma + r`, the residuals r having the covariance C on quarters of the
    training images at all scales, the estimate is that of generalized least squares,

    .. math:: \log \hat\sigma = \frac{b^T C^{-1} (x - a)}{b^T C^{-1} b}.

    Medians hardly change by defects that cover a small part of an image.

    Attributes
    ----------
    centre, weights : arrays of shape (n_features,)
        a, and C⁻¹ b / (bᵀ C⁻¹ b).
    """

    centre: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, features: Sequence[Sequence[NDArray[np.float32]]], factors: Sequence[float]) -> ScaleEstimate:
        """Learn from features, shape (rows, columns, n_features), of several images at each of the scales."""
        medians, logarithms = [], []
        for maps, factor in zip(features, factors, strict=True):
            for part in (quarter for whole in maps for quarter in _quarters(whole)):
                medians.append(_median([part]))
                logarithms.append(np.log(factor))
        known = ~np.isnan(medians).any(axis=1)
        values, scales = np.array(medians)[known], np.array(logarithms)[known]
        design = np.column_stack([np.ones_like(scales), scales])
        (centre, slope), *_ = np.linalg.lstsq(design, values, rcond=None)
        residuals = values - design @ np.stack([centre, slope])
        nothing = np.square(_SAYS_NOTHING * values.std(axis=0)) + 1e-12
        solved = np.linalg.solve(np.cov(residuals.T) + np.diag(nothing), slope)
        return cls(centre, solved / max(float(slope @ solved), 1e-12))

    def scale(self, features: Sequence[NDArray[np.float32]]) -> float:
        """Scale that features of parts of an image, each of shape (rows, columns, n_features), look like.

        NaN where nothing is observed.
        """
        return float(np.exp((_median(features) - self.centre) @ self.weights))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, to be stored in a model file."""
        return {"centre": self.centre, "weights": self.weights}


def _quarters(features: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [part for half in np.array_split(features, 2) for part in np.array_split(half, 2, axis=1)]


def _median(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    n_features = parts[0].shape[-1]
    some = np.concatenate([part[::_EVERY, ::_EVERY].reshape(-1, n_features) for part in parts])
    some = some[~np.isnan(some).any(axis=1)]
    return np.median(some, axis=0).astype(np.float64) if len(some) else np.full(n_features, np.nan)

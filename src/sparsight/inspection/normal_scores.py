"""Features of any distribution, made comparable: each mapped to the standard normal one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

_LEVELS = np.concatenate([[0.0005, 0.002, 0.007], np.linspace(0.02, 0.98, 16), [0.993, 0.998, 0.9995]])


@dataclass(frozen=True)
class NormalScores:
    """Monotone, piecewise linear maps to normal scores, one for each feature, with linear tails.

    Attributes
    ----------
    knots : array of shape (22, n_features)
        Quantiles of the features of normal images.
    """

    knots: NDArray[np.float32]

    @classmethod
    def of(cls, values: NDArray[np.floating], smallest: ArrayLike = 0.0) -> NormalScores:
        """Measure the quantiles of features of normal images, shape (n, n_features).

        `smallest`, of each feature or of all, is a standard deviation that is added to theirs, so that
        differences of no consequence do not look large where a feature hardly varies.
        """
        targets = ndtri(_LEVELS)[:, np.newaxis]
        knots = np.quantile(values, _LEVELS, axis=0) + np.asarray(smallest) * targets
        # Equal quantiles would make the map jump.
        smallest_step = 1e-6 * (np.abs(knots).max(axis=0) + 1e-6)
        knots = np.maximum.accumulate(knots + smallest_step * np.arange(len(knots))[:, np.newaxis])
        return cls(knots.astype(np.float32))

    def apply(self, values: NDArray[np.floating], limit: float = 15.0) -> NDArray[np.float32]:
        """Map features, shape (n, n_features), to normal scores, at most `limit` in size."""
        targets = ndtri(_LEVELS)
        scores = np.empty(values.shape, np.float32)
        for column, knots in enumerate(self.knots.T.astype(np.float64)):
            value = values[:, column]
            score = np.interp(value, knots, targets)
            # The tails go on with the slope between the outer quantiles, not that of the last two alone.
            for end, inner in ((0, 2), (-1, -3)):
                slope = (targets[end] - targets[inner]) / (knots[end] - knots[inner])
                outside = value < knots[0] if end == 0 else value > knots[-1]
                score[outside] = targets[end] + slope * (value[outside] - knots[end])
            scores[:, column] = score
        return np.clip(scores, -limit, limit)

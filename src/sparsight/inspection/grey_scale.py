"""Whether lighting multiplies what is seen, so that grey levels are better judged by their ratios."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BINS = 12
_LEAST_PATCHES_PER_BIN = 10
_LEAST_RANGE = 1.5
_PROPORTIONAL = 0.2
# Of the typical brightness: below it differences count rather than ratios, as noise and rounding do.
_FLOOR = 0.02


@dataclass(frozen=True)
class GreyScale:
    r"""Grey levels, as they are or on a logarithmic scale.

    Where contrast is proportional to brightness, differences of brightness are those of lighting, and only ratios
    tell of the material. Then

    .. math:: x \mapsto x_0 + x_0 \log \frac{x + b}{x_0 + b}, \qquad b = 0.02\, x_0,

    with the typical brightness x₀, which stays as it is.

    Attributes
    ----------
    typical : float
        x₀; 0 where grey levels stay as they are.
    """

    typical: float = 0.0

    @classmethod
    def of(cls, brightness: NDArray[np.floating], contrast: NDArray[np.floating]) -> GreyScale:
        r"""Decide by a line through the median contrast at each brightness.

        The scale is logarithmic where that line nearly runs through the origin: it crosses zero at less than a
        fifth of the typical brightness from there.

        Parameters
        ----------
        brightness, contrast : arrays of shape (n_patches,)
            Mean of each patch, and norm of what is left without it.
        """
        typical = float(np.median(brightness))
        if typical <= 0 or len(brightness) < _BINS * _LEAST_PATCHES_PER_BIN:
            return cls()
        bins = np.array_split(np.argsort(brightness, kind="stable"), _BINS)
        levels = np.array([np.median(brightness[chosen]) for chosen in bins], np.float64)
        if levels[-1] < _LEAST_RANGE * levels[0]:
            return cls()
        medians = np.array([np.median(contrast[chosen]) for chosen in bins], np.float64)
        slope, intercept = np.polyfit(levels, medians, 1)
        proportional = slope > 0 and abs(intercept) < _PROPORTIONAL * slope * typical
        return cls(typical if proportional else 0.0)

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Put grey levels on the scale; negative ones count as none where it is logarithmic."""
        if not self.typical:
            return values
        ratios = np.maximum(values, 0) / np.float32(self.typical) + np.float32(_FLOOR)
        return np.asarray(self.typical * (1 + np.log(ratios / np.float32(1 + _FLOOR))), np.float32)

    def undo(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Grey levels of values on the scale."""
        if not self.typical:
            return values
        ratios = np.exp(values / np.float32(self.typical) - 1) * np.float32(1 + _FLOOR)
        return np.asarray(self.typical * (ratios - _FLOOR), np.float32)

"""By how much an image can be upscaled."""

from __future__ import annotations

import math
from typing import Any

from sparsight.errors import ParameterError

SCALES = (2, 3, 4)
MAX_FACTOR = 16


def check_scale(scale: Any) -> int:
    """Return a scale that there are models for, or raise a ParameterError."""
    if isinstance(scale, bool) or scale not in SCALES:
        raise ParameterError(
            f"scale must be 2, 3 or 4, got {scale!r}; other factors are reached by upscale(factor=...)."
        )
    return int(scale)


def check_factor(factor: Any) -> float:
    """Return a factor that images can be upscaled by, or raise a ParameterError."""
    try:
        value = float(factor)
    except (TypeError, ValueError):
        value = math.nan
    if not 1 < value <= MAX_FACTOR:
        raise ParameterError(
            f"An image can be upscaled by a factor above 1 and up to {MAX_FACTOR}, got {factor!r}; "
            "to make it smaller use imresize."
        )
    return value


def passes_needed(factor: float, scale: int) -> int:
    """How often a scale must be applied to reach a factor."""
    n_passes = 1
    while scale**n_passes < factor - 1e-9:
        n_passes += 1
    return n_passes

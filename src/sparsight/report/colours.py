"""The one colour scale of all heat maps: anchored at the threshold, the same for every image."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

TOP = 4.0
"""Multiple of the threshold at which the scale ends; what lies above has the last colour."""

# Lightness rises throughout and leaps at the threshold, so that the scale reads without colour too.
_BELOW = ((0.0, "#0d1321"), (0.5, "#22344e"), (1.0, "#4a6585"))
_ABOVE = ((1.0, "#f3722c"), (2.0, "#f9c74f"), (TOP, "#fffce8"))
_NOT_OBSERVED = "#8a8f98"
_N_COLOURS = 512
_TINY = 1e-38


def over_threshold(score_map: ArrayLike, threshold: float) -> NDArray[np.float32]:
    """Scores as multiples of the threshold; NaN stays NaN."""
    # A threshold of zero is that of a model that explains its images wholly: all above is infinite.
    with np.errstate(divide="ignore", over="ignore"):
        ratio = np.maximum(np.asarray(score_map, dtype=np.float32), 0) / np.float32(max(threshold, _TINY))
    return np.asarray(ratio, dtype=np.float32)


def heat_colours(ratio: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colour of multiples of the threshold, shape (..., 3); grey where NaN."""
    table, not_observed = _table()
    position = np.clip(scale_position(np.nan_to_num(ratio, nan=0.0, posinf=TOP)), 0, 1)
    # Colours exclude their lower edge, as "above the threshold" excludes the threshold.
    index = np.maximum(np.ceil(position * _N_COLOURS).astype(np.intp) - 1, 0)
    colours = np.asarray(table[index], dtype=np.uint8)
    colours[np.isnan(ratio)] = not_observed
    return colours


def colour_bar() -> dict[str, Any]:
    """The scale as a CSS gradient, and its ticks as (percent, label)."""
    stops = [f"{colour} {100 * float(scale_position(at)):.3g}%" for at, colour in (*_BELOW, *_ABOVE)]
    # scale_position(1.0) belongs to both halves: the gradient leaps there.
    ticks = [(0.0, "0"), (0.5, "½"), (1.0, "threshold"), (2.0, "2 ×"), (TOP, f"≥ {TOP:g} ×")]
    return {
        "gradient": f"linear-gradient(to right, {', '.join(stops)})",
        "ticks": [(100 * float(scale_position(at)), label) for at, label in ticks],
    }


def css_colour(ratio: float) -> str:
    """Colour of one multiple of the threshold, for CSS and SVG."""
    red, green, blue = heat_colours(np.asarray(ratio, dtype=np.float32))
    return f"#{red:02x}{green:02x}{blue:02x}"


def scale_position(ratio: Any) -> NDArray[np.floating[Any]]:
    """Place on the scale, 0 to 1: linear up to the threshold (½), logarithmic above it."""
    above = 0.5 + 0.5 * np.log(np.maximum(ratio, 1)) / np.log(TOP)
    return np.where(np.asarray(ratio) > 1, above, np.asarray(ratio) / 2)


@cache
def _table() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    half = np.arange(_N_COLOURS // 2) / (_N_COLOURS // 2)
    below = _between(_BELOW, half)
    above = _between(_ABOVE, TOP**half)
    return np.concatenate([below, above]), _rgb(_NOT_OBSERVED)


def _between(stops: tuple[tuple[float, str], ...], at: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    positions = scale_position(np.array([position for position, _ in stops]))
    colours = np.array([_rgb(colour) for _, colour in stops])
    channels = [np.interp(scale_position(at), positions, colours[:, k]) for k in range(3)]
    return np.asarray(np.rint(np.column_stack(channels)), dtype=np.uint8)


def _rgb(colour: str) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(colour[1:]), dtype=np.uint8)

"""Where the fibres lie: centrelines, diameters and depths of a random mat, in world units.

One world unit is one pixel at magnification 1, so a lower magnification only means a larger field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

_KNOT_SPACING = 0.4  # all lengths below are in fibre diameters
_BEND_LENGTH, _BEND_ANGLE = 14.0, 0.075
_KINK_LENGTH, _KINK_ANGLE = 1.2, 0.055
_WEAVE_LENGTH, _WEAVE_DEPTH = 9.0, 0.03
_WOBBLE_LENGTH, _WOBBLE = 0.8, 0.08
_TONE_LENGTH, _TONE = 5.0, 0.04


@dataclass(frozen=True)
class Mat:
    """Fibres as knots along their centrelines, every array of shape (n_fibres, n_knots).

    Fibres come in the order in which they lie, the lowest first: where two cross, the later one is
    on top all along, however their elevations weave.
    ``elevation`` runs from 0 (bottom of the mat) to 1 (its upper face); ``tone`` is the brightness
    relative to that of other fibres at the same elevation.
    """

    rows: Array
    cols: Array
    radii: Array
    elevation: Array
    tone: Array
    field: tuple[float, float]
    fibre_diameter: float
    thickness: float  # of the mat, in fibre diameters


def weave_mat(
    field: tuple[float, float],
    *,
    density: float,
    fibre_diameter: float,
    diameter_spread: float,
    random: np.random.Generator,
) -> Mat:
    """Lay random fibres over a field of (height, width) world units.

    Isotropic uniform random lines that then bend: a mat of ``density`` fibres above every point has
    ``density / fibre_diameter`` of fibre length per unit area, which is
    ``density * reach / fibre_diameter`` lines across a disc of diameter ``reach``.
    """
    reach = float(np.hypot(*field)) + 6 * fibre_diameter
    n_fibres = random.poisson(density * reach / fibre_diameter)
    spacing = _KNOT_SPACING * fibre_diameter
    # Bent fibres still cross the whole field when they are a little longer than it is.
    n_knots = int(np.ceil(1.15 * reach / spacing)) + 1
    shape = (n_fibres, n_knots)

    def wander(length: float) -> Array:
        return _wander(shape, length / _KNOT_SPACING, random)

    angle = random.uniform(0, np.pi, (n_fibres, 1))
    offset = random.uniform(-reach / 2, reach / 2, (n_fibres, 1))
    heading = angle + _BEND_ANGLE * wander(_BEND_LENGTH) + _KINK_ANGLE * wander(_KINK_LENGTH)
    rows = _walk(np.sin(heading) * spacing) + offset * np.cos(angle) + field[0] / 2
    cols = _walk(np.cos(heading) * spacing) - offset * np.sin(angle) + field[1] / 2

    radii = 0.5 * fibre_diameter * np.exp(diameter_spread * random.standard_normal((n_fibres, 1)))
    radii = radii * (1 + _WOBBLE * wander(_WOBBLE_LENGTH))
    elevation = np.sort(random.uniform(0, 1, (n_fibres, 1)), axis=0) + _WEAVE_DEPTH * wander(_WEAVE_LENGTH)
    return Mat(
        rows=rows,
        cols=cols,
        radii=radii,
        elevation=np.clip(elevation, 0, 1),
        tone=np.exp(0.04 * random.standard_normal((n_fibres, 1)) + _TONE * wander(_TONE_LENGTH)),
        field=field,
        fibre_diameter=fibre_diameter,
        thickness=2 + 1.6 * density,
    )


def _wander(shape: tuple[int, int], length: float, random: np.random.Generator) -> Array:
    """Smooth noise of unit variance along the second axis, correlated over ``length`` knots."""
    from scipy.ndimage import convolve1d

    radius = int(np.ceil(2.5 * length))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / length) ** 2)
    noise = random.standard_normal((shape[0], shape[1] + 2 * radius))
    smooth = convolve1d(noise, kernel / np.linalg.norm(kernel), axis=1, mode="constant")
    return np.asarray(smooth[:, radius : radius + shape[1]])


def _walk(steps: Array) -> Array:
    """Positions along the steps, zero at the middle knot."""
    positions = np.cumsum(steps, axis=1)
    middle = positions.shape[1] // 2
    return np.asarray(positions - positions[:, middle : middle + 1])

"""Puts mat and defects together: which defect goes where, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .defects import cut_hole, drop_clot, grow_bead, spread_film
from .mat import Mat
from .surface import Centreline, Surface, shade_fibres, trace_centrelines, visible_samples

# Holes change which fibres are seen, so they come before the fibres are shaded; then what lies on
# the mat, the small on the large.
_ORDER = ("hole", "film", "clot", "bead")
_CANDIDATES = 24
_HIGH = 0.75  # elevation of the fibres that holes are cut in, and clots and beads sit on


def build_scene(
    mat: Mat,
    shape: tuple[int, int],
    scale: float,
    kinds: Sequence[str],
    random: np.random.Generator,
) -> tuple[Surface, list[str]]:
    """Surface of the mat with defects, and the kinds of defects in the order of their labels."""
    line = trace_centrelines(mat, shape, scale)
    visible = visible_samples(line, shape)
    diameter = mat.fibre_diameter * scale
    kinds = sorted(kinds, key=_ORDER.index)
    randoms = random.spawn(len(kinds))
    labels = np.zeros(shape, dtype=np.int32)
    centres: list[tuple[int, int]] = []

    n_holes = kinds.count("hole")
    for label, own in enumerate(randoms[:n_holes], start=1):
        centre = _choose_centre(_fibres_on_top(visible, line), centres, own)
        cut_hole(centre, label, visible, labels, line, diameter, own)

    surface = shade_fibres(visible, line, diameter, mat.thickness)
    surface.label[:] = labels
    on_top = _fibres_on_top(visible, line)
    for label in range(n_holes + 1, len(kinds) + 1):
        kind, own = kinds[label - 1], randoms[label - 1]
        centre = _choose_centre(on_top, centres, own)
        if kind == "film":
            spread_film(centre, label, surface, own)
        elif kind == "clot":
            drop_clot(centre, label, surface, own)
        elif visible[centre] >= 0:
            grow_bead(centre, label, surface, line, int(visible[centre]), own)
    return surface, kinds


def _fibres_on_top(visible: NDArray[np.int32], line: Centreline) -> NDArray[np.bool_]:
    """Pixels that show a fibre near the upper face of the mat, or any fibre if there is none."""
    fibres = visible >= 0
    high = fibres.copy()
    high[fibres] = line.elevation[visible[fibres]] > _HIGH
    return high if high.any() else fibres


def _choose_centre(
    allowed: NDArray[np.bool_], centres: list[tuple[int, int]], random: np.random.Generator
) -> tuple[int, int]:
    """Of some random allowed pixels the one farthest from other defects and from the border."""
    if not allowed.any():
        allowed = np.ones_like(allowed)
    candidates = random.choice(np.flatnonzero(allowed), _CANDIDATES)
    rows, cols = np.divmod(candidates, allowed.shape[1])
    room = 2 * np.minimum.reduce(
        [rows, allowed.shape[0] - 1 - rows, cols, allowed.shape[1] - 1 - cols]
    ).astype(float)
    for row, col in centres:
        room = np.minimum(room, np.hypot(rows - row, cols - col))
    best = int(room.argmax())
    centres.append((int(rows[best]), int(cols[best])))
    return centres[-1]

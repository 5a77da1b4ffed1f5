"""What the microscope looks at: for every pixel the topmost fibre, its height and its brightness.

Fibres are drawn as ribbons, back to front. A ribbon is cut into one span of pixels per row or
column that its centreline passes, so that each covered pixel is written about once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mat import Mat

Float = NDArray[np.float32]
Index = NDArray[np.integer[Any]]

_BOTH_WAYS = 0.6  # spans of either direction are drawn where the slope is this near to diagonal
_SPANS_AT_ONCE = 8192  # keeps the pixel lists within the processor's cache
_TO_DETECTOR = (0.45, 0.89)  # row and column of the direction in which the detector stands
_GROUND = 0.03  # brightness where no fibre is


@dataclass(frozen=True)
class Centreline:
    """Samples of all centrelines at most one pixel apart; one-dimensional arrays, in pixels.

    A sample of radius 0 is torn away and not seen.
    """

    row: Float
    col: Float
    tangent_row: Float
    tangent_col: Float
    radius: Float
    elevation: Float
    tone: Float
    fibre: Index

    def within(self, window: tuple[slice, slice], margin: float) -> Index:
        """Indices of the samples in a window or less than ``margin`` outside it."""
        rows, cols = window
        near = (self.row > rows.start - margin) & (self.row < rows.stop + margin)
        near &= (self.col > cols.start - margin) & (self.col < cols.stop + margin)
        return np.flatnonzero(near)

    def select(self, which: NDArray[Any]) -> Centreline:
        """Return the chosen samples."""
        return Centreline(*(getattr(self, field.name)[which] for field in fields(self)))

    def seen_from(self, window: tuple[slice, slice]) -> Centreline:
        """Return the samples in coordinates of a window."""
        return replace(self, row=self.row - window[0].start, col=self.col - window[1].start)


@dataclass
class Surface:
    """The visible surface, arrays of shape (H, W) in supersampled pixels.

    ``height`` in fibre diameters above the bottom of the mat, ``brightness`` before shadows and
    detector, ``label`` the number of the defect that a pixel shows (0: none).
    """

    height: Float
    brightness: Float
    label: NDArray[np.int32]
    diameter: float  # of a fibre, in supersampled pixels
    thickness: float  # of the mat, in fibre diameters


def trace_centrelines(mat: Mat, shape: tuple[int, int], scale: float) -> Centreline:
    """Sample the centrelines that pass near the frame, ``scale`` pixels per world unit."""
    tangent_row, tangent_col = np.gradient(mat.rows, axis=1), np.gradient(mat.cols, axis=1)
    length = np.hypot(tangent_row, tangent_col)
    knots = {
        "row": mat.rows * scale,
        "col": mat.cols * scale,
        "tangent_row": tangent_row / length,
        "tangent_col": tangent_col / length,
        "radius": mat.radii * scale,
        "elevation": mat.elevation,
        "tone": mat.tone,
    }
    step = np.maximum(abs(np.diff(knots["row"])), abs(np.diff(knots["col"])))
    margin = 1.5 * mat.radii.max(initial=0.0) * scale + step
    near = np.ones(step.shape, dtype=bool)
    for name, extent in (("row", shape[0]), ("col", shape[1])):
        near &= (knots[name][:, :-1] > -margin) & (knots[name][:, :-1] < extent + margin)
    fibre, knot = np.nonzero(near)

    counts = np.ceil(step[near]).astype(np.int32)
    segment = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    along = (_position_in_run(counts) + 0.5) / counts[segment]
    samples = {
        name: ((1 - along) * values[fibre, knot][segment] + along * values[fibre, knot + 1][segment])
        for name, values in knots.items()
    }
    single = {name: values.astype(np.float32) for name, values in samples.items()}
    return Centreline(**single, fibre=fibre[segment])


def visible_samples(line: Centreline, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Index of the centreline sample that each pixel shows, -1 where there is no fibre."""
    flat = np.abs(line.tangent_row) < np.abs(line.tangent_col)
    slope = np.where(flat, line.tangent_row, line.tangent_col) / np.where(
        flat, line.tangent_col, line.tangent_row
    )
    diagonal = np.abs(slope) > _BOTH_WAYS
    upright = _spans(line, np.nonzero(flat | diagonal)[0], shape, upright=True)
    level = _spans(line, np.nonzero(~flat | diagonal)[0], shape, upright=False)
    first, stride, count, sample = (np.concatenate(pair) for pair in zip(upright, level, strict=True))

    order = np.argsort(sample, kind="stable")  # samples come from the lowest fibre upwards
    visible = np.full(shape[0] * shape[1], -1, dtype=np.int32)
    for start in range(0, len(order), _SPANS_AT_ONCE):
        some = order[start : start + _SPANS_AT_ONCE]
        pixel = np.repeat(first[some], count[some])
        pixel += np.repeat(stride[some], count[some]) * _position_in_run(count[some])
        visible[pixel] = np.repeat(sample[some], count[some])  # of equal pixels the last one stays
    return visible.reshape(shape)


def _spans(
    line: Centreline, sample: Index, shape: tuple[int, int], *, upright: bool
) -> tuple[Index, Index, Index, Index]:
    """Pixel runs across the ribbons: first flat pixel index, stride, length, sample index.

    An upright run lies in one column, the one nearest to the sample, and holds every pixel whose
    centre is nearer to the centreline than the radius.
    """
    at, across = (line.col[sample], line.row[sample]) if upright else (line.row[sample], line.col[sample])
    run, rise = line.tangent_col[sample], line.tangent_row[sample]
    if not upright:
        run, rise = rise, run
    nearest = np.rint(at)
    centre = across + (nearest - at) * rise / run
    half = line.radius[sample] / np.abs(run)
    lines, extent = (shape[1], shape[0]) if upright else shape
    low = np.maximum(np.ceil(centre - half), 0).astype(np.int32)
    high = np.minimum(np.floor(centre + half), extent - 1).astype(np.int32)
    inside = (nearest >= 0) & (nearest < lines) & (high >= low) & (half > 0)
    place, low, high = nearest[inside].astype(np.int32), low[inside], high[inside]
    first = low * shape[1] + place if upright else place * shape[1] + low
    stride = np.full(len(first), shape[1] if upright else 1, dtype=np.int32)
    return first, stride, high - low + 1, sample[inside]


def shade_fibres(visible: NDArray[np.int32], line: Centreline, diameter: float, thickness: float) -> Surface:
    """Height and brightness of the visible fibres; bare ground is at height 0."""
    height = np.zeros(visible.shape, dtype=np.float32)
    brightness = np.full(visible.shape, _GROUND, dtype=np.float32)
    # Across a fibre, -1 to 1, is linear in row and column with coefficients of its sample.
    radius = np.where(line.radius > 0, line.radius, 1)
    by_row, by_col = line.tangent_col / radius, -line.tangent_row / radius
    sample_values = np.stack(
        [
            by_row,
            by_col,
            -line.row * by_row - line.col * by_col,
            facing_detector(line.tangent_col, -line.tangent_row),
            line.tone * _brightness_at_depth((1 - line.elevation) * thickness),
            line.elevation * thickness,
            radius / diameter,
        ]
    )
    cols = np.arange(visible.shape[1], dtype=np.float32)
    for row, seen in enumerate(visible):
        on = np.flatnonzero(seen >= 0)
        values = sample_values.take(seen[on], axis=1)
        across = np.clip(values[0] * np.float32(row) + values[1] * cols[on] + values[2], -1, 1)
        dome = np.sqrt(1 - across * across)
        brightness[row, on] = values[4] * _fibre_profile(across, dome, values[3])
        height[row, on] = values[5] + values[6] * dome
    return Surface(height, brightness, np.zeros(visible.shape, np.int32), diameter, thickness)


def facing_detector(normal_row: Float | float, normal_col: Float | float) -> Float:
    """How much a sideways normal points to the detector."""
    return np.asarray(normal_row * _TO_DETECTOR[0] + normal_col * _TO_DETECTOR[1])


def _fibre_profile(across: Float, dome: Float, facing: Float) -> Float:
    """Brightness across a round fibre: a flat top, edges that shed electrons, a side light."""
    square = across * across
    return np.asarray(0.80 + 0.20 * dome + 0.10 * square * square + 0.11 * across * facing)


def _brightness_at_depth(depth: Float | float) -> Float:
    """Fewer electrons escape from below, at a depth in fibre diameters."""
    return np.asarray(1.18 * np.exp(-((np.maximum(depth, 0) / 2.2) ** 1.3)), dtype=np.float32)


def _position_in_run(counts: Index) -> Index:
    """0, 1, ... within each run of the given lengths."""
    starts = np.cumsum(counts, dtype=np.int32) - counts
    return np.asarray(np.arange(counts.sum(), dtype=np.int32) - np.repeat(starts, counts))

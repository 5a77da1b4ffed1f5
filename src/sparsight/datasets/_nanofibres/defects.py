"""Defects of electrospun mats, each a local change of the surface with its own label.

All lengths are in fibre diameters, all pixels are supersampled ones. A defect owns the pixels
where it, not a fibre, is what the microscope sees: fibres that cross above it stay normal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .surface import (
    Centreline,
    Float,
    Surface,
    facing_detector,
    shade_fibres,
    visible_samples,
)

Bool = NDArray[np.bool_]
Window = tuple[slice, slice]

_HOLE_FLOOR = 0.22  # fibres of lower elevation go on at the bottom of a hole


@dataclass(frozen=True)
class Patch:
    """Part of the frame around a defect, with coordinates from its centre in fibre diameters."""

    window: Window
    down: Float
    right: Float

    @classmethod
    def around(cls, centre: tuple[int, int], reach: float, diameter: float, shape: tuple[int, int]) -> Patch:
        """Cut the square that holds everything within ``reach`` of the centre out of the frame."""
        pixels = int(np.ceil(reach * diameter)) + 1
        row, col = (
            slice(max(at - pixels, 0), min(at + pixels + 1, extent))
            for at, extent in zip(centre, shape, strict=True)
        )
        down = (np.arange(row.start, row.stop, dtype=np.float32) - centre[0]) / diameter
        right = (np.arange(col.start, col.stop, dtype=np.float32) - centre[1]) / diameter
        return cls((row, col), *np.meshgrid(down, right, indexing="ij"))


def lay(surface: Surface, patch: Patch, label: int, height: Float, brightness: Float, inside: Bool) -> None:
    """Put a body on the surface where it rises above what is there."""
    shown = inside & (height > surface.height[patch.window])
    surface.height[patch.window][shown] = height[shown]
    surface.brightness[patch.window][shown] = brightness[shown]
    surface.label[patch.window][shown] = label


def cut_hole(
    centre: tuple[int, int],
    label: int,
    visible: NDArray[np.int32],
    labels: NDArray[np.int32],
    line: Centreline,
    diameter: float,
    random: np.random.Generator,
) -> None:
    """Take the upper fibres out of a round region; their torn ends stand a little into it.

    The fibres of ``line`` are torn in place, and ``visible`` and ``labels`` brought up to date.
    """
    radius = random.uniform(3.5, 6.5)
    patch = Patch.around(centre, 1.6 * radius, diameter, visible.shape)
    outline = _round_outline(radius, 0.18, random)
    inside = _depth_inside(outline, patch.down, patch.right) > 0

    chosen = line.within(patch.window, 2 * diameter)
    depth = _depth_inside(
        outline, (line.row[chosen] - centre[0]) / diameter, (line.col[chosen] - centre[1]) / diameter
    )
    torn = (depth > 0) & (line.elevation[chosen] > _HOLE_FLOOR)
    fibres, owner = np.unique(line.fibre[chosen], return_inverse=True)
    stub = random.uniform(0.0, 1.6, len(fibres))[owner]
    left = np.clip((stub - depth) / 0.6, 0, 1)  # 1: whole, towards 0: the tip
    taper = np.where(left > 0, 1 - 0.6 * (1 - left) ** 3, 0)
    line.radius[chosen[torn]] *= taper[torn]

    before = visible[patch.window]
    local = visible_samples(line.select(chosen).seen_from(patch.window), before.shape)
    after = np.full_like(before, -1)
    after[local >= 0] = chosen[local[local >= 0]]
    changed = after != before
    bottom = after < 0
    bottom[~bottom] = line.elevation[after[~bottom]] <= _HOLE_FLOOR
    # Gaps too narrow to hold a fibre belong to the hole; wide ones were there before.
    gaps = inside & bottom & _close(changed & bottom, diameter)
    labels[patch.window][changed | gaps] = label
    visible[patch.window] = after


def grow_bead(
    centre: tuple[int, int],
    label: int,
    surface: Surface,
    line: Centreline,
    sample: int,
    random: np.random.Generator,
) -> None:
    """Swell the fibre at a centreline sample to a spindle, as a jet that breaks into drops does."""
    swelling = float(line.radius[sample]) * random.uniform(1.0, 2.2)
    length = swelling * random.uniform(0.9, 1.7)
    reach = (3 * length + swelling) / surface.diameter
    patch = Patch.around(centre, reach, surface.diameter, surface.height.shape)
    chosen = line.within(patch.window, 2 * swelling)
    chosen = chosen[(line.fibre[chosen] == line.fibre[sample]) & (line.radius[chosen] > 0)]
    here = line.select(chosen)
    away = np.hypot(here.row - line.row[sample], here.col - line.col[sample]) / length
    growth = swelling * np.exp(-0.5 * away**2) / here.radius
    here = replace(here, radius=here.radius * (1 + growth)).seen_from(patch.window)
    # Spans suit a fibre of even width; for a bead each pixel takes the cross-section it lies on.
    row, col = centre[0] - patch.window[0].start, centre[1] - patch.window[1].start
    rows, cols = np.arange(patch.down.shape[0])[:, None], np.arange(patch.down.shape[1])
    tangent = line.tangent_row[sample], line.tangent_col[sample]
    along = (here.row - row) * tangent[0] + (here.col - col) * tangent[1]
    order = np.argsort(along)
    place = np.searchsorted(along[order], (rows - row) * tangent[0] + (cols - col) * tangent[1])
    nearest = order[np.minimum(place, len(order) - 1)]
    distance = np.hypot(rows - here.row[nearest], cols - here.col[nearest])
    seen = np.where(distance < here.radius[nearest], nearest, -1)
    bead = shade_fibres(seen, here, surface.diameter, surface.thickness)
    swollen = (seen >= 0) & (growth[nearest] > 0.06)
    lay(surface, patch, label, bead.height, bead.brightness, swollen)


def drop_clot(centre: tuple[int, int], label: int, surface: Surface, random: np.random.Generator) -> None:
    """Settle a cluster of grains on the mat: a few lumps, each a heap of crumbs of all sizes."""
    radius = random.uniform(1.3, 3.2)
    patch = Patch.around(centre, 2.2 * radius, surface.diameter, surface.height.shape)
    ground = float(np.quantile(surface.height[patch.window], 0.8))
    height = np.full(patch.down.shape, -np.inf, dtype=np.float32)
    brightness = np.zeros_like(height)
    for lump in range(int(random.integers(2, 6))):
        size = radius * random.uniform(0.4, 0.75)
        away = random.uniform(0, radius - 0.6 * size) if lump else 0.0
        towards = random.uniform(0, 2 * np.pi)
        top = ground + 0.9 * size
        ragged = 1 + 0.35 * random.standard_normal(7)
        for _ in range(int(26 * size**2) + 6):
            angle = random.uniform(0, 2 * np.pi)
            out = size * np.sqrt(random.uniform()) * ragged[int(angle)]
            row = away * np.sin(towards) + out * np.sin(angle)
            col = away * np.cos(towards) + out * np.cos(angle)
            crumb = float(np.clip(np.exp(random.normal(-1.15, 0.4)), 0.15, 0.7))
            base = top - 0.45 * out**2 / size + random.uniform(-0.3, 0.3)
            _add_crumb(patch, row, col, crumb, base, height, brightness, random)
    lay(surface, patch, label, height, brightness, np.isfinite(height))


def _add_crumb(
    patch: Patch,
    row: float,
    col: float,
    size: float,
    base: float,
    height: Float,
    brightness: Float,
    random: np.random.Generator,
) -> None:
    """Raise a tilted, rounded slab where it is higher than the crumbs before it."""
    rows = np.searchsorted(patch.down[:, 0], (row - 1.5 * size, row + 1.5 * size))
    cols = np.searchsorted(patch.right[0], (col - 1.5 * size, col + 1.5 * size))
    box = (slice(*rows), slice(*cols))
    y, x = patch.down[box] - row, patch.right[box] - col
    turn, stretch = random.uniform(0, np.pi), random.uniform(0.7, 1.45)
    across = (y * np.cos(turn) + x * np.sin(turn)) * stretch / size
    along = (x * np.cos(turn) - y * np.sin(turn)) / stretch / size
    fall = np.abs(across * across * across) + np.abs(along * along * along)
    dome = np.sqrt(np.maximum(1 - fall, 0))
    tilt_row, tilt_col = random.normal(0, 0.5, 2)
    top = base + size * dome + tilt_row * y + tilt_col * x
    higher = (dome > 0) & (top > height[box])
    tone = 0.42 + 0.56 * dome - 0.25 * facing_detector(tilt_row, tilt_col)
    tone += 0.10 * facing_detector(y, x) / size
    height[box][higher] = top[higher]
    brightness[box][higher] = tone[higher]


def spread_film(centre: tuple[int, int], label: int, surface: Surface, random: np.random.Generator) -> None:
    """Stretch a membrane between fibres, drawn inwards between the points that hold it."""
    from scipy.ndimage import gaussian_filter

    radius = random.uniform(3.5, 7.5)
    patch = Patch.around(centre, 1.5 * radius, surface.diameter, surface.height.shape)
    depth = _depth_inside(_star_outline(radius, random), patch.down, patch.right)
    underneath = surface.height[patch.window]
    level = surface.thickness * random.uniform(0.84, 0.98)
    # Fibres just below push the membrane up a little, so that they show through as soft ridges.
    ridge = gaussian_filter(np.maximum(underneath - level + 0.8, 0), 0.25 * surface.diameter)
    texture = gaussian_filter(random.standard_normal(depth.shape).astype(np.float32), 0.5 * surface.diameter)
    texture *= 0.025 / max(float(texture.std()), 1e-6)
    rim = np.exp(-np.maximum(depth, 0) / 0.25)
    brightness = 0.66 + 0.12 * np.minimum(ridge, 1.5) + texture + 0.14 * rim
    height = np.full(depth.shape, level, dtype=np.float32)
    lay(surface, patch, label, height, brightness.astype(np.float32), depth > 0)


def _close(region: Bool, reach: float) -> Bool:
    """Region and the gaps in it that are narrower than twice the reach."""
    from scipy.ndimage import distance_transform_edt

    grown = distance_transform_edt(~region) <= reach
    return np.asarray(distance_transform_edt(grown) > reach)


def _depth_inside(outline: Float, down: Float, right: Float) -> Float:
    """How far inside a star-shaped outline points lie, along the ray from the centre."""
    angle = np.arctan2(down, right)
    grid = np.linspace(-np.pi, np.pi, len(outline) + 1)
    closed = np.append(outline, outline[0])
    return np.asarray(np.interp(angle, grid, closed) - np.hypot(down, right), dtype=np.float32)


def _round_outline(radius: float, roughness: float, random: np.random.Generator) -> Float:
    """Radius over angle of a smooth irregular blob."""
    angle = np.linspace(-np.pi, np.pi, 256, endpoint=False)
    order = np.arange(2, 7)[:, None]
    waves = np.cos(order * angle + random.uniform(0, 2 * np.pi, (5, 1))) / order
    return np.asarray(radius * (1 + roughness * waves.sum(axis=0)), dtype=np.float32)


def _star_outline(radius: float, random: np.random.Generator) -> Float:
    """Radius over angle of a membrane held at a few points, with concave arcs between them."""
    n_points = int(random.integers(6, 11))
    points = np.arange(n_points) + random.uniform(-0.3, 0.3, n_points)
    points *= 2 * np.pi / n_points
    angle = np.linspace(points[0], points[0] + 2 * np.pi, 256, endpoint=False)
    held = radius * random.uniform(0.8, 1.25, n_points + 1)
    held[-1] = held[0]
    ends = np.append(points, points[0] + 2 * np.pi)
    arc = np.searchsorted(ends, angle, side="right") - 1
    along = (angle - ends[arc]) / (ends[arc + 1] - ends[arc])
    sag = 0.28 * (4 * along * (1 - along)) ** 0.6
    outline = ((1 - along) * held[arc] + along * held[arc + 1]) * (1 - sag)
    return np.asarray(np.roll(outline, random.integers(256)), dtype=np.float32)

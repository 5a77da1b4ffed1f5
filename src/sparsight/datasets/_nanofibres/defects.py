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
    brightness_at_depth,
    facing_detector,
    fibre_profile,
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
    """Take the upper fibres out of a round region; their torn ends stand a little into it."""
    radius = random.uniform(3.5, 6.5)
    patch = Patch.around(centre, 1.6 * radius, diameter, visible.shape)
    outline = _round_outline(radius, 0.18, random)
    inside = _depth_inside(outline, patch.down, patch.right) > 0

    rows, cols = patch.window
    reach = 2 * diameter
    near = (line.row > rows.start - reach) & (line.row < rows.stop + reach)
    near &= (line.col > cols.start - reach) & (line.col < cols.stop + reach)
    chosen = np.nonzero(near)[0]
    here = line.select(chosen)
    depth = _depth_inside(outline, (here.row - centre[0]) / diameter, (here.col - centre[1]) / diameter)
    fibres, owner = np.unique(here.fibre, return_inverse=True)
    stub = random.uniform(0.0, 1.6, len(fibres))[owner]
    left = np.clip((stub - depth) / 0.6, -1, 1)  # 1: whole, 0: the tip, negative: gone
    torn = (depth > 0) & (here.elevation > _HOLE_FLOOR)
    taper = np.where(left > 0, 1 - 0.6 * (1 - left) ** 3, -1)
    here = replace(
        here,
        row=here.row - rows.start,
        col=here.col - cols.start,
        radius=np.where(torn, here.radius * taper, here.radius).astype(np.float32),
    )
    before = visible[patch.window]
    local = visible_samples(here, before.shape)
    after = np.where(local >= 0, chosen[local], -1)
    bottom = (after < 0) | (line.elevation[after] <= _HOLE_FLOOR)
    changed = (after != before) & bottom
    # Gaps too narrow to hold a fibre belong to the hole; wide ones were there before.
    labels[patch.window][(after != before) | (inside & bottom & _close(changed, diameter))] = label
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
    fibre_radius = float(line.radius[sample]) / surface.diameter
    swelling = fibre_radius * random.uniform(1.0, 2.2)
    sigma = swelling * random.uniform(0.8, 1.4)
    patch = Patch.around(centre, 3 * sigma + swelling, surface.diameter, surface.height.shape)
    t_row, t_col = line.tangent_row[sample], line.tangent_col[sample]
    along = patch.down * t_row + patch.right * t_col
    across = patch.down * t_col - patch.right * t_row
    radius = fibre_radius + swelling * np.exp(-0.5 * (along / sigma) ** 2)
    across = across / radius
    dome = np.sqrt(np.maximum(1 - across**2, 0))
    elevation = float(line.elevation[sample])
    height = elevation * surface.thickness + radius * dome
    facing = facing_detector(t_col, -t_row)
    tone = line.tone[sample] * brightness_at_depth((1 - elevation) * surface.thickness)
    brightness = tone * fibre_profile(across, dome, facing)
    inside = (np.abs(across) < 1) & (radius > 1.12 * fibre_radius)
    lay(surface, patch, label, height, brightness, inside)


def drop_clot(centre: tuple[int, int], label: int, surface: Surface, random: np.random.Generator) -> None:
    """Settle a cluster of grains on the mat."""
    radius = random.uniform(1.0, 2.8)
    patch = Patch.around(centre, 2.2 * radius, surface.diameter, surface.height.shape)
    ground = float(np.quantile(surface.height[patch.window], 0.8))
    height = np.full(patch.down.shape, -np.inf, dtype=np.float32)
    brightness = np.zeros_like(height)
    turn, stretch = random.uniform(0, np.pi), random.uniform(1.0, 1.7)
    for _ in range(int(30 * radius**2)):
        out, angle = 0.8 * radius * np.sqrt(random.uniform()), random.uniform(0, 2 * np.pi)
        y, x = out * np.sin(angle) / np.sqrt(stretch), out * np.cos(angle) * np.sqrt(stretch)
        row, col = y * np.cos(turn) + x * np.sin(turn), x * np.cos(turn) - y * np.sin(turn)
        size = random.uniform(0.2, 0.45)
        base = ground + 0.7 * np.sqrt(max(radius**2 - out**2, 0)) + random.uniform(-0.3, 0.3)
        _add_grain(patch, row, col, size, base, height, brightness, random)
    lay(surface, patch, label, height, brightness, np.isfinite(height))


def _add_grain(
    patch: Patch,
    row: float,
    col: float,
    size: float,
    base: float,
    height: Float,
    brightness: Float,
    random: np.random.Generator,
) -> None:
    """Raise an ellipsoid where it is higher than the grains before it."""
    rows = np.searchsorted(patch.down[:, 0], (row - 1.5 * size, row + 1.5 * size))
    cols = np.searchsorted(patch.right[0], (col - 1.5 * size, col + 1.5 * size))
    box = (slice(*rows), slice(*cols))
    y, x = patch.down[box] - row, patch.right[box] - col
    turn, stretch = random.uniform(0, np.pi), random.uniform(0.75, 1.35)
    across = (y * np.cos(turn) + x * np.sin(turn)) * stretch / size
    along = (x * np.cos(turn) - y * np.sin(turn)) / stretch / size
    dome = np.sqrt(np.maximum(1 - across**2 - along**2, 0))
    top = np.where(dome > 0, base + size * dome, -np.inf)
    higher = top > height[box]
    tone = random.uniform(0.9, 1.05)
    height[box][higher] = top[higher]
    brightness[box][higher] = (tone * (0.55 + 0.5 * dome))[higher]


def spread_film(centre: tuple[int, int], label: int, surface: Surface, random: np.random.Generator) -> None:
    """Stretch a membrane between fibres, drawn inwards between the points that hold it."""
    from scipy.ndimage import gaussian_filter

    radius = random.uniform(3.5, 7.5)
    patch = Patch.around(centre, 1.5 * radius, surface.diameter, surface.height.shape)
    depth = _depth_inside(_star_outline(radius, random), patch.down, patch.right)
    underneath = surface.height[patch.window]
    level = surface.thickness * random.uniform(0.72, 0.9)
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

"""Non-local passes: similar patches of the current estimate form a group, whose Gaussian restores its members."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsight import _kernels

Array = NDArray[np.float32]

_PATCH = 8
_NOISE = 1.0  # variance of observed pixels
_TOLERANCE = 1.0
_TRUST_OFFSET = 1.5


@dataclass(frozen=True)
class NonlocalSchedule:
    """How much work to do; the floor of the groups' covariances falls from the first value to the second."""

    passes: int
    step: int = 5
    window: int = 12
    neighbours: int = 80
    rank: int = 32
    floor: tuple[float, float] = (8.0, 1.0)


def inpaint_nonlocal(
    planes: Sequence[Array],
    missing: Sequence[NDArray[np.bool_]],
    schedule: NonlocalSchedule,
    rng: np.random.Generator,
    *,
    shared_groups: bool,
    n_threads: int,
    after_pass: Callable[[], None] = lambda: None,
) -> list[Array]:
    """Refine filled planes. With `shared_groups` the first plane decides for all which patches are alike."""
    current = list(planes)
    observed = [(~absent).astype(np.float32) for absent in missing]
    for index in range(schedule.passes):
        progress = index / max(schedule.passes - 1, 1)
        floor = schedule.floor[0] * (schedule.floor[1] / schedule.floor[0]) ** progress
        shift = rng.integers(0, schedule.step, 2)
        guide = current[0]
        for i, plane in enumerate(current):
            references = reference_patches(plane.shape, _PATCH, schedule.step, shift)
            references = references[_touching(references, missing[i])]
            values, weights = np.zeros_like(plane), np.zeros_like(plane)
            _kernels.inpaint_groups(
                plane,
                observed[i],
                guide if shared_groups else plane,
                references,
                _PATCH,
                schedule.window,
                min(schedule.neighbours, plane.size),
                schedule.rank,
                _NOISE,
                floor,
                _TOLERANCE,
                _TRUST_OFFSET,
                values,
                weights,
                n_threads,
            )
            covered = missing[i] & (weights > 0)
            refined = plane.copy()
            refined[covered] = values[covered] / weights[covered]
            current[i] = refined
            after_pass()
    return current


def reference_patches(
    shape: tuple[int, ...], patch: int, step: int, shift: Sequence[int] | NDArray[np.int64] = (0, 0)
) -> NDArray[np.int32]:
    """Corners of a grid of patches that covers every pixel, sorted by row."""
    axes = []
    for extent, offset in zip(shape, shift, strict=True):
        inner = np.arange(int(offset), extent - patch, step)
        axes.append(np.unique(np.concatenate([[0], inner, [extent - patch]])))
    rows, columns = np.meshgrid(*axes, indexing="ij")
    return np.ascontiguousarray(np.stack([rows.ravel(), columns.ravel()], axis=1), np.int32)


def _touching(references: NDArray[np.int32], missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    sums = np.zeros((missing.shape[0] + 1, missing.shape[1] + 1), np.int64)
    sums[1:, 1:] = missing.cumsum(0).cumsum(1)
    top, left = references.T
    bottom, right = top + _PATCH, left + _PATCH
    counts = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    touching: NDArray[np.bool_] = counts > 0
    return touching

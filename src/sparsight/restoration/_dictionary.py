"""Inpainting with one dictionary of small patches: fixed cosines, or learned from the damaged image itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsight import _kernels
from sparsight.coding import orthogonal_matching_pursuit
from sparsight.dictionaries import KSVD, cosine_dictionary

from ._mixture import PATCH, SIZE
from ._structured import Array, touching_patches

_TOLERANCE = SIZE * 4.0**2 / 2  # squared residual norm: half the pixels at a deviation of 4
_BATCH = 20_000


@dataclass(frozen=True)
class DictionarySchedule:
    """How much work to do; without iterations the cosine dictionary stays as it is."""

    iterations: int
    n_atoms: int
    n_training: int
    n_nonzero_coefs: int
    last_share: float


def inpaint_dictionary(
    start: Array,
    missing: NDArray[np.bool_],
    schedule: DictionarySchedule,
    rng: np.random.Generator,
    *,
    n_threads: int,
    after_pass: Callable[[], None] = lambda: None,
) -> Array:
    """Fill the missing pixels of a plane with sparse combinations of atoms that fit the observed ones.

    Patches are coded about the mean of the smooth filling `start`, by masked orthogonal matching pursuit.
    """
    dictionary = cosine_dictionary((PATCH, PATCH), schedule.n_atoms).astype(np.float32)
    corners = touching_patches(missing)
    if schedule.iterations:
        chosen = _choose(corners, schedule.n_training / len(corners), rng)
        patches, absent, _ = _centred(start, missing, chosen)
        learner = KSVD(
            schedule.n_atoms,
            transform_n_nonzero_coefs=schedule.n_nonzero_coefs,
            max_iter=schedule.iterations,
            dictionary_init=dictionary,
            n_threads=n_threads,
            random_state=int(rng.integers(2**31)),
        )
        if len(chosen) >= schedule.n_atoms:
            dictionary = learner.fit(patches, mask=absent).components_.astype(np.float32)
        after_pass()
    values, total = np.zeros_like(start), np.zeros_like(start)
    chosen = _choose(corners, schedule.last_share, rng)
    for first in range(0, len(chosen), _BATCH):
        batch = chosen[first : first + _BATCH]
        patches, absent, means = _centred(start, missing, batch)
        coding = orthogonal_matching_pursuit(
            patches,
            dictionary,
            n_nonzero_coefs=schedule.n_nonzero_coefs,
            tolerance=_TOLERANCE,
            mask=absent,
            n_threads=n_threads,
        )
        restored = np.ascontiguousarray(np.asarray(coding.codes) @ dictionary + means, np.float32)
        _kernels.add_patches(restored, np.ones_like(restored), batch, PATCH, values, total)
    after_pass()
    return np.where(missing & (total > 0), values / np.maximum(total, np.float32(1)), start)


def _choose(corners: NDArray[np.int32], share: float, rng: np.random.Generator) -> NDArray[np.int32]:
    if share >= 1:
        return corners
    chosen: NDArray[np.int32] = np.sort(
        rng.choice(corners, max(1, round(share * len(corners))), replace=False)
    )
    return chosen


def _centred(
    start: Array, missing: NDArray[np.bool_], corners: NDArray[np.int32]
) -> tuple[Array, NDArray[np.bool_], Array]:
    """Patches of the start less their means, which of their pixels are missing, and the means."""
    rows, columns = np.divmod(corners, start.shape[1])
    window = (PATCH, PATCH)
    patches = np.lib.stride_tricks.sliding_window_view(start, window)[rows, columns].reshape(-1, SIZE)
    absent = np.lib.stride_tricks.sliding_window_view(missing, window)[rows, columns].reshape(-1, SIZE)
    means = patches.mean(axis=1, keepdims=True)
    return patches - means, absent, means

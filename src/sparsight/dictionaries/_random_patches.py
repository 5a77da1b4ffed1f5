"""Random patches of an image, without holding all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def random_patches(
    image: NDArray[Any],
    missing: NDArray[np.bool_] | None,
    patch_size: int,
    n_patches: int,
    random_state: np.random.RandomState,
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Draw patches at different random positions, among those of which more than half is observed.

    Parameters
    ----------
    image : array of shape (height, width[, n_channels])
    missing : bool array of shape (height, width) or None
    patch_size : int
    n_patches : int
        All patches, if there are fewer.
    random_state : RandomState

    Returns
    -------
    patches : array of shape (n, patch_size, patch_size[, n_channels])
    hidden : bool array of shape (n, patch_size, patch_size) or None
        What of them is missing.
    """
    windows = np.lib.stride_tricks.sliding_window_view(image, (patch_size, patch_size), axis=(0, 1))
    size = windows.shape[:2]
    if missing is None:
        candidates = np.arange(size[0] * size[1])
    else:
        candidates = np.flatnonzero(2 * _window_sums(missing, patch_size) < patch_size**2)
    chosen = random_state.permutation(candidates)[:n_patches]
    rows, columns = np.unravel_index(np.sort(chosen), size)
    patches = windows[rows, columns]
    if image.ndim == 3:
        patches = np.ascontiguousarray(np.moveaxis(patches, 1, -1))
    if missing is None:
        return patches, None
    hidden = np.lib.stride_tricks.sliding_window_view(missing, (patch_size, patch_size))[rows, columns]
    return patches, hidden


def _window_sums(image: NDArray[np.bool_], size: int) -> NDArray[np.int64]:
    total = np.pad(image.astype(np.int64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    left, right = total[:, :-size], total[:, size:]
    return np.asarray(right[size:] - left[size:] - right[:-size] + left[:-size])

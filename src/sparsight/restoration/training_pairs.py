"""Training material: pairs of a low- and a high-resolution image, turned, mirrored and shifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsight.restoration.cells import WINDOW_CELLS
from sparsight.restoration.degradation import Degradation
from sparsight.restoration.resize import imresize

MAX_PIXELS = 50_000_000


@dataclass(eq=False)
class TrainingPair:
    """An estimate of a high-resolution image, and the truth; `fold` tells which images may not teach it."""

    estimate: NDArray[np.float32]
    truth: NDArray[np.float32]
    fold: int


def dihedral(image: NDArray[np.float32], index: int) -> NDArray[np.float32]:
    """One of the eight ways to turn and mirror an image; 0 leaves it as it is."""
    turned = np.rot90(image, index % 4)
    return np.ascontiguousarray(turned.T if index >= 4 else turned)


def undo_dihedral(image: NDArray[np.float32], index: int) -> NDArray[np.float32]:
    """Inverse of `dihedral`."""
    return np.ascontiguousarray(np.rot90(image.T if index >= 4 else image, -(index % 4)))


def training_pairs(
    images: Sequence[NDArray[np.float32]],
    scale: int,
    degradation: Degradation,
    n_folds: int,
    random_state: np.random.RandomState,
) -> list[TrainingPair]:
    """Every image in all eight attitudes, each cut at a random phase of the grid; large ones cut down."""
    budget = MAX_PIXELS // max(1, len(images))
    pairs = []
    for index, image in enumerate(images):
        n_attitudes = int(np.clip(budget // image.size, 1, 8))
        for attitude in random_state.permutation(8)[:n_attitudes]:
            truth = _cut(dihedral(image, attitude), scale, budget, random_state)
            low = degradation.apply(truth, scale, random_state)
            pairs.append(TrainingPair(imresize(low, scale), truth, index % n_folds))
    return pairs


def least_side(scale: int) -> int:
    """Shortest side of an image that holds a window at every phase of the grid."""
    return (WINDOW_CELLS + 1) * scale


def _cut(
    image: NDArray[np.float32], scale: int, max_size: int, random_state: np.random.RandomState
) -> NDArray[np.float32]:
    height, width = image.shape
    if image.size > max_size:
        edge = max(int(np.sqrt(max_size)), least_side(scale))
        height, width = min(height, edge), min(width, max(edge, max_size // min(height, edge)))
    top = random_state.randint(image.shape[0] - height + 1) if height < image.shape[0] else 0
    left = random_state.randint(image.shape[1] - width + 1) if width < image.shape[1] else 0
    top, left = top + random_state.randint(scale), left + random_state.randint(scale)
    height = (min(top + height, image.shape[0]) - top) // scale * scale
    width = (min(left + width, image.shape[1]) - left) // scale * scale
    return np.ascontiguousarray(image[top : top + height, left : left + width])

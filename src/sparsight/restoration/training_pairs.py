"""Training material: pairs of a low- and a high-resolution image, turned, mirrored and shifted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsight.errors import ImageError
from sparsight.images import Image, as_image
from sparsight.restoration.cells import WINDOW_CELLS
from sparsight.restoration.degradation import Degradation
from sparsight.restoration.resize import imresize

ImageLike = ArrayLike | Image | os.PathLike[str] | str

MAX_CELLS = 3_500_000  # bounds memory (about 2 GB) and time
_N_ATTITUDES = 8


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
    remaining = MAX_CELLS * scale**2
    pairs = []
    # Small images first: what they leave of their share goes to the larger ones.
    for rank, index in enumerate(sorted(range(len(images)), key=lambda i: images[i].size)):
        image, budget = images[index], remaining // (len(images) - rank)
        n_attitudes = int(np.clip(budget // image.size, 1, _N_ATTITUDES))
        remaining -= min(budget, n_attitudes * image.size)
        for attitude in random_state.permutation(_N_ATTITUDES)[:n_attitudes]:
            truth = _cut(dihedral(image, attitude), scale, budget, random_state)
            low = degradation.apply(truth, scale, random_state)
            pairs.append(TrainingPair(imresize(low, scale), truth, index % n_folds))
    return pairs


def training_images(images: Sequence[ImageLike], scale: int) -> list[Image]:
    """Read the images that are large enough to learn from; those that are too small teach nothing."""
    if isinstance(images, (str, os.PathLike, Image)) or (isinstance(images, np.ndarray) and images.ndim < 3):
        raise ImageError("SuperResolver.fit takes a list of images; put a single image in brackets.")
    least = least_side(scale)
    given = [as_image(image) for image in images]
    shapes = [image.pixels.shape[:2] for image in given]
    usable = [image for image, shape in zip(given, shapes, strict=True) if min(shape) >= least]
    if not usable:
        found = "the largest has {}×{}".format(*max(shapes, key=min)) if shapes else "there are none"
        raise ImageError(
            f"Training at scale {scale} needs images of {least}×{least} pixels or more, but {found}."
        )
    return usable


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

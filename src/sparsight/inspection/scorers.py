"""What every way of scoring an image has in common, and the sampling of training patches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sparsight.errors import ParameterError
from sparsight.inspection.explanations import Explanation
from sparsight.patches import PatchGrid

Progress = Callable[[int, int, str], None]

_VALUES_AT_A_TIME = 4_000_000
_NARROWEST_STRIP = 32


@dataclass(frozen=True, eq=False)
class Observed:
    """Pixels of an image, in its own range, and which of them are not observed.

    Scorers learn from, and score, pixels that are float32; only of images to be explained they may be of any kind.

    `magnification` is that of the image, 1 being that of the training images, where it is known. `typical_score` is
    what a part has to know of the whole image; see `Scorer.surveyed`.
    """

    pixels: NDArray[Any]
    mask: NDArray[np.bool_] | None = None
    magnification: float | None = None
    typical_score: float | None = None

    @property
    def n_observed(self) -> int:
        """Number of pixels that are observed."""
        n_pixels: int = self.pixels.shape[0] * self.pixels.shape[1]
        return n_pixels - (0 if self.mask is None else int(self.mask.sum()))

    def part(self, rows: slice, columns: slice) -> Observed:
        """Some rows and columns, as float32."""
        return replace(
            self,
            pixels=self.pixels[rows, columns].astype(np.float32, copy=False),
            mask=None if self.mask is None else self.mask[rows, columns],
        )

    def around(self, place: tuple[int, int], reach: int, step: int) -> tuple[Observed, tuple[int, int]]:
        """All within `reach` of a place, cut at multiples of `step`; and its first row and column."""
        starts = [max(0, (at - reach) // step * step) for at in place]
        rows, columns = (slice(start, at + reach + 1) for start, at in zip(starts, place, strict=True))
        return self.part(rows, columns), (starts[0], starts[1])

    def window(self, place: tuple[int, int], side: int) -> tuple[Observed, tuple[int, int]]:
        """Square with a place at its centre, or as near to it as fits; and its first row and column."""
        starts = [
            min(max(at - side // 2, 0), max(0, length - side))
            for at, length in zip(place, self.pixels.shape[:2], strict=True)
        ]
        rows, columns = (slice(start, start + side) for start in starts)
        return self.part(rows, columns), (starts[0], starts[1])

    def strips(self) -> list[Observed]:
        """Cut across the longer side into eight strips, or fewer when they would be narrow; at least two."""
        axis = int(self.pixels.shape[1] > self.pixels.shape[0])
        length = self.pixels.shape[axis]
        n_strips = min(8, max(2, length // _NARROWEST_STRIP))
        borders = [length * number // n_strips for number in range(n_strips + 1)]
        cuts = [(slice(None),) * axis + (slice(*ends),) for ends in pairwise(borders)]
        strips = [self.part(*cut, *(slice(None),) * (2 - len(cut))) for cut in cuts]
        return [strip for strip in strips if strip.n_observed]


Fold = tuple[Sequence[Observed], Sequence[Observed]]
"""Images to learn from, and images held out from learning."""


class Scorer(Protocol):
    """A model of normal texture that gives every pixel a score; larger is more anomalous."""

    patch_size: int
    stride: int

    @property
    def resolution(self) -> int:
        """Extent, in pixels, of what the score of a pixel depends on for the most part."""
        ...

    @property
    def blur(self) -> int:
        """Distance, in pixels, at which a strong anomaly still raises the score; 0 when it does not."""
        ...

    @property
    def margin(self) -> int:
        """How far, in pixels, the score of a pixel can see, as a multiple of every stride.

        A part of a surveyed image that begins at multiples of it has, this far from its borders, the scores of the
        whole.
        """
        ...

    def surveyed(self, image: Observed) -> Observed:
        """An image, of which the parts know what their scores depend on the whole for."""
        ...

    def fit(self, images: Sequence[Observed], random_state: np.random.RandomState) -> Scorer:
        """Learn from normal images."""
        ...

    def left_out(
        self, folds: Iterable[Fold], random_state: np.random.RandomState
    ) -> Iterator[list[NDArray[np.float32]]]:
        """Score maps of the held-out part of each fold, by models that did not learn from it."""
        ...

    def settled(self, left_out: Sequence[list[NDArray[np.float32]]]) -> list[NDArray[np.float32]]:
        """Learn from the score maps of each fold what only they tell, and return them as they are with it."""
        ...

    def score(self, image: Observed) -> NDArray[np.float32]:
        """Score map of shape (height, width); NaN where not observed."""
        ...

    def explain(self, image: Observed, place: tuple[int, int]) -> Explanation:
        """What makes the surroundings of a place anomalous, or normal."""
        ...

    def notes(self) -> dict[str, Any]:
        """What a user should know of the model, JSON-able, for its provenance."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, to be stored in a model file."""
        ...

    def restore(self, arrays: dict[str, NDArray[Any]]) -> Scorer:
        """Take what was learned from a model file."""
        ...


class LocalScores:
    """What is to say of scores that depend on what is near only, and mean the same everywhere."""

    def surveyed(self, image: Observed) -> Observed:
        """The image as it is: there is nothing to be known of the whole."""
        return image

    def settled(self, left_out: Sequence[list[NDArray[np.float32]]]) -> list[NDArray[np.float32]]:
        """The score maps as they are: there is nothing to be learned from them."""
        return [scores for of_fold in left_out for scores in of_fold]


def patch_margin(patch_size: int, stride: int) -> int:
    """`Scorer.margin` where the score of a pixel depends on the patches that contain it."""
    return -(-patch_size // stride) * stride


def strips_of(grid: PatchGrid, n_channels: int) -> Iterator[slice]:
    """Rows of patches to be coded at a time: bounds memory, whatever the size of the image and of a patch."""
    height, width = grid.patch_size
    return grid.strips(_VALUES_AT_A_TIME // (height * width * n_channels))


def silent(done: int, total: int, text: str) -> None:
    """Report no progress."""
    del done, total, text


def learned_anew(
    new_scorer: Callable[[], Scorer], folds: Iterable[Fold], random_state: np.random.RandomState
) -> Iterator[list[NDArray[np.float32]]]:
    """Score maps of the held-out part of each fold, everything being learned from the rest."""
    for training, held_out in folds:
        scorer = new_scorer().fit(training, random_state)
        yield [scorer.score(image) for image in held_out]


def patch_masks(grid: PatchGrid, mask: NDArray[np.bool_], rows: slice, n_channels: int) -> NDArray[np.bool_]:
    """Masks of patches, flattened like the patches, shape (n_patches, n_features)."""
    masks = grid.extract(mask, rows)
    return np.repeat(masks.reshape(len(masks), -1), n_channels, axis=1)


def training_patches(
    images: Sequence[Observed],
    patch_size: int,
    stride: int,
    max_patches: int,
    random_state: np.random.RandomState,
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Draw patches of normal images, equally many of each, without holding all patches at once.

    Patches of which less than half is observed are left out.

    Returns
    -------
    patches : array of shape (n_patches, n_features)
    mask : bool array of the same shape, or None when everything is observed
    """
    share = -(-max_patches // len(images))
    patches: list[NDArray[np.float32]] = []
    masks: list[NDArray[np.bool_]] = []
    for image in images:
        grid = PatchGrid(image.pixels.shape, patch_size, stride)
        chosen = np.sort(random_state.permutation(len(grid))[:share])
        hidden = np.zeros((len(chosen), patch_size**2), bool)
        if image.mask is not None:
            hidden = grid.extract_some(image.mask, chosen).reshape(len(chosen), -1)
        usable = hidden.mean(axis=1) < 0.5
        taken = grid.extract_some(image.pixels, chosen[usable])
        patches.append(taken.reshape(len(taken), -1))
        masks.append(np.repeat(hidden[usable], image.pixels[0, 0].size, axis=1))
    all_patches, all_masks = np.concatenate(patches), np.concatenate(masks)
    if not len(all_patches):
        raise ParameterError(
            "No patch of the training images is at least half observed; check that the masks are True only "
            "where pixels are to be ignored."
        )
    return all_patches, all_masks if all_masks.any() else None

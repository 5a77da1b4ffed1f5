"""The patch grid: from an image to its patches and back.

A grid covers every pixel: where the stride does not divide the image, the last row and the last column of
patches are shifted inwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight.errors import ImageError, ParameterError


def _starts(length: int, size: int, stride: int) -> NDArray[np.intp]:
    starts = np.arange(0, length - size + 1, stride)
    if starts[-1] != length - size:
        starts = np.append(starts, length - size)
    return starts


@dataclass(frozen=True)
class PatchGrid:
    """Positions of equally sized patches that together cover an image.

    Parameters
    ----------
    image_shape : tuple of int
        Height and width in pixels; further axes (channels) are ignored.
    patch_shape : int or tuple of int
        Height and width of a patch in pixels.
    stride : int or tuple of int, optional
        Distance between neighbouring patches in pixels, down and across, at most the patch size. By default
        the patches do not overlap, except in the last row and column, which are shifted inwards.

    Raises
    ------
    ImageError
        If the image is smaller than a patch.
    ParameterError
        If a size or the stride is not positive, or the stride would leave pixels uncovered.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(35.0).reshape(5, 7)
    >>> grid = PatchGrid(image.shape, 3, stride=2)
    >>> grid.shape
    (2, 3)
    >>> patches = grid.extract(image)
    >>> patches.shape
    (6, 3, 3)
    >>> bool((grid.assemble(patches) == image).all())
    True
    """

    image_shape: tuple[int, ...]
    patch_shape: int | tuple[int, int]
    stride: int | tuple[int, int] | None = None

    def __post_init__(self) -> None:
        height, width = self.image_shape[:2]
        rows, columns = self.patch_size
        down, across = self.step
        if min(rows, columns, down, across) < 1:
            raise ParameterError(f"Patch size {rows}×{columns} and stride {down}×{across} must be positive.")
        if down > rows or across > columns:
            raise ParameterError(
                f"A stride of {down}×{across} leaves pixels uncovered by {rows}×{columns} patches; choose a "
                "stride of at most the patch size."
            )
        if height < rows or width < columns:
            raise ImageError(
                f"The image is {height}×{width} pixels, smaller than a {rows}×{columns} patch; "
                "use larger images or a smaller patch size."
            )

    @property
    def patch_size(self) -> tuple[int, int]:
        """Height and width of a patch in pixels."""
        size = self.patch_shape
        return (size, size) if isinstance(size, int) else (size[0], size[1])

    @property
    def step(self) -> tuple[int, int]:
        """Distance between neighbouring patches in pixels, down and across."""
        if self.stride is None:
            return self.patch_size
        return (self.stride, self.stride) if isinstance(self.stride, int) else self.stride

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """First pixel row of each row of patches."""
        return _starts(self.image_shape[0], self.patch_size[0], self.step[0])

    @cached_property
    def columns(self) -> NDArray[np.intp]:
        """First pixel column of each column of patches."""
        return _starts(self.image_shape[1], self.patch_size[1], self.step[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns of patches."""
        return len(self.rows), len(self.columns)

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def extract(self, image: NDArray[Any], rows: slice = slice(None)) -> NDArray[Any]:
        """Copy the patches out of an image.

        Parameters
        ----------
        image : array of shape (height, width) or (height, width, n_channels)
            The image that the grid was made for.
        rows : slice, optional
            Only these rows of patches, to bound memory (see `strips`).

        Returns
        -------
        array of shape (n_patches, patch_height, patch_width[, n_channels])
            Row by row.
        """
        return self._copied(image, np.ix_(self.rows[rows], self.columns))

    def extract_some(self, image: NDArray[Any], numbers: NDArray[np.intp]) -> NDArray[Any]:
        """Copy some of the patches out of an image, like `extract`; they are numbered row by row from 0."""
        down, across = np.divmod(numbers, len(self.columns))
        return self._copied(image, (self.rows[down], self.columns[across]))

    def _copied(self, image: NDArray[Any], where: tuple[NDArray[np.intp], ...]) -> NDArray[Any]:
        """Patches whose first rows and columns are `where`."""
        self._check(image.shape[:2], self.image_shape[:2])
        height, width = self.patch_size
        windows = np.lib.stride_tricks.sliding_window_view(image, (height, width), axis=(0, 1))
        chosen = windows[where]
        if image.ndim == 3:
            chosen = np.moveaxis(chosen, -3, -1)
        return np.ascontiguousarray(chosen).reshape((-1, height, width, *image.shape[2:]))

    def strips(self, max_patches: int) -> Iterator[slice]:
        """Slices of patch rows with at most about `max_patches` patches each (at least one row)."""
        step = max(1, max_patches // len(self.columns))
        for start in range(0, len(self.rows), step):
            yield slice(start, min(start + step, len(self.rows)))

    def assemble(self, patches: NDArray[Any]) -> NDArray[Any]:
        """Put patches back into an image; where they overlap, their mean.

        The mean is taken of the differences to one of the patches, so that patches that agree give exactly
        their common value, whatever their number.

        Parameters
        ----------
        patches : array of shape (n_patches, patch_height, patch_width[, n_channels])

        Returns
        -------
        array of shape (height, width[, n_channels])
            Of the patches' dtype when that is a float, else float64.
        """
        self._check(patches.shape[:3], (len(self), *self.patch_size))
        dtype = patches.dtype if np.issubdtype(patches.dtype, np.floating) else np.dtype(np.float64)
        blocks = patches.reshape(self.shape + patches.shape[1:])
        reference = np.empty(tuple(self.image_shape[:2]) + patches.shape[3:], dtype)
        offsets = [(i, j) for i in range(self.patch_size[0]) for j in range(self.patch_size[1])]
        for i, j in offsets:
            reference[np.ix_(self.rows + i, self.columns + j)] = blocks[:, :, i, j]
        if self.coverage.max() == 1:
            return reference
        difference = np.zeros(reference.shape, np.float64)
        for i, j in offsets:
            where = np.ix_(self.rows + i, self.columns + j)
            difference[where] += blocks[:, :, i, j] - reference[where]
        counts = self.coverage.reshape(self.coverage.shape + (1,) * (reference.ndim - 2))
        return (reference + difference / counts).astype(dtype, copy=False)

    @cached_property
    def coverage(self) -> NDArray[np.intp]:
        """Number of patches that contain each pixel, shape (height, width)."""
        return np.outer(
            np.diff(_covering(self.rows, self.patch_size[0], self.image_shape[0]), axis=0)[0],
            np.diff(_covering(self.columns, self.patch_size[1], self.image_shape[1]), axis=0)[0],
        )

    def vote(self, values: NDArray[Any]) -> NDArray[Any]:
        """Majority vote of overlapping patches as a map.

        The result v is the lower median, over the patches that contain a pixel, of their values. For *every*
        threshold γ, v > γ holds exactly where more than half of those patches have a value above γ: the
        majority vote of ICIP 2016, section 3.3, for all γ at once.

        Parameters
        ----------
        values : array of shape (n_patches,)
            One value per patch; NaN for a patch that has no vote.

        Returns
        -------
        array of shape (height, width)
            NaN where no patch has a vote.
        """
        self._check(values.shape, (len(self),))
        grid = values.reshape(self.shape)
        tops = _covering(self.rows, self.patch_size[0], self.image_shape[0])
        lefts = _covering(self.columns, self.patch_size[1], self.image_shape[1])
        # Pixels between two patch borders are covered by the same patches: one median serves them all.
        row_spans, row_of_pixel = np.unique(tops, axis=1, return_inverse=True)
        column_spans, column_of_pixel = np.unique(lefts, axis=1, return_inverse=True)
        medians = np.empty((row_spans.shape[1], column_spans.shape[1]), values.dtype)
        for height in np.unique(row_spans[1] - row_spans[0]):
            span_rows = np.flatnonzero(row_spans[1] - row_spans[0] == height)
            for width in np.unique(column_spans[1] - column_spans[0]):
                span_columns = np.flatnonzero(column_spans[1] - column_spans[0] == width)
                windows = np.lib.stride_tricks.sliding_window_view(grid, (height, width))
                for chunk in np.array_split(span_rows, -(-len(span_rows) // 64)):
                    chosen = windows[row_spans[0, chunk]][:, column_spans[0, span_columns]]
                    votes = chosen.reshape(len(chunk), len(span_columns), -1)
                    medians[np.ix_(chunk, span_columns)] = _lower_median(votes)
        return medians[row_of_pixel.ravel()][:, column_of_pixel.ravel()]

    @staticmethod
    def _check(given: tuple[int, ...], expected: tuple[int, ...]) -> None:
        if tuple(given) != tuple(expected):
            raise ValueError(f"Expected shape {tuple(expected)} for this grid, got {tuple(given)}.")


def _covering(starts: NDArray[np.intp], size: int, length: int) -> NDArray[np.intp]:
    """First and one past the last index of the patches that contain each pixel of an axis."""
    pixels = np.arange(length)
    return np.stack(
        [
            np.searchsorted(starts, pixels - size, side="right"),
            np.searchsorted(starts, pixels, side="right"),
        ]
    )


def _lower_median(votes: NDArray[Any]) -> NDArray[Any]:
    """Lower median along the last axis, of the values that are not NaN."""
    ordered = np.sort(votes, axis=-1)  # NaN comes last
    n_votes = np.sum(~np.isnan(ordered), axis=-1, keepdims=True)
    middle = np.maximum(n_votes - 1, 0) // 2
    return np.take_along_axis(ordered, middle, axis=-1)[..., 0]


def extract_simple_patches_2d(image: NDArray[Any], patch_size: tuple[int, int]) -> NDArray[Any]:
    """Patches that do not overlap, under the name that spm-image gives them.

    Unlike there, no pixels are lost: where the patches do not divide the image, the last row and column of
    patches are shifted inwards. `PatchGrid` does more.

    Parameters
    ----------
    image : array of shape (height, width[, n_channels])
    patch_size : tuple of int

    Returns
    -------
    array of shape (n_patches, patch_height, patch_width[, n_channels])
    """
    return PatchGrid(image.shape, patch_size).extract(image)


def reconstruct_from_simple_patches_2d(patches: NDArray[Any], image_size: tuple[int, ...]) -> NDArray[Any]:
    """Undo `extract_simple_patches_2d`, under the name that spm-image gives it.

    Parameters
    ----------
    patches : array of shape (n_patches, patch_height, patch_width[, n_channels])
    image_size : tuple of int
        Shape of the image.

    Returns
    -------
    array of shape `image_size`
        Of the patches' dtype when that is a float, else float64.
    """
    height, width = patches.shape[1:3]
    return PatchGrid(image_size, (height, width)).assemble(patches)

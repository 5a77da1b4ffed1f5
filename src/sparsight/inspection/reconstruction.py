"""The article's way: what a deliberately weak dictionary cannot reconstruct is anomalous."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight import _kernels
from sparsight.coding import Coding, orthogonal_matching_pursuit
from sparsight.coding._inputs import check_threads
from sparsight.dictionaries import KSVD
from sparsight.errors import ParameterError
from sparsight.features import Standardization
from sparsight.inspection.explanations import Explanation, by_name
from sparsight.inspection.scorers import (
    Fold,
    LocalScores,
    Observed,
    learned_anew,
    patch_margin,
    patch_masks,
    strips_of,
    training_patches,
)
from sparsight.patches import PatchGrid


@dataclass
class ReconstructionScorer(LocalScores):
    """Absolute error of a sparse reconstruction, in the image's own intensity units.

    Patches are standardised feature by feature, coded with few non-zeros over a small K-SVD dictionary that
    was learned on normal patches, and put back; the score of a pixel is its absolute error (for several
    channels, the root mean square over them).

    Parameters
    ----------
    patch_size, stride : int
        In pixels. The article's patches of 16 pixels do not overlap (stride 16).
    n_components : int
        Atoms; few (the article: 10), so that only normal structure can be represented.
    n_nonzero_coefs : int
        Non-zeros of each code (the article: 3).
    max_patches : int
        Training patches, drawn at random when there are more.
    n_threads : int, optional

    References
    ----------
    HACARUS: Advanced applications of sparse modeling for image processing, section "Anomaly detection".
    """

    blur = 0
    patch_size: int = 16
    stride: int = 16
    n_components: int = 10
    n_nonzero_coefs: int = 3
    max_patches: int = 50_000
    n_threads: int | None = None
    standardization: Standardization = field(init=False, repr=False)
    dictionary: NDArray[Any] = field(init=False, repr=False)

    @property
    def resolution(self) -> int:
        """Extent, in pixels, of what a score depends on."""
        return self.patch_size

    @property
    def margin(self) -> int:
        """How far, in pixels, a score can see."""
        return patch_margin(self.patch_size, self.stride)

    def fit(self, images: Sequence[Observed], random_state: np.random.RandomState) -> ReconstructionScorer:
        """Learn the standardisation and the dictionary from normal images."""
        patches, mask = training_patches(images, self.patch_size, self.stride, self.max_patches, random_state)
        if len(patches) < self.n_components:
            raise ParameterError(
                f"The training images hold {len(patches)} patches of {self.patch_size}×{self.patch_size} "
                f"pixels, fewer than the {self.n_components} atoms; give more or larger images, or a smaller "
                "patch size."
            )
        self.standardization = Standardization.of(patches)
        learner = KSVD(
            self.n_components,
            transform_n_nonzero_coefs=self.n_nonzero_coefs,
            dictionary_init="data",
            n_threads=self.n_threads,
            random_state=random_state,
        )
        self.dictionary = learner.fit(self.standardization.apply(patches), mask=mask).components_
        return self

    def reconstruct(self, image: Observed) -> NDArray[np.float32]:
        """Sparse reconstruction of an image over the learned dictionary, of the image's shape."""
        grid = PatchGrid(image.pixels.shape, self.patch_size, self.stride)
        n_channels = image.pixels[0, 0].size
        parts = []
        for strip in strips_of(grid, n_channels):
            patches = grid.extract(image.pixels, strip)
            mask = None
            if image.mask is not None:
                mask = patch_masks(grid, image.mask, strip, n_channels)
            coding = self._code(patches, mask)
            parts.append(self._rebuilt(coding).reshape(patches.shape))
        rebuilt_image: NDArray[np.float32] = grid.assemble(np.concatenate(parts))
        return rebuilt_image

    def _code(self, patches: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> Coding:
        return orthogonal_matching_pursuit(
            self.standardization.apply(patches.reshape(len(patches), -1)),
            self.dictionary,
            n_nonzero_coefs=min(self.n_nonzero_coefs, len(self.dictionary)),
            mask=mask,
            n_threads=self.n_threads,
        )

    def _rebuilt(self, coding: Coding) -> NDArray[Any]:
        assert isinstance(coding.codes, np.ndarray)
        values_by_atoms = np.ascontiguousarray(self.dictionary.T)
        products = _kernels.row_products(
            coding.codes, values_by_atoms, n_threads=check_threads(self.n_threads)
        )
        return self.standardization.invert(products)

    def score(self, image: Observed) -> NDArray[np.float32]:
        """Absolute reconstruction error of every pixel; NaN where not observed."""
        error = np.abs(image.pixels - self.reconstruct(image))
        if error.ndim == 3:
            error = np.sqrt(np.mean(np.square(error), axis=2))
        if image.mask is not None:
            error[image.mask] = np.nan
        return np.asarray(error)

    def explain(self, image: Observed, place: tuple[int, int]) -> Explanation:
        """How much of the error of the patch that a place is in is one of brightness, and how much of structure.

        The mean error, squared, and the variance of the error add up to the mean squared error.
        """
        grid = PatchGrid(image.pixels.shape, self.patch_size, self.stride)
        # Of the patches that the score was made of, the one that has the place nearest to its centre.
        row, column = (
            int(starts[np.argmin(np.abs(starts + (self.patch_size - 1) / 2 - at))])
            for starts, at in zip((grid.rows, grid.columns), place, strict=True)
        )
        n_channels = image.pixels[0, 0].size
        window = image.part(slice(row, row + self.patch_size), slice(column, column + self.patch_size))
        mask = (
            None
            if window.mask is None
            else patch_masks(
                PatchGrid(window.pixels.shape, self.patch_size), window.mask, slice(None), n_channels
            )
        )
        coding = self._code(window.pixels[np.newaxis], mask)
        rebuilt = self._rebuilt(coding).reshape(window.pixels.shape)
        error = (window.pixels - rebuilt).reshape(self.patch_size**2, -1).astype(np.float64)
        if window.mask is not None:
            error = error[~window.mask.ravel()]
        means, variances = error.mean(axis=0), error.var(axis=0)
        shares = np.array([np.square(means).sum(), variances.sum()])
        codes = np.asarray(coding.codes)[0]
        used = np.argsort(-np.abs(codes), kind="stable")[: np.count_nonzero(codes)]
        return Explanation(
            (row, column),
            *by_name(
                ("level", "structure"),
                shares[np.newaxis] / max(float(shares.sum()), 1e-12),
                np.array([[means[np.argmax(np.abs(means))], np.sqrt(variances.mean())]]),
            ),
            scales={1.0: float(codes.any())},
            atoms=[(int(number), float(codes[number])) for number in used],
            patch=window.pixels.copy(),
            reconstruction=rebuilt.astype(np.float32),
        )

    def notes(self) -> dict[str, Any]:
        """What a user should know of the model: nothing that its parameters do not say."""
        return {}

    def left_out(
        self, folds: Iterable[Fold], random_state: np.random.RandomState
    ) -> Iterator[list[NDArray[np.float32]]]:
        """Score maps of the held-out part of each fold, everything being learned from the rest."""
        return learned_anew(lambda: replace(self), folds, random_state)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, to be stored in a model file."""
        return {
            "dictionary": self.dictionary,
            "mean": self.standardization.mean,
            "scale": self.standardization.scale,
        }

    def restore(self, arrays: dict[str, NDArray[Any]]) -> ReconstructionScorer:
        """Take what was learned from a model file."""
        self.dictionary = arrays["dictionary"]
        self.standardization = Standardization(arrays["mean"], arrays["scale"])
        return self

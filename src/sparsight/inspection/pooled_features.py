"""What the universal detector measures: how bright, rough and codable the surroundings of a patch are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight import _kernels
from sparsight.coding import Coding
from sparsight.coding._inputs import check_threads
from sparsight.coding._result import OutputForm
from sparsight.features import cosine_basis
from sparsight.inspection.grey_scale import GreyScale
from sparsight.inspection.lasso_dictionary import code_by_lasso, learn_lasso_dictionary
from sparsight.inspection.neighbourhoods import gaussian_sums, radius
from sparsight.inspection.scorers import Observed, patch_masks, training_patches
from sparsight.patches import PatchGrid

_PATCHES_TO_LEARN_FROM = 20_000
_PATCHES_PER_ATOM = 16
_ATOMS_TO_NAME = 5
_PATCHES_TO_JUDGE_ON = 4_000
_PATCHES_AT_A_TIME = 32_768
# First zig-zag cosine coefficients of three bands, of the 64 of a patch of 8×8 pixels.
_BAND_STARTS = (1 / 64, 6 / 64, 21 / 64)
# λ over the median contrast.
_RELATIVE_PENALTY = 0.08
_WEIGHT_OF_INCOMPLETE = 1e-3


@dataclass
class PooledFeatures:
    r"""Features of sparse codes, averaged over a neighbourhood, at every position of a patch grid.

    A patch s, without the mean m of each channel, is coded by the lasso,

    .. math:: \hat x = \arg\min_x \tfrac12 \|s - D x\|^2 + \lambda \|x\|_1, \qquad \lambda = 0.08\, c_0,

    with the median c₀ of the training patches' ‖s‖. Averaged with Gaussian weights are then m, c = ‖s‖,
    e = ‖s − D x‖, the energies E of three bands of cosine coefficients of s, and the sizes |x| of the
    coefficients of each atom. The features are

    .. math:: \bar m, \quad \log(\sqrt{\bar c} + \epsilon_c), \quad \log(\sqrt{\bar e} + \epsilon_e), \quad
       \tfrac12 \log(\bar E_b + \epsilon_E^2), \quad
       \log \Big(\sum_k \overline{|x_k|}\Big)^2 - \log \sum_k \overline{|x_k|}^2,

    the last of which counts how many atoms the neighbourhood uses. What is not observed has no weight. Grey
    levels are put on a logarithmic scale first where lighting multiplies them; see `GreyScale`.

    Parameters
    ----------
    patch_size, stride : int
        In pixels.
    n_components : int
        Atoms, or fewer when there are not 16 training patches for each.
    smoothing : float
        Standard deviation of the weights, in pixels.
    n_threads : int, optional
    """

    patch_size: int = 8
    stride: int = 4
    n_components: int = 256
    smoothing: float = 5.0
    n_threads: int | None = None
    dictionary: NDArray[np.float32] = field(init=False, repr=False)
    contrast: float = field(init=False, repr=False)
    error: float = field(init=False, repr=False)
    grey_scale: GreyScale = field(init=False, repr=False, default=GreyScale())

    def fit(
        self,
        images: Sequence[Observed],
        random_state: np.random.RandomState,
        whole: PooledFeatures | None = None,
    ) -> PooledFeatures:
        """Learn the dictionary, and the typical contrast and coding error, from normal images.

        With `whole`, what was learned from these images and others: learn as many atoms as that has.
        """
        patches, mask = training_patches(
            images, self.patch_size, self.stride, _PATCHES_TO_LEARN_FROM, random_state
        )
        n_channels = images[0].pixels[0, 0].size
        centred, means = _without_means(patches, mask, n_channels)
        norms = np.linalg.norm(centred, axis=1)
        self.grey_scale = GreyScale.of(means.mean(axis=1), norms) if whole is None else whole.grey_scale
        centred, _ = _without_means(self.grey_scale.apply(patches), mask, n_channels)
        norms = np.linalg.norm(centred, axis=1)
        # Where most of an image is empty, the median is that of the noise.
        self.contrast = float(max(np.median(norms), 0.1 * np.sqrt(np.mean(norms**2)), 1e-12))
        n_components = max(1, min(self.n_components, len(centred) // _PATCHES_PER_ATOM))
        if whole is not None:
            n_components = min(len(whole.dictionary), len(centred))
        self.dictionary = learn_lasso_dictionary(
            centred,
            mask,
            n_components,
            penalty=self._penalty,
            random_state=random_state,
            n_threads=self.n_threads,
        )
        some = slice(None, None, -(-len(centred) // _PATCHES_TO_JUDGE_ON))
        some_mask = None if mask is None else mask[some]
        self.error = float(np.median(self._code(centred[some], some_mask, "reductions").residual_norm))
        return self

    @property
    def n_derived(self) -> int:
        """Features other than the means."""
        return 3 + len(self._bands)

    @property
    def _bands(self) -> list[int]:
        """First zig-zag cosine coefficient of each band."""
        return sorted({max(1, round(start * self.patch_size**2)) for start in _BAND_STARTS})

    def feature_names(self, n_features: int) -> list[str]:
        """Name each of the features, as `sparsight.inspection.explanations.WORDS` knows them."""
        names = ("coarse structure", "medium structure", "fine structure")
        n_bands = len(self._bands)
        bands = [*names[: n_bands - 1], names[-1]]
        derived = ["contrast", "error", *bands, "diversity"]
        return ["brightness"] * (n_features - len(derived)) + derived

    def rebuilt(self, window: Observed) -> tuple[NDArray[np.float32], list[tuple[int, float]]]:
        """Sparse reconstruction of a part of an image, and the atoms of its central patch, largest first."""
        grid = PatchGrid(window.pixels.shape, self.patch_size, max(1, self.patch_size // 2))
        n_channels = window.pixels[0, 0].size
        patches = self.grey_scale.apply(grid.extract(window.pixels))
        mask = None if window.mask is None else patch_masks(grid, window.mask, slice(None), n_channels)
        centred, means = _without_means(patches.reshape(len(patches), -1), mask, n_channels)
        codes = np.asarray(self._code(centred, mask, "dense").codes)
        rebuilt = (codes @ self.dictionary).reshape(len(patches), -1, n_channels) + means[:, np.newaxis]
        central = codes[grid.shape[0] // 2 * grid.shape[1] + grid.shape[1] // 2]
        largest = np.argsort(-np.abs(central), kind="stable")[
            : min(_ATOMS_TO_NAME, np.count_nonzero(central))
        ]
        atoms = [(int(number), float(central[number])) for number in largest]
        rebuilt = self.grey_scale.undo(rebuilt.reshape(patches.shape).astype(np.float32))
        return grid.assemble(rebuilt), atoms

    def grid(self, image: Observed) -> PatchGrid:
        """Positions of the features of an image."""
        return PatchGrid(image.pixels.shape, self.patch_size, self.stride)

    def strips(self, grid: PatchGrid) -> list[slice]:
        """Rows of patches to be measured at a time, so that memory stays bounded."""
        return list(grid.strips(_PATCHES_AT_A_TIME))

    def measure(self, image: Observed, rows: slice | None = None) -> NDArray[np.float32]:
        """Features at the positions of some rows of the grid, shape (rows, columns, n_features).

        NaN where nothing near is observed. The result does not depend on how the rows are divided.
        """
        grid = self.grid(image)
        if rows is None:
            return np.concatenate([self.measure(image, strip) for strip in self.strips(grid)])
        sigma = self.smoothing / self.stride
        halo = radius(sigma)
        around = slice(max(0, rows.start - halo), min(grid.shape[0], rows.stop + halo))
        values, weights, coding = self._values(image, grid, around)
        inside = slice(rows.start - around.start, rows.stop - around.start)
        pooled = gaussian_sums(values * weights[..., np.newaxis], sigma)[inside]
        total = gaussian_sums(weights, sigma)[inside, :, np.newaxis]
        squares = self._pooled_squares(coding, weights, sigma)[inside, :, np.newaxis]
        with np.errstate(invalid="ignore"):
            total[total <= 1e-9] = np.nan
            return self._compressed(pooled / total, squares / np.square(total))

    def _values(
        self, image: Observed, grid: PatchGrid, rows: slice
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], Coding]:
        """What is averaged: m, c, e, ‖x‖₁ and E of every patch; the weight of each, and its code."""
        n_channels = image.pixels[0, 0].size
        patches = self.grey_scale.apply(grid.extract(image.pixels, rows))
        patches = patches.reshape(len(patches), -1)
        mask = None if image.mask is None else patch_masks(grid, image.mask, rows, n_channels)
        centred, means = _without_means(patches, mask, n_channels)
        observed = (
            np.ones(len(patches), np.float32) if mask is None else 1 - mask.mean(axis=1, dtype=np.float32)
        )
        coding = self._code(centred, mask)
        # Norms and energies of the observed part, as if all were observed.
        gain = 1 / np.sqrt(np.maximum(observed, 0.5))
        norms = np.linalg.norm(centred, axis=1)
        values = np.column_stack(
            [
                means,
                norms * gain,
                coding.residual_norm * gain,
                coding.l1_norm,
                self._band_energies(centred, n_channels) * gain[:, np.newaxis] ** 2,
            ]
        )
        # A code fits few pixels better than many: incomplete patches count only where no others are near.
        observed[observed < 1] *= _WEIGHT_OF_INCOMPLETE
        observed[observed < 0.5 * _WEIGHT_OF_INCOMPLETE] = 0
        shape = (-1, grid.shape[1])
        return values.reshape(*shape, values.shape[1]), observed.reshape(shape), coding

    def _pooled_squares(
        self, coding: Coding, weights: NDArray[np.float32], sigma: float
    ) -> NDArray[np.float32]:
        """Sum over the atoms of the squared weighted sum of |x|, at every position."""
        extent = radius(sigma)
        window = np.exp(-0.5 * (np.arange(-extent, extent + 1) / sigma) ** 2)
        codes: Any = coding.codes
        return _kernels.pooled_squares(
            codes.indptr.astype(np.int64),
            codes.indices,
            codes.data,
            weights=np.ascontiguousarray(weights),
            window=(window / window.sum()).astype(np.float32),
            n_atoms=len(self.dictionary),
            n_threads=check_threads(self.n_threads),
        )

    @property
    def _penalty(self) -> float:
        return _RELATIVE_PENALTY * self.contrast

    def _code(
        self, centred: NDArray[np.float32], mask: NDArray[np.bool_] | None, output: OutputForm = "sparse"
    ) -> Coding:
        return code_by_lasso(centred, self.dictionary, self._penalty, mask, output, self.n_threads)

    def _band_energies(self, centred: NDArray[np.float32], n_channels: int) -> NDArray[np.float32]:
        size = self.patch_size
        basis = cosine_basis((size, size)).astype(np.float32)
        channels = np.moveaxis(centred.reshape(len(centred), size * size, n_channels), 2, 0)
        n_threads = check_threads(self.n_threads)
        energy = sum(
            np.square(_kernels.row_products(np.ascontiguousarray(channel), basis, n_threads=n_threads))
            for channel in channels
        )
        return np.add.reduceat(np.asarray(energy), self._bands, axis=1)

    def _compressed(self, pooled: NDArray[np.floating], squares: NDArray[np.floating]) -> NDArray[np.float32]:
        n_bands = len(self._bands)
        n_means = pooled.shape[-1] - 3 - n_bands
        means, energies = pooled[..., :n_means], pooled[..., -n_bands:]
        contrast, error, sizes = np.moveaxis(pooled[..., n_means : n_means + 3, np.newaxis], -2, 0)
        diversity = np.log(np.square(sizes) + (0.01 * self.contrast) ** 2) - np.log(
            squares + (0.003 * self.contrast) ** 2
        )
        return np.concatenate(
            [
                means,
                np.log(np.sqrt(contrast) + 0.1 * np.sqrt(self.contrast)),
                np.log(np.sqrt(error) + 0.1 * np.sqrt(self.error + 1e-3 * self.contrast)),
                0.5 * np.log(energies + (0.02 * self.contrast) ** 2),
                diversity,
            ],
            axis=-1,
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, to be stored in a model file."""
        typical = [self.contrast, self.error, self.grey_scale.typical]
        return {"dictionary": self.dictionary, "typical": np.array(typical)}

    def restore(self, arrays: dict[str, NDArray[Any]]) -> PooledFeatures:
        """Take what was learned from a model file."""
        self.dictionary = arrays["dictionary"]
        self.contrast, self.error, typical = (float(value) for value in arrays["typical"])
        self.grey_scale = GreyScale(typical)
        return self


def some_vectors(
    features: NDArray[np.float32], n_positions: int, random_state: np.random.RandomState
) -> NDArray[np.float32]:
    """Feature vectors of random positions at which all features are known, shape (n, n_features)."""
    flat = features.reshape(-1, features.shape[-1])
    flat = flat[~np.isnan(flat).any(axis=1)]
    return flat[random_state.permutation(len(flat))[:n_positions]]


def _without_means(
    patches: NDArray[np.float32], mask: NDArray[np.bool_] | None, n_channels: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Subtract the mean of each channel; missing values become 0."""
    by_channel = patches.reshape(len(patches), -1, n_channels)
    if mask is None:
        means = by_channel.mean(axis=1)
        centred = by_channel - means[:, np.newaxis]
    else:
        missing = mask.reshape(by_channel.shape)
        totals = np.where(missing, 0, by_channel).sum(axis=1)
        means = (totals / np.maximum((~missing).sum(axis=1), 1)).astype(np.float32)
        centred = np.where(missing, np.float32(0), by_channel - means[:, np.newaxis])
    return centred.reshape(patches.shape), means

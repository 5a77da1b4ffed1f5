"""The paper's way, at one scale: indicators of each code, and their distance to what is normal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight.coding import Coding, orthogonal_matching_pursuit
from sparsight.dictionaries import KSVD
from sparsight.errors import ParameterError
from sparsight.features import cosine_basis, remove_mean
from sparsight.inspection.normality import NormalityRegion
from sparsight.inspection.scorers import PATCHES_AT_A_TIME, Observed, patch_masks, training_patches
from sparsight.patches import PatchGrid


def indicator_vectors(coding: Coding) -> NDArray[np.float64]:
    r"""Indicators g = (‖s − Dx‖₂, ‖x‖₁[, Σ_j ‖x_j‖₂]) of each patch (ICIP 2016, eq. 6).

    The third is there when the coding knows groups of atoms.
    """
    columns = [coding.residual_norm, coding.l1_norm]
    if coding.group_norms is not None:
        columns.append(coding.group_norms.sum(axis=1))
    return np.column_stack(columns).astype(np.float64)


@dataclass
class IndicatorScorer:
    """Mahalanobis distance of a patch's indicators, put to the vote of overlapping patches.

    Parameters
    ----------
    patch_size, stride : int
        In pixels.
    n_coefs : int
        Leading zig-zag cosine coefficients of a patch that are coded (ICIP 2016: 225 of 1024).
    n_components : int
        Atoms.
    n_nonzero_coefs : int
        Non-zeros of each code.
    max_patches : int
        Training patches; half of them learn the dictionary, the other half the normality region.
    n_threads : int, optional

    References
    ----------
    D. Carrera, G. Boracchi, A. Foi, B. Wohlberg: Scale-invariant anomaly detection with multiscale
    group-sparse models, ICIP 2016, section 4, "Single Scale".
    """

    blur = 0
    patch_size: int = 32
    stride: int = 8
    n_coefs: int = 225
    n_components: int = 100
    n_nonzero_coefs: int = 8
    max_patches: int = 20_000
    n_threads: int | None = None
    dictionary: NDArray[Any] = field(init=False, repr=False)
    region: NormalityRegion = field(init=False, repr=False)

    @property
    def resolution(self) -> int:
        """Extent, in pixels, of what a score depends on."""
        return self.patch_size

    def fit(self, images: Sequence[Observed], random_state: np.random.RandomState) -> IndicatorScorer:
        """Learn the dictionary and, on patches held out from it, the normality region."""
        patches, mask = training_patches(images, self.patch_size, self.stride, self.max_patches, random_state)
        features = self._features(patches, mask)
        order = random_state.permutation(len(features))
        learned, held_out = order[: len(order) // 2], order[len(order) // 2 :]
        if len(learned) < self.n_components:
            raise ParameterError(
                f"The training images hold {len(features)} patches of {self.patch_size}×{self.patch_size} "
                f"pixels; {self.n_components} atoms and a normality region need at least "
                f"{2 * self.n_components}. Give more or larger images, a smaller stride or patch size, or "
                "fewer atoms."
            )
        self.dictionary = (
            KSVD(
                self.n_components,
                transform_n_nonzero_coefs=self.n_nonzero_coefs,
                max_iter=15,
                n_threads=self.n_threads,
                random_state=random_state,
            )
            .fit(features[learned])
            .components_
        )
        self.region = NormalityRegion.of(indicator_vectors(self._code(features[held_out])))
        return self

    def score(self, image: Observed) -> NDArray[np.float32]:
        """Majority vote, for every threshold at once, of the distances of overlapping patches."""
        grid = PatchGrid(image.pixels.shape, self.patch_size, self.stride)
        n_channels = image.pixels[0, 0].size
        distances = []
        for strip in grid.strips(PATCHES_AT_A_TIME):
            patches = grid.extract(image.pixels, strip)
            patches = patches.reshape(len(patches), -1)
            mask = None if image.mask is None else patch_masks(grid, image.mask, strip, n_channels)
            distance = self.region.distance(indicator_vectors(self._code(self._features(patches, mask))))
            if mask is not None:
                distance[mask.mean(axis=1) >= 0.5] = np.nan
            distances.append(distance)
        score = grid.vote(np.concatenate(distances).astype(np.float32))
        if image.mask is not None:
            score[image.mask] = np.nan
        return score

    def _features(self, patches: NDArray[Any], mask: NDArray[np.bool_] | None) -> NDArray[Any]:
        """Cosine coefficients without the mean; missing pixels take the mean of their patch."""
        centred, _ = remove_mean(patches, mask)
        side = (self.patch_size, self.patch_size)
        basis = cosine_basis(side, min(self.n_coefs, self.patch_size**2)).astype(patches.dtype)
        channels = centred.reshape(len(patches), self.patch_size**2, -1)
        features: NDArray[Any] = np.einsum("npc,kp->nkc", channels, basis, optimize=True)
        return features.reshape(len(patches), -1)

    def _code(self, features: NDArray[Any]) -> Coding:
        return orthogonal_matching_pursuit(
            features,
            self.dictionary,
            n_nonzero_coefs=min(self.n_nonzero_coefs, len(self.dictionary)),
            output="reductions",
            n_threads=self.n_threads,
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, to be stored in a model file."""
        return {
            "dictionary": self.dictionary,
            "region_mean": self.region.mean,
            "region_factor": self.region.factor,
        }

    def restore(self, arrays: dict[str, NDArray[Any]]) -> IndicatorScorer:
        """Take what was learned from a model file."""
        self.dictionary = arrays["dictionary"]
        self.region = NormalityRegion(arrays["region_mean"], arrays["region_factor"])
        return self

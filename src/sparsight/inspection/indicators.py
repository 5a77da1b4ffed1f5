"""The paper's way: indicators of the sparse code of each patch, and how far they are from normal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sparsight.coding import Coding
from sparsight.coding._result import OutputForm
from sparsight.errors import ParameterError
from sparsight.features import cosine_basis, cosine_features, remove_mean
from sparsight.inspection.explanations import Explanation, by_name
from sparsight.inspection.group_penalty import GroupUse, choose_group_penalty
from sparsight.inspection.normality import NormalityRegion
from sparsight.inspection.rescaling import checked_scales, rescale
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
from sparsight.inspection.sparse_codes import code_patches, learn_atoms
from sparsight.models import arrays_under
from sparsight.patches import PatchGrid

_PATCHES_TO_CHOOSE_ON = 1_500
_FAINT = 0.1  # of the root mean square norm of patches: what is fainter shows nothing but noise
_CONSTANT = 1e-3  # of the same: less than the noise of any camera
_SHARE_OF_FAINT = 0.01
_ATOMS_TO_NAME = 5


def _spread(coding: Coding) -> NDArray[np.floating]:
    assert coding.group_norms is not None
    return np.asarray(coding.group_norms.sum(axis=1))


#: The summands of the objective (5) of ICIP 2016.
INDICATORS: dict[str, Callable[[Coding], NDArray[np.floating]]] = {
    "error": lambda coding: coding.residual_norm,
    "sparsity": lambda coding: coding.l1_norm,
    "spread": _spread,
}


class Region(Protocol):
    """What indicators of normal patches look like."""

    def distance(self, indicators: NDArray[np.floating]) -> NDArray[np.float64]:
        """How far from normal each vector of indicators is."""
        ...

    def shares(self, indicators: NDArray[np.floating]) -> NDArray[np.float64]:
        """Share of each indicator in the distance of one vector of them."""
        ...

    def deviations(self, indicators: NDArray[np.floating]) -> NDArray[np.float64]:
        """How far above normal each indicator of one vector of them is."""
        ...

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return what was measured; the constructor takes it back."""
        ...


@dataclass
class IndicatorScorer(LocalScores):
    r"""Distance of a patch's indicators from normal, put to the vote of overlapping patches.

    Each patch s, as its leading cosine coefficients without the mean, is coded by

    .. math:: \hat x = \arg\min_x \tfrac12 \|s - D x\|^2 + \lambda \|x\|_1 + \xi \sum_j \|x_j\|_2

    over D = [D_1 | … | D_L], each part learned on the training images at one scale. The indicators
    (‖s − Dx‖, ‖x‖₁, Σ‖x_j‖) are judged by a region measured on normal patches that the dictionary was not
    learned on. A pixel's score is the median of the distances of the patches that contain it.

    Where good images are partly empty, as sparse mats are, their empty patches are normal (distance 0) and
    have no part in the rest, if not told otherwise: indicators of noise would else outweigh all others.

    Parameters
    ----------
    patch_size, stride : int
        In pixels.
    n_components : int
        Atoms of each scale.
    scales : sequence of float
        Factors by which the training images are shrunk.
    group_coding : bool
        Choose ξ from how many groups of atoms normal patches use; else ξ = 0.
    indicators : tuple of {"error", "sparsity", "spread"}
    region : type
        `NormalityRegion`, or `Tolerance` for a single indicator.
    unit_norm : bool
        Scale each patch to unit norm (empty ones by that of the faintest patch that is not).
    empty_is_normal : bool
        Take empty patches for normal where good images have such. Otherwise, as in the article, noise is a
        patch like any other, of unit norm, too, to learn from and to judge.
    n_coefs : int
        Leading zig-zag cosine coefficients of a patch that are coded (ICIP 2016: 225 of 1024).
    relative_penalty : float
        λ over the median norm of the training patches that are not empty.
    max_patches : int
        Patches of each scale that dictionary and region are learned from.
    n_threads : int, optional

    References
    ----------
    D. Carrera, G. Boracchi, A. Foi, B. Wohlberg: Scale-invariant anomaly detection with multiscale
    group-sparse models, ICIP 2016, sections 3 and 4.
    """

    blur = 0
    patch_size: int = 32
    stride: int = 8
    n_components: int = 100
    scales: Sequence[float] = (1.0,)
    group_coding: bool = False
    indicators: tuple[str, ...] = ("error", "sparsity")
    region: Callable[..., Any] = NormalityRegion
    unit_norm: bool = True
    empty_is_normal: bool = True
    n_coefs: int = 225
    relative_penalty: float = 0.1
    max_patches: int = 8_000
    n_threads: int | None = None
    dictionary: NDArray[np.float32] = field(init=False, repr=False)
    normal: Region = field(init=False, repr=False)
    faintest: float = field(init=False, default=0.0)
    spares_empty: bool = field(init=False, default=False)
    penalty: float = field(init=False, default=0.0)
    group_penalty: float = field(init=False, default=0.0)
    group_use: GroupUse | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.scales = checked_scales(self.scales)

    @property
    def resolution(self) -> int:
        """Extent, in pixels, of what a score depends on."""
        return self.patch_size

    @property
    def margin(self) -> int:
        """How far, in pixels, a score can see."""
        return patch_margin(self.patch_size, self.stride)

    def fit(self, images: Sequence[Observed], random_state: np.random.RandomState) -> IndicatorScorer:
        """Learn a dictionary of each scale and, on other parts of the images, the normality region."""
        learned, held_out = _two_parts(images)
        coefs = [self._training_coefs(learned, scale, random_state) for scale in self.scales]
        norms = [np.linalg.norm(part, axis=1) for part in coefs]
        every = np.concatenate(norms)
        faint = _FAINT if self.empty_is_normal else _CONSTANT
        self.faintest = max(faint * float(np.sqrt(np.mean(np.square(every)))), 1e-12)
        share_of_faint = float(np.mean(every < self.faintest))
        self.spares_empty = self.empty_is_normal and share_of_faint > _SHARE_OF_FAINT
        coefs = [part[norm >= self.faintest] for part, norm in zip(coefs, norms, strict=True)]
        self._check_enough(coefs)
        median = float(np.median(every[every >= self.faintest]))
        self.penalty = self.relative_penalty * (1.0 if self.unit_norm else median)
        atoms = [
            learn_atoms(self._normed(part), self.n_components, self.penalty, random_state, self.n_threads)
            for part in coefs
        ]
        self.dictionary = np.concatenate(atoms)
        normal = np.concatenate(
            [self._training_coefs(held_out, scale, random_state) for scale in self.scales]
        )
        normal = self._normed(normal[np.linalg.norm(normal, axis=1) >= self.faintest])
        if self.group_coding and len(self.scales) > 1:
            some = normal[random_state.permutation(len(normal))[:_PATCHES_TO_CHOOSE_ON]]
            self.group_penalty, self.group_use = choose_group_penalty(
                lambda group_penalty: self._code(some, group_penalty), self.penalty
            )
        self.normal = self.region.of(self._indicators(normal))  # type: ignore[attr-defined]
        return self

    def score(self, image: Observed) -> NDArray[np.float32]:
        """Majority vote, for every threshold at once, of the distances of overlapping patches."""
        grid = PatchGrid(image.pixels.shape, self.patch_size, self.stride)
        n_channels = image.pixels[0, 0].size
        distances = []
        for strip in strips_of(grid, n_channels):
            patches = grid.extract(image.pixels, strip)
            patches = patches.reshape(len(patches), -1)
            mask = None if image.mask is None else patch_masks(grid, image.mask, strip, n_channels)
            distance = self._distance(self._coefs(patches, mask))
            if mask is not None:
                distance[mask.mean(axis=1) >= 0.5] = np.nan
            distances.append(distance)
        score = grid.vote(np.concatenate(distances).astype(np.float32))
        if image.mask is not None:
            score[image.mask] = np.nan
        return score

    def features(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is coded of patches, shape (n_patches, patch_size, patch_size) or with channels."""
        return self._normed(self._coefs(patches.reshape(len(patches), -1), None))

    def explain(self, image: Observed, place: tuple[int, int]) -> Explanation:
        """What makes the patch around a place anomalous, or normal."""
        window, corner = image.window(place, self.patch_size)
        patch = window.pixels
        mask = None
        if window.mask is not None:
            mask = np.repeat(window.mask.reshape(1, -1), patch[0, 0].size, axis=1)
        coefs = self._coefs(patch.reshape(1, -1), mask)
        features = self._normed(coefs)
        coding = self._code(features, self.group_penalty, output="dense")
        assert coding.codes is not None
        assert coding.group_norms is not None
        codes, group_norms = coding.codes[0], coding.group_norms[0]
        n_coefs = coefs.shape[1] // patch[0, 0].size
        basis = cosine_basis((self.patch_size, self.patch_size), n_coefs).astype(np.float32)
        scale = np.linalg.norm(coefs) / max(float(np.linalg.norm(features)), 1e-12)
        rebuilt = basis.T @ (codes @ self.dictionary * scale).reshape(n_coefs, -1)
        _, means = remove_mean(patch.reshape(1, -1), mask)
        vector = self._vectors(coding)[0]
        strongest = np.argsort(-np.abs(codes), kind="stable")[: min(_ATOMS_TO_NAME, np.count_nonzero(codes))]
        return Explanation(
            corner,
            *by_name(
                self.indicators,
                self.normal.shares(vector)[np.newaxis],
                self.normal.deviations(vector)[np.newaxis],
            ),
            scales=dict(
                zip(self.scales, (group_norms / max(group_norms.sum(), 1e-12)).tolist(), strict=True)
            ),
            atoms=[(int(number), float(codes[number])) for number in strongest],
            patch=patch.copy(),
            reconstruction=(rebuilt.reshape(patch.shape) + means[0]).astype(np.float32),
        )

    def _training_coefs(
        self, images: Sequence[Observed], scale: float, random_state: np.random.RandomState
    ) -> NDArray[np.float32]:
        small = [rescale(image, scale) for image in images]
        small = [image for image in small if min(image.pixels.shape[:2]) >= self.patch_size]
        if not small:
            raise ParameterError(
                f"At scale {scale:g} the training images are smaller than a patch of {self.patch_size}×"
                f"{self.patch_size} pixels; give larger images, smaller patches or larger scales."
            )
        return self._coefs(
            *training_patches(small, self.patch_size, self.stride, self.max_patches // 2, random_state)
        )

    def _check_enough(self, coefs: list[NDArray[np.float32]]) -> None:
        for scale, part in zip(self.scales, coefs, strict=True):
            if len(part) < self.n_components:
                raise ParameterError(
                    f"Half of the training images, at scale {scale:g}, holds {len(part)} patches of "
                    f"{self.patch_size}×{self.patch_size} pixels that show anything, fewer than the "
                    f"{self.n_components} atoms. Give more or larger images, a smaller stride or patch size, "
                    "or fewer atoms."
                )

    def _coefs(self, patches: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        """Cosine coefficients without the mean; missing pixels take the mean of their patch."""
        square = (len(patches), self.patch_size, self.patch_size, -1)
        hidden = None if mask is None else mask.reshape(square)[..., 0]
        return cosine_features(patches.reshape(square), self.n_coefs, hidden)

    def _normed(self, coefs: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self.unit_norm:
            return coefs
        norms = np.linalg.norm(coefs, axis=1, keepdims=True)
        return np.asarray(coefs / np.maximum(norms, np.float32(self.faintest)))

    def _code(
        self, features: NDArray[np.float32], group_penalty: float, output: OutputForm = "reductions"
    ) -> Coding:
        groups = np.repeat(np.arange(len(self.scales)), len(self.dictionary) // len(self.scales))
        return code_patches(
            features,
            self.dictionary,
            groups,
            self.penalty,
            group_penalty,
            output=output,
            n_threads=self.n_threads,
        )

    def _distance(self, coefs: NDArray[np.float32]) -> NDArray[np.float64]:
        if not self.spares_empty:
            return self.normal.distance(self._indicators(self._normed(coefs)))
        shows = np.linalg.norm(coefs, axis=1) >= self.faintest
        distance = np.zeros(len(coefs))
        if shows.any():
            distance[shows] = self.normal.distance(self._indicators(self._normed(coefs[shows])))
        return distance

    def _indicators(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return self._vectors(self._code(features, self.group_penalty))

    def _vectors(self, coding: Coding) -> NDArray[np.float64]:
        return np.column_stack([INDICATORS[name](coding) for name in self.indicators]).astype(np.float64)

    def notes(self) -> dict[str, Any]:
        """What a user should know of the model, for its provenance."""
        if self.group_use is None:
            return {}
        return {"group_use": self.group_use.to_dict(), "advice": self.group_use.advice}

    def left_out(
        self, folds: Iterable[Fold], random_state: np.random.RandomState
    ) -> Iterator[list[NDArray[np.float32]]]:
        """Score maps of the held-out part of each fold, everything being learned from the rest."""
        return learned_anew(lambda: replace(self), folds, random_state)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, to be stored in a model file."""
        region = {f"region_{name}": array for name, array in self.normal.arrays().items()}
        numbers = np.array(
            [self.faintest, self.spares_empty, self.penalty, self.group_penalty], dtype=np.float64
        )
        return {"dictionary": self.dictionary, "numbers": numbers, **region}

    def restore(self, arrays: dict[str, NDArray[Any]]) -> IndicatorScorer:
        """Take what was learned from a model file."""
        self.dictionary = arrays["dictionary"]
        self.faintest, empty, self.penalty, self.group_penalty = map(float, arrays["numbers"])
        self.spares_empty = bool(empty)
        self.normal = self.region(**arrays_under("region_", arrays))
        return self


def _two_parts(images: Sequence[Observed]) -> tuple[list[Observed], list[Observed]]:
    """One part of the images to learn atoms from, and one to measure normal indicators on."""
    if len(images) == 1:
        strips = images[0].strips()
        return strips[::2], strips[1::2]
    return list(images[::2]), list(images[1::2])

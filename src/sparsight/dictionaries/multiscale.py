"""Multiscale dictionary: one dictionary for each scale of the images, side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sparsight._checks import check_integer
from sparsight.coding import SparseGroupCoder
from sparsight.dictionaries._learner import DictionaryLearner, Progress
from sparsight.dictionaries._random_patches import random_patches
from sparsight.dictionaries.bpdn import BPDNDictionary
from sparsight.errors import ImageError, ParameterError
from sparsight.features import cosine_features
from sparsight.images import Image, as_image
from sparsight.images.rescaling import rescale


class MultiscaleDictionary(BaseEstimator):
    r"""Dictionary of image patches that holds for a range of magnifications.

    Every image is rescaled by each factor σ (antialiased), patches are drawn from the rescaled images and
    described by cosine coefficients without their mean, a dictionary :math:`D_i` is learned for each scale,
    and all are put side by side:

    .. math:: D = [D_1 | D_2 | \cdots | D_L].

    A patch of an image at a lower magnification is then explained by the atoms of one scale, or few. A coder
    that knows the groups (`groups_`) makes sure that it is not explained by a mixture of all.

    Parameters
    ----------
    scales : sequence of float
        The factors σ, above 0 and at most 1: images to be coded later are taken to have the magnification of
        the training images or a lower one.
    patch_size : int
        Edge of the square patches in pixels, at every scale.
    n_coefs : int, optional
        Cosine coefficients of each channel, in zig-zag order, that describe a patch. By default 225, or all
        where a patch has fewer.
    learner : KSVD, OnlineDictionary or BPDNDictionary, optional
        Copies of it learn the dictionaries of the scales. By default ``BPDNDictionary(n_components=150)``, the
        paper's equation (2).
    max_patches : int
        Patches drawn at each scale, from all images together.
    random_state : int, RandomState instance or None
        Fixes the patches that are drawn, and the random state of learners that were given none.
    progress : callable, optional
        Called as ``progress(done, total, text)`` after each iteration of each scale's learner.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        Atoms of all scales, rows of unit norm.
    groups_ : array of shape (n_components,)
        Number of the scale that each atom belongs to, as `sparsight.coding.sparse_group` takes it.
    learners_ : list of estimators
        The fitted learner of each scale.
    n_channels_ : int
        Channels of the training images.

    References
    ----------
    D. Carrera, G. Boracchi, A. Foi, B. Wohlberg: Scale-invariant anomaly detection with multiscale
    group-sparse models, ICIP 2016, section 3.1 (patches of 32×32 pixels, 225 coefficients, scales 1, 0.75 and
    0.5).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight import KSVD, MultiscaleDictionary
    >>> image = np.random.default_rng(0).random((64, 64))
    >>> learner = KSVD(n_components=12, transform_n_nonzero_coefs=2, max_iter=3)
    >>> multiscale = MultiscaleDictionary((1, 0.5), patch_size=8, n_coefs=20, learner=learner, random_state=0)
    >>> multiscale.fit([image]).components_.shape
    (24, 20)
    >>> coder = multiscale.coder(penalty=0.05, group_penalty=0.05)
    >>> coder.fit_transform(multiscale.features(image[None, :8, :8])).shape
    (1, 24)
    """

    def __init__(
        self,
        scales: Sequence[float] = (1.0, 0.75, 0.5),
        *,
        patch_size: int = 32,
        n_coefs: int | None = None,
        learner: DictionaryLearner | None = None,
        max_patches: int = 20_000,
        random_state: int | np.random.RandomState | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.scales = scales
        self.patch_size = patch_size
        self.n_coefs = n_coefs
        self.learner = learner
        self.max_patches = max_patches
        self.random_state = random_state
        self.progress = progress

    def fit(
        self,
        images: Sequence[ArrayLike | Image | os.PathLike[str] | str],
        y: Any = None,
        *,
        masks: Sequence[ArrayLike | None] | None = None,
    ) -> MultiscaleDictionary:
        """Learn a dictionary for each scale.

        Parameters
        ----------
        images : sequence of arrays, images or paths
            At the highest magnification that is to be covered; never changed.
        y : ignored
        masks : sequence of bool arrays of shape (height, width) or None, optional
            True where a pixel of an image is missing. Patches of which half is missing are left out.

        Raises
        ------
        ImageError
            If there is no image, they differ in their channels, or one is smaller than a patch at a scale.
        ParameterError
            If a parameter is out of range, masks do not fit, or too little is observed.
        """
        del y
        self._check_parameters()
        prepared = _prepared(images, masks)
        self.n_channels_ = 1 if prepared[0][0].ndim == 2 else prepared[0][0].shape[2]
        random_state = check_random_state(self.random_state)
        template = BPDNDictionary(n_components=150) if self.learner is None else self.learner
        self.learners_ = []
        for number, scale in enumerate(self.scales):
            patches, hidden = self._draw(prepared, float(scale), random_state)
            learner = self._learner(template, number, random_state)
            learner.fit(cosine_features(patches, self._n_coefs, hidden))
            self.learners_.append(learner)
            if self.progress is not None:
                learner.set_params(progress=None)
                self.progress(number + 1, len(self.scales), f"scale {scale:g} learned")
        self.components_ = np.concatenate([learner.components_ for learner in self.learners_])
        sizes = [len(learner.components_) for learner in self.learners_]
        self.groups_ = np.repeat(np.arange(len(sizes)), sizes)
        return self

    def features(self, patches: ArrayLike, *, mask: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Describe patches as the dictionary does: `cosine_features` with its number of coefficients.

        Parameters
        ----------
        patches : array of shape (n_patches, patch_size, patch_size[, n_channels])
        mask : bool array of shape (n_patches, patch_size, patch_size), optional
            True where a pixel is missing; it takes the mean of its patch.

        Returns
        -------
        array of shape (n_patches, n_features)
        """
        check_is_fitted(self)
        values = np.asarray(patches)
        values = values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float64)
        n_channels = 1 if values.ndim == 3 else values.shape[-1]
        if values.shape[1:3] != (self.patch_size, self.patch_size) or n_channels != self.n_channels_:
            raise ParameterError(
                f"Expected patches of {self.patch_size}×{self.patch_size} pixels with {self.n_channels_} "
                f"channel(s), got an array of shape {values.shape}."
            )
        return cosine_features(values, self._n_coefs, mask)

    def coder(self, *, penalty: float, group_penalty: float, **settings: Any) -> SparseGroupCoder:
        """Coder of features that knows the atoms and the scale of each: the paper's equation (5).

        Parameters
        ----------
        penalty, group_penalty : float
            λ and ξ of `sparsight.coding.sparse_group`.
        **settings
            Other parameters of `SparseGroupCoder`.
        """
        check_is_fitted(self)
        return SparseGroupCoder(
            self.components_, groups=self.groups_, penalty=penalty, group_penalty=group_penalty, **settings
        )

    @property
    def _n_coefs(self) -> int:
        return min(225, self.patch_size**2) if self.n_coefs is None else self.n_coefs

    def _check_parameters(self) -> None:
        check_integer("patch_size", self.patch_size, minimum=2)
        check_integer("n_coefs", self._n_coefs, minimum=1, maximum=self.patch_size**2)
        check_integer("max_patches", self.max_patches, minimum=1)
        scales = np.atleast_1d(np.asarray(self.scales, dtype=np.float64))
        if np.ndim(self.scales) != 1 or not scales.size or not np.all((scales > 0) & (scales <= 1)):
            raise ParameterError(f"scales must be factors above 0 and at most 1, got {self.scales!r}.")

    def _learner(
        self, template: DictionaryLearner, number: int, random_state: np.random.RandomState
    ) -> DictionaryLearner:
        """A copy of the template for one scale, whose progress is part of ours."""
        learner: DictionaryLearner = clone(template)
        if learner.random_state is None:
            learner.set_params(random_state=random_state.randint(2**31 - 1))
        if self.progress is not None:
            report, scale, n_scales = self.progress, self.scales[number], len(self.scales)

            def progress(done: int, total: int, text: str) -> None:
                report(number * total + done, n_scales * total, f"scale {scale:g}: {text}")

            learner.set_params(progress=progress)
        return learner

    def _draw(
        self,
        images: list[tuple[NDArray[np.float32], NDArray[np.bool_] | None]],
        scale: float,
        random_state: np.random.RandomState,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
        """Random patches of all images at one scale, and which of their pixels are missing."""
        share = -(-self.max_patches // len(images))
        drawn = []
        for pixels, missing in images:
            rescaled = rescale(pixels, missing, scale)
            if min(rescaled[0].shape[:2]) < self.patch_size:
                raise ImageError(
                    f"An image of {pixels.shape[0]}×{pixels.shape[1]} pixels, rescaled by {scale:g}, is smaller "
                    f"than a {self.patch_size}×{self.patch_size} patch; use larger images, a smaller patch_size "
                    "or larger scales."
                )
            drawn.append(random_patches(*rescaled, self.patch_size, share, random_state))
        patches = np.concatenate([patches for patches, _ in drawn])
        if not len(patches):
            raise ParameterError(f"At scale {scale:g} no patch is at least half observed; mask less.")
        if all(hidden is None for _, hidden in drawn):
            return patches, None
        hidden = [np.zeros(some.shape[:3], bool) if mask is None else mask for some, mask in drawn]
        return patches, np.concatenate(hidden)


def _prepared(
    images: Sequence[ArrayLike | Image | os.PathLike[str] | str], masks: Sequence[ArrayLike | None] | None
) -> list[tuple[NDArray[np.float32], NDArray[np.bool_] | None]]:
    """Pixels as float32 in the images' own range, each with its mask."""
    loaded = [as_image(image) for image in images]
    if not loaded:
        raise ImageError("No training images were given; give at least one.")
    if len({image.n_channels for image in loaded}) > 1:
        raise ImageError("The training images differ in their number of channels; convert them alike.")
    if masks is not None and len(masks) != len(loaded):
        raise ParameterError(
            f"There are {len(loaded)} images but {len(masks)} masks; give one for each, or None."
        )
    prepared = []
    for image, mask in zip(loaded, masks or [None] * len(loaded), strict=True):
        missing = None if mask is None else np.asarray(mask, dtype=bool)
        if missing is not None and missing.shape != image.pixels.shape[:2]:
            raise ParameterError(
                f"The mask of {image.name} has shape {missing.shape}, but the image is "
                f"{image.pixels.shape[0]}×{image.pixels.shape[1]} pixels; give a mask of its height and width."
            )
        prepared.append((image.pixels.astype(np.float32), missing))
    return prepared

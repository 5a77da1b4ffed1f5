"""Restorers that learn once, from images like those to come, and are applied many times."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sparsight.images import Image

from ._mixture import GaussianMixturePrior
from ._progress import Progress
from .denoising import Method as DenoisingMethod
from .denoising import denoise
from .inpainting import Method as InpaintingMethod
from .inpainting import Quality, inpaint

AnyImage = ArrayLike | Image | str | os.PathLike[str]


class _Restorer(BaseEstimator):
    """What both restorers share: a prior that is learned, saved and loaded."""

    n_components: int
    random_state: int | None

    def fit(self, images: Sequence[AnyImage], y: Any = None) -> Self:
        """Learn what patches look like from a few good images: arrays, Images or paths.

        Returns
        -------
        self
            With `prior_`, a GaussianMixturePrior.
        """
        del y
        self.prior_ = GaussianMixturePrior.fit(
            images, n_components=self.n_components, random_state=self.random_state
        )
        return self

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the learned prior as a model file."""
        check_is_fitted(self, "prior_")
        self.prior_.save(path)

    def load(self, path: str | os.PathLike[str] | Path) -> Self:
        """Take over a prior written by `save`."""
        self.prior_ = GaussianMixturePrior.load(path)
        return self


class Inpainter(_Restorer):
    """Fills missing pixels with a prior learned from images of the same kind.

    Parameters
    ----------
    method, quality, n_threads, random_state
        See :func:`sparsight.inpaint`.
    n_components : int
        Classes of the mixture.

    Attributes
    ----------
    prior_ : GaussianMixturePrior
        Learned by `fit`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight.restoration import Inpainter
    >>> rng = np.random.default_rng(0)
    >>> stripes = np.sin(np.arange(96) / 2)[None] * np.ones((96, 1)) / 2 + 0.5
    >>> inpainter = Inpainter(n_components=4, quality="fast").fit([stripes])
    >>> mask = rng.random((48, 48)) < 0.5
    >>> filled = inpainter.inpaint(stripes[:48, :48], mask)
    >>> bool(np.abs(filled - stripes[:48, :48]).max() < 0.1)
    True
    """

    def __init__(
        self,
        *,
        method: InpaintingMethod = "auto",
        quality: Quality = "balanced",
        n_components: int = 64,
        n_threads: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.method = method
        self.quality = quality
        self.n_components = n_components
        self.n_threads = n_threads
        self.random_state = random_state

    def inpaint(
        self, image: AnyImage, mask: ArrayLike, *, progress: Progress | None = None
    ) -> NDArray[np.floating[Any]]:
        """Fill the missing pixels of an image, see :func:`sparsight.inpaint`."""
        check_is_fitted(self, "prior_")
        return inpaint(
            image,
            mask,
            method=self.method,
            quality=self.quality,
            prior=self.prior_,
            n_threads=self.n_threads,
            random_state=self.random_state,
            progress=progress,
        )


class Denoiser(_Restorer):
    """Removes noise with a prior learned from clean images of the same kind.

    Parameters
    ----------
    method, gain, n_threads, random_state
        See :func:`sparsight.denoise`.
    n_components : int
        Classes of the mixture.

    Attributes
    ----------
    prior_ : GaussianMixturePrior
        Learned by `fit`.
    """

    def __init__(
        self,
        *,
        method: DenoisingMethod = "auto",
        gain: float | None = None,
        n_components: int = 64,
        n_threads: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.method = method
        self.gain = gain
        self.n_components = n_components
        self.n_threads = n_threads
        self.random_state = random_state

    def denoise(
        self, image: AnyImage, sigma: float | None = None, *, progress: Progress | None = None
    ) -> NDArray[np.floating[Any]]:
        """Remove the noise of an image, see :func:`sparsight.denoise`."""
        check_is_fitted(self, "prior_")
        return denoise(
            image,
            sigma,
            method=self.method,
            gain=self.gain,
            prior=self.prior_,
            n_threads=self.n_threads,
            random_state=self.random_state,
            progress=progress,
        )

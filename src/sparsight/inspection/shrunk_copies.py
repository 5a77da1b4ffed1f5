"""Training images as they would look at lower magnifications."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np

from sparsight.errors import ParameterError
from sparsight.inspection.acquisition_blur import AcquisitionBlur
from sparsight.inspection.acquisition_noise import AcquisitionNoise
from sparsight.inspection.rescaling import rescale
from sparsight.inspection.scorers import Observed


class ShrunkCopies:
    """Copies of images, shrunk by several factors, which live as long as the images do.

    Parameters
    ----------
    images : sequence of Observed
        Of which the instrument's blur and noise are measured.
    factors : sequence of float
    match_noise : bool
        Give the copies the blur and the noise of images taken at these magnifications.
    smallest : int
        Shorter side, in pixels, that a copy must have.
    random_state : RandomState
    """

    def __init__(
        self,
        images: Sequence[Observed],
        factors: Sequence[float],
        *,
        match_noise: bool,
        smallest: int,
        random_state: np.random.RandomState,
    ) -> None:
        self._factors = factors
        self._smallest = smallest
        self._noise = AcquisitionNoise.of(images) if match_noise else None
        self._blur = AcquisitionBlur.of(images) if match_noise else None
        self._seed = int(random_state.randint(2**31))
        self._copies: WeakKeyDictionary[Observed, list[Observed]] = WeakKeyDictionary()

    def __contains__(self, image: Observed) -> bool:
        return image in self._copies

    def of(self, image: Observed) -> list[Observed]:
        """The image at every scale.

        Raises
        ------
        ParameterError
            If it is too small.
        """
        if image not in self._copies:
            height, width = image.pixels.shape[:2]
            if min(height, width) * self._factors[-1] < self._smallest:
                raise ParameterError(
                    f"A training image of {height}×{width} pixels is too small to be shrunk by "
                    f"{self._factors[-1]:g}; give larger images or larger scales."
                )
            # Whose magnification is to be found out, as that of most images.
            unknown = Observed(image.pixels, image.mask)
            random_state = np.random.RandomState(self._seed)
            self._copies[image] = [self._shrunk(unknown, factor, random_state) for factor in self._factors]
        return self._copies[image]

    def _shrunk(self, image: Observed, factor: float, random_state: np.random.RandomState) -> Observed:
        if self._noise is None or self._blur is None:
            return rescale(image, factor)
        return self._noise.shrunk(image, partial(self._blur.shrunk, scale=factor), random_state)

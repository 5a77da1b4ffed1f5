"""How a high-resolution image becomes the low-resolution one that an instrument delivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsight._checks import check_choice, check_number
from sparsight.errors import ParameterError
from sparsight.restoration.resize import imresize


@dataclass(frozen=True, eq=False)
class Degradation:
    r"""The model :math:`y = (k * x)\downarrow_s + n` of a low-resolution image.

    Parameters
    ----------
    blur : float or array of odd height and width, optional
        Blur before the reduction: the standard deviation of a Gaussian in pixels of the
        high-resolution image, or the kernel itself, which is normalised to sum to one.
    noise : float
        Standard deviation of white Gaussian noise in the low-resolution image, as a fraction of the
        range from black to white: 0.02 for about 5 of 255 grey levels.
    reduction : {"cubic", "mean"}
        "cubic" reduces as :func:`sparsight.imresize` does; "mean" averages the pixels of each cell, as
        a detector that bins its pixels does.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight.restoration import Degradation
    >>> Degradation(reduction="mean").reduce(np.array([[0.0, 1.0], [2.0, 5.0]]), 2)
    array([[2.]])
    """

    blur: float | ArrayLike | None = None
    noise: float = 0.0
    reduction: str = "cubic"

    def __post_init__(self) -> None:
        check_number("noise", self.noise, minimum=0)
        check_choice("reduction", self.reduction, ("cubic", "mean"))
        if self.blur is None or np.ndim(self.blur) == 0:
            if self.blur is not None:
                check_number("blur", self.blur, minimum=0, inclusive=False)
            return
        kernel = np.array(self.blur, dtype=np.float64)
        if kernel.ndim != 2 or not all(n % 2 for n in kernel.shape):
            raise ParameterError(f"A blur kernel needs an odd height and width, got shape {kernel.shape}.")
        if not np.isfinite(kernel).all() or kernel.sum() <= 0:
            raise ParameterError("A blur kernel must be finite and sum to a positive number.")
        object.__setattr__(self, "blur", kernel / kernel.sum())

    def reduce(self, image: NDArray[Any], scale: int) -> NDArray[Any]:
        """Blur and reduce an image of shape (H, W), multiples of `scale`, without noise."""
        blurred = image
        if self.blur is not None:
            from scipy import ndimage

            if np.ndim(self.blur) == 0:
                blurred = ndimage.gaussian_filter(image, float(self.blur))  # type: ignore[arg-type]
            else:
                blurred = ndimage.convolve(image, np.asarray(self.blur))
        if self.reduction == "cubic":
            return imresize(blurred, 1 / scale)
        height, width = image.shape
        cells = blurred.reshape(height // scale, scale, width // scale, scale)
        return np.asarray(cells.mean(axis=(1, 3)))

    def reach(self, scale: int) -> int:
        """How many low-resolution pixels away a high-resolution pixel can influence the reduced image."""
        radius = 0.0
        if self.blur is not None:
            is_gaussian = np.ndim(self.blur) == 0
            radius = 4 * float(self.blur) + 1 if is_gaussian else max(np.shape(self.blur)) / 2  # type: ignore[arg-type]
        return 2 + int(np.ceil(radius / scale))

    def apply(self, image: NDArray[Any], scale: int, random_state: np.random.RandomState) -> NDArray[Any]:
        """Blur and reduce an image with intensities from 0 to 1, and add the noise."""
        reduced = self.reduce(image, scale)
        if self.noise:
            reduced = reduced + self.noise * random_state.standard_normal(reduced.shape)
        return reduced.astype(image.dtype, copy=False)

    def to_settings(self) -> dict[str, Any]:
        """Express the degradation in what JSON can hold; ``Degradation(**settings)`` is its inverse."""
        blur = np.asarray(self.blur).tolist() if self.blur is not None else None
        return {"blur": blur, "noise": float(self.noise), "reduction": self.reduction}


def project_back(
    estimate: NDArray[np.float32],
    low: NDArray[np.float32],
    scale: int,
    degradation: Degradation,
    n_iterations: int,
) -> NDArray[np.float32]:
    """Add, again and again, the interpolated difference of `low` from the degraded estimate."""
    for _ in range(n_iterations):
        missing = (low - degradation.reduce(estimate, scale)).astype(np.float32)
        estimate = estimate + imresize(missing, scale)
    return estimate

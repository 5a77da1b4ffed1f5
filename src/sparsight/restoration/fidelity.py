"""How close a restored image is to the truth, measured as the super-resolution literature does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight._checks import check_integer
from sparsight.errors import ImageError
from sparsight.images import Image

# Luminance of 8-bit RGB from 16 to 235, ITU-R BT.601.
_STUDIO_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255
_STUDIO_BLACK = 16.0


@dataclass(frozen=True)
class Fidelity:
    """Agreement of two images.

    Attributes
    ----------
    psnr : float
        Peak signal-to-noise ratio in dB; infinite if the images are the same.
    ssim : float
        Mean structural similarity, with a Gaussian window of 1.5 pixels.
    channel : str
        On what they were compared.
    border : int
        How many pixels at each edge were left out.
    """

    psnr: float
    ssim: float
    channel: str
    border: int


def fidelity(image: Image, truth: Image, *, border: int = 0) -> Fidelity:
    """Compare an image with the truth, on luminance and in 256 grey levels.

    Parameters
    ----------
    image, truth : Image
        Of the same height and width. Of colour images the luminance Y of ITU-R BT.601 (16 to 235) is
        compared, as published figures are; of others the intensities.
    border : int
        Pixels to leave out at each edge; the literature leaves out as many as the scale.

    Raises
    ------
    ImageError
        If the sizes differ, or nothing is left within the border.
    """
    from skimage.metrics import structural_similarity

    check_integer("border", border, minimum=0)
    if image.pixels.shape != truth.pixels.shape:
        raise ImageError(
            f"'{truth.name}' has the shape {truth.pixels.shape}, but the image to compare {image.pixels.shape}; "
            "give the truth at the size and with the channels of the result."
        )
    if min(truth.pixels.shape[:2]) - 2 * border < 11:
        raise ImageError(f"'{truth.name}' is too small to be compared without a border of {border} pixels.")
    first, second = (np.round(_grey_levels(i)) for i in (image, truth))
    if border:
        first, second = (grey[border:-border, border:-border] for grey in (first, second))
    error = float(np.mean((first - second) ** 2))
    return Fidelity(
        psnr=float(10 * np.log10(255**2 / error)) if error else float("inf"),
        ssim=float(
            structural_similarity(
                first, second, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
            )
        ),
        channel="luminance Y (BT.601)" if truth.n_channels == 3 else "intensity",
        border=border,
    )


def _grey_levels(image: Image) -> NDArray[Any]:
    low, high = image.intensity_range
    levels = (image.pixels.astype(np.float64) - low) * (255 / (high - low))
    if image.n_channels == 1:
        return np.clip(levels, 0, 255)
    if image.n_channels == 3:
        return np.asarray(np.clip(levels, 0, 255) @ _STUDIO_WEIGHTS + _STUDIO_BLACK)
    return np.asarray(np.clip(levels, 0, 255).mean(axis=2))

"""Images as they would look at a lower magnification."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: A pixel is missing when more than this share of it stems from missing pixels.
_TOLERATED_SHARE = 0.02


def rescale(
    pixels: NDArray[np.floating], missing: NDArray[np.bool_] | None, scale: float
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Shrink an image by a factor of at most 1: cubic interpolation after smoothing against aliasing.

    What is missing takes the mean of the rest before it is smoothed over, and whatever it then has a part in
    counts as missing.

    Parameters
    ----------
    pixels : float array of shape (height, width[, n_channels])
    missing : bool array of shape (height, width) or None
    scale : float
        Above 0 and at most 1; with 1, pixels and mask are returned as they are.

    Returns
    -------
    pixels : float32 array of shape (height, width[, n_channels]), each length multiplied by `scale`
    missing : bool array of shape (height, width) or None
    """
    if scale == 1:
        return pixels, missing
    from skimage.transform import resize

    height, width = (max(1, round(length * scale)) for length in pixels.shape[:2])
    touched = None
    if missing is not None:
        pixels = pixels.copy()
        if not missing.all():
            pixels[missing] = pixels[~missing].mean(axis=0)
        share = resize(missing.astype(np.float32), (height, width), order=1, anti_aliasing=True)
        touched = share > _TOLERATED_SHARE
    small = resize(pixels, (height, width), order=3, anti_aliasing=True, preserve_range=True, mode="reflect")
    return small.astype(np.float32), touched

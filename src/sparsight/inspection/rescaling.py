"""Images as they would look at a lower magnification."""

from __future__ import annotations

import numpy as np

from sparsight.errors import ParameterError
from sparsight.inspection.scorers import Observed


def rescale(image: Observed, scale: float) -> Observed:
    """Shrink an image by a factor of at most 1: cubic interpolation after smoothing against aliasing.

    What is not observed takes the mean of the rest before it is smoothed over, and whatever it then has a
    part in counts as not observed.
    """
    if scale == 1:
        return image
    from skimage.transform import resize

    height, width = (max(1, round(length * scale)) for length in image.pixels.shape[:2])
    pixels, mask = image.pixels, None
    if image.mask is not None:
        hidden = image.mask
        pixels = pixels.copy()
        pixels[hidden] = pixels[~hidden].mean(axis=0)
        touched = resize(hidden.astype(np.float32), (height, width), order=1, anti_aliasing=True)
        mask = touched > 0.02
    small = resize(pixels, (height, width), order=3, anti_aliasing=True, preserve_range=True, mode="reflect")
    return Observed(small.astype(np.float32), mask)


def checked_scales(scales: object) -> tuple[float, ...]:
    """Scales as numbers above 0 and at most 1, largest first.

    Raises
    ------
    ParameterError
        If there is none, one is out of range, or two are equal.
    """
    try:
        factors = tuple(float(scale) for scale in scales)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ParameterError(f"scales must be a sequence of numbers, got {scales!r}.") from None
    if not factors or not all(0 < factor <= 1 for factor in factors) or len(set(factors)) < len(factors):
        raise ParameterError(
            "scales must be different factors above 0 and at most 1, relative to the magnification of the "
            f"training images, such as (1, 0.75, 0.5); got {scales!r}."
        )
    return tuple(sorted(factors, reverse=True))

"""Images as they would look at a lower magnification."""

from __future__ import annotations

from sparsight.errors import ParameterError
from sparsight.images import rescaling
from sparsight.inspection.scorers import Observed


def rescale(image: Observed, scale: float) -> Observed:
    """Shrink an image, with what is not observed of it, as `sparsight.images.rescaling.rescale` does."""
    return image if scale == 1 else Observed(*rescaling.rescale(image.pixels, image.mask, scale))


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

"""What the scores of a part of an image depend on the whole of it for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparsight.inspection.scorers import Observed

_SIDE = 384
_MOST_SAMPLES = 16
# An image of up to so many pixels is looked at as a whole.
_PIXELS_OF_A_LARGE_IMAGE = 2_048**2
_LEAST_OBSERVED = 0.5


@dataclass(frozen=True)
class Survey:
    """What was found out about an image as a whole, to be given with the parts that it is cut into.

    Attributes
    ----------
    magnification : float or None
        Scale that it is judged at, 1 being that of the training images; None where a model has only one.
    typical_score : float or None
        Score of most of it; None where scores are not compared with those of the rest of the image.
    """

    magnification: float | None = None
    typical_score: float | None = None


def is_large(image: Observed) -> bool:
    """Whether samples stand for the whole."""
    height, width = image.pixels.shape[:2]
    return int(height * width) > _PIXELS_OF_A_LARGE_IMAGE


def samples(image: Observed) -> list[Observed]:
    """The image itself, or sixteen squares of a large one, which lie at random, but always in the same places.

    They are the same however the image is cut into tiles, and hidden by at most half where that can be.
    """
    if not is_large(image):
        return [image.part(slice(None), slice(None))]
    down, across = (
        [slice(start, start + _SIDE) for start in range(0, max(1, length - _SIDE + 1), _SIDE)]
        for length in image.pixels.shape[:2]
    )
    squares = [(rows, columns) for rows in down for columns in across]
    if image.mask is not None:
        observed = np.array([1 - image.mask[square].mean() for square in squares])
        enough = np.flatnonzero(observed >= min(_LEAST_OBSERVED, observed.max()))
        squares = [squares[number] for number in enough]
    order = np.random.RandomState(0).permutation(len(squares))
    return [image.part(*squares[number]) for number in order[:_MOST_SAMPLES]]

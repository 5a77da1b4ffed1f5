"""Averages over neighbouring positions of a patch grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_TRUNCATE = 3.0
_NOTHING = 1e-9


def radius(sigma: float) -> int:
    """How many positions on each side a Gaussian of `sigma` positions averages over."""
    return int(_TRUNCATE * sigma + 0.5)


def gaussian_sums(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Weighted sum over neighbouring positions, along the first two axes; nothing lies beyond the border."""
    return np.asarray(
        ndimage.gaussian_filter(values, sigma, axes=(0, 1), mode="constant", truncate=_TRUNCATE)
    )


def shared_evidence(scores: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    r"""Scores that neighbouring positions agree on.

    A defect covers several positions, a chance oddity one. Squared scores are logarithms of likelihoods, so it
    is these that neighbours have in common the average of, with Gaussian weights w of `sigma` positions:

    .. math:: v_i = \operatorname{sgn}(u_i) \sqrt{|u_i|}, \qquad
       u_i = \sum_j w_{ij}\, s_j |s_j| \Big/ \sum_j w_{ij}

    Parameters
    ----------
    scores : array of shape (rows, columns)
        NaN, where not known, has no weight.
    sigma : float

    Returns
    -------
    array of the same shape
        NaN only where nothing near is known.
    """
    known = ~np.isnan(scores)
    squares = np.where(known, scores * np.abs(scores), np.float32(0))
    weights = gaussian_sums(known.astype(np.float32), sigma)
    with np.errstate(invalid="ignore", divide="ignore"):
        average = gaussian_sums(squares, sigma) / np.where(weights > _NOTHING, weights, np.float32(np.nan))
    return np.asarray(np.sign(average) * np.sqrt(np.abs(average)), np.float32)

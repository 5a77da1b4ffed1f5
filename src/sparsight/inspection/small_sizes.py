"""How little is known of what shrunk copies of images show at the smaller of the sizes that they are looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ENOUGH = 100
_VARIANCE_AT_ENOUGH = 1e-3
_MOST = 0.3


def unshown_variance(n_separate: float, n_levels: int, n_features: int) -> NDArray[np.float64]:
    r"""Variance of features, mapped to normal scores, that few independent vectors of them do not show.

    An image is looked at at full size and at halves of it, so that there are only n/4ˡ independent vectors of the
    features of size l. A density that is fitted to few is too narrow, and calls other images of the same texture odd.
    The variance is

    .. math:: v_l = \min(0.3,\; 0.001\, (100 \cdot 4^l / n)^4), \quad 0 \text{ where } n \ge 100 \cdot 4^l .

    Parameters
    ----------
    n_separate : float
        Independent vectors at full size, n.
    n_levels, n_features : int
        Sizes, and features of each.
    """
    known = n_separate / 4.0 ** np.arange(n_levels)
    variance = np.minimum(_MOST, _VARIANCE_AT_ENOUGH * (_ENOUGH / known) ** 4)
    return np.repeat(np.where(known < _ENOUGH, variance, 0.0), n_features)

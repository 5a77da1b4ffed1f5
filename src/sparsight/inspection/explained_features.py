"""What speaks in the features that the universal detector judges a place by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sparsight.inspection.explanations import Explanation, by_name
from sparsight.inspection.likelihood_ratio import LikelihoodRatio
from sparsight.inspection.pooled_features import PooledFeatures
from sparsight.inspection.scorers import Observed


def explain_features(
    features: NDArray[np.float32],
    ratio: LikelihoodRatio,
    levels: Sequence[PooledFeatures],
    window: Observed,
    corner: tuple[int, int],
    judged_at: float | None,
) -> Explanation:
    """Share of each feature, at each size, in the distance from the likeliest component of normality.

    Parameters
    ----------
    features : array of shape (n_features,)
        Of one position: those of the first level, then those of the next at half the size.
    ratio : LikelihoodRatio
        What they are judged by.
    levels : sequence of PooledFeatures
    window : Observed
        What to show, and to rebuild from the dictionary of the first level.
    corner, judged_at
        As in `Explanation`.
    """
    vector = ratio.marginals.apply(features[np.newaxis])[0].reshape(len(levels), -1)
    shares = ratio.normal.shares(vector.ravel()).reshape(vector.shape)
    reconstruction, atoms = levels[0].rebuilt(window)
    return Explanation(
        corner,
        *by_name(levels[0].feature_names(vector.shape[1]), shares, vector),
        scales={1 / 2**number: float(share) for number, share in enumerate(shares.sum(axis=1))},
        atoms=atoms,
        patch=window.pixels.copy(),
        reconstruction=reconstruction,
        judged_at=judged_at,
    )

"""Images whose defects are marked, for a scorer to learn from what to look for first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sparsight.errors import ParameterError
from sparsight.inspection.any_scale import AnyScaleScorer
from sparsight.inspection.intake import checked_masks
from sparsight.inspection.likelihood import LikelihoodScorer
from sparsight.inspection.scorers import Observed, Scorer


def teach(
    scorer: Scorer,
    normal: Sequence[Observed],
    marked: Sequence[Observed],
    masks: Sequence[ArrayLike] | None,
    random_state: np.random.RandomState,
) -> dict[str, Any]:
    """Let a scorer that has learned from normal images learn from marked ones, too.

    Parameters
    ----------
    scorer : Scorer
    normal, marked : sequences of Observed
    masks : sequence of bool arrays
        For each of `marked`, True where its defects are.
    random_state : RandomState

    Returns
    -------
    dict
        What a user should know of it.

    Raises
    ------
    ParameterError
        If the scorer cannot learn from them, masks are missing or do not fit, or learning does not help.
    """
    if not isinstance(scorer, LikelihoodScorer) or isinstance(scorer, AnyScaleScorer) or scorer.defects:
        raise ParameterError(
            'Only the method "universal", with neither scales nor declared defects, learns from marked ones.'
        )
    if masks is None:
        raise ParameterError("Give defect_masks, too: for each image of defects, where they are.")
    pairs = []
    for image, mask in zip(marked, checked_masks(masks, len(marked)), strict=True):
        truth = np.asarray(mask, bool)
        if truth.shape != image.pixels.shape[:2]:
            raise ParameterError(
                f"A mask of defects has shape {truth.shape}, its image {image.pixels.shape[:2]}."
            )
        pairs.append((image, truth))
    return {"marked_defects": scorer.learn_direction(normal, pairs, random_state)}

"""Scores of different magnifications, made alike by those of good images left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsight.errors import ParameterError
from sparsight.inspection.normal_scores import NormalScores


@dataclass(frozen=True)
class Anchors:
    r"""Monotone maps to standard normal scores, one for each step of magnification.

    The less of a texture was seen at a magnification, the larger are scores of images that were not learned from.
    So few of them tell little of each step: every quantile is taken to change evenly from step to step, with

    .. math:: q_k = a + b k

    fitted by least squares to those of all steps k.

    The images that are left out are anchored by these maps as well, of which they were a part: maps of the others
    would make scores of an image unlike all others huge, and with them the threshold.

    Attributes
    ----------
    knots : array of shape (n_quantiles, 2)
        Quantiles of the scores of images left out, at the first step and the last, as `NormalScores` has them.
    """

    knots: NDArray[np.float32]

    @classmethod
    def of(cls, by_step: Sequence[Sequence[NDArray[np.float32]]]) -> Anchors:
        """Learn from score maps, of which there are several for each step."""
        scores = [np.concatenate([part[~np.isnan(part)] for part in maps]) for maps in by_step]
        seen = np.array([len(part) > 0 for part in scores])
        if not seen.any():
            raise ParameterError("No pixel of the images left out is observed; check the masks.")
        quantiles = np.stack(
            [NormalScores.of(part[:, np.newaxis]).knots[:, 0] for part in scores if len(part)]
        )
        steps = np.linspace(0, 1, len(scores))[seen]
        design = np.column_stack([1 - steps, steps])
        ends, *_ = np.linalg.lstsq(design, quantiles.astype(np.float64), rcond=None)
        # Straight lines of neighbouring quantiles may meet.
        return cls(np.maximum.accumulate(ends.T).astype(np.float32))

    def apply(self, scores: NDArray[np.float32], share: float) -> NDArray[np.float32]:
        """Map scores of a magnification, given as a share of the way from the first step to the last."""
        knots = (1 - share) * self.knots[:, :1] + share * self.knots[:, 1:]
        steps = 1e-6 * (np.abs(knots).max() + 1e-6) * np.arange(len(knots))
        here = NormalScores((knots + steps[:, np.newaxis]).astype(np.float32))
        return here.apply(scores.reshape(-1, 1), limit=np.inf).reshape(scores.shape)

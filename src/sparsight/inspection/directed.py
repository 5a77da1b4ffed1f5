"""What is known of the defects beforehand: a direction in which the universal score is to look first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsight.errors import ParameterError
from sparsight.inspection.normal_scores import NormalScores

#: What may be declared of defects: weights of brightness, and of the finest cosine band against the contrast.
DECLARED: dict[str, tuple[float, float]] = {
    "bright": (1.0, 0.0),
    "dark": (-1.0, 0.0),
    "rough": (0.0, 1.0),
    "smooth": (0.0, -1.0),
}
_WEIGHT_OF_DECLARED = 0.5
_LIMIT = 6.0
_POSITIONS_PER_IMAGE = 4_000
_LEAST_GAIN = 0.002
_PENALTY = 1e-2


@dataclass(frozen=True)
class Direction:
    r"""A linear term beside the universal score u: :math:`v = w_0 u + \sum_i w_i z_i`.

    z are the features as normal scores. v is mapped so that it is standard normal on normal images.
    """

    weights: NDArray[np.float64]
    scale: NormalScores

    @classmethod
    def of(
        cls, weights: NDArray[np.floating], scores: NDArray[np.float32], features: NDArray[np.float32]
    ) -> Direction:
        """With the universal scores (n,) and features (n, n_features), as normal scores, of normal images."""
        total = _sum(weights, scores, features)
        return cls(np.array(weights, np.float64), NormalScores.of(total[:, np.newaxis]))

    def score(self, scores: NDArray[np.float32], features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Directed scores of positions with universal scores (n,) and features (n, n_features)."""
        return self.scale.apply(_sum(self.weights, scores, features)[:, np.newaxis], limit=np.inf)[:, 0]


@dataclass(frozen=True)
class Example:
    """Positions of an image whose defects are marked: universal scores, features, and which are defects."""

    scores: NDArray[np.float32]
    features: NDArray[np.float32]
    marked: NDArray[np.bool_]


def declared_weights(
    declared: Sequence[str], n_means: int, n_features: int, n_levels: int
) -> NDArray[np.float64]:
    """Weights, of the score and then of each feature, for what is declared of defects.

    Parameters
    ----------
    declared : sequence of {"bright", "dark", "rough", "smooth"}
    n_means : int
        Features of a level that are brightness, from the first; the next is the contrast, the last but one the
        finest band.
    n_features, n_levels : int
        Features of a level, and levels.
    """
    for name in declared:
        if name not in DECLARED:
            raise ParameterError(f"defects must be among {', '.join(DECLARED)}, got {name!r}.")
    bright, rough = np.sum([DECLARED[name] for name in declared], axis=0)
    level = np.zeros(n_features)
    level[:n_means] = bright / n_means
    level[n_means] -= rough
    level[-2] += rough
    weights = np.tile(_WEIGHT_OF_DECLARED / n_levels * level, n_levels)
    return np.concatenate([[1.0], weights])


def learned_weights(
    examples: Sequence[Example], random_state: np.random.RandomState
) -> tuple[NDArray[np.float64], list[float], list[float]]:
    """Weights learned from marked examples, by regularised linear discriminant analysis.

    Returns
    -------
    weights : array of shape (1 + n_features,)
    without, with_direction : list of float
        Pixel AUROC of each example, by the universal score and by weights learned from the other examples.

    Raises
    ------
    ParameterError
        If there are fewer than two examples with defects, or the direction does not help on examples that it
        was not learned from.
    """
    usable = [e for e in examples if e.marked.any() and not e.marked.all()]
    if len(usable) < 2:
        raise ParameterError(
            "A direction is learned from two marked images at least, each with defects and good surroundings, so "
            "that it can be tried on one that it was not learned from; mark more, or declare it in words."
        )
    without = [_auroc(e.scores, e.marked) for e in usable]
    with_direction = []
    for left_out in usable:
        weights = _discriminant([e for e in usable if e is not left_out], random_state)
        with_direction.append(_auroc(_sum(weights, left_out.scores, left_out.features), left_out.marked))
    if np.mean(with_direction) < np.mean(without) + _LEAST_GAIN:
        raise ParameterError(
            "The marked examples do not help: on examples left out, the pixel AUROC is "
            f"{np.mean(without):.3f} without and {np.mean(with_direction):.3f} with what the others teach. Leave "
            "them out, or mark more."
        )
    return _discriminant(usable, random_state), without, with_direction


def _discriminant(examples: Sequence[Example], random_state: np.random.RandomState) -> NDArray[np.float64]:
    """Direction between the means, in units of the spread within: every image weighs the same."""
    differences, covariances = [], []
    for example in examples:
        values = np.column_stack([_limited(example.scores), _limited(example.features)]).astype(np.float64)
        kinds = []
        for wanted in (example.marked, ~example.marked):
            rows = np.flatnonzero(wanted)
            kinds.append(values[rows[random_state.permutation(len(rows))[:_POSITIONS_PER_IMAGE]]])
        differences.append(kinds[0].mean(axis=0) - kinds[1].mean(axis=0))
        covariances += [
            np.cov(kind.T) if len(kind) > 1 else np.zeros((values.shape[1],) * 2) for kind in kinds
        ]
    within = np.mean(covariances, axis=0)
    within += _PENALTY * np.trace(within) / len(within) * np.eye(len(within))
    weights = np.linalg.solve(within, np.mean(differences, axis=0))
    return np.asarray(weights / np.linalg.norm(weights))


def _limited(values: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(np.clip(values, -_LIMIT, _LIMIT))


def _sum(
    weights: NDArray[np.floating], scores: NDArray[np.floating], features: NDArray[np.floating]
) -> NDArray[np.float64]:
    # The score itself has no limit: what is far from normal in any direction stays so.
    beyond = np.maximum(scores - _LIMIT, 0) * max(float(weights[0]), 0.0)
    return np.asarray(weights[0] * _limited(scores) + beyond + _limited(features) @ weights[1:], np.float64)


def _auroc(scores: NDArray[np.floating], marked: NDArray[np.bool_]) -> float:
    from scipy.stats import rankdata

    ranks = rankdata(scores)[marked]
    n_marked, n_good = len(ranks), len(scores) - len(ranks)
    return float((ranks.sum() - n_marked * (n_marked + 1) / 2) / (n_marked * n_good))

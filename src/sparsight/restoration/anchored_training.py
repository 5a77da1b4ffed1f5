"""Learning the stages of anchored regression.

Everything a stage learns is a sum over cells: the covariance of windows gives the projection, and the
covariances F'F and F'Y of each anchor's cells give its regression. The sums are kept apart by folds of
training images, so that each image is passed on to the next stage as if it had never been seen: on images it
has seen, a stage leaves too little for the next one to learn from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from sparsight._kernels import AnchoredStage
from sparsight.errors import ParameterError
from sparsight.restoration.anchored import AnchoredRegression
from sparsight.restoration.cells import BLOCK_CELLS, WINDOW_CELLS, gradient_operator, padded, squares
from sparsight.restoration.training_pairs import TrainingPair

PENALTY = 30.0
CELLS_PER_ANCHOR = 48
_N_CLUSTER_ITERATIONS = 12
_N_CLUSTER_CELLS = 150_000
_FLATTEST = 0.1
_ENERGY = 0.9999
_WHITENING = 0.3
_BATCH_CELLS = 400_000

Report = Callable[[float, str], None]


@dataclass(eq=False)
class _Sums:
    """Sums over the cells of each fold and anchor, F'F and F'Y, and the number of all cells."""

    features: NDArray[np.float64]
    products: NDArray[np.float64]
    n_cells: int = 0

    @classmethod
    def zeros(cls, n_folds: int, n_anchors: int, n_features: int, n_outputs: int) -> _Sums:
        return cls(
            np.zeros((n_folds, n_anchors, n_features, n_features)),
            np.zeros((n_folds, n_anchors, n_features, n_outputs)),
        )


def train_stage(
    pairs: Sequence[TrainingPair],
    scale: int,
    *,
    n_anchors: int,
    max_features: int,
    n_folds: int,
    n_threads: int,
    random_state: np.random.RandomState,
    report: Report,
) -> AnchoredRegression:
    """Learn a stage from pairs, and improve each pair's estimate by what the other folds have taught."""
    report(0.0, "features")
    projection = _learn_projection(pairs, scale, max_features, random_state)
    describe = _kernel(projection, np.ones((1, projection.shape[1]), np.float32))
    features = [describe_cells(describe, pair.estimate, scale, n_threads) for pair in pairs]
    report(0.2, "anchors")
    sample, threshold = _sample_cells(features, random_state)
    n_needed = CELLS_PER_ANCHOR * n_anchors
    n_found = sum(len(f) for f in features)
    if n_found < n_needed:
        raise ParameterError(
            f"The training images hold {n_found} patches, but {n_anchors} anchors need {n_needed}; give more "
            "or larger images, or a smaller n_anchors."
        )
    anchors = cluster_directions(sample, n_anchors, n_threads, random_state)
    report(0.4, "regressions")
    sums = _collect(pairs, features, anchors, threshold, scale, n_folds, n_threads)
    del features
    report(0.7, "regressions")
    regressors = _regress(sums, n_folds)
    report(0.8, "estimates")
    for fold in range(n_folds):
        held_out = AnchoredRegression(scale, projection, anchors, regressors[fold])
        for pair in pairs:
            if pair.fold == fold:
                pair.estimate = held_out.refine(pair.estimate, n_threads)
    report(1.0, "estimates")
    return AnchoredRegression(scale, projection, anchors, regressors[-1])


def describe_cells(
    kernel: AnchoredStage, estimate: NDArray[np.float32], scale: int, n_threads: int
) -> NDArray[np.float32]:
    """Features of every cell of an estimate, shape (n_cells, n_features)."""
    margin = (WINDOW_CELLS - 1) // 2 * scale
    return kernel.describe(padded(estimate, margin), n_threads)


def cluster_directions(
    cells: NDArray[np.float32], n_clusters: int, n_threads: int, random_state: np.random.RandomState
) -> NDArray[np.float32]:
    """Spherical k-means of directions, blind to their sign: a dictionary for codes with one non-zero."""
    directions = cells / np.linalg.norm(cells, axis=1, keepdims=True)
    centres = directions[random_state.choice(len(directions), n_clusters, replace=False)]
    index = np.arange(len(directions))
    for _ in range(_N_CLUSTER_ITERATIONS):
        nearest = _nearest(centres, directions, n_threads)
        signs = np.sign(np.einsum("ij,ij->i", directions, centres[nearest]))
        members = sparse.csr_array((signs, (nearest, index)), shape=(n_clusters, len(index)))
        sums = np.asarray(members @ directions)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        idle = length[:, 0] < 1e-6
        sums[idle] = directions[random_state.choice(len(directions), int(idle.sum()))]
        centres = (sums / np.where(idle[:, None], 1, length)).astype(np.float32)
    return np.ascontiguousarray(centres)


def _learn_projection(
    pairs: Sequence[TrainingPair], scale: int, max_features: int, random_state: np.random.RandomState
) -> NDArray[np.float32]:
    """Principal components of the derivatives in the windows, whitened in part, as a map from windows."""
    n_pixels = (WINDOW_CELLS * scale) ** 2
    covariance = np.zeros((n_pixels, n_pixels))
    for pair in pairs:
        windows = squares(pair.estimate, scale, WINDOW_CELLS)
        chosen = random_state.rand(*windows.shape[:2]) < 0.1
        centred = windows[chosen].reshape(-1, n_pixels)
        centred = centred - centred.mean(axis=1, keepdims=True)
        covariance += centred.T @ centred
    operator = gradient_operator(scale)
    energy, components = np.linalg.eigh(operator @ covariance @ operator.T)
    energy, components = np.maximum(energy[::-1], 0), components[:, ::-1]
    if energy[0] <= 0:
        raise ParameterError("The training images are constant; give images that show something.")
    n_features = int(np.searchsorted(np.cumsum(energy), _ENERGY * energy.sum())) + 1
    n_features = min(n_features, max_features)
    weights = (energy[:n_features] / energy[0]) ** (-_WHITENING / 2)
    return np.ascontiguousarray((operator.T @ components[:, :n_features]) * weights, dtype=np.float32)


def _sample_cells(
    features: Sequence[NDArray[np.float32]], random_state: np.random.RandomState
) -> tuple[NDArray[np.float32], float]:
    """A sample of the cells that are not flat, and the length of features below which a cell is flat."""
    n_cells = sum(len(f) for f in features)
    share = min(1.0, _N_CLUSTER_CELLS / max(1, n_cells))
    sample = np.concatenate([f[random_state.rand(len(f)) < share] for f in features])
    length = np.linalg.norm(sample, axis=1)
    threshold = max(float(np.quantile(length, _FLATTEST)), 1e-6)
    return sample[length > threshold], threshold


def _collect(
    pairs: Sequence[TrainingPair],
    features: Sequence[NDArray[np.float32]],
    anchors: NDArray[np.float32],
    threshold: float,
    scale: int,
    n_folds: int,
    n_threads: int,
) -> _Sums:
    n_anchors, n_features = anchors.shape
    n_outputs = (BLOCK_CELLS * scale) ** 2
    sums = _Sums.zeros(n_folds, n_anchors, n_features, n_outputs)
    for fold in range(n_folds):
        chosen = [i for i, pair in enumerate(pairs) if pair.fold == fold]
        for batch in _batches(chosen, [len(f) for f in features]):
            x = np.concatenate([features[i] for i in batch])
            y = np.concatenate([_targets(pairs[i], scale) for i in batch])
            steep = np.einsum("ij,ij->i", x, x) > threshold**2
            x, y = x[steep], y[steep]
            nearest = _nearest(anchors, x, n_threads)
            order = np.argsort(nearest, kind="stable")
            x, y = x[order], y[order]
            bounds = np.searchsorted(nearest[order], np.arange(n_anchors + 1))
            sums.n_cells += len(x)
            _add(sums.features[fold], sums.products[fold], x, y, bounds, n_threads)
    return sums


def _add(
    features: NDArray[np.float64],
    products: NDArray[np.float64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    bounds: NDArray[np.intp],
    n_threads: int,
) -> None:
    """Add the products of cells that are sorted by their anchor."""

    def add(anchor: int) -> None:
        cells = slice(bounds[anchor], bounds[anchor + 1])
        features[anchor] += x[cells].T @ x[cells]
        products[anchor] += x[cells].T @ y[cells]

    # One anchor is too little work to be shared, and the result must not depend on who does it.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(add, np.flatnonzero(np.diff(bounds)), chunksize=16))


def _regress(sums: _Sums, n_folds: int) -> list[NDArray[np.float32]]:
    """Regressors without each fold in turn, and then from everything."""
    features, products = sums.features.sum(axis=0), sums.products.sum(axis=0)
    n_cells = sums.n_cells
    results = [
        ridge(features - sums.features[f], products - sums.products[f], n_cells * (1 - 1 / n_folds))
        for f in range(n_folds)
    ]
    results.append(ridge(features, products, n_cells))
    return [(regressors / BLOCK_CELLS**2).astype(np.float32) for regressors in results]


def ridge(
    features: NDArray[np.float64], products: NDArray[np.float64], n_cells: float
) -> NDArray[np.float64]:
    r"""Regressions :math:`\min_R \|F_a R - Y_a\|^2 + c\, \mathrm{tr}((R - R_0)^T M (R - R_0))` for anchors a.

    They shrink towards the regression :math:`R_0` of all cells together, in the metric M of the mean
    covariance of the features: the penalty c counts like so many cells.
    """
    pooled = features.sum(axis=0)
    metric = pooled / n_cells
    jitter = 1e-6 * np.trace(metric) / len(metric) * np.eye(len(metric))
    common = np.linalg.solve(pooled + n_cells * jitter, products.sum(axis=0))
    return np.asarray(
        np.linalg.solve(features + PENALTY * metric + jitter, products + PENALTY * metric @ common)
    )


def _targets(pair: TrainingPair, scale: int) -> NDArray[np.float32]:
    missing = squares(pair.truth - pair.estimate, scale, BLOCK_CELLS)
    return np.ascontiguousarray(missing.reshape(-1, (BLOCK_CELLS * scale) ** 2))


def _batches(indices: Sequence[int], sizes: Sequence[int]) -> list[list[int]]:
    """Group images so that the cells of a group fit into memory comfortably."""
    batches: list[list[int]] = []
    filled = 0
    for i in indices:
        if not batches or filled + sizes[i] > _BATCH_CELLS:
            batches.append([])
            filled = 0
        batches[-1].append(i)
        filled += sizes[i]
    return batches


def _kernel(projection: NDArray[np.float32], anchors: NDArray[np.float32]) -> AnchoredStage:
    """A stage that describes and matches, but corrects nothing."""
    silent = np.zeros((len(anchors), projection.shape[1], 1), np.float32)
    cell = int(np.sqrt(len(projection))) // WINDOW_CELLS or 1
    return AnchoredStage(projection, anchors, silent, cell=cell, scale=1, n_nearest=1)


def _nearest(
    anchors: NDArray[np.float32], features: NDArray[np.float32], n_threads: int
) -> NDArray[np.int32]:
    projection = np.ones((1, anchors.shape[1]), np.float32)
    return np.asarray(_kernel(projection, anchors).nearest(features, n_threads)[:, 0])

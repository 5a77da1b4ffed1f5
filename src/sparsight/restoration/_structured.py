"""Piecewise linear estimation: each patch takes one Gaussian of a mixture, and the mixture adapts to the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsight import _kernels

from ._mixture import PATCH, SIZE, GaussianMixturePrior

Array = NDArray[np.float32]
Offsets = NDArray[np.int32]

_MEAN_VARIANCE = 1e4  # of a patch's mean about that of the current estimate
_TRUST_OFFSET = 1.5
_CENTRING = np.eye(SIZE) - 1 / SIZE


@dataclass(frozen=True)
class StructuredSchedule:
    """How much work to do: passes, share of the patches in all but the last and in the last, rank of a class."""

    passes: int
    share: float
    last_share: float
    rank: int


def inpaint_structured(
    plane: Array,
    missing: NDArray[np.bool_],
    start: Array,
    prior: GaussianMixturePrior,
    schedule: StructuredSchedule,
    rng: np.random.Generator,
    *,
    n_threads: int,
    after_pass: Callable[[], None] = lambda: None,
) -> Array:
    """Fill the missing pixels of a plane, beginning from `start`.

    Alternates, on a random share of the patches: the class of each patch, by its likelihood on the current
    estimate; the mean of the missing pixels given the observed ones, with its variance, which weighs the
    overlapping estimates; the covariances of the classes from the restored patches, drawn towards the prior.
    """
    observed = (~missing).astype(np.float32)
    covariances, weights = prior.covariances.astype(np.float64), prior.weights.astype(np.float64)
    corners = touching_patches(missing)
    current = start
    for step in range(schedule.passes):
        last = step + 1 == schedule.passes
        share = schedule.last_share if last else schedule.share
        chosen = np.sort(rng.choice(corners, max(1, round(share * len(corners))), replace=False))
        noise = max(1.0, 30.0 / 2**step)
        labels = label(current, chosen, covariances, weights, noise, n_threads)
        order = np.argsort(labels, kind="stable")
        chosen, starts = (
            chosen[order],
            np.searchsorted(labels[order], np.arange(len(weights) + 1)).astype(np.int32),
        )
        factors, diagonals = _factors(covariances, schedule.rank)
        estimates = np.empty((len(chosen), SIZE), np.float32)
        variances = np.empty_like(estimates)
        spreads = np.empty((len(weights), schedule.rank * (schedule.rank + 1) // 2), np.float32)
        _kernels.restore_patches(
            current,
            observed,
            chosen,
            starts,
            PATCH,
            factors,
            diagonals,
            1.0,
            estimates,
            variances,
            spreads,
            n_threads,
        )
        current = np.where(
            missing,
            average(estimates, np.reciprocal(variances + np.float32(_TRUST_OFFSET)), chosen, current),
            plane,
        )
        if not last:
            spread = _posterior_covariances(spreads, factors, diagonals, np.diff(starts))
            covariances, weights = _adapt(prior, estimates, starts, spread, 30.0 * share)
        after_pass()
    return current


def touching_patches(missing: NDArray[np.bool_]) -> Offsets:
    """Offsets of the upper left corners of all patches that hold a missing pixel."""
    height, width = missing.shape
    sums = np.zeros((height + 1, width + 1), np.int64)
    sums[1:, 1:] = missing.cumsum(0).cumsum(1)
    counts = sums[PATCH:, PATCH:] - sums[:-PATCH, PATCH:] - sums[PATCH:, :-PATCH] + sums[:-PATCH, :-PATCH]
    rows, columns = np.nonzero(counts)
    corners: Offsets = (rows * width + columns).astype(np.int32)
    return corners


def label(
    image: Array,
    corners: Offsets,
    covariances: NDArray[np.float64],
    weights: NDArray[np.float64],
    noise: float,
    n_threads: int,
) -> Offsets:
    """Return the likeliest class of each patch, seen through white noise of that variance."""
    roots = np.linalg.cholesky(covariances + noise * np.eye(SIZE))
    logarithms = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1) - np.log(np.maximum(weights, 1e-6))
    whitening = np.ascontiguousarray(np.linalg.inv(roots), np.float32)
    labels = np.empty(len(corners), np.int32)
    _kernels.label_patches(
        image, corners, PATCH, whitening, (2 * logarithms).astype(np.float32), labels, n_threads
    )
    return labels


def average(estimates: Array, weights: Array, corners: Offsets, elsewhere: Array) -> Array:
    """Weighted mean of overlapping patches; `elsewhere` where there are none."""
    values, total = np.zeros_like(elsewhere), np.zeros_like(elsewhere)
    _kernels.add_patches(estimates, weights, corners, PATCH, values, total)
    return np.where(total > 0, values / np.maximum(total, np.float32(1e-20)), elsewhere)


def _factors(covariances: NDArray[np.float64], rank: int) -> tuple[Array, Array]:
    """Return covariance = F'F + diag(d): the leading eigenvectors, what they leave, and the patch's mean."""
    values, vectors = np.linalg.eigh(covariances.astype(np.float32))
    leading = slice(SIZE - (rank - 1), None)
    scaled = vectors[:, :, leading] * np.sqrt(np.maximum(values[:, None, leading], 0))
    rest = np.diagonal(covariances, axis1=1, axis2=2) - (scaled**2).sum(axis=2)
    mean = np.full((len(values), 1, SIZE), np.sqrt(_MEAN_VARIANCE))
    factors = np.concatenate([scaled.transpose(0, 2, 1), mean], axis=1)
    return np.ascontiguousarray(factors, np.float32), np.maximum(rest, 0.01).astype(np.float32)


def _posterior_covariances(
    spreads: Array, factors: Array, diagonals: Array, counts: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Sum over each class's patches of the covariance they keep after observation, less that of their means."""
    rank = factors.shape[1]
    rows, columns = np.tril_indices(rank)
    inverses = np.zeros((len(factors), rank, rank), np.float32)
    inverses[:, rows, columns] = spreads / 2
    inverses = inverses + inverses.transpose(0, 2, 1)
    centred = factors - factors.mean(axis=2, keepdims=True)
    total: NDArray[np.float32] = centred.transpose(0, 2, 1) @ (inverses @ centred)
    total[:, np.arange(SIZE), np.arange(SIZE)] += counts[:, None] * diagonals
    return total


def _adapt(
    prior: GaussianMixturePrior,
    estimates: Array,
    starts: NDArray[np.int32],
    spread: NDArray[np.float32],
    strength: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Covariances of the restored patches, as if `strength` patches per class had come from the prior."""
    centred = estimates - estimates.mean(axis=1, keepdims=True)
    covariances = np.empty(prior.covariances.shape)
    counts = np.diff(starts).astype(np.float64)
    for k in range(len(counts)):
        own = centred[starts[k] : starts[k + 1]]
        total = own.T @ own + spread[k] + strength * prior.covariances[k]
        covariances[k] = total / (len(own) + strength)
    pseudo = strength * len(counts) * prior.weights
    return covariances, (counts + pseudo) / (counts.sum() + pseudo.sum())

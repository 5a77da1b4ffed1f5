"""Denoising passes: Wiener filters of a mixture that adapts to the image, and of groups of similar patches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsight import _kernels

from ._mixture import PATCH, SIZE, GaussianMixturePrior
from ._nonlocal import reference_patches
from ._structured import Array, average, label

_PRIOR_STRENGTH = 200.0  # patches per class that the prior counts for


@dataclass(frozen=True)
class GroupPass:
    """One pass of non-local Bayes."""

    patch: int
    step: int
    neighbours: int
    window: int = 12


def denoise_structured(
    plane: Array,
    sigma: float,
    prior: GaussianMixturePrior,
    *,
    rounds: int,
    step: int,
    n_threads: int,
    after_pass: Callable[[], None] = lambda: None,
) -> Array:
    """Wiener filters, one per class of a Gaussian mixture whose covariances adapt to the noisy image."""
    corners = patch_corners(plane.shape, step)
    patches = np.ascontiguousarray(patches_at(plane, corners))
    means = patches.mean(axis=1, keepdims=True)
    centred = patches - means
    covariances, weights = prior.covariances.astype(np.float64), prior.weights.astype(np.float64)
    noise = sigma**2
    estimates, trust = np.empty_like(centred), np.empty_like(centred)
    for index in range(rounds):
        labels = label(plane, corners, covariances, weights, noise, n_threads)
        order = np.argsort(labels, kind="stable")
        starts = np.searchsorted(labels[order], np.arange(len(weights) + 1))
        last = index + 1 == rounds
        for k in range(len(weights)):
            own = order[starts[k] : starts[k + 1]]
            if not len(own):
                continue
            covariances[k] = _adapted(centred[own], prior.covariances[k], noise)
            if last:
                gain = np.linalg.solve(covariances[k] + noise * np.eye(SIZE), covariances[k])
                estimates[own] = centred[own] @ gain.astype(np.float32) + means[own]
                trust[own] = 1 / (noise * np.trace(gain) / SIZE + 0.5)
        weights = np.maximum(np.diff(starts), 1) / max(len(labels), 1)
        after_pass()
    return average(estimates, trust, corners, plane)


def _adapted(noisy: Array, prior: Array, noise: float) -> NDArray[np.float64]:
    """Covariance of the clean patches of a class, drawn towards the prior."""
    scatter = (noisy.T @ noisy).astype(np.float64) / len(noisy)
    values, vectors = np.linalg.eigh(scatter - noise * (np.eye(SIZE) - 1 / SIZE))
    clean = (vectors * np.maximum(values, 0)) @ vectors.T
    adapted: NDArray[np.float64] = (len(noisy) * clean + _PRIOR_STRENGTH * prior) / (
        len(noisy) + _PRIOR_STRENGTH
    )
    return adapted


def denoise_groups(plane: Array, pilot: Array, sigma: float, how: GroupPass, *, n_threads: int) -> Array:
    """Non-local Bayes (Lebrun, Buades, Morel 2013): filter groups of noisy patches with the pilot's Gaussians."""
    references = reference_patches(plane.shape, how.patch, how.step)
    values, weights = np.zeros_like(plane), np.zeros_like(plane)
    _kernels.denoise_groups(
        plane, pilot, references, how.patch, how.window, how.neighbours, sigma**2, values, weights, n_threads
    )
    return values / weights


def patch_corners(shape: tuple[int, ...], step: int) -> NDArray[np.int32]:
    """Offsets of the corners of a grid of patches that covers the image."""
    references = reference_patches(shape, PATCH, step)
    corners: NDArray[np.int32] = (references[:, 0] * shape[1] + references[:, 1]).astype(np.int32)
    return corners


def patches_at(plane: Array, corners: NDArray[np.int32]) -> Array:
    """Patches (n, 64) at the given offsets."""
    rows, columns = np.divmod(corners, plane.shape[1])
    windows = np.lib.stride_tricks.sliding_window_view(plane, (PATCH, PATCH))
    patches: Array = windows[rows, columns].reshape(-1, SIZE)
    return patches

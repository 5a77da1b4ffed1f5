"""Patches and dictionaries for the coders' benchmarks: from scikit-image's photographs, so that anybody has them."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import data

from sparsight.dictionaries import KSVD
from sparsight.features import remove_mean
from sparsight.patches import PatchGrid

PHOTOGRAPHS = (
    "astronaut",
    "brick",
    "camera",
    "chelsea",
    "coffee",
    "coins",
    "grass",
    "gravel",
    "moon",
    "rocket",
)
LEAST_CONTRAST = 0.02  # standard deviation of the grey values, of which white is 1


@cache
def natural_patches(n: int, size: int, *, unit_norm: bool, seed: int = 0) -> NDArray[np.float64]:
    """Random square patches without their mean; those at `unit_norm` are such that have something to show."""
    rng = np.random.default_rng(seed)
    found = []
    for name in PHOTOGRAPHS:
        image = getattr(data, name)()
        grey = (image @ [0.299, 0.587, 0.114] if image.ndim == 3 else image.astype(np.float64)) / 255
        patches = PatchGrid(grey.shape, size, 2).extract(grey).reshape(-1, size * size)
        patches = remove_mean(patches)[0]
        if unit_norm:
            patches = patches[patches.std(axis=1) > LEAST_CONTRAST]
            patches /= np.linalg.norm(patches, axis=1, keepdims=True)
        share = -(-n // len(PHOTOGRAPHS))
        found.append(patches[rng.choice(len(patches), share, replace=len(patches) < share)])
    return rng.permutation(np.concatenate(found))[:n]


@cache
def learned_dictionary(n_atoms: int, size: int, *, unit_norm: bool) -> NDArray[np.float64]:
    """Atoms of unit norm, learned from other patches of the same photographs."""
    patches = natural_patches(max(8000, 4 * n_atoms), size, unit_norm=unit_norm, seed=1).astype(np.float32)
    learner = KSVD(n_atoms, transform_n_nonzero_coefs=6, max_iter=5, random_state=0, n_threads=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        atoms = learner.fit(patches).components_.astype(np.float64)
    return np.asarray(atoms / np.linalg.norm(atoms, axis=1, keepdims=True))


def random_mask(shape: tuple[int, ...], share: float = 0.5, seed: int = 2) -> NDArray[np.bool_]:
    """True where a value is missing."""
    return np.random.default_rng(seed).random(shape) < share


def mean_squared_error(
    patches: NDArray[Any], codes: Any, dictionary: NDArray[Any], mask: NDArray[np.bool_] | None = None
) -> float:
    """Mean over the patches that were coded of the squared error, over observed values, per observed value."""
    patches = patches[: codes.shape[0]]
    squares = np.square(patches - codes.astype(np.float64) @ dictionary)
    return float(np.mean(squares) if mask is None else np.mean(squares[~mask[: len(patches)]]))


def objective(
    patches: NDArray[Any],
    codes: Any,
    dictionary: NDArray[Any],
    penalty: float,
    group_penalty: float = 0.0,
    group_size: int = 1,
) -> NDArray[np.float64]:
    """½‖s − D x‖² + λ‖x‖₁ + ξ Σ‖x_j‖₂ of each patch that was coded, in double precision."""
    x = np.asarray(codes.todense() if hasattr(codes, "todense") else codes, np.float64)
    loss = np.square(patches[: len(x)] - x @ dictionary).sum(axis=1) / 2
    norms = np.linalg.norm(x.reshape(len(x), -1, group_size), axis=2).sum(axis=1)
    return np.asarray(loss + penalty * np.abs(x).sum(axis=1) + group_penalty * norms)

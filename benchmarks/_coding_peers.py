"""The coders of other packages behind one call shape: each returns codes, one row per patch, float64 or float32.

SPAMS (`pip install spams-bin`, GPL) is measured against only. It wants patches and atoms as columns, which they are
given before the clock starts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import spams
from numpy.typing import NDArray
from sklearn.decomposition import sparse_encode
from spmimage.decomposition.dict_learning import sparse_encode_with_mask

from sparsight.coding.reference import admm

try:
    import skglm
except ImportError:  # an extra that only the benchmark wants
    skglm = None

Run = Callable[[], Any]
Array = NDArray[Any]


def spams_omp(patches: Array, dictionary: Array, k: int) -> Run:
    columns, atoms = np.asfortranarray(patches.T), np.asfortranarray(dictionary.T)
    return lambda: spams.omp(columns, atoms, L=k, numThreads=1).T


def spams_masked_omp(patches: Array, dictionary: Array, k: int, mask: NDArray[np.bool_]) -> Run:
    observed = np.asfortranarray(~mask.T)
    columns, atoms = np.asfortranarray(patches.T * observed), np.asfortranarray(dictionary.T)
    return lambda: spams.ompMask(columns, atoms, observed, L=k, numThreads=1).T


def spams_lasso(patches: Array, dictionary: Array, penalty: float) -> Run:
    columns, atoms = np.asfortranarray(patches.T), np.asfortranarray(dictionary.T)
    return lambda: spams.lasso(columns, atoms, lambda1=penalty, mode=2, numThreads=1).T


def spams_sparse_group(
    patches: Array, dictionary: Array, penalty: float, group_penalty: float, size: int
) -> Run:
    columns, atoms = np.asfortranarray(patches.T), np.asfortranarray(dictionary.T)
    start = np.zeros((len(dictionary), len(patches)), order="F")
    return lambda: (
        spams.fistaFlat(
            columns,
            atoms,
            start,
            loss="square",
            regul="sparse-group-lasso-l2",
            lambda1=group_penalty,
            lambda2=penalty,
            size_group=size,
            max_it=500,
            tol=1e-6,
            numThreads=1,
        ).T
    )


def sklearn_omp(patches: Array, dictionary: Array, k: int) -> Run:
    return lambda: sparse_encode(patches, dictionary, algorithm="omp", n_nonzero_coefs=k, n_jobs=1)


def sklearn_lasso(patches: Array, dictionary: Array, penalty: float) -> Run:
    # sparse_encode divides alpha by the number of features, as Lasso's objective does.
    return lambda: sparse_encode(patches, dictionary, algorithm="lasso_cd", alpha=penalty, n_jobs=1)


def spmimage_masked_omp(patches: Array, dictionary: Array, k: int, mask: NDArray[np.bool_]) -> Run:
    observed = (~mask).astype(int)
    return lambda: sparse_encode_with_mask(
        patches, dictionary, observed, algorithm="omp", n_nonzero_coefs=k, n_jobs=1
    )


def numpy_admm(
    patches: Array, dictionary: Array, penalty: float, group_penalty: float = 0.0, size: int = 1
) -> Run:
    groups = np.arange(len(dictionary)) // size
    return lambda: (
        admm(
            patches, dictionary, penalty=penalty, group_penalty=group_penalty, groups=groups, tolerance=1e-4
        ).codes
    )


def skglm_sparse_group(
    patches: Array, dictionary: Array, penalty: float, group_penalty: float, size: int
) -> Run | None:
    """Patch by patch, as its solvers take one signal; None if the package is not installed."""
    if skglm is None:
        return None
    n_atoms, n_features = dictionary.shape
    n_groups = n_atoms // size
    atoms = np.asfortranarray(dictionary.T)
    indices, pointers = skglm.utils.data.grp_converter(size, n_atoms)
    datafit = skglm.utils.jit_compilation.compiled_clone(skglm.datafits.QuadraticGroup(pointers, indices))
    weights = np.full(n_groups, group_penalty), np.full(n_atoms, penalty)
    regulariser = skglm.utils.jit_compilation.compiled_clone(
        skglm.penalties.WeightedL1GroupL2(1 / n_features, *weights, pointers, indices)
    )
    solver = skglm.solvers.GroupBCD(tol=1e-6, fit_intercept=False, ws_strategy="fixpoint")

    def run() -> Any:
        return np.array([solver.solve(atoms, patch, datafit, regulariser)[0] for patch in patches])

    return run

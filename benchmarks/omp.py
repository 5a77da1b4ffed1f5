"""Orthogonal matching pursuit beside SPAMS and scikit-learn, into docs/benchmarks.md.

    OMP_NUM_THREADS=1 python -m benchmarks.omp

One thread; CPU time; contenders in turn. 100,000 patches of 64 values over 256 atoms: natural-image-like patches
that are sparse over a hidden dictionary, plus noise. SPAMS (`pip install spams-bin`, GPL, measured against only)
computes the order-recursive rule under the name of omp; scikit-learn does a part of the patches, extrapolated.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import spams
from numpy.typing import NDArray
from sklearn.decomposition import sparse_encode
from threadpoolctl import threadpool_limits

from benchmarks._documents import table, write_section
from benchmarks._timing import in_turn
from sparsight.coding import orthogonal_matching_pursuit

N_PATCHES, N_FEATURES, N_ATOMS = 100_000, 64, 256
SCIKIT_LEARN_SHARE = 0.02


def workload(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Patches, and the dictionary that they are sparse over."""
    rng = np.random.default_rng(seed)
    dictionary = rng.standard_normal((N_ATOMS, N_FEATURES))
    dictionary /= np.linalg.norm(dictionary, axis=1, keepdims=True)
    patches = 0.1 * rng.standard_normal((N_PATCHES, N_FEATURES))
    for _ in range(8):
        patches += rng.laplace(size=(N_PATCHES, 1)) * dictionary[rng.integers(N_ATOMS, size=N_PATCHES)]
    return patches, dictionary


def squared_error(patches: NDArray[Any], codes: Any, dictionary: NDArray[Any]) -> float:
    """Mean squared error per patch."""
    return float(np.mean(np.sum(np.square(patches - codes @ dictionary), axis=1)))


def ours(patches: NDArray[Any], dictionary: NDArray[Any], k: int, rule: Any) -> Callable[[], Any]:
    return lambda: (
        orthogonal_matching_pursuit(
            patches, dictionary, n_nonzero_coefs=k, rule=rule, output="sparse", n_threads=1
        ).codes
    )


def spams_codes(columns: NDArray[Any], atoms: NDArray[Any], k: int) -> Any:
    """Codes of SPAMS, one row per patch."""
    return spams.omp(columns, atoms, L=k, numThreads=1).T


def main() -> None:
    warnings.simplefilter("ignore")
    patches, dictionary = workload()
    single = patches.astype(np.float32), dictionary.astype(np.float32)
    part = patches[: int(SCIKIT_LEARN_SHARE * N_PATCHES)]
    columns, atoms = np.asfortranarray(patches.T), np.asfortranarray(dictionary.T)
    rows = []
    for k in (5, 10):
        contenders: dict[str, tuple[Callable[[], Any], float]] = {
            "sparsight orthogonal, float64": (ours(patches, dictionary, k, "orthogonal"), 1),
            "sparsight orthogonal, float32": (ours(*single, k, "orthogonal"), 1),
            "sparsight order-recursive, float64": (ours(patches, dictionary, k, "order-recursive"), 1),
            "sparsight order-recursive, float32": (ours(*single, k, "order-recursive"), 1),
            "SPAMS omp (order-recursive), float64": (
                partial(spams_codes, columns, atoms, k),
                1,
            ),
            "scikit-learn sparse_encode (orthogonal), float64": (
                partial(sparse_encode, part, dictionary, algorithm="omp", n_nonzero_coefs=k, n_jobs=1),
                SCIKIT_LEARN_SHARE,
            ),
        }
        with threadpool_limits(1):
            timings = in_turn(contenders)
        reference = timings["sparsight orthogonal, float64"]
        for name, timing in timings.items():
            chosen = patches[: timing.result.shape[0]]
            error = squared_error(chosen, timing.result, dictionary)
            rows.append(
                [str(k), name, f"{1e3 * timing.median:.0f} ms", f"{error:.4f}", timing.ratio_to(reference)]
            )
            print(rows[-1])
    header = ["non-zeros", "coder", "CPU time", "error", "time of sparsight orthogonal float64"]
    write_section("benchmarks.md", "omp", table(header, rows))


if __name__ == "__main__":
    main()

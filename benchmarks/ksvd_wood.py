"""The article's recipe on its wood images: our coder against scikit-learn's in the same K-SVD loop.

    python -m benchmarks.ksvd_wood --data DIR

Both sides learn 10 atoms with 3 non-zeros on the 16×16 standardised patches of the good board (15 iterations)
and code the damaged board, in turn (A, B, A, B, …) in one process on one thread. Only the coder differs.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.decomposition import sparse_encode
from threadpoolctl import threadpool_limits

from benchmarks._documents import table, write_section
from sparsight.coding import Coding
from sparsight.dictionaries import KSVD, _learner
from sparsight.features import Standardization
from sparsight.images import read_image
from sparsight.patches import PatchGrid

REPEATS = 5


def scikit_learn_coder(
    patches: NDArray[Any], dictionary: NDArray[Any], *, n_nonzero_coefs: int, output: str = "dense", **_: Any
) -> Coding:
    """scikit-learn's orthogonal matching pursuit in the call shape of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        codes = sparse_encode(patches, dictionary, algorithm="omp", n_nonzero_coefs=n_nonzero_coefs, n_jobs=1)
    residual = np.linalg.norm(patches - codes @ dictionary, axis=1)
    kept: Any = csr_array(codes) if output == "sparse" else codes
    return Coding(kept, residual, np.abs(codes).sum(axis=1), np.count_nonzero(codes, axis=1).astype(np.int32))


def recipe(good: NDArray[Any], bad: NDArray[Any]) -> tuple[float, float]:
    """Seconds of CPU, and the squared error per value on the damaged board."""
    started = time.process_time()
    learner = KSVD(10, transform_n_nonzero_coefs=3, max_iter=15, tol=0, n_threads=1, random_state=0).fit(good)
    error = bad - learner.transform(bad) @ learner.components_
    return time.process_time() - started, float(np.mean(np.square(error)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data / "wood"
    rows = []
    for dtype in (np.float64, np.float32):
        boards = [grey_patches(folder / f"wood-{kind}.jpg").astype(dtype) for kind in ("ok", "ng")]
        standardization = Standardization.of(boards[0])
        good, bad = (standardization.apply(board) for board in boards)
        recipe(good, bad)
        ours, theirs = [], []
        with threadpool_limits(1):
            for _ in range(REPEATS):
                ours.append(recipe(good, bad))
                with patch.object(_learner, "orthogonal_matching_pursuit", scikit_learn_coder):
                    theirs.append(recipe(good, bad))
        ratios = [b[0] / a[0] for a, b in zip(ours, theirs, strict=True)]
        rows.append(
            [
                np.dtype(dtype).name,
                f"{1e3 * np.median([a[0] for a in ours]):.0f} ms, {ours[0][1]:.4f}",
                f"{1e3 * np.median([b[0] for b in theirs]):.0f} ms, {theirs[0][1]:.4f}",
                f"**{np.median(ratios):.0f}×** ({min(ratios):.0f} to {max(ratios):.0f})",
            ]
        )
        print(rows[-1])
    header = ["precision", "sparsight: time, error", "scikit-learn's coder: time, error", "ratio (range)"]
    write_section("benchmarks.md", "wood", table(header, rows))


def grey_patches(path: Path) -> NDArray[np.float64]:
    """The article's patches: luminance, 16×16, not overlapping."""
    pixels = read_image(path).pixels.astype(np.float64) @ [0.299, 0.587, 0.114]
    return PatchGrid(pixels.shape, 16).extract(pixels).reshape(-1, 256)


if __name__ == "__main__":
    main()

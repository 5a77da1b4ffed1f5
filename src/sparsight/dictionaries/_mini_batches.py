"""Learning from mini-batches: each is coded, added to the sums, and the atoms moved, all in the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight import _kernels
from sparsight.coding._convex import usual_tolerance, warn_of_missed_optimum
from sparsight.coding._inputs import check_finite, worthwhile_threads
from sparsight.dictionaries._statistics import LearningStatistics

#: Multiplications of a mini-batch with the atoms that keep a thread busy for longer than it takes to hand it what
#: other threads wrote.
_PRODUCTS_OF_A_THREAD = 8_000_000


@dataclass(frozen=True)
class MiniBatches:
    """What came of some mini-batches.

    Attributes
    ----------
    dictionary : array of shape (n_components, n_features)
        The atoms after the last of them, of unit norm.
    usage : array of int64, shape (n_components,)
        How many codes use each atom.
    errors : array of float64, shape (n_patches,)
        Squared norm of what the code of each patch left, over the dictionary that its mini-batch met.
    l1_norm : array of float64, shape (n_patches,)
        ‖x‖₁ of each code.
    """

    dictionary: NDArray[Any]
    usage: NDArray[np.int64]
    errors: NDArray[np.float64]
    l1_norm: NDArray[np.float64]


def learn_mini_batches(
    patches: NDArray[Any],
    missing: NDArray[np.bool_] | None,
    rows: NDArray[np.intp],
    dictionary: NDArray[Any],
    statistics: LearningStatistics,
    *,
    batch_size: int,
    forgetting: float,
    move: bool,
    n_nonzero_coefs: int,
    penalty: float | None,
    n_threads: int | None,
) -> MiniBatches:
    """Learn from the patches that `rows` names, in their order; the statistics are updated.

    The meaning of the other parameters is that of `OnlineDictionary`; with a penalty, `n_nonzero_coefs` is not
    used. Without `move` the atoms stay, and nothing fades.
    """
    tolerance = usual_tolerance(patches.dtype)
    # Of a call that is interrupted or refused nothing remains.
    code_products, patch_products = statistics.code_products.copy(), statistics.patch_products.copy()
    learned, usage, residual_norm, l1_norm, optimality = _kernels.learn_online(
        patches,
        dictionary,
        rows.astype(np.int64, copy=False),
        missing=missing,
        code_products=code_products,
        patch_products=patch_products,
        n_before=statistics.n_patches,
        batch_size=batch_size,
        forgetting=float(forgetting),
        move=move,
        max_nonzero=n_nonzero_coefs,
        penalty=None if penalty is None else float(penalty),
        tolerance=tolerance,
        n_threads=worthwhile_threads(
            n_threads, min(batch_size, len(rows)) * dictionary.size, _PRODUCTS_OF_A_THREAD
        ),
    )
    check_finite(residual_norm)
    statistics.code_products, statistics.patch_products = code_products, patch_products
    statistics.n_patches += len(rows)
    if optimality is not None:
        warn_of_missed_optimum(optimality, tolerance, stacklevel=6)
    return MiniBatches(learned, usage, np.square(residual_norm, dtype=np.float64), l1_norm.astype(np.float64))

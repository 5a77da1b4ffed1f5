"""What every coder returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

OutputForm: TypeAlias = Literal["dense", "sparse", "reductions"]


@dataclass(frozen=True, eq=False)
class Coding:
    """Codes of a batch of patches, or only the figures that were asked for.

    Attributes
    ----------
    codes : ndarray or scipy.sparse.csr_array of shape (n, M), or None
        One row of coefficients per patch: dense, sparse, or None with ``output="reductions"``.
    residual_norm : ndarray of shape (n,)
        ‖m∘(s − D x)‖₂, the norm of what the code does not explain of the observed values.
    l1_norm : ndarray of shape (n,)
        ‖x‖₁.
    n_nonzero : ndarray of int32, shape (n,)
        Number of atoms used.
    group_norms : ndarray of shape (n, G) or None
        ‖x_j‖₂ of each group of atoms, when groups were given.
    optimality : ndarray of shape (n,) or None
        Relative duality gap that was reached, an upper bound of (F(x) − F(x*)) / F(x); None for the greedy
        coders, which have none.
    outlier_norm : ndarray of shape (n,) or None
        ‖e‖₂, of the coder with an outlier term only.
    """

    codes: NDArray[np.floating] | csr_array | None
    residual_norm: NDArray[np.floating]
    l1_norm: NDArray[np.floating]
    n_nonzero: NDArray[np.int32]
    group_norms: NDArray[np.floating] | None = None
    optimality: NDArray[np.floating] | None = None
    outlier_norm: NDArray[np.floating] | None = None


def coding_from_kernel(results: tuple[Any, ...], n_atoms: int) -> Coding:
    """Wrap what a kernel returned."""
    dense, indptr, indices, values, residual_norm, l1_norm, n_nonzero, group_norms, optimality = results
    codes = dense
    if indptr is not None:
        from scipy.sparse import csr_array

        if indptr[-1] <= np.iinfo(np.int32).max:  # else SciPy would widen the indices on each use
            indptr = indptr.astype(np.int32)
        codes = csr_array((values, indices, indptr), shape=(len(n_nonzero), n_atoms))
        codes.has_sorted_indices = True
        codes.has_canonical_format = True
    return Coding(codes, residual_norm, l1_norm, n_nonzero, group_norms, optimality)

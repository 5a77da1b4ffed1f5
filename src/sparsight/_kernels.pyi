"""Compiled loops of sparsight. Internal: callers in `sparsight.coding` check the arguments first.

Arrays are C-contiguous and all of one precision (float32 or float64); nothing is converted.
Masks are True where a value is *not* observed; values there may be anything, NaN included.
"""

from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", np.float32, np.float64)

# dense codes, then indptr, indices and values of sparse codes; residual norm, l1 norm, number of
# non-zeros, group norms, optimality. None where not asked for.
Results: TypeAlias = tuple[
    NDArray[Real] | None,
    NDArray[np.int64] | None,
    NDArray[np.int32] | None,
    NDArray[Real] | None,
    NDArray[Real],
    NDArray[Real],
    NDArray[np.int32],
    NDArray[Real] | None,
    NDArray[Real] | None,
]

def instruction_set() -> str: ...
def available_instruction_sets() -> list[str]: ...
def matching_pursuit(
    patches: NDArray[Real],
    dictionary: NDArray[Real],
    *,
    missing: NDArray[np.bool_] | None,
    max_nonzero: int,
    tolerance: float,
    order_recursive: bool,
    output: str,
    groups: NDArray[np.int32] | None,
    n_threads: int,
) -> Results[Real]:
    """Greedy codes of a batch. A negative tolerance is not used."""

def ksvd_update(
    patches: NDArray[Real],
    dictionary: NDArray[Real],
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[Real],
    *,
    missing: NDArray[np.bool_] | None = None,
    order: NDArray[np.int64] | None = None,
    n_sweeps: int = 1,
) -> tuple[NDArray[Real], NDArray[Real], NDArray[Real]]:
    """Update atoms and their codes one atom after another, the non-zeros staying where they are.

    ``(indptr, indices, values)`` are the codes of the patches as a CSR matrix (n, M), as
    `orthogonal_matching_pursuit(..., output="sparse")` returns them; the dictionary (M, P) has rows
    of unit norm. For each atom, ``min ‖mask∘(E − x dᵀ)‖²`` over that atom ``d`` and the codes ``x``
    of the patches that use it is alternated ``n_sweeps`` times: 1 is the approximate K-SVD of
    Rubinstein et al. 2008, many (say 100; it stops by itself once the atom is still) the exact
    rank-one fit of Aharon et al. 2006. Atoms that no patch uses stay as they are. ``order`` lists
    the atoms to update, in turn; by default all, as they stand.

    Returns the new dictionary, the new values (same places), and the norm of each patch's residual
    over its observed values; the sum of its squares is the objective. Nothing is changed in place.
    """

class AnchoredStage:
    def __init__(
        self,
        projection: NDArray[np.float32],
        anchors: NDArray[np.float32],
        regressors: NDArray[np.float32],
        *,
        cell: int,
        scale: int,
        n_nearest: int,
    ) -> None: ...
    def describe(self, source: NDArray[np.float32], n_threads: int) -> NDArray[np.float32]: ...
    def nearest(self, features: NDArray[np.float32], n_threads: int) -> NDArray[np.int32]: ...
    def correct(self, source: NDArray[np.float32], output: NDArray[np.float32], n_threads: int) -> None: ...

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

def convex_coding(
    patches: NDArray[Real],
    dictionary: NDArray[Real],
    *,
    missing: NDArray[np.bool_] | None,
    thresholds: NDArray[np.float64],
    group_thresholds: NDArray[np.float64] | None,
    outlier_threshold: float,
    positive: bool,
    tolerance: float,
    output: str,
    groups: NDArray[np.int32] | None,
    n_threads: int,
) -> Results[Real]:
    """Codes of a batch by the lasso, the sparse-group lasso, or the lasso with an outlier term.

    ``thresholds`` (M,) multiply |x_m|, ``group_thresholds`` (G,) the norms of the groups, and
    ``outlier_threshold`` ‖e‖; None or a negative number leave a term out. Groups and an outlier term
    do not go together. ``tolerance`` is the duality gap over the objective at which a patch is done.
    """

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
    n_threads: int = 1,
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
    over its observed values; the sum of its squares is the objective. Nothing is changed in place, and
    nothing depends on the number of threads.
    """

def learn_online(
    patches: NDArray[Real],
    dictionary: NDArray[Real],
    rows: NDArray[np.int64],
    *,
    missing: NDArray[np.bool_] | None,
    code_products: NDArray[np.float64],
    patch_products: NDArray[np.float64],
    n_before: int,
    batch_size: int,
    forgetting: float,
    move: bool,
    max_nonzero: int,
    penalty: float | None,
    tolerance: float,
    n_threads: int,
) -> tuple[NDArray[Real], NDArray[np.int64], NDArray[Real], NDArray[Real], NDArray[Real] | None]:
    """Learn a dictionary from the patches that ``rows`` names, mini-batch after mini-batch.

    Each is coded over the dictionary (M, P) as it then stands, by orthogonal matching pursuit with
    ``max_nonzero`` non-zeros or, with a penalty, by the lasso to a relative duality gap of ``tolerance``;
    added to the sums ``Σ x xᵀ`` and ``Σ x sᵀ``, in place, which fade before, as ``n_before`` patches are in
    them; and one sweep of descent moves the atoms, unless ``move`` is false: then nothing fades either.

    Returns the new dictionary, how many codes use each atom, and of each patch the norm of its residual,
    the l1 norm of its code and, with a penalty, the gap. Nothing depends on the number of threads.
    """

def add_statistics(
    patches: NDArray[Real],
    dictionary: NDArray[Real],
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[Real],
    *,
    missing: NDArray[np.bool_] | None,
    code_products: NDArray[np.float64],
    patch_products: NDArray[np.float64],
    n_threads: int,
) -> None:
    """Add patches s with codes x to the sums ``Σ x xᵀ`` (M, M) and ``Σ x sᵀ`` (M, P), in place.

    The codes are a CSR matrix (n, M). Missing values of a patch are completed by ``x · dictionary``. Nothing depends
    on the number of threads.
    """

def row_products(rows: NDArray[Real], others: NDArray[Real], *, n_threads: int) -> NDArray[Real]:
    """Products of rows (n, P) with others (m, P), shape (n, m): each the same bit for bit whatever rows come along."""

def pooled_squares(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[Real],
    *,
    weights: NDArray[Real],
    window: NDArray[Real],
    n_atoms: int,
    n_threads: int,
) -> NDArray[Real]:
    """``Σ_k P_k²`` for codes (rows × columns, M), where P_k averages ``weights · |x_k|`` over the grid.

    The codes are a CSR matrix of the patches of a grid of the shape of ``weights``; ``window`` (odd length)
    weighs neighbours down the columns and along the rows. Nothing lies beyond the border.
    """

def dictionary_from_statistics(
    code_products: NDArray[np.float64],
    patch_products: NDArray[np.float64],
    dictionary: NDArray[Real],
    *,
    n_sweeps: int,
    tolerance: float,
    n_threads: int,
) -> tuple[NDArray[Real], int]:
    """Minimise ``Σ ‖s − x · dictionary‖²`` with rows of norm at most 1, starting from `dictionary`.

    Ends after `n_sweeps` passes over the atoms, or when none moved by more than `tolerance` in a pass.
    Returns the new dictionary and the number of passes. Atoms that no code uses stay as they are.
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

def label_patches(
    image: NDArray[np.float32],
    offsets: NDArray[np.int32],
    patch: int,
    whitening: NDArray[np.float32],
    score_offsets: NDArray[np.float32],
    labels: NDArray[np.int32],
    n_threads: int,
) -> None:
    """Fill `labels` with the class k of least ``‖whitening[k] x‖² + score_offsets[k]`` of each patch less its mean.

    `offsets` (row * width + column) are the patches' upper left corners; `whitening` is lower triangular.
    """

def restore_patches(
    image: NDArray[np.float32],
    observed: NDArray[np.float32],
    offsets: NDArray[np.int32],
    starts: NDArray[np.int32],
    patch: int,
    factors: NDArray[np.float32],
    diagonals: NDArray[np.float32],
    noise: float,
    estimates: NDArray[np.float32],
    variances: NDArray[np.float32],
    spreads: NDArray[np.float32],
    n_threads: int,
) -> None:
    """Fill `estimates` and `variances` (n, patch²) of patches sorted by class, each observed through its own mask.

    Class k, patches ``starts[k]`` to ``starts[k + 1]``, has the covariance ``F'F + diag(d)`` with ``F = factors[k]``
    (an even number of rows) and ``d = diagonals[k]`` about each patch's mean in `image`. ``spreads[k]`` receives the
    sum of the factors' posterior covariances, lower triangles, off-diagonal elements doubled.
    """

def add_patches(
    patches: NDArray[np.float32],
    weights: NDArray[np.float32],
    offsets: NDArray[np.int32],
    patch: int,
    value_sum: NDArray[np.float32],
    weight_sum: NDArray[np.float32],
) -> None:
    """Add weighted patches to the sums, each at its offset."""

def inpaint_groups(
    image: NDArray[np.float32],
    observed: NDArray[np.float32],
    guide: NDArray[np.float32],
    references: NDArray[np.int32],
    patch: int,
    window: int,
    neighbours: int,
    max_rank: int,
    noise: float,
    floor: float,
    tolerance: float,
    trust_offset: float,
    value_sum: NDArray[np.float32],
    weight_sum: NDArray[np.float32],
    n_threads: int,
) -> None:
    """Add the estimates of one non-local pass: groups of patches alike on `guide`, one per reference (row, column)."""

def denoise_groups(
    noisy: NDArray[np.float32],
    pilot: NDArray[np.float32],
    references: NDArray[np.int32],
    patch: int,
    window: int,
    neighbours: int,
    noise: float,
    value_sum: NDArray[np.float32],
    weight_sum: NDArray[np.float32],
    n_threads: int,
) -> None:
    """Add the estimates of one pass of non-local Bayes: Gaussians from `pilot`, Wiener filters on `noisy`."""

def relax(image: NDArray[np.float32], missing: NDArray[np.int32], sweeps: int, relaxation: float) -> None:
    """Relax the pixels listed (row * width + column) towards the mean of their neighbours, in place."""

"""Arguments that all coders share, checked once and in one place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsight.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Problem:
    """Patches, dictionary and mask as the kernels take them: contiguous, of one precision."""

    patches: NDArray[Any]  # (n, P)
    dictionary: NDArray[Any]  # (M, P)
    missing: NDArray[np.bool_] | None  # (n, P)

    @property
    def n_atoms(self) -> int:
        return int(self.dictionary.shape[0])

    @property
    def n_features(self) -> int:
        return int(self.dictionary.shape[1])

    def correlations(self) -> NDArray[Any]:
        """Products of the observed values with all atoms, shape (n, M)."""
        patches = self.patches
        if self.missing is not None:
            patches = np.where(self.missing, patches.dtype.type(0), patches)
        return np.asarray(patches @ self.dictionary.T)


def check_problem(patches: ArrayLike, dictionary: ArrayLike, mask: ArrayLike | None) -> Problem:
    """Bring the arrays into the kernels' form, or say what is wrong with them.

    float32 patches are coded in float32, everything else in float64; the dictionary follows.
    Whether the patches are finite is not looked at here: that would cost a pass over all of them,
    and `check_finite` sees it in the results.
    """
    rows = _real_matrix(patches, "patches", "(n, P), one patch per row")
    dtype = np.float32 if rows.dtype == np.float32 else np.float64
    rows = np.ascontiguousarray(rows, dtype=dtype)
    atoms = _real_matrix(dictionary, "the dictionary", "(M, P), one atom per row")
    atoms = np.ascontiguousarray(atoms, dtype=dtype)
    if 0 in atoms.shape:
        raise ParameterError(f"The dictionary is empty (shape {atoms.shape}); give at least one atom.")
    if rows.shape[1] != atoms.shape[1]:
        raise ParameterError(
            f"Patches have {rows.shape[1]} values but the atoms have {atoms.shape[1]}; "
            "code patches of the size the dictionary was made for."
        )
    if not np.isfinite(atoms).all():
        raise ParameterError(
            f"The dictionary has NaN or infinite values (in {np.dtype(dtype).name}); "
            "remove the atoms that hold them."
        )
    missing = None
    if mask is not None:
        missing = np.asarray(mask)
        if missing.dtype != np.bool_:
            raise ParameterError(
                f"The mask has type {missing.dtype}, not bool; give True where a value is missing."
            )
        if missing.shape != rows.shape:
            raise ParameterError(
                f"The mask has shape {missing.shape} but the patches {rows.shape}; "
                "give one True or False for each value of each patch."
            )
        missing = np.ascontiguousarray(missing)
    return Problem(rows, atoms, missing)


def _real_matrix(array: ArrayLike, name: str, shape: str) -> NDArray[Any]:
    matrix = np.asarray(array)
    if matrix.ndim != 2:
        raise ParameterError(
            f"Expected {name} of shape {shape}, got an array of shape {matrix.shape}; reshape it."
        )
    if matrix.dtype.kind not in "buif":
        raise ParameterError(f"Expected {name} to hold real numbers, got type {matrix.dtype}.")
    return matrix


def check_finite(residual_norm: NDArray[np.floating]) -> None:
    """NaN or infinity in a patch always shows in its residual norm."""
    bad = np.flatnonzero(~np.isfinite(residual_norm))
    if bad.size:
        raise ParameterError(
            f"{bad.size} of {residual_norm.size} patches (the first is number {bad[0]}) hold NaN, "
            "infinity, or values too large to be squared; mask such values or remove the patches."
        )


def check_groups(groups: ArrayLike | None, n_atoms: int) -> NDArray[np.int32] | None:
    """Group number of each atom, from 0."""
    if groups is None:
        return None
    numbers = np.asarray(groups)
    if numbers.shape != (n_atoms,) or numbers.dtype.kind not in "ui":
        raise ParameterError(
            f"groups must be {n_atoms} integers, the group number of each atom; "
            f"got {numbers.dtype} of shape {numbers.shape}."
        )
    if numbers.min() < 0:
        raise ParameterError("Group numbers start at 0; got a negative one.")
    if numbers.max() >= n_atoms:
        raise ParameterError(
            f"Group numbers run from 0 to the number of groups less one; got {numbers.max()} "
            f"for {n_atoms} atoms."
        )
    return np.ascontiguousarray(numbers, dtype=np.int32)


def check_output(output: str) -> str:
    if output not in ("dense", "sparse", "reductions"):
        raise ParameterError(f"output must be 'dense', 'sparse' or 'reductions', not {output!r}.")
    return output


def worthwhile_threads(n_threads: int | None, n_products: int, products_of_a_thread: int) -> int:
    """As many threads as asked for; by default no more than so many multiplications keep busy."""
    if n_threads is not None:
        return check_threads(n_threads)
    return max(1, min(check_threads(None), n_products // products_of_a_thread))


def check_threads(n_threads: int | None) -> int:
    """Threads to use: by default all processors of this process, or OMP_NUM_THREADS if fewer."""
    if n_threads is not None:
        if n_threads < 1:
            raise ParameterError(f"n_threads must be at least 1 (or None for all), not {n_threads}.")
        return int(n_threads)
    available = getattr(os, "sched_getaffinity", None)
    count = len(available(0)) if available is not None else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return max(1, min(count, int(limit))) if limit.isdecimal() else count

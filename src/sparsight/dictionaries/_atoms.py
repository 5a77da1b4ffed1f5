"""Atoms: starting values, norms, and the replacement of atoms that do nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight.errors import ParameterError


def normalized_rows(atoms: NDArray[Any]) -> NDArray[Any]:
    """Scale rows to unit norm; a row that is zero stays zero."""
    norms = np.linalg.norm(atoms, axis=1, keepdims=True)
    return np.asarray(atoms / np.where(norms > 0, norms, 1).astype(atoms.dtype))


def atoms_from_patches(
    patches: NDArray[Any], n_components: int, random_state: np.random.RandomState
) -> NDArray[Any]:
    """Take random patches as atoms, of unit norm; (nearly) zero patches only if no others are left."""
    norms = np.linalg.norm(patches, axis=1)
    order = random_state.permutation(len(patches))
    is_flat = norms[order] <= 1e-6 * max(float(norms.max(initial=0.0)), np.finfo(patches.dtype).tiny)
    chosen = np.concatenate([order[~is_flat], order[is_flat]])[:n_components]
    atoms = patches[chosen].copy()
    flat = np.flatnonzero(norms[chosen] == 0)
    atoms[flat] = random_state.standard_normal((len(flat), patches.shape[1]))
    return normalized_rows(atoms)


def cosine_dictionary(
    patch_shape: int | tuple[int, int],
    n_components: int,
    dtype: type[np.floating[Any]] = np.float64,
) -> NDArray[Any]:
    """Overcomplete cosine dictionary: products of two one-dimensional cosine dictionaries.

    With ``a = ⌈√n_components⌉`` frequencies a side, the one-dimensional atoms are cos(π (t + ½) k / a),
    k = 0 … a − 1, of which those with k > 0 have their mean removed. For ``a`` equal to the patch size this
    is the orthonormal DCT-II.

    Parameters
    ----------
    patch_shape : int or tuple of int
        Height and width of the patches.
    n_components : int
        Number of atoms; where it is not a square, the highest frequencies are left out.
    dtype : float dtype

    Returns
    -------
    array of shape (n_components, height * width)
        Rows of unit norm; row 0 is the constant atom.

    References
    ----------
    M. Aharon, M. Elad, A. Bruckstein: K-SVD, IEEE Transactions on Signal Processing 54(11), 2006,
    section V-B.

    Examples
    --------
    >>> cosine_dictionary(8, 256).shape
    (256, 64)
    """
    height, width = (patch_shape, patch_shape) if isinstance(patch_shape, int) else patch_shape
    if n_components < 1:
        raise ParameterError(f"n_components must be at least 1, got {n_components}.")
    n_frequencies = math.isqrt(n_components - 1) + 1
    rows, columns = (_cosine_atoms(size, n_frequencies) for size in (height, width))
    frequency = np.add.outer(np.arange(n_frequencies), np.arange(n_frequencies)).ravel()
    lowest_first = np.argsort(frequency, kind="stable")[:n_components]
    return normalized_rows(np.kron(rows, columns)[np.sort(lowest_first)]).astype(dtype)


def _cosine_atoms(size: int, n_frequencies: int) -> NDArray[np.float64]:
    position = np.arange(size) + 0.5
    atoms = np.cos(np.pi * np.outer(np.arange(n_frequencies), position) / max(size, n_frequencies))
    atoms[1:] -= atoms[1:].mean(axis=1, keepdims=True)
    return normalized_rows(atoms)


def replace_idle_atoms(
    dictionary: NDArray[Any],
    usage: NDArray[Any],
    patches: NDArray[Any],
    errors: NDArray[Any],
    *,
    max_correlation: float = 0.99,
    protected: int = 0,
) -> int:
    """Replace unused and duplicate atoms, in place, by the patches that are represented worst.

    Parameters
    ----------
    dictionary : array of shape (n_components, n_features)
        Unit-norm atoms; changed in place.
    usage : array of shape (n_components,)
        How often each atom is used; of two duplicates the less used one goes.
    patches : array of shape (n_patches, n_features)
        Missing values filled.
    errors : array of shape (n_patches,)
        Error of each patch.
    max_correlation : float
        Two atoms correlated by more than this, in absolute value, are duplicates.
    protected : int
        The first atoms that are never replaced (such as a constant atom).

    Returns
    -------
    int
        How many atoms were replaced.
    """
    idle = idle_atoms(dictionary, usage, max_correlation)
    idle = idle[idle >= protected]
    if not len(idle):
        return 0
    norms = np.linalg.norm(patches, axis=1)
    n_candidates = min(len(patches), 4 * len(idle))
    worst = np.argpartition(-errors, n_candidates - 1)[:n_candidates]
    worst = worst[np.argsort(-errors[worst], kind="stable")]
    kept = np.setdiff1d(np.arange(len(dictionary)), idle)
    replaced = 0
    for candidate in worst:
        if replaced == len(idle) or errors[candidate] <= 0 or norms[candidate] <= 0:
            break
        atom = patches[candidate] / norms[candidate]
        if len(kept) and np.abs(dictionary[kept] @ atom).max() > max_correlation:
            continue
        dictionary[idle[replaced]] = atom
        kept = np.append(kept, idle[replaced])
        replaced += 1
    return replaced


def idle_atoms(
    dictionary: NDArray[Any], usage: NDArray[Any], max_correlation: float = 0.99
) -> NDArray[np.intp]:
    """Atoms that no code uses, or that duplicate busier ones; see `replace_idle_atoms`."""
    rank = np.empty(len(usage), np.intp)
    rank[np.argsort(-usage, kind="stable")] = np.arange(len(usage))
    correlation = np.abs(dictionary @ dictionary.T)
    np.fill_diagonal(correlation, 0)
    # Few, and found faster in one long line than in a matrix.
    atoms, others = np.divmod(np.flatnonzero(correlation > max_correlation), len(dictionary))
    duplicates = atoms[rank[atoms] > rank[others]]
    return np.union1d(duplicates, np.flatnonzero(usage == 0))

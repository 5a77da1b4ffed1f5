"""The atom updates of K-SVD: one atom after another, each together with its coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh


def update_atoms(
    patches: NDArray[Any],
    missing: NDArray[np.bool_] | None,
    codes: Any,
    dictionary: NDArray[Any],
    *,
    exact: bool,
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    r"""Update every atom that is in use, in place, and the coefficients with it.

    For atom j, with E the error of the patches that use it when its own contribution is left out, solve
    (or, if not `exact`, take one alternating step towards)

    .. math:: \min_{\|d_j\| = 1,\, x_j} \| M \circ (E - x_j d_j^T) \|_F^2.

    Parameters
    ----------
    patches : array of shape (n_patches, n_features)
    missing : bool array of shape (n_patches, n_features) or None
    codes : CSR array of shape (n_patches, n_components)
    dictionary : array of shape (n_components, n_features)
        Changed in place.
    exact : bool

    Returns
    -------
    errors : array of shape (n_patches,)
        Squared error of each patch with the updated atoms and coefficients.
    usage : array of shape (n_components,)
        Number of patches that use each atom.
    """
    residual = patches - codes @ dictionary
    if missing is not None:
        residual[missing] = 0
    by_atom = codes.tocsc()
    rank_one = _best_rank_one if exact else _improved_rank_one
    for atom in range(len(dictionary)):
        span = slice(by_atom.indptr[atom], by_atom.indptr[atom + 1])
        users = by_atom.indices[span]
        if not len(users):
            continue
        hidden = None if missing is None else missing[users]
        error = residual[users] + np.outer(by_atom.data[span], dictionary[atom])
        if hidden is not None:
            error[hidden] = 0
        direction, coefficients = rank_one(error, by_atom.data[span], dictionary[atom], hidden)
        change = error - np.outer(coefficients, direction)
        if hidden is not None:
            change[hidden] = 0
        residual[users] = change
        dictionary[atom] = direction
        by_atom.data[span] = coefficients
    errors = np.einsum("ij,ij->i", residual, residual, dtype=np.float64)
    return errors, np.diff(by_atom.indptr)


def _improved_rank_one(
    error: NDArray[Any],
    coefficients: NDArray[Any],
    atom: NDArray[Any],
    hidden: NDArray[np.bool_] | None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """One step of alternating least squares: the atom given its coefficients, then the coefficients."""
    direction = coefficients @ error
    if hidden is not None:
        weight = np.square(coefficients) @ ~hidden
        direction = np.where(weight > 0, direction / np.where(weight > 0, weight, 1), atom)
    norm = np.linalg.norm(direction)
    if not norm > 0:
        return atom, coefficients
    direction = (direction / norm).astype(error.dtype, copy=False)
    coefficients = error @ direction
    if hidden is not None:
        energy = ~hidden @ np.square(direction)
        coefficients = coefficients / np.where(energy > 0, energy, 1)
    return direction, coefficients.astype(error.dtype, copy=False)


def _best_rank_one(
    error: NDArray[Any],
    coefficients: NDArray[Any],
    atom: NDArray[Any],
    hidden: NDArray[np.bool_] | None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The best rank-one approximation: a leading eigenvector, or with missing values alternation to rest."""
    if hidden is not None:
        for _ in range(100):
            previous = atom
            atom, coefficients = _improved_rank_one(error, coefficients, atom, hidden)
            if np.linalg.norm(atom - previous) <= 1e-6:
                break
        return atom, coefficients
    # Only the smaller of the two Gram matrices is decomposed, and only its leading vector computed.
    if error.shape[0] < error.shape[1]:
        gram = error @ error.T
        left = eigh(gram, subset_by_index=[len(gram) - 1, len(gram) - 1])[1][:, 0]
        direction = left @ error
    else:
        gram = error.T @ error
        direction = eigh(gram, subset_by_index=[len(gram) - 1, len(gram) - 1])[1][:, 0]
    norm = np.linalg.norm(direction)
    if not norm > 0:
        return atom, coefficients
    direction = direction * (np.sign(direction @ atom) or 1.0) / norm
    return direction, error @ direction

"""The atom updates of K-SVD: one atom after another, each together with its coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from sparsight import _kernels
from sparsight.coding._inputs import check_threads

#: Alternating steps after which the best rank-one approximation is reached; most atoms rest much earlier.
_EXACT_SWEEPS = 100

#: Multiplications of an atom's codes with its patches that take a thread much longer than to wait for the others.
_PRODUCTS_OF_A_THREAD = 8000


def update_atoms(
    patches: NDArray[Any],
    missing: NDArray[np.bool_] | None,
    codes: csr_array,
    dictionary: NDArray[Any],
    *,
    exact: bool,
    n_threads: int | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    r"""Update every atom that is in use, and the coefficients with it.

    For atom j, with E the error of the patches that use it when its own contribution is left out, solve
    (or, if not `exact`, take one alternating step towards)

    .. math:: \min_{\|d_j\| = 1,\, x_j} \| M \circ (E - x_j d_j^T) \|_F^2.

    No singular value decomposition is needed: alternation is a power iteration on E, and with missing values
    there is no closed form.

    Parameters
    ----------
    patches : array of shape (n_patches, n_features)
    missing : bool array of shape (n_patches, n_features) or None
    codes : CSR array of shape (n_patches, n_components)
    dictionary : array of shape (n_components, n_features)
        Atoms of unit norm.
    exact : bool
    n_threads : int, optional
        At most that many, as far as an atom keeps them busy; by default all. The result does not depend on it.

    Returns
    -------
    dictionary : array of shape (n_components, n_features)
    errors : array of shape (n_patches,)
        Squared error of each patch with the updated atoms and coefficients.
    """
    n_products_per_atom = codes.nnz * patches.shape[1] // len(dictionary)
    updated, _, residual_norm = _kernels.ksvd_update(
        patches,
        dictionary,
        codes.indptr.astype(np.int64, copy=False),
        codes.indices.astype(np.int32, copy=False),
        codes.data,
        missing=missing,
        n_sweeps=_EXACT_SWEEPS if exact else 1,
        n_threads=max(1, min(check_threads(n_threads), n_products_per_atom // _PRODUCTS_OF_A_THREAD)),
    )
    return updated, np.square(residual_norm, dtype=np.float64)

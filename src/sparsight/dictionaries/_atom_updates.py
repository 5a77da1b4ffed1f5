"""The atom updates of K-SVD: one atom after another, each together with its coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from sparsight import _kernels

#: Alternating steps after which the best rank-one approximation is reached; most atoms rest much earlier.
_EXACT_SWEEPS = 100


def update_atoms(
    patches: NDArray[Any],
    missing: NDArray[np.bool_] | None,
    codes: csr_array,
    dictionary: NDArray[Any],
    *,
    exact: bool,
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

    Returns
    -------
    dictionary : array of shape (n_components, n_features)
    errors : array of shape (n_patches,)
        Squared error of each patch with the updated atoms and coefficients.
    """
    updated, _, residual_norm = _kernels.ksvd_update(
        patches,
        dictionary,
        codes.indptr.astype(np.int64),
        codes.indices.astype(np.int32),
        codes.data,
        missing=missing,
        n_sweeps=_EXACT_SWEEPS if exact else 1,
    )
    return updated, np.square(residual_norm, dtype=np.float64)

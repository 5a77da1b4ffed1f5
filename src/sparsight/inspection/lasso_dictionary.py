"""Dictionaries for the lasso, learned from mini-batches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsight.coding import Coding, lasso
from sparsight.coding._result import OutputForm
from sparsight.dictionaries._statistics import LearningStatistics
from sparsight.inspection.sparse_codes import missed_optima_tolerated

_BATCHES = 20
_BATCH_SIZE = 1_200
_SWEEPS = 3
_FAINT = 0.3  # of the median norm: fainter patches are no atoms to start from


def learn_lasso_dictionary(
    patches: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
    n_components: int,
    *,
    penalty: float,
    random_state: np.random.RandomState,
    n_threads: int | None = None,
) -> NDArray[np.float32]:
    r"""Atoms of unit norm that make :math:`\tfrac12 \|s - D x\|^2 + \lambda \|x\|_1` small on average.

    Mini-batches are coded over the present dictionary; the sums that the best dictionary depends on are
    kept, recent ones counting more; atoms that a batch did not use are replaced by patches of it.

    Parameters
    ----------
    patches : array of shape (n_patches, n_features)
        At least as many as atoms.
    mask : bool array of the same shape, or None
        True where a value is missing; such values are 0 in `patches`.
    n_components : int
    penalty : float
        λ.
    random_state : RandomState
    n_threads : int, optional

    Returns
    -------
    array of shape (n_components, n_features)

    References
    ----------
    J. Mairal, F. Bach, J. Ponce, G. Sapiro: Online learning for matrix factorization and sparse coding,
    Journal of Machine Learning Research 11, 2010.
    """
    norms = np.linalg.norm(patches, axis=1)
    bright_first = np.argsort(norms < _FAINT * np.median(norms), kind="stable")
    n_candidates = max(n_components, int((norms >= _FAINT * np.median(norms)).sum()))
    chosen = random_state.choice(bright_first[:n_candidates], n_components, replace=False)
    dictionary = _unit(patches[chosen], random_state)
    sums = LearningStatistics.empty(*dictionary.shape)
    for batch in range(_BATCHES):
        part = random_state.choice(len(patches), min(_BATCH_SIZE, len(patches)), replace=False)
        batch_mask = None if mask is None else mask[part]
        codes = code_by_lasso(patches[part], dictionary, penalty, batch_mask, "sparse", n_threads).codes
        assert codes is not None
        sums.fade(batch / (batch + 1))
        sums.add(patches[part], batch_mask, codes, dictionary)
        dictionary = sums.best_dictionary(dictionary, n_sweeps=_SWEEPS)
        idle = np.flatnonzero(np.bincount(codes.indices, minlength=n_components) == 0)  # type: ignore[union-attr]
        if len(idle) and batch < _BATCHES - 1:
            dictionary[idle] = _unit(patches[random_state.choice(part, len(idle))], random_state)
            sums.forget_atoms(idle)
    return dictionary


def code_by_lasso(
    patches: NDArray[np.float32],
    dictionary: NDArray[np.float32],
    penalty: float,
    mask: NDArray[np.bool_] | None,
    output: OutputForm,
    n_threads: int | None,
) -> Coding:
    """Lasso codes, without a warning when a few patches end above the tolerance: averages do not show it."""
    with missed_optima_tolerated():
        return lasso(patches, dictionary, penalty=penalty, mask=mask, output=output, n_threads=n_threads)


def _unit(atoms: NDArray[np.float32], random_state: np.random.RandomState) -> NDArray[np.float32]:
    """Atoms of unit norm; those that are zero become random."""
    norms = np.linalg.norm(atoms, axis=1, keepdims=True)
    noise = random_state.standard_normal(atoms.shape).astype(np.float32)
    atoms = np.where(norms > 0, atoms, noise)
    return np.asarray(atoms / np.linalg.norm(atoms, axis=1, keepdims=True), np.float32)

"""Atoms and codes as the methods of ICIP 2016 need them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from sparsight.coding import Coding, sparse_group
from sparsight.coding._result import OutputForm
from sparsight.dictionaries import BPDNDictionary

_ITERATIONS = 20
_TOLERANCE = 1e-3


def learn_atoms(
    features: NDArray[np.float32],
    n_components: int,
    penalty: float,
    random_state: np.random.RandomState,
    n_threads: int | None = None,
) -> NDArray[np.float32]:
    """Learn atoms of unit norm, (2) of ICIP 2016, from features of normal patches.

    Returns
    -------
    array of shape (n_components, n_features)
    """
    learner = BPDNDictionary(
        n_components,
        penalty=penalty,
        max_iter=_ITERATIONS,
        dictionary_init="data",
        n_threads=n_threads,
        random_state=random_state,
    )
    return np.asarray(learner.fit(features).components_, dtype=np.float32)


@contextmanager
def missed_optima_tolerated() -> Iterator[None]:
    """No warnings of patches that end above the tolerance: a few change no score visibly."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def code_patches(
    features: NDArray[np.float32],
    dictionary: NDArray[np.float32],
    groups: NDArray[np.intp],
    penalty: float,
    group_penalty: float,
    *,
    output: OutputForm = "reductions",
    n_threads: int | None = None,
) -> Coding:
    """Codes that solve (5) of ICIP 2016, or their reductions, with the norms of the groups of atoms."""
    with missed_optima_tolerated():
        return sparse_group(
            features,
            dictionary,
            penalty=penalty,
            group_penalty=group_penalty,
            groups=groups,
            tolerance=_TOLERANCE,
            output=output,
            n_threads=n_threads,
        )

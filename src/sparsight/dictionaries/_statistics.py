"""The sums that a dictionary follows from: all that online learning remembers of its patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight import _kernels
from sparsight.coding._inputs import check_threads
from sparsight.dictionaries._atoms import normalized_rows

#: Multiplications of codes with patches and codes that keep a thread busy for longer than it takes to start it.
_PRODUCTS_OF_A_THREAD = 500_000


@dataclass
class LearningStatistics:
    r"""Sums over patches s with codes x: :math:`A = \sum x x^T` and :math:`B = \sum x s^T`.

    The best dictionary for given codes depends on nothing else (J. Mairal, F. Bach, J. Ponce, G. Sapiro:
    Online learning for matrix factorization and sparse coding, 2010), and sums of different patches add up.

    Attributes
    ----------
    code_products : array of float64, shape (n_components, n_components)
        A.
    patch_products : array of float64, shape (n_components, n_features)
        B.
    n_patches : int
        Patches added, faded ones included.
    """

    code_products: NDArray[np.float64]
    patch_products: NDArray[np.float64]
    n_patches: int = 0

    @classmethod
    def empty(cls, n_components: int, n_features: int) -> LearningStatistics:
        """Sums over no patches."""
        return cls(np.zeros((n_components, n_components)), np.zeros((n_components, n_features)))

    def __add__(self, other: LearningStatistics) -> LearningStatistics:
        return LearningStatistics(
            self.code_products + other.code_products,
            self.patch_products + other.patch_products,
            self.n_patches + other.n_patches,
        )

    def add(
        self,
        patches: NDArray[Any],
        missing: NDArray[np.bool_] | None,
        codes: Any,
        dictionary: NDArray[Any],
        n_threads: int | None = None,
    ) -> None:
        """Add patches (n, P) with codes as a CSR array (n, M).

        Missing values are taken to be what the codes and the dictionary say of them. The sums then belong to
        an upper bound of the error over the observed values that is exact at this dictionary, so a dictionary
        that lowers the bound lowers the error.
        """
        n_products = codes.nnz * (patches.shape[1] + codes.nnz // max(1, len(patches)))
        _kernels.add_statistics(
            patches,
            dictionary,
            codes.indptr.astype(np.int64, copy=False),
            codes.indices.astype(np.int32, copy=False),
            codes.data,
            missing=missing,
            code_products=self.code_products,
            patch_products=self.patch_products,
            n_threads=max(1, min(check_threads(n_threads), n_products // _PRODUCTS_OF_A_THREAD)),
        )
        self.n_patches += len(patches)

    def fade(self, factor: float) -> None:
        """Give what was added so far less weight."""
        self.code_products *= factor
        self.patch_products *= factor

    def forget_atoms(self, atoms: NDArray[np.intp]) -> None:
        """Drop what is known of atoms that were replaced."""
        self.code_products[atoms] = 0
        self.code_products[:, atoms] = 0
        self.patch_products[atoms] = 0

    def best_dictionary(
        self,
        start: NDArray[Any],
        *,
        n_sweeps: int = 1,
        tolerance: float = 0.0,
        n_threads: int | None = None,
    ) -> NDArray[Any]:
        """Atoms of unit norm after some sweeps of block coordinate descent from `start`.

        The descent keeps norms at most 1; atoms that end shorter are scaled up, which only lets codes shrink.
        """
        updated, _ = _kernels.dictionary_from_statistics(
            self.code_products,
            self.patch_products,
            start,
            n_sweeps=n_sweeps,
            tolerance=tolerance,
            n_threads=check_threads(n_threads),
        )
        return normalized_rows(updated)

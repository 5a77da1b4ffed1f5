"""The scikit-learn side that all coders share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sparsight.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_array

    from sparsight.coding._result import Coding


class CoderBase(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Patches to codes over a given dictionary; subclasses say which problem is solved.

    Nothing is learned from the data: `fit` only looks at their number of features and, when no
    dictionary is given, takes the orthonormal cosine basis of that length.
    """

    dictionary: ArrayLike | None
    output: Literal["dense", "sparse"]
    dictionary_: NDArray[Any]

    @abstractmethod
    def _code(self, patches: NDArray[Any], mask: ArrayLike | None) -> Coding: ...

    def fit(self, X: ArrayLike, y: None = None, *, mask: ArrayLike | None = None) -> Self:  # noqa: ARG002
        """Check the dictionary against the patches.

        Parameters
        ----------
        X : array-like of shape (n, P)
            Patches, one per row. Only P is used.
        y : None
            Ignored.
        mask : array-like of bool, shape (n, P), optional
            When given, values that are not finite pass.

        Returns
        -------
        self
        """
        patches: NDArray[Any] = validate_data(
            self, X, dtype=[np.float64, np.float32], ensure_all_finite=mask is None
        )
        n_features = patches.shape[1]
        if self.dictionary is None:
            from scipy.fft import idct

            self.dictionary_ = idct(np.eye(n_features, dtype=patches.dtype), norm="ortho", axis=1)
        else:
            self.dictionary_ = np.array(self.dictionary, dtype=patches.dtype, ndmin=2)
            if self.dictionary_.shape[1] != n_features:
                raise ParameterError(
                    f"Patches have {n_features} values but the atoms have "
                    f"{self.dictionary_.shape[1]}; give patches of the dictionary's size."
                )
        return self

    def transform(self, X: ArrayLike, *, mask: ArrayLike | None = None) -> Any:
        """Codes of the patches.

        Parameters
        ----------
        X : array-like of shape (n, P)
            Patches, one per row.
        mask : array-like of bool, shape (n, P), optional
            True where a value is missing; what stands there in `X` does not matter.

        Returns
        -------
        codes : ndarray or scipy.sparse.csr_array of shape (n, M)
        """
        check_is_fitted(self)
        patches: NDArray[Any] = validate_data(
            self,
            X,
            dtype=[np.float64, np.float32],
            ensure_all_finite=mask is None,
            reset=False,
        )
        return self._code(patches, mask).codes

    def fit_transform(self, X: ArrayLike, y: None = None, *, mask: ArrayLike | None = None) -> Any:
        """`fit`, then `transform`.

        Parameters
        ----------
        X, y, mask
            As for `fit` and `transform`.

        Returns
        -------
        codes : ndarray or scipy.sparse.csr_array of shape (n, M)
        """
        return self.fit(X, y, mask=mask).transform(X, mask=mask)

    def inverse_transform(self, X: ArrayLike | csr_array) -> NDArray[Any]:
        """Patches that the codes stand for: codes · dictionary.

        Parameters
        ----------
        X : array-like or scipy.sparse.csr_array of shape (n, M)
            Codes, one row per patch.

        Returns
        -------
        patches : ndarray of shape (n, P)
        """
        check_is_fitted(self)
        codes: Any = X if hasattr(X, "tocsr") else np.asarray(X)
        return np.asarray(codes @ self.dictionary_)

    @property
    def _n_features_out(self) -> int:
        return int(self.dictionary_.shape[0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

"""What all dictionary learners share: checked patches, the atoms to start from, codes over the learned atoms."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sparsight._checks import check_choice, check_integer
from sparsight.coding import Coding, orthogonal_matching_pursuit
from sparsight.dictionaries._atoms import atoms_from_patches, cosine_dictionary, normalized_rows
from sparsight.errors import ParameterError

Progress: TypeAlias = Callable[[int, int, str], None]
Mask: TypeAlias = NDArray[np.bool_] | None


class DictionaryLearner(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of the learners; subclasses say how atoms are learned and how patches are coded."""

    n_components: int | None
    dictionary_init: str | ArrayLike | None
    missing_value: float | None
    n_threads: int | None
    random_state: int | np.random.RandomState | None
    components_: NDArray[Any]

    @abstractmethod
    def fit(self, X: ArrayLike, y: Any = None, *, mask: ArrayLike | None = None) -> Self:
        """Learn the dictionary."""

    @abstractmethod
    def _code(
        self, patches: NDArray[Any], missing: Mask, dictionary: NDArray[Any], output: Any
    ) -> Coding: ...

    def transform(self, X: ArrayLike, *, mask: ArrayLike | None = None) -> NDArray[Any]:
        """Code patches over the learned dictionary.

        Parameters
        ----------
        X : array of shape (n_patches, n_features)
        mask : bool array of shape (n_patches, n_features), optional
            True where a value is missing.

        Returns
        -------
        array of shape (n_patches, n_components)
            Codes; ``codes @ components_`` approximates X, also where values are missing.
        """
        check_is_fitted(self)
        patches, missing = self._validated(X, mask, reset=False)
        dictionary = self.components_.astype(patches.dtype, copy=False)
        codes: Any = self._code(patches, missing, dictionary, "dense").codes
        return np.asarray(codes)

    def fit_transform(self, X: ArrayLike, y: Any = None, *, mask: ArrayLike | None = None) -> NDArray[Any]:
        """Learn the dictionary, then code the same patches over it."""
        return self.fit(X, y, mask=mask).transform(X, mask=mask)

    def inverse_transform(self, X: ArrayLike) -> NDArray[Any]:
        """Patches from codes, shape (n_patches, n_components): ``codes @ components_``."""
        check_is_fitted(self)
        return np.asarray(np.asarray(X) @ self.components_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._nan_is_missing
        return tags

    @property
    def _nan_is_missing(self) -> bool:
        return self.missing_value is not None and math.isnan(self.missing_value)

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def _validated_n_components(self, n_patches: int, n_features: int) -> int:
        n_components = min(n_features, n_patches) if self.n_components is None else self.n_components
        check_integer("n_components", n_components, minimum=1)
        if n_components > n_patches:
            raise ParameterError(
                f"{n_components} atoms cannot be learned from {n_patches} patches (n_samples={n_patches}); "
                "give more patches or a smaller n_components."
            )
        return n_components

    def _validated(self, X: ArrayLike, mask: ArrayLike | None, *, reset: bool) -> tuple[NDArray[Any], Mask]:
        # Values under an explicit mask may be anything, NaN included, so they are zeroed before the check.
        if mask is not None:
            X = np.asarray(X)
            given = np.asarray(mask)
            if given.dtype != np.bool_ or given.shape != X.shape:
                raise ParameterError(
                    f"mask must be boolean and of the shape of X {X.shape}, True where a value is missing; "
                    f"got {given.dtype} of shape {given.shape}."
                )
            X = np.where(given, 0, X)
        patches = validate_data(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            order="C",
            ensure_all_finite="allow-nan" if self._nan_is_missing else True,
        )
        missing = None if mask is None else given
        if self.missing_value is not None:
            marked = np.isnan(patches) if self._nan_is_missing else patches == self.missing_value
            missing = marked if missing is None else missing | marked
            patches = np.where(marked, patches.dtype.type(0), patches)
        if missing is not None and missing.all():
            raise ParameterError("Every value is missing; give patches with observed values.")
        return patches, missing if missing is not None and missing.any() else None

    def _initial_dictionary(
        self,
        patches: NDArray[Any],
        n_components: int,
        is_incomplete: bool,
        random_state: np.random.RandomState,
    ) -> NDArray[Any]:
        n_features = patches.shape[1]
        side = math.isqrt(n_features)
        init = self.dictionary_init
        if init is None:
            init = "cosine" if is_incomplete and side * side == n_features else "data"
        if isinstance(init, str):
            if check_choice("dictionary_init", init, ("data", "cosine")) == "data":
                return atoms_from_patches(patches, n_components, random_state)
            if side * side != n_features:
                raise ParameterError(
                    f'dictionary_init="cosine" needs square patches; {n_features} features are none. '
                    "Give an array, such as cosine_dictionary((height, width), n_components)."
                )
            return cosine_dictionary(side, n_components, patches.dtype.type)
        atoms = np.array(init, dtype=patches.dtype)
        if atoms.shape != (n_components, n_features) or not np.isfinite(atoms).all():
            raise ParameterError(
                f"dictionary_init must be a finite array of shape {(n_components, n_features)}, got shape "
                f"{atoms.shape}."
            )
        return normalized_rows(atoms)


def filled(patches: NDArray[Any], missing: Mask) -> NDArray[Any]:
    """Fill missing values by the mean of the patch's observed values."""
    if missing is None:
        return patches
    observed = np.maximum(np.sum(~missing, axis=1, keepdims=True), 1)
    means = np.sum(np.where(missing, 0, patches), axis=1, keepdims=True) / observed
    return np.where(missing, means.astype(patches.dtype), patches)


def most_nonzeros(n_nonzero_coefs: int | None, n_components: int, n_features: int) -> int:
    """Non-zeros of each code: by default a tenth of the features, and never more than can help."""
    chosen = max(1, n_features // 10) if n_nonzero_coefs is None else n_nonzero_coefs
    check_integer("transform_n_nonzero_coefs", chosen, minimum=1)
    return min(chosen, n_components, n_features)


def pursue(
    patches: NDArray[Any],
    missing: Mask,
    dictionary: NDArray[Any],
    n_nonzero_coefs: int | None,
    output: Any,
    n_threads: int | None,
) -> Coding:
    """Code by orthogonal matching pursuit."""
    return orthogonal_matching_pursuit(
        patches,
        dictionary,
        n_nonzero_coefs=most_nonzeros(n_nonzero_coefs, *dictionary.shape),
        mask=missing,
        output=output,
        n_threads=n_threads,
    )

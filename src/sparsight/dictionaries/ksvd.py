"""K-SVD: a dictionary learned by alternating pursuit and rank-one atom updates, with missing values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sparsight._checks import check_choice, check_integer, check_number
from sparsight.coding import orthogonal_matching_pursuit
from sparsight.dictionaries._atom_updates import update_atoms
from sparsight.dictionaries._atoms import (
    atoms_from_patches,
    cosine_dictionary,
    normalized_rows,
    replace_idle_atoms,
)
from sparsight.errors import ParameterError

Progress = Callable[[int, int, str], None]


class KSVD(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Dictionary learning by K-SVD.

    Minimises over the dictionary D (rows of unit norm) and the codes X

    .. math:: \| M \circ (Y - X D) \|_F^2 \quad \text{subject to} \quad \|x_i\|_0 \le k,

    where M is 0 at missing values. Each iteration codes all patches by orthogonal matching pursuit, then
    updates one atom after another together with its coefficients, and replaces atoms that are unused or
    duplicate others by the patches represented worst.

    Parameters
    ----------
    n_components : int, optional
        Number of atoms. By default the smaller of the number of features and of patches.
    transform_n_nonzero_coefs : int, optional
        Non-zeros k of each code. By default a tenth of the number of features, at least 1.
    max_iter : int
        Most iterations.
    tol : float
        Stop when an iteration lowers the objective by less than this fraction.
    atom_update : {"approximate", "exact"}
        "approximate" takes one step of alternating least squares for each atom (Rubinstein et al. 2008),
        "exact" the best rank-one approximation (Aharon et al. 2006). The former is much faster and as good.
    dictionary_init : {"data", "cosine"} or array of shape (n_components, n_features), optional
        Start from random patches, from the overcomplete cosine dictionary (patches must be square), or from
        a given dictionary. By default "cosine" when values are missing and the patches are square, because
        random patches have holes, else "data".
    missing_value : float, optional
        Values of X equal to this are missing (NaN works too). A mask, given to `fit` and `transform`, is the
        better way where that value also occurs in good data.
    n_threads : int, optional
        Threads for the coding; by default all cores. The result does not depend on it.
    random_state : int, RandomState instance or None
        Fixes the choice of patches in the initial dictionary.
    progress : callable, optional
        Called as ``progress(iteration, max_iter, text)`` after each iteration.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        The dictionary; rows are atoms of unit norm.
    objective_history_ : array of shape (n_iter_,)
        Objective after each iteration.
    n_iter_ : int
        Iterations run.
    n_replaced_ : int
        Atoms that were replaced, over all iterations.
    n_features_in_ : int
        Number of features.

    References
    ----------
    M. Aharon, M. Elad, A. Bruckstein: K-SVD, IEEE Transactions on Signal Processing 54(11), 2006.
    R. Rubinstein, M. Zibulevsky, M. Elad: Efficient implementation of the K-SVD algorithm using batch
    orthogonal matching pursuit, Technion CS-2008-08.
    J. Mairal, M. Elad, G. Sapiro: Sparse representation for color image restoration, IEEE Transactions on
    Image Processing 17(1), 2008 (missing values).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight import KSVD
    >>> rng = np.random.default_rng(0)
    >>> atoms = rng.standard_normal((6, 16))
    >>> patches = np.where(rng.random((200, 6)) < 0.3, rng.standard_normal((200, 6)), 0) @ atoms
    >>> learner = KSVD(n_components=6, transform_n_nonzero_coefs=3, random_state=0).fit(patches)
    >>> learner.components_.shape
    (6, 16)
    >>> codes = learner.transform(patches)
    >>> int(np.count_nonzero(codes, axis=1).max())
    3
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        transform_n_nonzero_coefs: int | None = None,
        max_iter: int = 30,
        tol: float = 1e-4,
        atom_update: Literal["approximate", "exact"] = "approximate",
        dictionary_init: str | ArrayLike | None = None,
        missing_value: float | None = None,
        n_threads: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.n_components = n_components
        self.transform_n_nonzero_coefs = transform_n_nonzero_coefs
        self.max_iter = max_iter
        self.tol = tol
        self.atom_update = atom_update
        self.dictionary_init = dictionary_init
        self.missing_value = missing_value
        self.n_threads = n_threads
        self.random_state = random_state
        self.progress = progress

    def fit(self, X: ArrayLike, y: Any = None, *, mask: ArrayLike | None = None) -> KSVD:
        """Learn the dictionary.

        Parameters
        ----------
        X : array of shape (n_patches, n_features)
            Patches; never changed. float32 is kept, everything else becomes float64.
        y : ignored
        mask : bool array of shape (n_patches, n_features), optional
            True where a value is missing; values there are ignored, whatever they are.

        Raises
        ------
        ParameterError
            If a parameter is out of range, there are more atoms than patches, or nothing is observed.
        """
        del y
        patches, missing = self._validated(X, mask, reset=True)
        n_components, n_nonzero_coefs = self._validated_sizes(*patches.shape)
        filled = patches if missing is None else _filled(patches, missing)
        dictionary = self._initial_dictionary(filled, n_components, missing is not None)
        history: list[float] = []
        self.n_replaced_ = 0
        usage, errors = np.empty(0, np.intp), np.empty(0)
        for iteration in range(1, self.max_iter + 1):
            if history:
                self.n_replaced_ += replace_idle_atoms(dictionary, usage, filled, errors)
            coding: Any = orthogonal_matching_pursuit(
                patches,
                dictionary,
                n_nonzero_coefs=n_nonzero_coefs,
                mask=missing,
                output="sparse",
                n_threads=self.n_threads,
            )
            usage = np.bincount(coding.codes.indices, minlength=n_components)
            dictionary, errors = update_atoms(
                patches, missing, coding.codes, dictionary, exact=self.atom_update == "exact"
            )
            history.append(float(errors.sum()))
            if self.progress is not None:
                self.progress(iteration, self.max_iter, f"objective {history[-1]:.4g}")
            if len(history) > 1 and history[-2] - history[-1] <= self.tol * history[-2]:
                break
        self.components_ = dictionary
        self.objective_history_ = np.array(history)
        self.n_iter_ = len(history)
        return self

    def transform(self, X: ArrayLike, *, mask: ArrayLike | None = None) -> NDArray[Any]:
        """Code patches over the learned dictionary by orthogonal matching pursuit.

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
        n_components, n_nonzero_coefs = (
            len(self.components_),
            self._n_nonzero_coefs(patches.shape[1]),
        )
        coding: Any = orthogonal_matching_pursuit(
            patches,
            self.components_.astype(patches.dtype, copy=False),
            n_nonzero_coefs=min(n_nonzero_coefs, n_components),
            mask=missing,
            n_threads=self.n_threads,
        )
        codes: NDArray[Any] = coding.codes
        return codes

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

    def _n_nonzero_coefs(self, n_features: int) -> int:
        chosen = self.transform_n_nonzero_coefs
        return max(1, n_features // 10) if chosen is None else chosen

    def _validated_sizes(self, n_patches: int, n_features: int) -> tuple[int, int]:
        n_components = min(n_features, n_patches) if self.n_components is None else self.n_components
        check_integer("n_components", n_components, minimum=1)
        check_integer("max_iter", self.max_iter, minimum=1)
        check_number("tol", self.tol, minimum=0)
        check_choice("atom_update", self.atom_update, ("approximate", "exact"))
        if n_components > n_patches:
            raise ParameterError(
                f"{n_components} atoms cannot be learned from {n_patches} patches (n_samples={n_patches}); "
                "give more patches or a smaller n_components."
            )
        n_nonzero_coefs = check_integer(
            "transform_n_nonzero_coefs", self._n_nonzero_coefs(n_features), minimum=1
        )
        return n_components, min(n_nonzero_coefs, n_components)

    def _validated(
        self, X: ArrayLike, mask: ArrayLike | None, *, reset: bool
    ) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
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
        self, patches: NDArray[Any], n_components: int, is_incomplete: bool
    ) -> NDArray[Any]:
        n_features = patches.shape[1]
        side = math.isqrt(n_features)
        init = self.dictionary_init
        if init is None:
            init = "cosine" if is_incomplete and side * side == n_features else "data"
        if isinstance(init, str):
            if check_choice("dictionary_init", init, ("data", "cosine")) == "data":
                return atoms_from_patches(patches, n_components, check_random_state(self.random_state))
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


def _filled(patches: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    """Fill missing values by the mean of the patch's observed values."""
    observed = np.maximum(np.sum(~missing, axis=1, keepdims=True), 1)
    means = np.sum(np.where(missing, 0, patches), axis=1, keepdims=True) / observed
    return np.where(missing, means.astype(patches.dtype), patches)

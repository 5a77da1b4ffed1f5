"""Coupled dictionaries: one code, two dictionaries, from patches of one kind to patches of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from sparsight._checks import check_choice, check_integer, check_number
from sparsight.coding import orthogonal_matching_pursuit
from sparsight.dictionaries.ksvd import KSVD
from sparsight.errors import ParameterError

Progress = Callable[[int, int, str], None]


class CoupledDictionaries(BaseEstimator):
    r"""Two dictionaries whose atoms belong together in pairs.

    A low-resolution patch *l* is coded as :math:`l \approx x D_l`, with at most *k* non-zeros, and its
    high-resolution patch is predicted as :math:`h \approx x D_h`.

    Parameters
    ----------
    n_components : int
        Number of pairs of atoms.
    n_nonzero_coefs : int
        Non-zeros k of a code.
    learning : {"least-squares", "joint"}
        "least-squares" learns :math:`D_l` from the low-resolution patches and then :math:`D_h` as the
        least-squares solution of :math:`X D_h \approx H`, so that it fits the codes that prediction will use
        (Zeyde et al.). "joint" learns both as halves of one dictionary of the concatenated patches, each half
        weighted by the inverse root of its length (Yang et al., and the HACARUS article).
    energy : float
        Low-resolution patches are reduced to the principal components that hold this share of their energy;
        1 keeps all.
    max_iter : int
        Iterations of K-SVD.
    n_threads : int, optional
    random_state : int, RandomState instance or None
    progress : callable, optional
        Called as ``progress(iteration, max_iter, text)``.

    Attributes
    ----------
    components_ : array of shape (n_features_low, n_kept)
        The projection of low-resolution patches.
    low_dictionary_ : array of shape (n_components, n_kept)
        Atoms of unit norm.
    high_dictionary_ : array of shape (n_components, n_features_high)

    References
    ----------
    J. Yang, J. Wright, T. Huang, Y. Ma, "Image super-resolution via sparse representation", IEEE
    Transactions on Image Processing 19(11), 2010, equation (12); a number of non-zeros replaces its penalty.
    R. Zeyde, M. Elad, M. Protter, "On single image scale-up using sparse-representations", 2010, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight import CoupledDictionaries
    >>> rng = np.random.default_rng(0)
    >>> high = rng.standard_normal((500, 3)) @ rng.standard_normal((3, 16))
    >>> low = high[:, ::2]
    >>> coupled = CoupledDictionaries(n_components=20, n_nonzero_coefs=3).fit(low, high)
    >>> bool(np.abs(coupled.predict(low) - high).mean() < 0.1 * np.abs(high).mean())
    True
    """

    def __init__(
        self,
        n_components: int = 1024,
        *,
        n_nonzero_coefs: int = 3,
        learning: str = "least-squares",
        energy: float = 0.999,
        max_iter: int = 10,
        n_threads: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
        progress: Progress | None = None,
    ) -> None:
        self.n_components = n_components
        self.n_nonzero_coefs = n_nonzero_coefs
        self.learning = learning
        self.energy = energy
        self.max_iter = max_iter
        self.n_threads = n_threads
        self.random_state = random_state
        self.progress = progress

    def fit(self, X: ArrayLike, y: ArrayLike) -> CoupledDictionaries:
        """Learn from pairs of patches.

        Parameters
        ----------
        X : array of shape (n_patches, n_features_low)
            Low-resolution patches. Subtract their mean if brightness plays no part.
        y : array of shape (n_patches, n_features_high)
            High-resolution patches, or what shall be added to an interpolation to obtain them.

        Raises
        ------
        ParameterError
            If a parameter is out of range, the patches are no pairs, or there are fewer than atoms.
        """
        low, high = self._validated(X, y)
        check_choice("learning", self.learning, ("least-squares", "joint"))
        check_integer("n_components", self.n_components, minimum=1)
        check_integer("n_nonzero_coefs", self.n_nonzero_coefs, minimum=1)
        if check_number("energy", self.energy, minimum=0, inclusive=False) > 1:
            raise ParameterError(f"energy must be at most 1, got {self.energy}.")
        if len(low) < self.n_components:
            raise ParameterError(
                f"{len(low)} patches were found, but {self.n_components} atoms need at least as many; "
                "give more or larger images, or a smaller n_components."
            )
        self.components_ = principal_components(low, self.energy)
        reduced = low @ self.components_
        random_state = check_random_state(self.random_state)
        if self.learning == "joint":
            self._learn_jointly(reduced, high, random_state)
        else:
            self.low_dictionary_ = self._learner(random_state).fit(reduced).components_
            codes = self._codes(reduced)
            self.high_dictionary_ = _least_squares(codes, high)
        return self

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Codes of low-resolution patches, shape (n_patches, n_components)."""
        return np.asarray(self._codes(self._reduced(X)).toarray())

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """High-resolution patches of low-resolution ones, shape (n_patches, n_features_high)."""
        return np.asarray(self._codes(self._reduced(X)) @ self.high_dictionary_)

    def _learn_jointly(
        self, low: NDArray[Any], high: NDArray[Any], random_state: np.random.RandomState
    ) -> None:
        weights = 1 / np.sqrt([low.shape[1], high.shape[1]])
        both = np.concatenate([low * weights[0], high * weights[1]], axis=1)
        atoms = self._learner(random_state).fit(both.astype(low.dtype, copy=False)).components_
        low_atoms = atoms[:, : low.shape[1]] / weights[0]
        high_atoms = atoms[:, low.shape[1] :] / weights[1]
        # An atom that shows nothing at low resolution can never be chosen, nor scaled.
        length = np.linalg.norm(low_atoms, axis=1, keepdims=True)
        length = np.where(length > 1e-8, length, np.inf)
        self.low_dictionary_ = np.ascontiguousarray(low_atoms / length, dtype=low.dtype)
        self.high_dictionary_ = np.ascontiguousarray(high_atoms / length, dtype=low.dtype)

    def _learner(self, random_state: np.random.RandomState) -> KSVD:
        return KSVD(
            n_components=self.n_components,
            transform_n_nonzero_coefs=self.n_nonzero_coefs,
            max_iter=self.max_iter,
            n_threads=self.n_threads,
            random_state=random_state,
            progress=self.progress,
        )

    def _codes(self, reduced: NDArray[Any]) -> Any:
        return orthogonal_matching_pursuit(
            reduced,
            self.low_dictionary_,
            n_nonzero_coefs=min(self.n_nonzero_coefs, *self.low_dictionary_.shape),
            output="sparse",
            n_threads=self.n_threads,
        ).codes

    def _reduced(self, X: ArrayLike) -> NDArray[Any]:
        check_is_fitted(self, "low_dictionary_")
        low = check_array(X, dtype=self.low_dictionary_.dtype)
        if low.shape[1] != len(self.components_):
            raise ParameterError(
                f"Patches have {low.shape[1]} values, but the dictionaries were learned from patches of "
                f"{len(self.components_)}."
            )
        return np.asarray(low @ self.components_)

    def _validated(self, X: ArrayLike, y: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        low = check_array(X, dtype=[np.float64, np.float32])
        high = check_array(y, dtype=low.dtype)
        if len(low) != len(high):
            raise ParameterError(
                f"{len(low)} low-resolution patches and {len(high)} high-resolution ones are no pairs."
            )
        return low, high


def principal_components(patches: NDArray[Any], energy: float) -> NDArray[Any]:
    """Leading eigenvectors of the uncentred covariance that hold a share of the energy, as columns."""
    values, vectors = np.linalg.eigh(patches.T.astype(np.float64) @ patches)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    n_kept = int(np.searchsorted(np.cumsum(values), energy * values.sum())) + 1
    return np.ascontiguousarray(vectors[:, : min(n_kept, len(values))], dtype=patches.dtype)


def _least_squares(codes: Any, high: NDArray[Any]) -> NDArray[Any]:
    """Minimise the squared error of codes @ dictionary over the dictionary."""
    gram = np.asarray((codes.T @ codes).toarray(), dtype=np.float64)
    jitter = 1e-6 * max(np.trace(gram) / len(gram), 1e-12) * np.eye(len(gram))
    solution = np.linalg.solve(gram + jitter, np.asarray(codes.T @ high, dtype=np.float64))
    return solution.astype(high.dtype)

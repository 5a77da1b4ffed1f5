"""K-SVD: a dictionary learned by alternating pursuit and rank-one atom updates, with missing values."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from sparsight._checks import check_choice, check_integer, check_number
from sparsight.coding import Coding
from sparsight.dictionaries._atom_updates import update_atoms
from sparsight.dictionaries._atoms import replace_idle_atoms
from sparsight.dictionaries._learner import DictionaryLearner, Mask, Progress, filled, pursue


class KSVD(DictionaryLearner):
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
        Threads to use; by default all cores. The result does not depend on it.
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
        n_components = self._validated_n_components(*patches.shape)
        check_integer("max_iter", self.max_iter, minimum=1)
        check_number("tol", self.tol, minimum=0)
        check_choice("atom_update", self.atom_update, ("approximate", "exact"))
        complete = filled(patches, missing)
        random_state = check_random_state(self.random_state)
        dictionary = self._initial_dictionary(complete, n_components, missing is not None, random_state)
        history: list[float] = []
        self.n_replaced_ = 0
        usage, errors = np.empty(0, np.intp), np.empty(0)
        for iteration in range(1, self.max_iter + 1):
            if history:
                self.n_replaced_ += replace_idle_atoms(dictionary, usage, complete, errors)
            codes: Any = self._code(patches, missing, dictionary, "sparse").codes
            usage = np.bincount(codes.indices, minlength=n_components)
            dictionary, errors = update_atoms(
                patches,
                missing,
                codes,
                dictionary,
                exact=self.atom_update == "exact",
                n_threads=self.n_threads,
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

    def _code(self, patches: NDArray[Any], missing: Mask, dictionary: NDArray[Any], output: Any) -> Coding:
        return pursue(patches, missing, dictionary, self.transform_n_nonzero_coefs, output, self.n_threads)

"""Dictionary learning by basis pursuit denoising: the paper's way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from sparsight._checks import check_integer, check_number
from sparsight.coding import Coding, lasso
from sparsight.dictionaries._atoms import replace_idle_atoms
from sparsight.dictionaries._learner import DictionaryLearner, Mask, Progress, filled
from sparsight.dictionaries._statistics import LearningStatistics

#: Sweeps over the atoms between two codings, and the movement below which they end earlier.
_SWEEPS, _AT_REST = 10, 1e-4


class BPDNDictionary(DictionaryLearner):
    r"""Dictionary learning with an l1 penalty.

    Minimises over the dictionary D (rows of unit norm) and the codes X

    .. math:: \tfrac12 \| M \circ (Y - X D) \|_F^2 + \lambda \| X \|_1

    where M is 0 at missing values. Each iteration codes all patches exactly (`sparsight.coding.lasso`), then
    moves the atoms by block coordinate descent on the sums :math:`X^T X` and :math:`X^T Y`, and replaces atoms
    that are unused or duplicate others by the patches represented worst. But for replacements, the objective
    never rises.

    Parameters
    ----------
    n_components : int, optional
        Number of atoms. By default the smaller of the number of features and of patches.
    penalty : float, optional
        λ, in units of the patches. By default 1.2 times the root mean square of the observed values; for
        patches of unit norm that is the rule 1.2/√n_features of Mairal et al. 2010.
    max_iter : int
        Most iterations.
    tol : float
        Stop when an iteration lowers the objective by less than this fraction.
    dictionary_init : {"data", "cosine"} or array of shape (n_components, n_features), optional
        Start from random patches, from the overcomplete cosine dictionary (patches must be square), or from
        a given dictionary. By default "cosine" when values are missing and the patches are square, because
        random patches have holes, else "data".
    missing_value : float, optional
        Values of X equal to this are missing (NaN works too); a mask is the better way where that value also
        occurs in good data.
    n_threads : int, optional
        Threads for coding and sums; by default all cores. The result does not depend on it.
    random_state : int, RandomState instance or None
        Fixes the choice of patches in the initial dictionary.
    progress : callable, optional
        Called as ``progress(iteration, max_iter, text)`` after each iteration.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        The dictionary; rows are atoms of unit norm.
    penalty_ : float
        λ as used.
    objective_history_ : array of shape (n_iter_,)
        Objective of each iteration, with its codes and the dictionary they belong to.
    n_iter_ : int
        Iterations run.
    n_replaced_ : int
        Atoms that were replaced, over all iterations.
    n_features_in_ : int
        Number of features.

    References
    ----------
    D. Carrera, G. Boracchi, A. Foi, B. Wohlberg: Scale-invariant anomaly detection with multiscale
    group-sparse models, ICIP 2016, equation (2).
    J. Mairal, F. Bach, J. Ponce, G. Sapiro: Online learning for matrix factorization and sparse coding,
    Journal of Machine Learning Research 11, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight import BPDNDictionary
    >>> rng = np.random.default_rng(0)
    >>> atoms = rng.standard_normal((6, 16))
    >>> patches = np.where(rng.random((200, 6)) < 0.3, rng.standard_normal((200, 6)), 0) @ atoms
    >>> learner = BPDNDictionary(n_components=6, penalty=0.1, random_state=0).fit(patches)
    >>> bool(learner.objective_history_[-1] < learner.objective_history_[0])
    True
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        penalty: float | None = None,
        max_iter: int = 30,
        tol: float = 1e-3,
        dictionary_init: str | ArrayLike | None = None,
        missing_value: float | None = None,
        n_threads: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.n_components = n_components
        self.penalty = penalty
        self.max_iter = max_iter
        self.tol = tol
        self.dictionary_init = dictionary_init
        self.missing_value = missing_value
        self.n_threads = n_threads
        self.random_state = random_state
        self.progress = progress

    def fit(self, X: ArrayLike, y: Any = None, *, mask: ArrayLike | None = None) -> BPDNDictionary:
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
        self.penalty_ = default_penalty(patches, missing) if self.penalty is None else self.penalty
        complete = filled(patches, missing)
        random_state = check_random_state(self.random_state)
        dictionary = self._initial_dictionary(complete, n_components, missing is not None, random_state)
        history: list[float] = []
        self.n_replaced_ = 0
        for iteration in range(1, self.max_iter + 1):
            coding: Any = self._code(patches, missing, dictionary, "sparse")
            errors = np.square(coding.residual_norm, dtype=np.float64)
            history.append(float(errors.sum() / 2 + self.penalty_ * coding.l1_norm.sum(dtype=np.float64)))
            statistics = LearningStatistics.empty(*dictionary.shape)
            statistics.add(patches, missing, coding.codes, dictionary, self.n_threads)
            dictionary = statistics.best_dictionary(
                dictionary, n_sweeps=_SWEEPS, tolerance=_AT_REST, n_threads=self.n_threads
            )
            if self.progress is not None:
                self.progress(iteration, self.max_iter, f"objective {history[-1]:.4g}")
            if len(history) > 1 and history[-2] - history[-1] <= self.tol * history[-2]:
                break
            if iteration < self.max_iter:
                usage = np.bincount(coding.codes.indices, minlength=n_components)
                self.n_replaced_ += replace_idle_atoms(dictionary, usage, complete, errors)
        self.components_ = dictionary
        self.objective_history_ = np.array(history)
        self.n_iter_ = len(history)
        return self

    def _code(self, patches: NDArray[Any], missing: Mask, dictionary: NDArray[Any], output: Any) -> Coding:
        return lasso(
            patches,
            dictionary,
            penalty=self.penalty_,
            mask=missing,
            output=output,
            n_threads=self.n_threads,
        )


def default_penalty(patches: NDArray[Any], missing: Mask) -> float:
    """1.2 times the root mean square of the observed values, or 1 if they are all zero."""
    observed = patches if missing is None else patches[~missing]
    return 1.2 * math.sqrt(float(np.mean(np.square(observed, dtype=np.float64)))) or 1.0

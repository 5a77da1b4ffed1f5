"""Online dictionary learning: mini-batches, streams, and learners that can be added."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sparsight._checks import check_integer, check_number
from sparsight.coding import Coding, lasso
from sparsight.dictionaries._atoms import idle_atoms, replace_idle_atoms
from sparsight.dictionaries._learner import (
    DictionaryLearner,
    Mask,
    Progress,
    filled,
    most_nonzeros,
    pursue,
)
from sparsight.dictionaries._mini_batches import learn_mini_batches
from sparsight.dictionaries._statistics import LearningStatistics
from sparsight.errors import ParameterError

#: Patches per atom between two searches for idle atoms.
_REPLACEMENT_PERIOD = 10


class OnlineDictionary(DictionaryLearner):
    r"""Dictionary learning from mini-batches of patches.

    Minimises over the dictionary D (rows of unit norm) and the codes X

    .. math:: \| M \circ (Y - X D) \|_F^2 \quad \text{subject to} \quad \|x_i\|_0 \le k,

    or, when a penalty λ is given, :math:`\tfrac12 \| M \circ (Y - X D) \|_F^2 + \lambda \| X \|_1`, where M is 0
    at missing values. Each mini-batch is coded over the present dictionary, by orthogonal matching pursuit or the
    lasso, and added to the sums :math:`A = \sum x x^T` and :math:`B = \sum x s^T`; one sweep of block
    coordinate descent then moves every atom towards the minimum of
    :math:`\tfrac12 \operatorname{tr}(D^T A D) - \operatorname{tr}(D^T B)`. Memory does not grow with the number
    of patches. Before a mini-batch of n patches is added, the sums over the N patches so far are faded by
    :math:`(1 - n / \max(N + n, \rho M))^\rho`, for they belong to codes over older dictionaries; the bound with
    the number of atoms M keeps small mini-batches from being all that is remembered.

    Sums of different patches add up, and so do learners: see `accumulate` and ``a + b``.

    Parameters
    ----------
    n_components : int, optional
        Number of atoms. By default the smaller of the number of features and of patches.
    transform_n_nonzero_coefs : int, optional
        Non-zeros k of each code. By default a tenth of the number of features, at least 1.
    penalty : float, optional
        λ, in units of the patches; codes then have no fixed number of non-zeros.
    batch_size : int
        Patches of a mini-batch.
    max_iter : int
        Most passes of `fit` over the patches.
    tol : float
        `fit` stops when a pass lowers the objective by less than this fraction.
    forgetting : float
        ρ: 0 keeps everything, larger values forget faster; see above.
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
        Fixes the initial choice of patches and the order in which `fit` goes through them.
    progress : callable, optional
        Called as ``progress(done, total, text)`` after each pass of `fit`.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        The dictionary; rows are atoms of unit norm.
    initial_components_ : array of shape (n_components, n_features)
        The dictionary that learning started from; of a sum, that which its parts have in common.
    statistics_ : LearningStatistics
        The sums A and B and the number of patches.
    objective_history_ : array
        Objective of the patches of each pass of `fit`, or of each call of `partial_fit` or `accumulate`,
        each coded by the dictionary that its mini-batch met.
    n_iter_ : int
        Passes of `fit`, or calls of `partial_fit` and `accumulate`.
    n_replaced_ : int
        Unused and duplicate atoms that were replaced.
    n_features_in_ : int
        Number of features.

    References
    ----------
    J. Mairal, F. Bach, J. Ponce, G. Sapiro: Online learning for matrix factorization and sparse coding,
    Journal of Machine Learning Research 11, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight import OnlineDictionary
    >>> rng = np.random.default_rng(0)
    >>> atoms = rng.standard_normal((6, 16))
    >>> patches = np.where(rng.random((900, 6)) < 0.3, rng.standard_normal((900, 6)), 0) @ atoms
    >>> start = OnlineDictionary(6, transform_n_nonzero_coefs=3, random_state=0).partial_fit(patches[:300])
    >>> start.components_.shape
    (6, 16)

    Two workers go on from there, each with its own patches, and are added to it:

    >>> first, second = (
    ...     OnlineDictionary(6, transform_n_nonzero_coefs=3, dictionary_init=start.components_).accumulate(part)
    ...     for part in (patches[300:600], patches[600:])
    ... )
    >>> (start + first + second).statistics_.n_patches
    900
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        transform_n_nonzero_coefs: int | None = None,
        penalty: float | None = None,
        batch_size: int = 512,
        max_iter: int = 10,
        tol: float = 1e-3,
        forgetting: float = 5.0,
        dictionary_init: str | ArrayLike | None = None,
        missing_value: float | None = None,
        n_threads: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.n_components = n_components
        self.transform_n_nonzero_coefs = transform_n_nonzero_coefs
        self.penalty = penalty
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.forgetting = forgetting
        self.dictionary_init = dictionary_init
        self.missing_value = missing_value
        self.n_threads = n_threads
        self.random_state = random_state
        self.progress = progress

    def fit(self, X: ArrayLike, y: Any = None, *, mask: ArrayLike | None = None) -> OnlineDictionary:
        """Learn the dictionary anew, in passes over all patches in random order.

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
        check_integer("max_iter", self.max_iter, minimum=1)
        check_number("tol", self.tol, minimum=0)
        random_state = check_random_state(self.random_state)
        self._start(patches, missing, random_state)
        for iteration in range(1, self.max_iter + 1):
            history = self._pass(patches, missing, random_state.permutation(len(patches)))
            if self.progress is not None:
                self.progress(iteration, self.max_iter, f"objective {history[-1]:.4g}")
            if len(history) > 1 and history[-2] - history[-1] <= self.tol * history[-2]:
                break
        return self

    def partial_fit(self, X: ArrayLike, y: Any = None, *, mask: ArrayLike | None = None) -> OnlineDictionary:
        """Learn on from more patches, in mini-batches in the order given.

        Parameters
        ----------
        X : array of shape (n_patches, n_features)
            Patches; the first call needs at least `n_components` of them unless `dictionary_init` is an array.
        y : ignored
        mask : bool array of shape (n_patches, n_features), optional
            True where a value is missing.
        """
        del y
        patches, missing = self._continued(X, mask)
        self._pass(patches, missing, np.arange(len(patches)))
        return self

    def accumulate(self, X: ArrayLike, y: Any = None, *, mask: ArrayLike | None = None) -> OnlineDictionary:
        """Code patches over the dictionary as it is and add them to the sums; the atoms stay.

        For several workers: each accumulates its own patches over the same dictionary. Their sum, ``a + b``, is, up
        to rounding, what one worker learns that accumulates all of them and then calls `update`.

        Parameters
        ----------
        X, y, mask
            As for `partial_fit`.
        """
        del y
        patches, missing = self._continued(X, mask)
        self._pass(patches, missing, np.arange(len(patches)), move=False)
        return self

    def update(self) -> OnlineDictionary:
        """Move the atoms to where the sums over all patches so far put them."""
        check_is_fitted(self)
        self.components_ = self.statistics_.best_dictionary(
            self.components_, n_sweeps=200, tolerance=1e-5, n_threads=self.n_threads
        )
        return self

    def __add__(self, other: OnlineDictionary) -> OnlineDictionary:
        r"""Learner whose sums A and B are those of both, and whose atoms follow from them; settings are those of self.

        What holds of learners that started from the same dictionary:

        - After `accumulate`, ``a + b`` equals, up to rounding, one learner that accumulated the patches of both
          and was then moved by `update`: all patches were coded over the same atoms, and nothing fades.
        - After `partial_fit` or `fit`, A and B are still exactly the sums of both, but not those of one learner
          that went through both streams: each coded its patches over atoms of its own, and faded only its own
          past. The same holds once either has replaced atoms (`n_replaced_`). With one mini-batch each, and
          none replaced, it is exact.
        - A patch counts as often as it is in the sums. So workers that go on from a learner start with
          empty sums from its atoms, ``dictionary_init=learner.components_``, not as copies of it.

        For the exact result over many patches, let workers `accumulate` in rounds: add them up, and start the next
        round from the sum.

        Raises
        ------
        ParameterError
            If the two do not go back to the same dictionary, so that their atoms do not correspond.
        """
        if not isinstance(other, OnlineDictionary):
            return NotImplemented
        check_is_fitted(self)
        check_is_fitted(other)
        shared = self._shared_start(other)
        if shared is None:
            raise ParameterError(
                "Only learners that started from the same dictionary can be added; give the components_ of one "
                "as dictionary_init to the others."
            )
        merged: OnlineDictionary = clone(self)
        merged.initial_components_ = shared
        merged.components_ = self.components_
        merged.n_features_in_ = self.n_features_in_
        merged.statistics_ = self.statistics_ + other.statistics_
        merged.objective_history_ = np.concatenate([self.objective_history_, other.objective_history_])
        merged.n_replaced_ = self.n_replaced_ + other.n_replaced_
        merged._usage = self._usage + other._usage
        merged._n_unchecked = self._n_unchecked + other._n_unchecked
        return merged.update()

    def __radd__(self, nothing: int) -> OnlineDictionary:
        """Let ``sum(learners)``, which begins with 0, add them."""
        return self if nothing == 0 else NotImplemented

    def _shared_start(self, other: OnlineDictionary) -> NDArray[Any] | None:
        """Return the dictionary that both started from, or one started from and the other stands at."""
        mine, its = self.initial_components_, other.initial_components_
        for a, b in ((its, mine), (its, self.components_), (mine, other.components_)):
            if a.shape == b.shape and np.allclose(a, b, atol=1e-5):
                return a
        return None

    @property
    def n_iter_(self) -> int:
        """Passes of `fit`, or calls of `partial_fit` and `accumulate`."""
        return len(self.objective_history_)

    def _code(self, patches: NDArray[Any], missing: Mask, dictionary: NDArray[Any], output: Any) -> Coding:
        if self.penalty is None:
            return pursue(
                patches, missing, dictionary, self.transform_n_nonzero_coefs, output, self.n_threads
            )
        return lasso(
            patches,
            dictionary,
            penalty=self.penalty,
            mask=missing,
            output=output,
            n_threads=self.n_threads,
        )

    def _start(self, patches: NDArray[Any], missing: Mask, random_state: np.random.RandomState) -> None:
        check_integer("batch_size", self.batch_size, minimum=1)
        check_number("forgetting", self.forgetting, minimum=0)
        if self.penalty is not None and self.transform_n_nonzero_coefs is not None:
            raise ParameterError("Give transform_n_nonzero_coefs or a penalty, not both.")
        if self.penalty is not None:
            check_number("penalty", self.penalty, minimum=0, inclusive=False)
        n_components = self._validated_n_components(*patches.shape)
        complete = filled(patches, missing)
        self.initial_components_ = self._initial_dictionary(
            complete, n_components, missing is not None, random_state
        )
        self.components_ = self.initial_components_
        self.statistics_ = LearningStatistics.empty(*self.components_.shape)
        self.objective_history_ = np.empty(0)
        self.n_replaced_ = 0
        self._usage = np.zeros(n_components, np.intp)
        self._n_unchecked = 0

    def _continued(self, X: ArrayLike, mask: ArrayLike | None) -> tuple[NDArray[Any], Mask]:
        is_first = not hasattr(self, "components_")
        patches, missing = self._validated(X, mask, reset=is_first)
        if is_first:
            self._start(patches, missing, check_random_state(self.random_state))
        return patches.astype(self.components_.dtype, copy=False), missing

    def _pass(
        self, patches: NDArray[Any], missing: Mask, order: NDArray[np.intp], *, move: bool = True
    ) -> NDArray[np.float64]:
        """Learn from all patches once; returns the history."""
        objective, first = 0.0, 0
        while first < len(order):
            last = first + self._n_before_replacement() if move else len(order)
            objective += self._learn(patches, missing, order[first:last], move=move)
            first = last
        self.objective_history_ = np.append(self.objective_history_, objective)
        return self.objective_history_

    def _n_before_replacement(self) -> int:
        """Patches of the mini-batches after which idle atoms are looked for next."""
        n_left = _REPLACEMENT_PERIOD * len(self.components_) - self._n_unchecked
        return max(1, -(-n_left // self.batch_size)) * self.batch_size

    def _learn(self, patches: NDArray[Any], missing: Mask, rows: NDArray[np.intp], *, move: bool) -> float:
        """Learn from some of the patches; returns the objective that they met."""
        found = learn_mini_batches(
            patches,
            missing,
            rows,
            self.components_,
            self.statistics_,
            batch_size=self.batch_size,
            forgetting=self.forgetting,
            move=move,
            n_nonzero_coefs=most_nonzeros(self.transform_n_nonzero_coefs, *self.components_.shape),
            penalty=self.penalty,
            n_threads=self.n_threads,
        )
        if move:
            self.components_ = found.dictionary
            self._usage += found.usage
            self._n_unchecked += len(rows)
            if self._n_unchecked >= _REPLACEMENT_PERIOD * len(self.components_):
                n_last = (len(rows) - 1) % self.batch_size + 1
                if len(idle_atoms(self.components_, self._usage)):
                    last = rows[-n_last:]
                    hidden = None if missing is None else missing[last]
                    self._replace_idle_atoms(filled(patches[last], hidden), found.errors[-n_last:])
                self._usage[:] = 0
                self._n_unchecked = 0
        if self.penalty is None:
            return float(found.errors.sum())
        return float(found.errors.sum() / 2 + self.penalty * found.l1_norm.sum())

    def _replace_idle_atoms(self, patches: NDArray[Any], errors: NDArray[np.float64]) -> None:
        """Let unused and duplicate atoms begin anew, as the patches that are represented worst."""
        dictionary = self.components_.copy()
        self.n_replaced_ += replace_idle_atoms(dictionary, self._usage, patches, errors)
        replaced = np.flatnonzero(np.any(dictionary != self.components_, axis=1))
        self.statistics_.forget_atoms(replaced)
        self.components_ = dictionary

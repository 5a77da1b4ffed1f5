r"""Sparse-group coding: an ℓ1 penalty, and a penalty on the norms of groups of atoms.

.. math:: \min_x \tfrac12 \|m \circ (s - D x)\|_2^2 + \lambda \sum_m w_m |x_m| + \xi \sum_j v_j \|x_j\|_2

Source: D. Carrera, G. Boracchi, A. Foi, B. Wohlberg, "Scale-invariant anomaly detection with multiscale
group-sparse models", 2016, equation (5); as a regression problem N. Simon, J. Friedman, T. Hastie,
R. Tibshirani, "A sparse-group lasso", 2013.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sparsight._checks import check_number
from sparsight.coding._convex import check_penalised, check_weights, solve
from sparsight.coding._inputs import Problem, check_groups, check_problem
from sparsight.coding._transformer import CoderBase
from sparsight.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sparsight.coding._result import Coding, OutputForm


def sparse_group(
    patches: ArrayLike,
    dictionary: ArrayLike,
    *,
    penalty: float,
    group_penalty: float,
    groups: ArrayLike,
    weights: ArrayLike | None = None,
    group_weights: ArrayLike | None = None,
    positive: bool = False,
    mask: ArrayLike | None = None,
    tolerance: float | None = None,
    output: OutputForm = "dense",
    n_threads: int | None = None,
) -> Coding:
    r"""Code each patch with few atoms out of few groups.

    Minimises, for each patch s with observed values m,

    .. math:: \tfrac12 \|m \circ (s - D x)\|_2^2 + \lambda \sum_m w_m |x_m| + \xi \sum_j v_j \|x_j\|_2

    over x, or over x ≥ 0, x_j being the codes of group j. ξ = 0 is the lasso, λ = 0 the group lasso. The
    minimum is exact: the relative duality gap that was reached is returned, an upper bound of
    (F(x) − F(x*)) / F(x).

    Parameters
    ----------
    patches : array-like of shape (n, P)
        Patches s, one per row. float32 is coded in float32, anything else in float64.
    dictionary : array-like of shape (M, P)
        Atoms, one per row, of any norm.
    penalty : float
        λ, at least 0.
    group_penalty : float
        ξ, at least 0. See `sparse_group_lambda_max`.
    groups : array-like of int, shape (M,)
        Group number of each atom, from 0: any partition.
    weights : array-like of shape (M,), optional
        w, 1 by default.
    group_weights : array-like of shape (G,), optional
        v, 1 by default.
    positive : bool
        Allow only x ≥ 0.
    mask : array-like of bool, shape (n, P), optional
        True where a value is missing. Missing values may be anything, NaN included.
    tolerance : float, optional
        Relative duality gap at which a patch is done; by default 1e-7, in float32 1e-4.
    output : {"dense", "sparse", "reductions"}
        Form of the codes; "reductions" leaves them out and keeps the norms only.
    n_threads : int, optional
        By default all processors (OMP_NUM_THREADS is obeyed). Results do not depend on it.

    Returns
    -------
    Coding
        With `group_norms`.

    Raises
    ------
    ParameterError
        If shapes do not fit, a parameter is out of range, or observed values are not finite.

    Warns
    -----
    ConvergenceWarning
        If a patch did not reach the tolerance.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight.coding import sparse_group
    >>> coding = sparse_group(
    ...     [[4.0, 5.0, 1.5]], np.eye(3), penalty=1.0, group_penalty=2.5, groups=[0, 0, 1]
    ... )
    >>> coding.codes  # soft-thresholded to (3, 4, 0.5), then the groups shrunk by 2.5
    array([[1.5, 2. , 0. ]])
    >>> coding.group_norms
    array([[2.5, 0. ]])
    """
    problem = check_problem(patches, dictionary, mask)
    check_number("penalty", penalty, minimum=0)
    check_number("group_penalty", group_penalty, minimum=0)
    numbers, thresholds, group_thresholds = _thresholds(problem, groups, weights, group_weights)
    thresholds, group_thresholds = penalty * thresholds, group_penalty * group_thresholds
    check_penalised(thresholds + group_thresholds[numbers])
    return solve(
        problem,
        thresholds=thresholds,
        group_thresholds=group_thresholds if group_thresholds.any() else None,
        positive=positive,
        groups=numbers,
        tolerance=tolerance,
        output=output,
        n_threads=n_threads,
    )


def sparse_group_lambda_max(
    patches: ArrayLike,
    dictionary: ArrayLike,
    *,
    penalty: float,
    group_penalty: float,
    groups: ArrayLike,
    weights: ArrayLike | None = None,
    group_weights: ArrayLike | None = None,
    positive: bool = False,
    mask: ArrayLike | None = None,
) -> NDArray[Any]:
    r"""Smallest common factor of both penalties with which the code of a patch is zero.

    That is the smallest c with :math:`\|S_{c\lambda w}(⟨d, m∘s⟩_j)\|_2 \le c\,\xi v_j` for all groups j, S being
    soft-thresholding.

    Parameters
    ----------
    patches, dictionary, penalty, group_penalty, groups, weights, group_weights, positive, mask
        As for `sparse_group`.

    Returns
    -------
    ndarray of shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight.coding import sparse_group_lambda_max
    >>> sparse_group_lambda_max([[4.0, 2.0]], np.eye(2), penalty=1.0, group_penalty=0.0, groups=[0, 0])
    array([4.])
    """
    problem = check_problem(patches, dictionary, mask)
    check_number("penalty", penalty, minimum=0)
    check_number("group_penalty", group_penalty, minimum=0)
    numbers, thresholds, group_thresholds = _thresholds(problem, groups, weights, group_weights)
    thresholds, group_thresholds = penalty * thresholds, group_penalty * group_thresholds
    check_penalised(thresholds + group_thresholds[numbers])
    sizes = problem.correlations().astype(np.float64)
    sizes = np.maximum(sizes, 0) if positive else np.abs(sizes)
    largest = np.zeros(len(sizes))
    for group in range(len(group_thresholds)):
        members = numbers == group
        factor = _zeroing_factor(sizes[:, members], thresholds[members], group_thresholds[group])
        largest = np.maximum(largest, factor)
    return largest.astype(problem.patches.dtype)


def _zeroing_factor(
    sizes: NDArray[np.float64], thresholds: NDArray[np.float64], group_threshold: float
) -> NDArray[np.float64]:
    """Smallest c with ‖(|q| − c λ)₊‖ ≤ c ξ for one group, row by row.

    While the same entries exceed c λ that is a quadratic in c; entries leave as c grows, in the order of
    |q| / λ, so the root is looked for between neighbours of that order.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        leaves_at = np.where(sizes > 0, sizes / thresholds, 0.0)
        if group_threshold == 0:
            return np.asarray(leaves_at.max(axis=1, initial=0))
        order = np.argsort(-leaves_at, axis=1)
        leaves_at = np.take_along_axis(leaves_at, order, axis=1)
        q = np.take_along_axis(sizes, order, axis=1)
        t = thresholds[order]
        qq, qt, tt = (np.cumsum(part, axis=1) for part in (q * q, q * t, t * t))
        # Root of qq − 2 c qt + c² tt = c² ξ², the entries up to this one exceeding c λ.
        square = qt * qt + (group_threshold**2 - tt) * qq
        root = qq / (qt + np.sqrt(np.maximum(square, 0)))
        exceeded = root <= leaves_at  # the entries counted do exceed at that root
        enough = np.hstack([root[:, :-1] >= leaves_at[:, 1:], np.ones((len(q), 1), bool)])
        found = exceeded & enough & (qq > 0)
    first = np.argmax(found, axis=1)
    value = np.take_along_axis(np.nan_to_num(root), first[:, None], axis=1)[:, 0]
    return np.where(found.any(axis=1), value, 0.0)


def _thresholds(
    problem: Problem, groups: ArrayLike, weights: ArrayLike | None, group_weights: ArrayLike | None
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    numbers = check_groups(groups, problem.n_atoms)
    if numbers is None:
        raise ParameterError("sparse_group needs groups: give the group number of each atom.")
    n_groups = int(numbers.max()) + 1
    return (
        numbers,
        check_weights("weights", weights, problem.n_atoms),
        check_weights("group_weights", group_weights, n_groups),
    )


class SparseGroupCoder(CoderBase):
    """`sparse_group` as a scikit-learn transformer.

    Parameters
    ----------
    dictionary : array-like of shape (M, P), optional
        Atoms, one per row. None: the orthonormal cosine basis (M = P), for a baseline that needs no learning.
    groups : array-like of int, shape (M,), optional
        Group number of each atom, from 0. None: all atoms form one group.
    penalty, group_penalty, weights, group_weights, positive, tolerance, output, n_threads
        As for `sparse_group`; `output` is "dense" or "sparse".

    Attributes
    ----------
    dictionary_ : ndarray of shape (M, P)
        The atoms in use.
    n_features_in_ : int
        P.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight.coding import SparseGroupCoder
    >>> coder = SparseGroupCoder(np.eye(3), groups=[0, 0, 1], penalty=1.0, group_penalty=2.5)
    >>> coder.fit_transform([[4.0, 5.0, 1.5]])
    array([[1.5, 2. , 0. ]])
    """

    def __init__(
        self,
        dictionary: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        penalty: float = 0.1,
        group_penalty: float = 0.1,
        weights: ArrayLike | None = None,
        group_weights: ArrayLike | None = None,
        positive: bool = False,
        tolerance: float | None = None,
        output: Literal["dense", "sparse"] = "dense",
        n_threads: int | None = None,
    ) -> None:
        self.dictionary = dictionary
        self.groups = groups
        self.penalty = penalty
        self.group_penalty = group_penalty
        self.weights = weights
        self.group_weights = group_weights
        self.positive = positive
        self.tolerance = tolerance
        self.output: Literal["dense", "sparse"] = output
        self.n_threads = n_threads

    def _code(self, patches: NDArray[Any], mask: ArrayLike | None) -> Coding:
        groups = np.zeros(len(self.dictionary_), np.int32) if self.groups is None else self.groups
        return sparse_group(
            patches,
            self.dictionary_,
            penalty=self.penalty,
            group_penalty=self.group_penalty,
            groups=groups,
            weights=self.weights,
            group_weights=self.group_weights,
            positive=self.positive,
            mask=mask,
            tolerance=self.tolerance,
            output=self.output,
            n_threads=self.n_threads,
        )

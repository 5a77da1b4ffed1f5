"""Orthogonal matching pursuit: few atoms, chosen one by one.

Sources: Y. Pati, R. Rezaiifar, P. Krishnaprasad, "Orthogonal matching pursuit", 1993;
R. Rubinstein, M. Zibulevsky, M. Elad, "Efficient implementation of the K-SVD algorithm using batch
orthogonal matching pursuit", 2008; L. Rebollo-Neira, D. Lowe, "Optimized orthogonal matching
pursuit approach", 2002 (the order-recursive rule).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sparsight import _kernels
from sparsight.coding._inputs import (
    Problem,
    check_finite,
    check_groups,
    check_output,
    check_problem,
    worthwhile_threads,
)
from sparsight.coding._result import Coding, OutputForm, coding_from_kernel
from sparsight.coding._transformer import CoderBase
from sparsight.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

SelectionRule: TypeAlias = Literal["orthogonal", "order-recursive"]

#: Multiplications of patches with atoms that keep a thread busy for longer than it takes to start it.
_PRODUCTS_OF_A_THREAD = 10_000_000


def orthogonal_matching_pursuit(
    patches: ArrayLike,
    dictionary: ArrayLike,
    *,
    n_nonzero_coefs: int | None = None,
    tolerance: float | None = None,
    mask: ArrayLike | None = None,
    rule: SelectionRule = "orthogonal",
    groups: ArrayLike | None = None,
    output: OutputForm = "dense",
    n_threads: int | None = None,
) -> Coding:
    """Code each patch by few atoms, chosen greedily.

    Approximates ``min ‖m∘(s − D x)‖₂²`` subject to ``‖x‖₀ ≤ n_nonzero_coefs``, or ``min ‖x‖₀``
    subject to ``‖m∘(s − D x)‖₂² ≤ tolerance``; with both, the first bound reached ends the search.
    At each step one atom is added and all coefficients are refitted by least squares. The search
    also ends where no atom lowers the residual by more than rounding error.

    Parameters
    ----------
    patches : array-like of shape (n, P)
        Patches s, one per row. float32 is coded in float32, anything else in float64.
    dictionary : array-like of shape (M, P)
        Atoms, one per row, of any norm: they are compared as if normalised, and the codes belong to
        the atoms as given. A zero atom is never used.
    n_nonzero_coefs : int, optional
        Most atoms per patch. By default a tenth of P (at least one), or no bound when `tolerance`
        is given.
    tolerance : float, optional
        Squared norm of the residual at which a patch is done, in units of the patches squared.
    mask : array-like of bool, shape (n, P), optional
        True where a value is missing. Missing values may be anything, NaN included. An atom is
        judged by its observed part: its correlation over the norm of that part.
    rule : {"orthogonal", "order-recursive"}
        How the next atom is chosen. "orthogonal": the largest correlation with the residual.
        "order-recursive" (also called OLS): the largest decrease of the residual after refitting,
        closer fits for about 1.4 times the time.
    groups : array-like of int, shape (M,), optional
        Group number of each atom, from 0. Adds `group_norms` to the result, nothing else.
    output : {"dense", "sparse", "reductions"}
        Form of the codes; "reductions" leaves them out and keeps the norms only.
    n_threads : int, optional
        By default all processors (OMP_NUM_THREADS is obeyed), or fewer where the batch is too small to keep
        them busy. Results do not depend on it.

    Returns
    -------
    Coding

    Raises
    ------
    ParameterError
        If shapes do not fit, a parameter is out of range, or observed values are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight.coding import orthogonal_matching_pursuit
    >>> atoms = np.eye(3)
    >>> coding = orthogonal_matching_pursuit([[0.0, 3.0, 1.0]], atoms, n_nonzero_coefs=1)
    >>> coding.codes
    array([[0., 3., 0.]])
    >>> coding.residual_norm
    array([1.])
    """
    problem = check_problem(patches, dictionary, mask)
    if rule not in ("orthogonal", "order-recursive"):
        raise ParameterError(f"rule must be 'orthogonal' or 'order-recursive', not {rule!r}.")
    if tolerance is not None and not tolerance >= 0:
        raise ParameterError(f"tolerance must be a number of at least 0, not {tolerance}.")
    results = _kernels.matching_pursuit(
        problem.patches,
        problem.dictionary,
        missing=problem.missing,
        max_nonzero=_most_nonzeros(n_nonzero_coefs, tolerance, *problem.dictionary.shape),
        tolerance=-1.0 if tolerance is None else float(tolerance),
        order_recursive=rule == "order-recursive",
        output=check_output(output),
        groups=check_groups(groups, problem.n_atoms),
        n_threads=_worthwhile_threads(problem, n_threads),
    )
    coding = coding_from_kernel(results, problem.n_atoms)
    check_finite(coding.residual_norm)
    return coding


def _most_nonzeros(
    n_nonzero_coefs: int | None, tolerance: float | None, n_atoms: int, n_features: int
) -> int:
    bound = min(n_atoms, n_features)
    if n_nonzero_coefs is None:
        return bound if tolerance is not None else min(bound, max(1, n_features // 10))
    if n_nonzero_coefs < 1:
        raise ParameterError(f"n_nonzero_coefs must be at least 1, not {n_nonzero_coefs}.")
    return min(bound, int(n_nonzero_coefs))


def _worthwhile_threads(problem: Problem, n_threads: int | None) -> int:
    n_products = len(problem.patches) * problem.n_atoms * problem.n_features
    return worthwhile_threads(n_threads, n_products, _PRODUCTS_OF_A_THREAD)


class OrthogonalMatchingPursuitCoder(CoderBase):
    """`orthogonal_matching_pursuit` as a scikit-learn transformer.

    Parameters
    ----------
    dictionary : array-like of shape (M, P), optional
        Atoms, one per row. None: the orthonormal cosine basis (M = P), for a baseline that needs
        no learning.
    n_nonzero_coefs, tolerance, rule, output, n_threads
        As for `orthogonal_matching_pursuit`; `output` is "dense" or "sparse".

    Attributes
    ----------
    dictionary_ : ndarray of shape (M, P)
        The atoms in use.
    n_features_in_ : int
        P.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight.coding import OrthogonalMatchingPursuitCoder
    >>> coder = OrthogonalMatchingPursuitCoder(np.eye(3), n_nonzero_coefs=2)
    >>> coder.fit_transform([[0.0, 3.0, 1.0]])
    array([[0., 3., 1.]])
    """

    def __init__(
        self,
        dictionary: ArrayLike | None = None,
        *,
        n_nonzero_coefs: int | None = None,
        tolerance: float | None = None,
        rule: SelectionRule = "orthogonal",
        output: Literal["dense", "sparse"] = "dense",
        n_threads: int | None = None,
    ) -> None:
        self.dictionary = dictionary
        self.n_nonzero_coefs = n_nonzero_coefs
        self.tolerance = tolerance
        self.rule = rule
        self.output: Literal["dense", "sparse"] = output
        self.n_threads = n_threads

    def _code(self, patches: NDArray[Any], mask: ArrayLike | None) -> Coding:
        return orthogonal_matching_pursuit(
            patches,
            self.dictionary_,
            n_nonzero_coefs=self.n_nonzero_coefs,
            tolerance=self.tolerance,
            mask=mask,
            rule=self.rule,
            output=self.output,
            n_threads=self.n_threads,
        )

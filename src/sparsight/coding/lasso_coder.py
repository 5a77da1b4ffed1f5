r"""The lasso, also called basis pursuit denoising: sparse codes by an ℓ1 penalty.

.. math:: \min_x \tfrac12 \|m \circ (s - D x)\|_2^2 + \lambda \sum_m w_m |x_m|

Sources: R. Tibshirani, "Regression shrinkage and selection via the lasso", 1996; S. Chen, D. Donoho,
M. Saunders, "Atomic decomposition by basis pursuit", 1998. Solver: H. Lee, A. Battle, R. Raina, A. Ng,
"Efficient sparse coding algorithms", 2006, on a working set of atoms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sparsight._checks import check_number
from sparsight.coding._convex import check_penalised, check_weights, solve
from sparsight.coding._inputs import check_problem
from sparsight.coding._transformer import CoderBase

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sparsight.coding._result import Coding, OutputForm


def lasso(
    patches: ArrayLike,
    dictionary: ArrayLike,
    *,
    penalty: float,
    weights: ArrayLike | None = None,
    positive: bool = False,
    mask: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    tolerance: float | None = None,
    output: OutputForm = "dense",
    n_threads: int | None = None,
) -> Coding:
    r"""Code each patch with an ℓ1 penalty.

    Minimises, for each patch s with observed values m,

    .. math:: \tfrac12 \|m \circ (s - D x)\|_2^2 + \lambda \sum_m w_m |x_m|

    over x, or over x ≥ 0. The minimum is exact: the relative duality gap that was reached is returned, an
    upper bound of (F(x) − F(x*)) / F(x).

    Parameters
    ----------
    patches : array-like of shape (n, P)
        Patches s, one per row. float32 is coded in float32, anything else in float64.
    dictionary : array-like of shape (M, P)
        Atoms, one per row, of any norm.
    penalty : float
        λ, above 0, in units of the correlations ⟨d, s⟩. See `lasso_lambda_max`. scikit-learn's Lasso divides
        the quadratic term by P: its alpha is λ / P.
    weights : array-like of shape (M,), optional
        w, above 0; 1 by default.
    positive : bool
        Allow only x ≥ 0.
    mask : array-like of bool, shape (n, P), optional
        True where a value is missing. Missing values may be anything, NaN included.
    groups : array-like of int, shape (M,), optional
        Group number of each atom, from 0. Adds `group_norms` to the result, nothing else; for a penalty on
        groups see `sparse_group`.
    tolerance : float, optional
        Relative duality gap at which a patch is done; by default 1e-7, in float32 1e-4. Most patches end far
        below.
    output : {"dense", "sparse", "reductions"}
        Form of the codes; "reductions" leaves them out and keeps the norms only.
    n_threads : int, optional
        By default all processors (OMP_NUM_THREADS is obeyed). Results do not depend on it.

    Returns
    -------
    Coding

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
    >>> from sparsight.coding import lasso
    >>> lasso([[3.0, -2.0, 0.5]], np.eye(3), penalty=1.0).codes
    array([[ 2., -1.,  0.]])
    """
    problem = check_problem(patches, dictionary, mask)
    check_number("penalty", penalty, minimum=0, inclusive=False)
    thresholds = penalty * check_weights("weights", weights, problem.n_atoms)
    check_penalised(thresholds)
    return solve(
        problem,
        thresholds=thresholds,
        positive=positive,
        groups=groups,
        tolerance=tolerance,
        output=output,
        n_threads=n_threads,
    )


def lasso_lambda_max(
    patches: ArrayLike,
    dictionary: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    positive: bool = False,
    mask: ArrayLike | None = None,
) -> NDArray[Any]:
    r"""Smallest penalty with which the code of a patch is zero: :math:`\max_m |⟨d_m, m∘s⟩| / w_m`.

    Parameters
    ----------
    patches, dictionary, weights, positive, mask
        As for `lasso`.

    Returns
    -------
    ndarray of shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight.coding import lasso_lambda_max
    >>> lasso_lambda_max([[3.0, -4.0]], np.eye(2))
    array([4.])
    """
    problem = check_problem(patches, dictionary, mask)
    factors = check_weights("weights", weights, problem.n_atoms)
    check_penalised(factors)
    sizes = problem.correlations() / factors.astype(problem.patches.dtype)
    return np.asarray(np.max(sizes if positive else np.abs(sizes), axis=1, initial=0))


class LassoCoder(CoderBase):
    """`lasso` as a scikit-learn transformer.

    Parameters
    ----------
    dictionary : array-like of shape (M, P), optional
        Atoms, one per row. None: the orthonormal cosine basis (M = P), for a baseline that needs no learning.
    penalty, weights, positive, tolerance, output, n_threads
        As for `lasso`; `output` is "dense" or "sparse".

    Attributes
    ----------
    dictionary_ : ndarray of shape (M, P)
        The atoms in use.
    n_features_in_ : int
        P.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight.coding import LassoCoder
    >>> LassoCoder(np.eye(3), penalty=1.0).fit_transform([[3.0, -2.0, 0.5]])
    array([[ 2., -1.,  0.]])
    """

    def __init__(
        self,
        dictionary: ArrayLike | None = None,
        *,
        penalty: float = 0.1,
        weights: ArrayLike | None = None,
        positive: bool = False,
        tolerance: float | None = None,
        output: Literal["dense", "sparse"] = "dense",
        n_threads: int | None = None,
    ) -> None:
        self.dictionary = dictionary
        self.penalty = penalty
        self.weights = weights
        self.positive = positive
        self.tolerance = tolerance
        self.output: Literal["dense", "sparse"] = output
        self.n_threads = n_threads

    def _code(self, patches: NDArray[Any], mask: ArrayLike | None) -> Coding:
        return lasso(
            patches,
            self.dictionary_,
            penalty=self.penalty,
            weights=self.weights,
            positive=self.positive,
            mask=mask,
            tolerance=self.tolerance,
            output=self.output,
            n_threads=self.n_threads,
        )

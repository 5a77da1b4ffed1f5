r"""Coding with an outlier term: what a patch has beyond sparse codes is put into a vector of its own.

.. math:: \min_{x, e} \tfrac12 \|m \circ (s - D x - e)\|_2^2 + \lambda \sum_m w_m |x_m| + \beta \|e\|_2

Source: A. Adler, M. Elad, Y. Hel-Or, E. Rivlin, "Sparse coding with anomaly detection", 2013. Solver: the lasso at
the penalty for which it has the same solution, see kernels/outlier.hpp.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sparsight._checks import check_number
from sparsight.coding._convex import check_penalised, check_weights, solve
from sparsight.coding._inputs import check_problem
from sparsight.coding._transformer import CoderBase

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sparsight.coding._result import Coding, OutputForm


def outlier(
    patches: ArrayLike,
    dictionary: ArrayLike,
    *,
    penalty: float,
    outlier_penalty: float,
    weights: ArrayLike | None = None,
    positive: bool = False,
    mask: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    tolerance: float | None = None,
    output: OutputForm = "dense",
    n_threads: int | None = None,
) -> Coding:
    r"""Code each patch with an ℓ1 penalty, and with an outlier where the residual is large.

    Minimises, for each patch s with observed values m,

    .. math:: \tfrac12 \|m \circ (s - D x - e)\|_2^2 + \lambda \sum_m w_m |x_m| + \beta \|e\|_2

    over x and e. At the minimum :math:`e = (1 - \beta / \|r\|)_+\, r` with r = m∘(s − D x): a patch has an outlier,
    e ≠ 0, exactly where `residual_norm` exceeds β. `outlier_norm` holds ‖e‖.

    Parameters
    ----------
    patches : array-like of shape (n, P)
        Patches s, one per row. float32 is coded in float32, anything else in float64.
    dictionary : array-like of shape (M, P)
        Atoms, one per row, of any norm.
    penalty : float
        λ, above 0.
    outlier_penalty : float
        β, above 0: the residual norm from which on a patch has an outlier.
    weights : array-like of shape (M,), optional
        w, above 0; 1 by default.
    positive : bool
        Allow only x ≥ 0.
    mask : array-like of bool, shape (n, P), optional
        True where a value is missing. Missing values may be anything, NaN included.
    groups : array-like of int, shape (M,), optional
        Group number of each atom, from 0. Adds `group_norms` to the result, nothing else.
    tolerance : float, optional
        Relative duality gap at which a patch is done; by default 1e-7, in float32 1e-4.
    output : {"dense", "sparse", "reductions"}
        Form of the codes; "reductions" leaves them out and keeps the norms only.
    n_threads : int, optional
        By default all processors (OMP_NUM_THREADS is obeyed). Results do not depend on it.

    Returns
    -------
    Coding
        With `outlier_norm`.

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
    >>> from sparsight.coding import outlier
    >>> atoms = np.array([[1.0, 0.0]])
    >>> coding = outlier([[3.0, 0.1], [3.0, 5.0]], atoms, penalty=0.5, outlier_penalty=1.0)
    >>> coding.outlier_norm > 0
    array([False,  True])
    """
    problem = check_problem(patches, dictionary, mask)
    check_number("penalty", penalty, minimum=0, inclusive=False)
    bound = check_number("outlier_penalty", outlier_penalty, minimum=0, inclusive=False)
    thresholds = penalty * check_weights("weights", weights, problem.n_atoms)
    check_penalised(thresholds)
    coding = solve(
        problem,
        thresholds=thresholds,
        outlier_threshold=bound,
        positive=positive,
        groups=groups,
        tolerance=tolerance,
        output=output,
        n_threads=n_threads,
    )
    return replace(coding, outlier_norm=np.maximum(coding.residual_norm - bound, 0))


class OutlierCoder(CoderBase):
    """`outlier` as a scikit-learn transformer.

    Parameters
    ----------
    dictionary : array-like of shape (M, P), optional
        Atoms, one per row. None: the orthonormal cosine basis (M = P), for a baseline that needs no learning.
    penalty, outlier_penalty, weights, positive, tolerance, output, n_threads
        As for `outlier`; `output` is "dense" or "sparse".

    Attributes
    ----------
    dictionary_ : ndarray of shape (M, P)
        The atoms in use.
    n_features_in_ : int
        P.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight.coding import OutlierCoder
    >>> OutlierCoder(np.eye(3), penalty=1.0, outlier_penalty=9.0).fit_transform([[3.0, -2.0, 0.5]])
    array([[ 2., -1.,  0.]])
    """

    def __init__(
        self,
        dictionary: ArrayLike | None = None,
        *,
        penalty: float = 0.1,
        outlier_penalty: float = 1.0,
        weights: ArrayLike | None = None,
        positive: bool = False,
        tolerance: float | None = None,
        output: Literal["dense", "sparse"] = "dense",
        n_threads: int | None = None,
    ) -> None:
        self.dictionary = dictionary
        self.penalty = penalty
        self.outlier_penalty = outlier_penalty
        self.weights = weights
        self.positive = positive
        self.tolerance = tolerance
        self.output: Literal["dense", "sparse"] = output
        self.n_threads = n_threads

    def _code(self, patches: NDArray[Any], mask: ArrayLike | None) -> Coding:
        return outlier(
            patches,
            self.dictionary_,
            penalty=self.penalty,
            outlier_penalty=self.outlier_penalty,
            weights=self.weights,
            positive=self.positive,
            mask=mask,
            tolerance=self.tolerance,
            output=self.output,
            n_threads=self.n_threads,
        )

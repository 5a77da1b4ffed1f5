"""The alternating direction method of multipliers, on the array API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsight.coding._array_api import Array, array_library, checked_problem, ratio, row_norms
from sparsight.coding._penalty import sparse_group_penalty
from sparsight.coding._reference_solution import (
    CHECK_PERIOD,
    ReferenceSolution,
    certificate,
    checked_tolerance,
    warn_unless,
)
from sparsight.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def admm(
    patches: Array,
    dictionary: Array,
    *,
    penalty: float,
    group_penalty: float = 0.0,
    groups: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    group_weights: ArrayLike | None = None,
    positive: bool = False,
    relaxation: float = 1.8,
    max_iter: int = 2000,
    tolerance: float | None = None,
) -> ReferenceSolution:
    r"""Code patches by the alternating direction method of multipliers.

    The problem is split into :math:`\tfrac12\|s - Dx\|^2 + g(y)` subject to x = y, and with α the relaxation

    .. math::
        x &\leftarrow (D^T D + \rho I)^{-1} (D^T s + \rho (y - u)) \\
        \hat x &\leftarrow \alpha x + (1 - \alpha) y \\
        y &\leftarrow \operatorname{prox}_{g/\rho}(\hat x + u) \\
        u &\leftarrow u + \hat x - y .

    It ends when the primal residual ‖x − y‖ and the dual residual ρ‖y − y_previous‖ are below `tolerance`
    relative to max(‖x‖, ‖y‖) and ρ‖u‖. Each patch has its own ρ, which is balanced so that both residuals
    shrink together; the linear system is solved for all ρ at once in the eigenbasis of D Dᵀ.

    Parameters
    ----------
    patches : array of shape (n, P)
        One patch s per row.
    dictionary : array of shape (M, P)
        One atom per row, of any norm.
    penalty : float
        λ.
    group_penalty : float
        ξ.
    groups : array-like of int, shape (M,), optional
        Group number of each atom, from 0: any partition.
    weights : array-like of shape (M,), optional
        w, 1 by default.
    group_weights : array-like of shape (G,), optional
        v, 1 by default.
    positive : bool
        Allow only x ≥ 0.
    relaxation : float
        α, from 1 (none) up to 2, exclusive.
    max_iter : int
        Most iterations.
    tolerance : float, optional
        By default 1e-6 in float64 and 1e-4 in float32.

    Returns
    -------
    ReferenceSolution

    Warns
    -----
    ConvergenceWarning
        If some patches did not reach the tolerance.

    Raises
    ------
    ParameterError
        If shapes do not fit, a value is not finite, a parameter is out of range, or an atom is not penalised.

    References
    ----------
    S. Boyd, N. Parikh, E. Chu, B. Peleato, J. Eckstein: Distributed optimization and statistical learning via
    the alternating direction method of multipliers, 2011, sections 3.3, 3.4 and 6.4.
    D. Carrera, G. Boracchi, A. Foi, B. Wohlberg: Scale-invariant anomaly detection with multiscale
    group-sparse models, ICIP 2016, equations (2) and (5).
    B. Wohlberg: ADMM penalty parameter selection by residual balancing, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight.coding.reference import admm
    >>> solution = admm(np.array([[3.0, 0.5]]), np.eye(2), penalty=1.0)
    >>> np.round(solution.codes, 4)
    array([[2., 0.]])
    """
    xp = array_library(patches)
    patches, dictionary = checked_problem(patches, dictionary, xp)
    if not 1 <= relaxation < 2:
        raise ParameterError(f"relaxation must be at least 1 and below 2, got {relaxation}.")
    tolerance = checked_tolerance(tolerance, patches, xp, single=1e-4, double=1e-6)
    g = sparse_group_penalty(
        dictionary,
        xp,
        penalty=penalty,
        group_penalty=group_penalty,
        groups=groups,
        weights=weights,
        group_weights=group_weights,
        positive=positive,
    )
    g, dictionary, scale = g.balanced(dictionary)
    curvatures, rotation = xp.linalg.eigh(dictionary.T @ dictionary)
    curvatures = xp.maximum(curvatures, xp.zeros_like(curvatures))
    largest = float(xp.max(curvatures)) or 1.0
    rotated = dictionary @ rotation  # D Dᵀ = U S Uᵀ; this is Dᵀ U, shape (M, P)
    target = patches @ dictionary.T
    step_from_zero = row_norms(target, xp) / largest

    y = xp.zeros_like(target)
    u = xp.zeros_like(target)
    rho = xp.full_like(target[:, :1], largest / 10)
    n_iter, adapt_at = 0, CHECK_PERIOD
    while True:
        n_iter += 1
        right = target + rho * (y - u)
        x = (right - ((right @ rotated) / (curvatures + rho)) @ rotated.T) / rho
        relaxed = relaxation * x + (1 - relaxation) * y
        previous = y
        y = g.prox(relaxed + u, 1 / rho)
        u = u + relaxed - y
        if n_iter % CHECK_PERIOD and n_iter < max_iter:
            continue
        size = xp.maximum(xp.maximum(row_norms(x, xp), row_norms(y, xp)), step_from_zero)
        primal = ratio(row_norms(x - y, xp), size, xp)
        dual = ratio(row_norms(y - previous, xp), row_norms(u, xp), xp)
        converged = (primal <= tolerance) & (dual <= tolerance)
        if n_iter >= max_iter or xp.all(converged):
            break
        if n_iter >= adapt_at:
            # Ever rarer, so that ρ settles: while it changes, convergence is not assured.
            adapt_at = n_iter + max(CHECK_PERIOD, n_iter // 2)
            change = xp.clip(xp.sqrt(ratio(primal, dual, xp)), 0.1, 10.0)
            change = xp.where(converged, xp.ones_like(change), change)
            rho = rho * change
            u = u / change
    warn_unless(converged, "ADMM", n_iter, xp)
    objective, gap = certificate(patches, dictionary, None, y, g)
    return ReferenceSolution(y / scale, objective, gap, primal[:, 0], dual[:, 0], n_iter, converged[:, 0])

r"""The papers' own solvers of the convex coding problems, written once on the array API.

Both minimise, for every patch s (with group_penalty ξ = 0 the lasso, or BPDN),

.. math:: F(x) = \tfrac12 \|s - D x\|_2^2 + \lambda \sum_m w_m |x_m| + \xi \sum_j v_j \|x_j\|_2 ,

over x ≥ 0 if `positive`. They are the oracle that the compiled coders are held to, and they run wherever
their arrays live: NumPy, CuPy, PyTorch (with array-api-compat installed) or any library of the array API.
For speed on a processor use `sparsight.coding.lasso` and `sparsight.coding.sparse_group`.

Optimality is certified by the duality gap: with the residual r = s − D x and any c such that c Dᵀr lies in
the domain of the conjugate of the penalty g,

.. math:: F(x) - F(x^\star) \le \tfrac12 (1 - c)^2 \|r\|^2 + g(x) - c\, \langle x, D^T r \rangle .
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sparsight.coding._array_api import Array, array_library, checked_problem, ratio, row_norms
from sparsight.coding._penalty import SparseGroupPenalty, sparse_group_penalty
from sparsight.errors import ParameterError

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import ArrayLike

CHECK_PERIOD = 10  # iterations between two looks at convergence


@dataclass(frozen=True, eq=False)
class ReferenceSolution:
    """Codes, and how good they are; arrays of the library of the patches.

    Attributes
    ----------
    codes : array of shape (n, M)
        One row per patch.
    objective : array of shape (n,)
        F(x).
    duality_gap : array of shape (n,)
        Upper bound of F(x) − F(x*).
    primal_residual, dual_residual : arrays of shape (n,) or None
        Of ADMM, relative to the size of the variables; None for FISTA.
    n_iter : int
        Iterations run.
    converged : array of bool, shape (n,)
        Where the stopping rule was met.
    """

    codes: Array
    objective: Array
    duality_gap: Array
    primal_residual: Array | None
    dual_residual: Array | None
    n_iter: int
    converged: Array


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
    tolerance = _tolerance(tolerance, patches, xp, single=1e-4, double=1e-6)
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
    _warn_unless(converged, "ADMM", n_iter, xp)
    objective, gap = _certificate(patches, dictionary, None, y, g)
    return ReferenceSolution(y / scale, objective, gap, primal[:, 0], dual[:, 0], n_iter, converged[:, 0])


def fista(
    patches: Array,
    dictionary: Array,
    *,
    penalty: float,
    group_penalty: float = 0.0,
    groups: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    group_weights: ArrayLike | None = None,
    positive: bool = False,
    mask: Array | None = None,
    max_iter: int = 10000,
    tolerance: float | None = None,
) -> ReferenceSolution:
    r"""Code patches by the fast iterative shrinkage-thresholding algorithm, with restarts.

    With L the largest eigenvalue of D Dᵀ and f the smooth part of F,

    .. math::
        x_{k+1} &= \operatorname{prox}_{g/L}(z_k - \nabla f(z_k) / L) \\
        t_{k+1} &= \tfrac12 \bigl(1 + \sqrt{1 + 4 t_k^2}\bigr) \\
        z_{k+1} &= x_{k+1} + \frac{t_k - 1}{t_{k+1}} (x_{k+1} - x_k) .

    Where the momentum points uphill, ⟨z_k − x_{k+1}, x_{k+1} − x_k⟩ > 0, a patch starts anew from t = 1. It
    ends when the duality gap of every patch is at most `tolerance` times its objective.

    Parameters
    ----------
    patches, dictionary, penalty, group_penalty, groups, weights, group_weights, positive
        As for `admm`.
    mask : array of bool, shape (n, P), optional
        True where a value is missing: f is then ½‖m∘(s − D x)‖², m being 0 there and 1 elsewhere.
    max_iter : int
        Most iterations.
    tolerance : float, optional
        By default 1e-7 in float64 and 1e-5 in float32.

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
    A. Beck, M. Teboulle: A fast iterative shrinkage-thresholding algorithm for linear inverse problems, 2009.
    B. O'Donoghue, E. Candès: Adaptive restart for accelerated gradient schemes, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight.coding.reference import fista
    >>> solution = fista(np.array([[3.0, 0.5]]), np.eye(2), penalty=1.0)
    >>> solution.codes
    array([[2., 0.]])
    """
    xp = array_library(patches)
    if mask is not None:
        if xp is np:
            patches, mask = np.asarray(patches), np.asarray(mask, dtype=bool)
        if mask.shape != patches.shape:
            raise ParameterError(f"The mask has shape {mask.shape} but the patches {patches.shape}.")
        patches = xp.where(mask, xp.zeros_like(patches), patches)
    patches, dictionary = checked_problem(patches, dictionary, xp)
    observed = None if mask is None else xp.asarray(~mask, dtype=patches.dtype)
    tolerance = _tolerance(tolerance, patches, xp, single=1e-5, double=1e-7)
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
    largest = float(xp.max(xp.linalg.eigvalsh(dictionary.T @ dictionary))) or 1.0
    x = xp.zeros_like(patches @ dictionary.T)
    z, t = x, xp.ones_like(x[:, :1])
    step = xp.full_like(t, 1 / largest)
    for n_iter in range(1, max_iter + 1):
        residual = _residual(patches, dictionary, observed, z)
        fresh = g.prox(z + step * (residual @ dictionary.T), step)
        uphill = xp.sum((z - fresh) * (fresh - x), axis=1, keepdims=True) > 0
        t = xp.where(uphill, xp.ones_like(t), t)
        t_next = (1 + xp.sqrt(1 + 4 * t * t)) / 2
        z = fresh + ((t - 1) / t_next) * (fresh - x)
        x, t = fresh, t_next
        if n_iter % CHECK_PERIOD == 0 or n_iter == max_iter:
            objective, gap = _certificate(patches, dictionary, observed, x, g)
            converged = gap <= tolerance * objective
            if xp.all(converged):
                break
    _warn_unless(converged, "FISTA", n_iter, xp)
    return ReferenceSolution(x / scale, objective, gap, None, None, n_iter, converged)


def _certificate(
    patches: Array, dictionary: Array, observed: Array | None, codes: Array, g: SparseGroupPenalty
) -> tuple[Array, Array]:
    """F(x) and the duality gap, each of shape (n,)."""
    xp = g.xp
    residual = _residual(patches, dictionary, observed, codes)
    correlations = residual @ dictionary.T
    scale = g.feasible_scale(correlations)[:, 0]
    energy = xp.sum(residual * residual, axis=1) / 2
    value = g.value(codes)
    overlap = xp.sum(codes * correlations, axis=1)
    return energy + value, (1 - scale) ** 2 * energy + value - scale * overlap


def _residual(patches: Array, dictionary: Array, observed: Array | None, codes: Array) -> Array:
    residual = patches - codes @ dictionary
    return residual if observed is None else residual * observed


def _tolerance(
    tolerance: float | None, patches: Array, xp: ModuleType, *, single: float, double: float
) -> float:
    if tolerance is None:
        return single if patches.dtype == xp.float32 else double
    if not tolerance > 0:
        raise ParameterError(f"tolerance must be above 0, got {tolerance}.")
    return tolerance


def _warn_unless(converged: Array, solver: str, n_iter: int, xp: ModuleType) -> None:
    if xp.all(converged):
        return
    from sklearn.exceptions import ConvergenceWarning

    n_open = int(xp.sum(xp.asarray(~converged, dtype=xp.int64)))
    warnings.warn(
        f"{solver} did not converge for {n_open} of {converged.shape[0]} patches in {n_iter} iterations; "
        "raise max_iter or the tolerance, or use a larger penalty.",
        ConvergenceWarning,
        stacklevel=3,
    )

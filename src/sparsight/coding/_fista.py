"""The fast iterative shrinkage-thresholding algorithm, on the array API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sparsight.coding._array_api import Array, array_library, checked_problem
from sparsight.coding._penalty import sparse_group_penalty
from sparsight.coding._reference_solution import (
    CHECK_PERIOD,
    ReferenceSolution,
    certificate,
    checked_tolerance,
    residual,
    warn_unless,
)
from sparsight.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


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
    tolerance = checked_tolerance(tolerance, patches, xp, single=1e-5, double=1e-7)
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
        rest = residual(patches, dictionary, observed, z)
        fresh = g.prox(z + step * (rest @ dictionary.T), step)
        uphill = xp.sum((z - fresh) * (fresh - x), axis=1, keepdims=True) > 0
        t = xp.where(uphill, xp.ones_like(t), t)
        t_next = (1 + xp.sqrt(1 + 4 * t * t)) / 2
        z = fresh + ((t - 1) / t_next) * (fresh - x)
        x, t = fresh, t_next
        if n_iter % CHECK_PERIOD == 0 or n_iter == max_iter:
            objective, gap = certificate(patches, dictionary, observed, x, g)
            converged = gap <= tolerance * objective
            if xp.all(converged):
                break
    warn_unless(converged, "FISTA", n_iter, xp)
    return ReferenceSolution(x / scale, objective, gap, None, None, n_iter, converged)

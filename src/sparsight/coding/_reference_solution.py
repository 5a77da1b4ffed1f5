"""What the reference solvers return, and the certificate of how good it is."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsight.coding._array_api import Array
from sparsight.coding._penalty import SparseGroupPenalty
from sparsight.errors import ParameterError

if TYPE_CHECKING:
    from types import ModuleType

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


def certificate(
    patches: Array, dictionary: Array, observed: Array | None, codes: Array, g: SparseGroupPenalty
) -> tuple[Array, Array]:
    """F(x) and the duality gap, each of shape (n,)."""
    xp = g.xp
    rest = residual(patches, dictionary, observed, codes)
    correlations = rest @ dictionary.T
    scale = g.feasible_scale(correlations)[:, 0]
    energy = xp.sum(rest * rest, axis=1) / 2
    value = g.value(codes)
    overlap = xp.sum(codes * correlations, axis=1)
    return energy + value, (1 - scale) ** 2 * energy + value - scale * overlap


def residual(patches: Array, dictionary: Array, observed: Array | None, codes: Array) -> Array:
    """What the codes leave of the observed values."""
    rest = patches - codes @ dictionary
    return rest if observed is None else rest * observed


def checked_tolerance(
    tolerance: float | None, patches: Array, xp: ModuleType, *, single: float, double: float
) -> float:
    """The tolerance, or the default for the precision of the patches."""
    if tolerance is None:
        return single if patches.dtype == xp.float32 else double
    if not tolerance > 0:
        raise ParameterError(f"tolerance must be above 0, got {tolerance}.")
    return tolerance


def warn_unless(converged: Array, solver: str, n_iter: int, xp: ModuleType) -> None:
    """Say how many patches did not converge."""
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

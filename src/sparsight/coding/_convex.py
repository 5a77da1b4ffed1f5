"""What the convex coders have in common: parameters, the call of the kernel, the certificate."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsight import _kernels
from sparsight._checks import check_number
from sparsight.coding._inputs import (
    Problem,
    check_finite,
    check_groups,
    check_output,
    check_threads,
)
from sparsight.coding._result import Coding, coding_from_kernel
from sparsight.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def check_weights(name: str, weights: ArrayLike | None, size: int) -> NDArray[np.float64]:
    """Weights of atoms or groups, 1 by default."""
    if weights is None:
        return np.ones(size)
    values = np.asarray(weights, np.float64)
    if values.shape != (size,) or not np.isfinite(values).all() or values.min(initial=0) < 0:
        raise ParameterError(
            f"{name} must be {size} finite numbers of at least 0, got an array of shape {values.shape}."
        )
    return values


def check_penalised(thresholds: NDArray[np.float64]) -> None:
    """Every atom must cost something, else the minimum need not be unique nor its code sparse."""
    if not (thresholds > 0).all():
        raise ParameterError("Every atom must be penalised: give positive penalties and weights.")


def solve(
    problem: Problem,
    *,
    thresholds: NDArray[np.float64],
    group_thresholds: NDArray[np.float64] | None = None,
    outlier_threshold: float = -1.0,
    positive: bool,
    groups: ArrayLike | None,
    tolerance: float | None,
    output: str,
    n_threads: int | None,
) -> Coding:
    """Run the compiled solver, and say so if a patch did not reach the tolerance."""
    if tolerance is None:
        tolerance = usual_tolerance(problem.patches.dtype)
    check_number("tolerance", tolerance, minimum=0, inclusive=False)
    results = _kernels.convex_coding(
        problem.patches,
        problem.dictionary,
        missing=problem.missing,
        thresholds=np.ascontiguousarray(thresholds),
        group_thresholds=group_thresholds,
        outlier_threshold=outlier_threshold,
        positive=bool(positive),
        tolerance=float(tolerance),
        output=check_output(output),
        groups=check_groups(groups, problem.n_atoms),
        n_threads=check_threads(n_threads),
    )
    coding = coding_from_kernel(results, problem.n_atoms)
    check_finite(coding.residual_norm)
    assert coding.optimality is not None
    warn_of_missed_optimum(coding.optimality, tolerance, stacklevel=4)
    # Rounding makes a gap of zero come out a little below it.
    return replace(coding, optimality=np.maximum(coding.optimality, 0))


def usual_tolerance(dtype: np.dtype[Any]) -> float:
    """Relative duality gap to reach where the caller asks for none: what the precision allows."""
    return 1e-4 if dtype == np.float32 else 1e-7


def warn_of_missed_optimum(optimality: NDArray[Any], tolerance: float, *, stacklevel: int) -> None:
    """Warn where patches ended at a larger relative duality gap than asked for."""
    missed = int(np.count_nonzero(~(optimality <= tolerance)))
    if not missed:
        return
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(
        f"{missed} of {optimality.size} patches did not reach a relative duality gap of {tolerance:g} "
        f"(the worst reached {np.nanmax(optimality):.1e}); use float64, a larger tolerance or larger penalties.",
        ConvergenceWarning,
        stacklevel=stacklevel + 1,
    )

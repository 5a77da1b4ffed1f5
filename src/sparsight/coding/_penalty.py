"""The penalty of the convex coding problems, and what follows from it, on the array API.

Everything here takes arrays of one library (NumPy, array-api-strict, CuPy, PyTorch, …) and computes with that
library; rows are patches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsight.coding._array_api import Array, like
from sparsight.errors import ParameterError

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class SparseGroupPenalty:
    r"""The penalty :math:`g(x) = \sum_m \lambda_m |x_m| + \sum_j \xi_j \|x_j\|_2`, on x ≥ 0 if `positive`.

    Attributes
    ----------
    thresholds : array of shape (M,)
        λ_m, the l1 penalty of each atom.
    group_thresholds : array of shape (G,)
        ξ_j, the penalty of each group; all zero for the lasso.
    membership : array of shape (M, G)
        1 where an atom belongs to a group.
    positive : bool
    xp : module
        The library of the arrays.
    """

    thresholds: Array
    group_thresholds: Array
    membership: Array
    positive: bool
    xp: ModuleType

    def value(self, codes: Array) -> Array:
        """g(x), shape (n,)."""
        group_norms = self._group_norms(codes)
        return self.xp.abs(codes) @ self.thresholds + group_norms @ self.group_thresholds

    def balanced(self, dictionary: Array) -> tuple[SparseGroupPenalty, Array, Array]:
        """The same problem in codes c∘x of atoms of comparable norm, on which iterations converge faster.

        c is the norm of the atom where it is penalised alone, and the geometric mean of the group's norms
        where it is penalised in a group, which keeps the form of the penalty.

        Returns
        -------
        penalty : SparseGroupPenalty
        dictionary : array of shape (M, P)
            Atoms divided by c.
        scale : array of shape (M,)
            c.
        """
        xp = self.xp
        norms = xp.sqrt(xp.sum(dictionary * dictionary, axis=1))
        present = norms > 0
        norms = xp.where(present, norms, xp.ones_like(norms))
        members = xp.asarray(present, dtype=norms.dtype)[:, None] * self.membership
        count = xp.sum(members, axis=0)
        count = xp.where(count > 0, count, xp.ones_like(count))
        group_scale = xp.exp((xp.log(norms) @ members) / count)
        scale = xp.where(self._penalised_alone(), norms, self.membership @ group_scale)
        penalty = replace(
            self, thresholds=self.thresholds / scale, group_thresholds=self.group_thresholds / group_scale
        )
        return penalty, dictionary / scale[:, None], scale

    def prox(self, codes: Array, step: Array) -> Array:
        r"""The proximal operator, :math:`\arg\min_x \tfrac12\|x - v\|^2 + t\,g(x)`.

        Soft-thresholding by t λ_m, then shrinking the norm of each group by t ξ_j; that the two compose is
        shown by J. Friedman, T. Hastie, R. Tibshirani, "A note on the group lasso and a sparse group
        lasso", 2010.

        Parameters
        ----------
        codes : array of shape (n, M)
            v.
        step : array of shape (n, 1)
            t.
        """
        xp = self.xp
        kept = self._soft_threshold(codes, step * self.thresholds)
        norms = self._group_norms(kept)
        survives = norms > step * self.group_thresholds
        safe = xp.where(survives, norms, xp.ones_like(norms))
        shrinkage = xp.where(survives, 1 - step * self.group_thresholds / safe, xp.zeros_like(norms))
        return kept * (shrinkage @ self.membership.T)

    def feasible_scale(self, correlations: Array) -> Array:
        r"""A factor c ≤ 1, shape (n, 1), such that c q lies in the domain of the conjugate of g.

        That domain is :math:`\|S_\lambda(q_j)\|_2 \le \xi_j` for every group j, with S soft-thresholding.
        Groups with ξ_j = 0 bound c by λ_m / |q_m|; for the others, convexity of the left side in c makes
        :math:`\xi_j / \|S_\lambda(q_j)\|` feasible. Both tend to 1 as q approaches feasibility.
        """
        xp = self.xp
        one = xp.ones_like(correlations[:, :1])
        size = correlations if self.positive else xp.abs(correlations)
        exceeds = self._penalised_alone() & (size > self.thresholds)
        atom_bound = xp.where(exceeds, self.thresholds / xp.where(exceeds, size, one), one)
        norms = self._group_norms(self._soft_threshold(correlations, self.thresholds))
        exceeds = (norms > self.group_thresholds) & (self.group_thresholds > 0)
        group_bound = xp.where(exceeds, self.group_thresholds / xp.where(exceeds, norms, one), one)
        return xp.minimum(
            xp.min(atom_bound, axis=1, keepdims=True), xp.min(group_bound, axis=1, keepdims=True)
        )

    def _soft_threshold(self, codes: Array, thresholds: Array) -> Array:
        xp = self.xp
        zero = xp.zeros_like(codes)
        if self.positive:
            return xp.maximum(codes - thresholds, zero)
        return xp.sign(codes) * xp.maximum(xp.abs(codes) - thresholds, zero)

    def _penalised_alone(self) -> Array:
        return self.membership @ self.group_thresholds == 0

    def _group_norms(self, codes: Array) -> Array:
        return self.xp.sqrt((codes * codes) @ self.membership)


def sparse_group_penalty(
    dictionary: Array,
    xp: ModuleType,
    *,
    penalty: float,
    group_penalty: float,
    groups: ArrayLike | None,
    weights: ArrayLike | None,
    group_weights: ArrayLike | None,
    positive: bool,
) -> SparseGroupPenalty:
    """Check the parameters of the penalty and bring them to the dictionary's library, dtype and device."""
    n_atoms = dictionary.shape[0]
    for name, value in (("penalty", penalty), ("group_penalty", group_penalty)):
        if not (np.isfinite(value) and value >= 0):
            raise ParameterError(f"{name} must be a finite number of at least 0, got {value}.")
    if groups is None and group_penalty > 0:
        raise ParameterError("A group_penalty needs groups: give the group number of each atom.")
    numbers = np.zeros(n_atoms, np.intp) if groups is None else np.asarray(groups)
    if numbers.shape != (n_atoms,) or numbers.dtype.kind not in "ui" or numbers.min() < 0:
        raise ParameterError(
            f"groups must be {n_atoms} integers from 0, the group number of each atom; got "
            f"{numbers.dtype} of shape {numbers.shape}."
        )
    n_groups = int(numbers.max()) + 1
    thresholds = penalty * _weights("weights", weights, n_atoms)
    group_thresholds = group_penalty * _weights("group_weights", group_weights, n_groups)
    membership = numbers[:, None] == np.arange(n_groups)
    if not (thresholds + membership @ group_thresholds > 0).all():
        raise ParameterError("Every atom must be penalised: give a positive penalty or group_penalty.")
    return SparseGroupPenalty(
        like(dictionary, thresholds, xp),
        like(dictionary, group_thresholds, xp),
        like(dictionary, membership, xp),
        positive,
        xp,
    )


def _weights(name: str, weights: ArrayLike | None, size: int) -> Any:
    values = np.ones(size) if weights is None else np.asarray(weights, np.float64)
    if values.shape != (size,) or not np.isfinite(values).all() or values.min() < 0:
        raise ParameterError(f"{name} must be {size} finite numbers of at least 0, got {weights!r}.")
    return values

"""The group penalty ξ, chosen from how many groups of atoms normal patches need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sparsight.coding import Coding

_RATIOS = (0.5, 1.0, 2.0)
# Between what sparse mats of fibres (0.69) and dense ones (0.78) come down to at ξ = 2 λ, with three scales;
# at 4 λ the codes themselves shrink too much to tell anything.
_SHARE_LEFT = 0.73
_MOST_UNCODED = 0.05
_RATIO_WHERE_MANY = 0.5


@dataclass(frozen=True)
class GroupUse:
    """Whether group coding suits a texture: how many groups its normal patches need.

    Attributes
    ----------
    without : float
        Mean number of active groups per normal patch at ξ = 0.
    active : float
        The same at the chosen ξ.
    ratio : float
        ξ / λ.
    suitable : bool
        Whether ξ makes patches do with clearly fewer groups without suppressing the codes themselves.
    """

    without: float
    active: float
    ratio: float
    suitable: bool

    @property
    def advice(self) -> str:
        """What this means for a user, in one sentence."""
        if self.suitable:
            return (
                f"A normal patch uses {self.active:.1f} of the groups of atoms ({self.without:.1f} without "
                "the group penalty): scales are told apart, and group coding suits this texture."
            )
        return (
            f"A normal patch uses {self.active:.1f} of the groups of atoms ({self.without:.1f} without the "
            "group penalty): it mixes scales by nature, as dense mats do, and the group indicator says "
            "little; prefer all-in-one, or the universal method with scales."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as a JSON-able dictionary."""
        return asdict(self)


def choose_group_penalty(code: Callable[[float], Coding], penalty: float) -> tuple[float, GroupUse]:
    """Find the smallest ξ at which normal patches do with clearly fewer groups of atoms.

    Parameters
    ----------
    code : callable
        Codes held-out normal patches with a given ξ; the coding holds the norms of the groups.
    penalty : float
        λ.

    Returns
    -------
    group_penalty : float
        ξ: the first of ½, 1, 2 λ at which the mean number of active groups is at most 0.73 of that at ξ = 0,
        and at most one patch in twenty is left without any; where none is, ½ λ.
    use : GroupUse
    """
    without, _ = _active_groups(code(0.0))
    active = {}
    for ratio in _RATIOS:
        active[ratio], uncoded = _active_groups(code(ratio * penalty))
        if uncoded > _MOST_UNCODED:
            break
        if active[ratio] <= _SHARE_LEFT * without:
            return ratio * penalty, GroupUse(without, active[ratio], ratio, suitable=True)
    ratio = _RATIO_WHERE_MANY
    return ratio * penalty, GroupUse(without, active[ratio], ratio, suitable=False)


def _active_groups(coding: Coding) -> tuple[float, float]:
    """Mean number of active groups of the patches that have any, and the share of those without."""
    assert coding.group_norms is not None
    n_active = np.count_nonzero(coding.group_norms, axis=1)
    coded = n_active[n_active > 0]
    return float(coded.mean()) if len(coded) else 0.0, float(np.mean(n_active == 0))

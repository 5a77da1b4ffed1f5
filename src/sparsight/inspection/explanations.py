"""Why a place is taken for anomalous: which indicator and which scale speak, and what could not be rebuilt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_STRUCTURE = ("contrast", "coarse structure", "medium structure", "fine structure")
#: What it means that an indicator is larger than normal, and smaller; and what it measures, if it can be unusual
#: only together with others.
WORDS: dict[str, tuple[str, str, str | None]] = {
    "brightness": ("brighter than normal", "darker than normal", "brightness"),
    "colour": ("another colour than normal", "another colour than normal", "colour"),
    **{name: (f"more {name} than normal", f"less {name} than normal", name) for name in _STRUCTURE},
    "roughness": ("rougher than normal", "smoother than normal", "structure"),
    "error": ("harder to rebuild than normal", "easier to rebuild than normal", "error of rebuilding"),
    "diversity": (
        "more mixed patterns than normal",
        "more alike patterns than normal",
        "mixture of patterns",
    ),
    "sparsity": ("takes more patterns than normal", "takes fewer patterns than normal", "number of patterns"),
    "spread": ("mixes more scales than normal", "mixes fewer scales than normal", "mixture of scales"),
    "level": ("brighter than rebuilt", "darker than rebuilt", None),
    "structure": ("structure that is not rebuilt", "structure that is not rebuilt", None),
}
_UNUSUAL = 1.5


@dataclass(frozen=True, eq=False)
class Explanation:
    """What speaks for an anomaly at its strongest place.

    Attributes
    ----------
    corner : tuple of int
        First row and column of the patch, in pixels of the image.
    indicators : dict of str to float
        Share of each indicator in the distance from normal, largest first; they sum to 1.
    deviations : dict of str to float
        How far each indicator lies above (positive) or below what is normal, in standard deviations; for
        "reconstruction", above or below what was rebuilt, in the units of the score.
    scales : dict of float to float
        Share of the atoms of each scale in the code of the patch, or, for "universal", of the features of the
        image at each size in the distance, 0.5 being the image at half its size; they sum to 1, or are all 0
        where the code is.
    atoms : list of (int, float)
        The atoms with the largest codes, largest first, and their codes.
    patch, reconstruction : float32 arrays of shape (height, width) or (height, width, channels)
        What the score of the place depends on for the most part, and its best sparse approximation by what
        normal images are made of.
    judged_at : float or None
        The magnification, relative to the training images, that "universal" with `scales` took the place for.
    """

    corner: tuple[int, int]
    indicators: dict[str, float]
    deviations: dict[str, float]
    scales: dict[float, float]
    atoms: list[tuple[int, float]]
    patch: NDArray[np.float32]
    reconstruction: NDArray[np.float32]
    judged_at: float | None = None

    @property
    def main_indicator(self) -> str:
        """The indicator with the largest share."""
        return max(self.indicators, key=self.indicators.__getitem__)

    @property
    def main_scale(self) -> float | None:
        """The scale with the largest share; None where there is only one, or none speaks."""
        if len(self.scales) < 2 or not any(self.scales.values()):
            return None
        return max(self.scales, key=self.scales.__getitem__)

    @property
    def reason(self) -> str:
        """What speaks most, in words; how rough a place is counts once, whatever the size of its structure."""
        return self._summary[0]

    @property
    def share(self) -> float:
        """Share of that in the distance from normal."""
        return self._summary[1]

    def says(self, indicator: str) -> str:
        """What an indicator says, in words."""
        return in_words(indicator, self.deviations[indicator], alone=len(self.indicators) == 1)

    @property
    def _summary(self) -> tuple[str, float]:
        main = self.main_indicator
        structure = {name: share for name, share in self.indicators.items() if name in _STRUCTURE}
        if structure:
            largest = max(structure, key=structure.__getitem__)
            roughness = sum(structure.values())
            if self.deviations[largest] < 0 and self.deviations["error"] < 0:
                # Where there is less to rebuild, less is left over.
                structure["error"] = self.indicators["error"]
                roughness += structure["error"]
            clear = abs(self.deviations[largest]) >= _UNUSUAL
            if main in structure or (clear and roughness > self.indicators[main]):
                return in_words("roughness", self.deviations[largest]), roughness
        return self.says(main), self.indicators[main]

    def to_dict(self) -> dict[str, Any]:
        """Return all but the pictures, JSON-able."""
        scale = self.main_scale
        return {
            "reason": self.reason,
            "share": self.share,
            "indicator": self.main_indicator,
            "indicator_share": self.indicators[self.main_indicator],
            "scale": scale,
            "scale_share": None if scale is None else self.scales[scale],
            "judged_at": self.judged_at,
            "corner": list(self.corner),
            "indicators": dict(self.indicators),
            "deviations": dict(self.deviations),
            "scales": {f"{factor:g}": share for factor, share in self.scales.items()},
            "atoms": [list(atom) for atom in self.atoms],
        }

    def __str__(self) -> str:
        said = f"{self.reason} ({self.share:.0%})"
        if self.main_scale is not None:
            said += f", at scale {self.main_scale:g} ({self.scales[self.main_scale]:.0%})"
        return said


def in_words(indicator: str, deviation: float, *, alone: bool = False) -> str:
    """Say what an indicator tells that lies so many standard deviations above normal, alone or with others.

    What is neither high nor low by itself speaks only because it does not go with the others.

    Examples
    --------
    >>> in_words("brightness", -4.0)
    'darker than normal'
    >>> in_words("brightness", 0.3)
    'unusual brightness'
    """
    above, below, measured = WORDS.get(indicator, (f"more {indicator}", f"less {indicator}", indicator))
    if measured is not None and not alone and abs(deviation) < _UNUSUAL:
        return f"unusual {measured}"
    return above if deviation > 0 else below


def by_name(
    names: Sequence[str], shares: NDArray[np.floating], deviations: NDArray[np.floating]
) -> tuple[dict[str, float], dict[str, float]]:
    """Gather features that share a name.

    Parameters
    ----------
    names : sequence of str
        Of n features; those of several channels are all "brightness".
    shares, deviations : arrays of shape (n_sizes, n)
        Share of each feature of each size, and how far it lies above normal.

    Returns
    -------
    indicators, deviations : dict of str to float
        As in `Explanation`; each deviation is that at the size and of the channel with the largest share.
    """
    indicators: dict[str, float] = {}
    signed: dict[str, float] = {}
    for name in dict.fromkeys(names):
        columns = [number for number, other in enumerate(names) if other == name]
        share, deviation = shares[:, columns], deviations[:, columns]
        size, channel = np.unravel_index(np.argmax(share), share.shape)
        apart = deviation[size].min() < -_UNUSUAL and deviation[size].max() > _UNUSUAL
        called = "colour" if name == "brightness" and apart else name
        indicators[called] = float(share.sum())
        signed[called] = float(deviation[size, channel])
    ordered = sorted(indicators, key=lambda name: -indicators[name])
    return {name: indicators[name] for name in ordered}, {name: signed[name] for name in ordered}

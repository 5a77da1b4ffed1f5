"""The magnifications that have statistics of their own, and those in between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_STEP = 0.87
_MOST_AVERAGED = 2.0


@dataclass(frozen=True)
class ScaleSteps:
    """A range of scales in even steps of at most 0.87.

    Attributes
    ----------
    factors : tuple of float
        Largest first.
    """

    factors: tuple[float, ...]

    @classmethod
    def over(cls, largest: float, smallest: float) -> ScaleSteps:
        """Divide the range from the largest scale to the smallest."""
        n_steps = int(np.ceil(np.log(largest / smallest) / -np.log(_STEP) - 1e-3))
        return cls(tuple(float(factor) for factor in np.geomspace(largest, smallest, n_steps + 1)))

    def within(self, scale: float) -> float:
        """The nearest scale of the range."""
        return float(np.clip(scale, self.factors[-1], self.factors[0]))

    def position(self, scale: float) -> float:
        """Place of a scale among the factors, counted from 0."""
        falling = -np.log(self.factors)
        return float(np.interp(-np.log(scale), falling, np.arange(len(falling))))

    def share_of_way(self, scale: float) -> float:
        """Place of a scale on the way from the first factor, 0, to the last, 1."""
        return self.position(scale) / max(1, len(self.factors) - 1)

    def weights(self, scale: float) -> dict[int, float]:
        """How much the statistics of each step count for a scale; those that do not count are left out.

        Weights fall evenly with the distance, to nothing at two steps. Near an end of the range they fall faster, for
        otherwise there would be more of them on one side than on the other.
        """
        position, last = self.position(scale), len(self.factors) - 1
        width = min(_MOST_AVERAGED, 1 + position, 1 + last - position)
        falling = 1 - np.abs(np.arange(last + 1) - position) / width
        total = falling[falling > 0].sum()
        return {step: float(weight / total) for step, weight in enumerate(falling) if weight > 0}

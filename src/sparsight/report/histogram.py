"""How the scores of all pixels spread around the threshold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .colours import TOP, css_colour, over_threshold

N_BINS = 80
_ROWS_AT_A_TIME = 64


@dataclass
class ScoreHistogram:
    """Counts of pixels by score, in multiples of the threshold; the last bin holds all above."""

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(N_BINS + 1, dtype=np.int64))

    @classmethod
    def of(cls, score_map: NDArray[np.floating[Any]], threshold: float) -> ScoreHistogram:
        """Count the observed pixels of one score map."""
        counts = np.zeros(N_BINS + 1, np.int64)
        for first in range(0, len(score_map), _ROWS_AT_A_TIME):
            scores = score_map[first : first + _ROWS_AT_A_TIME]
            ratio = over_threshold(scores[~np.isnan(scores)], threshold)
            # Bins exclude their lower edge, as "above the threshold" excludes the threshold.
            index = np.ceil(np.minimum(ratio, 2 * TOP) * (N_BINS / TOP)).astype(np.intp) - 1
            counts += np.bincount(np.clip(index, 0, N_BINS), minlength=N_BINS + 1)
        return cls(counts)

    def __add__(self, other: ScoreHistogram) -> ScoreHistogram:
        return ScoreHistogram(self.counts + other.counts)

    @property
    def share_above(self) -> float:
        """Share of the pixels above the threshold."""
        first_above = round(N_BINS / TOP)
        return float(self.counts[first_above:].sum() / max(1, self.counts.sum()))

    def chart(self, width: float, height: float) -> dict[str, Any]:
        """Geometry of the chart for the page's SVG: logarithmic counts over multiples.

        The logarithm starts at a tenth of the smallest count there is, one pixel, so that a single
        pixel can be seen.
        """
        total = max(1, int(self.counts.sum()))
        decades = np.ceil(np.log10(total)) + 1
        step = width / (N_BINS + 3)

        def level(count: Any) -> Any:
            return height * (np.log10(np.maximum(count, 0.1)) + 1) / decades

        bars = [
            {
                "x": k * step + (2 * step if k == N_BINS else 0),
                "width": step * (0.86 if k < N_BINS else 1.0),
                "height": float(level(count)),
                "colour": css_colour((k + 0.5) * TOP / N_BINS),
                "above": k >= N_BINS / TOP,
            }
            for k, count in enumerate(self.counts)
            if count
        ]
        shares = [share for share in (1, 1e-2, 1e-4, 1e-6) if share * total >= 1]
        return {
            "bars": bars,
            "threshold": N_BINS / TOP * step,
            "x_ticks": [
                *((multiple * N_BINS / TOP * step, f"{multiple} ×") for multiple in range(int(TOP))),
                ((N_BINS + 2.5) * step, f"> {TOP:g} ×"),
            ],
            "y_ticks": [(height - float(level(s * total)), f"{100 * s:g} %") for s in shares],
        }

"""Why a defect was found, for people: what speaks in words and bars, and the place beside its reconstruction."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .drawing import Levels, Rgb, levels_of, shades

if TYPE_CHECKING:
    from sparsight.images import Image
    from sparsight.inspection import Defect, Explanation

MOST_EXPLAINED = 6
"""Defects of an image that are explained; each takes about as long as a fiftieth of the image."""

_PICTURES = 600
_BARS = 3


@dataclass(frozen=True)
class Evidence:
    """What speaks for one defect; pictures are data URIs, all of the same size."""

    label: int
    reason: str
    indicators: list[tuple[str, float]]
    """What the strongest indicators say, and their shares."""
    scales: list[tuple[str, float]]
    """At which size of the image, with shares; empty when there is only one."""
    judged_at: float | None
    seen: str
    rebuilt: str
    difference: str
    width: int
    height: int

    @classmethod
    def of(cls, defect: Defect, explanation: Explanation, levels: Levels) -> Evidence:
        """Draw the patch and its reconstruction in the same levels; their difference around middle grey."""
        patch, rebuilt = explanation.patch, explanation.reconstruction
        middle = sum(levels) / 2
        height, width = patch.shape[:2]
        shares = list(explanation.indicators.items())[:_BARS]
        several = explanation.main_scale is not None
        return cls(
            label=defect.label,
            reason=explanation.reason,
            indicators=[
                (explanation.says(name).removesuffix(" than normal"), share) for name, share in shares
            ],
            scales=[(size_in_words(scale), share) for scale, share in explanation.scales.items() if several],
            judged_at=explanation.judged_at,
            seen=_data_uri(shades(patch, levels)),
            rebuilt=_data_uri(shades(rebuilt, levels)),
            difference=_data_uri(shades(patch - rebuilt + np.float32(middle), levels)),
            width=width,
            height=height,
        )

    @property
    def n_bytes(self) -> int:
        """Room that the pictures take in the page."""
        return len(self.seen) + len(self.rebuilt) + len(self.difference)


def evidence(image: Image, defects: Sequence[Defect], explanations: Sequence[Explanation]) -> list[Evidence]:
    """Evidence of the first defects, as many as there are explanations."""
    if not explanations:
        return []
    levels = levels_of(image, stretched=True)
    return [Evidence.of(*pair, levels) for pair in zip(defects, explanations, strict=False)]


def how_many_to_explain(n_images: int) -> int:
    """Defects of each image whose pictures the page has room for."""
    return max(1, min(MOST_EXPLAINED, _PICTURES // max(1, n_images)))


def size_in_words(scale: float) -> str:
    """Say at which size of the image an indicator speaks."""
    known = {1.0: "full size", 0.75: "three quarters of the size", 0.5: "half size", 0.25: "quarter size"}
    return known.get(scale, f"{scale:.2g} of the size")


def _data_uri(picture: Rgb) -> str:
    from PIL import Image as PillowImage

    buffer = io.BytesIO()
    grey: NDArray[np.uint8] = picture if np.ptp(picture, axis=2).any() else picture[:, :, 0]
    PillowImage.fromarray(grey).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")

"""Small pictures of one image, to be put into the report's page."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .drawing import Rgb, draw, heat_map, small_view

if TYPE_CHECKING:
    from sparsight.inspection import Inspection

PICTURE_BUDGET = 24_000_000
"""Characters of pictures in a page; a browser, and a mailbox, should still take it."""

_QUALITY = 82


@dataclass(frozen=True)
class Thumbnails:
    """Pictures as data URIs, all of the same size."""

    overlay: str
    heat: str
    image: str | None
    """The image bare; None without defects, where nothing is drawn over it."""
    width: int
    height: int

    @classmethod
    def of(cls, inspection: Inspection, max_side: int) -> Thumbnails:
        """Draw the pictures small."""
        picture = small_view(inspection.image, max_side)
        height, width = picture.shape[:2]
        drawn, heat = draw(inspection, picture), heat_map(inspection, (height, width))
        return cls(
            overlay=_data_uri(drawn),
            heat=_data_uri(heat),
            image=_data_uri(picture) if inspection.defects else None,
            width=width,
            height=height,
        )

    @property
    def n_bytes(self) -> int:
        """Room that the pictures take in the page."""
        return len(self.overlay) + len(self.heat) + len(self.image or "")


def thumbnail_side(n_images: int) -> int:
    """Longer side of the pictures such that those of all images fit the page's budget."""
    characters_per_pixel = 1.2  # three JPEG pictures in base64, of noisy micrographs
    side = math.sqrt(PICTURE_BUDGET / (max(1, n_images) * characters_per_pixel))
    return round(min(max(side, 240), 720))


def _data_uri(picture: Rgb) -> str:
    from PIL import Image as PillowImage

    buffer = io.BytesIO()
    PillowImage.fromarray(picture).save(buffer, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")

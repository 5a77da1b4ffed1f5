"""What is written into pictures: the numbers of defects, and a scale bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw as Pen
    from PIL.ImageFont import FreeTypeFont

    from sparsight.inspection import Defect

INK = (0, 229, 255)
"""Rare in micrographs, wood, leather and metal, and far from the heat colours."""

GROUND = (8, 12, 20)
"""Behind the ink, so that it stands out from bright and from dark."""

_WHITE = (255, 255, 255)
_MAX_NUMBERS = 60
"""Numbers written on one picture; more would hide what they number."""


def annotate(
    picture: NDArray[np.uint8],
    defects: Sequence[Defect],
    *,
    scale: tuple[float, float] = (1.0, 1.0),
    pixel_size_um: float | None = None,
) -> NDArray[np.uint8]:
    """Number the defects, strongest first, and draw a scale bar when the pixel size is known.

    Parameters
    ----------
    picture : (height, width, 3)
    defects
        With coordinates in the image that was inspected.
    scale
        Pixels of the picture for each row and column of that image.
    pixel_size_um
        Of that image.
    """
    from PIL import Image as PillowImage
    from PIL import ImageDraw

    canvas = PillowImage.fromarray(picture)
    pen = ImageDraw.Draw(canvas)
    size = max(12, round(min(picture.shape[:2]) / 38))
    for defect in defects[:_MAX_NUMBERS]:
        top, left = (at * step for at, step in zip(defect.bounding_box[:2], scale, strict=True))
        _label(pen, str(defect.label), (left, top), size)
    if pixel_size_um is not None:
        _scale_bar(pen, pixel_size_um / scale[1], size)
    return np.asarray(canvas)


def round_length(longest: float) -> float:
    """Largest of 1, 2 and 5 times a power of ten that is no longer than `longest`."""
    power = 10.0 ** math.floor(math.log10(longest))
    return max(step * power for step in (1, 2, 5) if step * power <= longest * (1 + 1e-9))


def _label(pen: Pen, text: str, corner: tuple[float, float], size: int) -> None:
    """Write text on a plate whose lower right corner is `corner`, or as near as the picture allows."""
    font = _font(size)
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    pad = max(2, size // 5)
    width, height = right - left + 2 * pad, bottom - top + 2 * pad
    x = min(max(0.0, corner[0] - width), pen.im.size[0] - width)
    y = min(max(0.0, corner[1] - height), pen.im.size[1] - height)
    pen.rounded_rectangle((x, y, x + width, y + height), radius=pad, fill=GROUND)
    pen.text((x + pad - left, y + pad - top), text, font=font, fill=INK)


def _scale_bar(pen: Pen, pixel_size_um: float, size: int) -> None:
    width, height = pen.im.size
    length_um = round_length(0.25 * width * pixel_size_um)
    length = length_um / pixel_size_um
    text = f"{length_um / 1000:g} mm" if length_um >= 1000 else f"{length_um:g} µm"
    if length_um < 1:
        text = f"{length_um * 1000:g} nm"
    font, pad = _font(size), size // 2
    text_width = pen.textlength(text, font=font)
    plate_width, plate_height = max(length, text_width) + 2 * pad, 2.1 * size + pad
    left, top = pad, height - pad - plate_height
    pen.rounded_rectangle((left, top, left + plate_width, top + plate_height), radius=pad // 2, fill=GROUND)
    middle = left + plate_width / 2
    pen.text((middle, top + pad / 2), text, font=font, fill=_WHITE, anchor="ma")
    y = top + plate_height - pad
    pen.rectangle((middle - length / 2, y - max(2, size // 5), middle + length / 2, y), fill=_WHITE)


@cache
def _font(size: int) -> FreeTypeFont:
    """The font that comes with matplotlib, everywhere the same and with a µ, unlike Pillow's own."""
    import matplotlib
    from PIL import ImageFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(folder / "DejaVuSans-Bold.ttf", size)

"""What a decoder hands over, and the steps that all decoders share."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight.errors import ImageError

_WARNINGS = threading.Lock()


@dataclass(frozen=True)
class Decoded:
    """Pixels of a file and what the file states about them; None where it states nothing."""

    pixels: NDArray[Any]
    intensity_range: tuple[float, float] | None = None
    pixel_size_um: float | None = None


def without_alpha(pixels: NDArray[Any], path: Path) -> NDArray[Any]:
    """Drop the last channel, which is opacity, if it is opaque everywhere."""
    alpha = pixels[..., -1]
    opaque = 1.0 if alpha.dtype.kind == "f" else np.iinfo(alpha.dtype).max
    if (alpha < opaque).any():
        raise ImageError(
            f"{path} has transparent pixels; save it without transparency, "
            "and mark what shall be left out in a mask."
        )
    colours = pixels[..., :-1]
    return colours[..., 0] if colours.shape[-1] == 1 else colours


def grey_if_grey(palette: NDArray[Any]) -> NDArray[Any]:
    """Reduce a palette, (n_colours, 3), to grey values, (n_colours,), if it has no colour."""
    return palette[:, 0] if (palette == palette[:, :1]).all() else palette


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn and mirror the pixels as the orientation tag (1 to 8) of TIFF and EXIF asks."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    return pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


@contextmanager
def without_warnings() -> Iterator[None]:
    """Keep from the terminal what Pillow finds odd in metadata that is not used here.

    Of several threads that read images one passes at a time, because the filters of Python's
    warnings belong to all of them.
    """
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

"""Pictures for people: an image as 8-bit colours, its heat map, and its defects outlined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparsight.inspection.regions import bands

from .annotations import GROUND, INK, annotate
from .colours import heat_colours, over_threshold

if TYPE_CHECKING:
    from sparsight.images import Image
    from sparsight.inspection import Inspection

Rgb = NDArray[np.uint8]
Levels = tuple[float, float]
"""Values shown as black and as white."""

LARGEST_OVERLAY = 24_000_000
"""Pixels of an overlay: larger ones take much memory, and few programs show them."""

SIDE_OF_LARGE = 3_000
"""Longer side of the overlay of an image that is larger."""

_TINT = 0.35
_PIXELS_TO_MEASURE = 4_000_000
_LINES_AT_A_TIME = 64


def view(image: Image) -> Rgb:
    """Make an image fit to be looked at: 8-bit RGB, shape (height, width, 3).

    8-bit images are shown as they are. Others hold more levels than a screen, often in a small
    part of their range: their darkest and brightest thousandth become black and white. Images of
    neither one nor three channels are shown as the mean of their channels.
    """
    return shades(image.pixels, levels_of(image, stretched=image.pixels.dtype != np.uint8))


def levels_of(image: Image, *, stretched: bool) -> Levels:
    """What becomes black and white: the image's range or, stretched, its extreme thousandths."""
    if not stretched:
        return image.intensity_range
    step = max(1, int(np.sqrt(image.pixels.size / _PIXELS_TO_MEASURE)))
    low, high = (float(level) for level in np.quantile(image.pixels[::step, ::step], (0.001, 0.999)))
    return low, high


def shades(pixels: NDArray[Any], levels: Levels) -> Rgb:
    """8-bit RGB of pixels, shape (height, width[, channels])."""
    low, high = levels
    pixels = pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis]
    picture = np.empty((*pixels.shape[:2], 3), np.uint8)
    for rows, *_ in bands(pixels.shape):
        part = pixels[rows]
        if part.shape[2] not in (1, 3):
            part = part.mean(axis=2, keepdims=True)
        scaled = (part.astype(np.float32) - np.float32(low)) * np.float32(255 / max(high - low, 1e-30))
        picture[rows] = np.rint(np.clip(scaled, 0, 255))
    return picture


def small_view(image: Image, max_side: int) -> Rgb:
    """`view` of an image, scaled down so that its longer side is at most `max_side` pixels.

    What is much larger than that is averaged over blocks first, some rows at a time.
    """
    levels = levels_of(image, stretched=image.pixels.dtype != np.uint8)
    height, width = image.pixels.shape[:2]
    block = max(height, width) // max_side
    if block < 2:
        return shrink_picture(shades(image.pixels, levels), max_side)
    columns = np.arange(0, width, block)
    counts = np.diff(np.append(columns, width))[:, np.newaxis]
    lines = []
    for top in range(0, height, block):
        part = shades(image.pixels[top : top + block], levels).astype(np.float32)
        line = np.add.reduceat(part.mean(axis=0), columns, axis=0) / counts
        lines.append(np.rint(line).astype(np.uint8))
    return shrink_to(np.stack(lines), shrunk_shape((height, width), max_side))


def heat_map(inspection: Inspection, shape: tuple[int, int] | None = None) -> Rgb:
    """Score map in the common colour scale, shape (height, width, 3), or scaled down to `shape`."""
    scores = inspection.score_map if shape is None else shrink_by_maximum(inspection.score_map, shape)
    return heat_colours(over_threshold(scores, inspection.threshold))


def overlay(inspection: Inspection) -> Rgb:
    """Image with its defects tinted by score, outlined and numbered, shape (height, width, 3).

    An image of more than `LARGEST_OVERLAY` pixels is drawn smaller.
    """
    height, width = inspection.mask.shape
    large = height * width > LARGEST_OVERLAY
    return draw(inspection, small_view(inspection.image, SIDE_OF_LARGE if large else max(height, width)))


def draw(inspection: Inspection, picture: Rgb) -> Rgb:
    """Draw defects on a picture of the image, at a size at which lines and numbers are legible and no peak is lost."""
    height, width = picture.shape[:2]
    full_height, full_width = inspection.mask.shape
    mask = shrink_by_maximum(inspection.mask, (height, width))
    scores = shrink_by_maximum(inspection.score_map, (height, width))[mask]
    return annotate(
        outline(picture, heat_colours(over_threshold(scores, inspection.threshold)), mask),
        inspection.defects,
        scale=(height / full_height, width / full_width),
        pixel_size_um=inspection.pixel_size_um,
    )


def outline(picture: Rgb, tints: Rgb, mask: NDArray[np.bool_]) -> Rgb:
    """Tint the masked pixels of a picture, each with its colour, and draw a line around them.

    The line keeps some distance, so that speckles that belong together have one line around them all.
    """
    drawn = picture.copy()
    if not mask.any():
        return drawn
    drawn[mask] = (1 - _TINT) * drawn[mask] + _TINT * tints
    side = min(picture.shape[:2])
    gap, width = max(2, round(side / 100)), max(2, round(side / 350))
    near, line, edge = within(mask, (gap, gap + width, gap + width + 1))
    outside = _connected_with_the_border(~near)
    drawn[outside & edge] = GROUND
    drawn[outside & line] = INK
    return drawn


def _connected_with_the_border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of a mask from which one gets to the border of the picture without leaving it."""
    from scipy.ndimage import label

    labels, n_labels = label(mask)
    reaches = np.zeros(n_labels + 1, bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        reaches[edge] = True
    reaches[0] = False
    return np.asarray(reaches[labels])


def within(mask: NDArray[np.bool_], distances: tuple[int, ...]) -> list[NDArray[np.bool_]]:
    """Pixels at most so far from a mask, for each of some distances."""
    from scipy.ndimage import distance_transform_edt

    near = [np.zeros(mask.shape, bool) for _ in distances]
    for rows, seen, inside in bands(mask.shape, max(distances)):
        if mask[seen].any():
            distance = distance_transform_edt(~mask[seen])[inside]
            for part, limit in zip(near, distances, strict=True):
                part[rows] = distance <= limit
    return near


def shrink_picture(picture: Rgb, max_side: int) -> Rgb:
    """Scale a picture down, if it is larger, so that its longer side is `max_side` pixels."""
    height, width = picture.shape[:2]
    return shrink_to(picture, shrunk_shape((height, width), max_side))


def shrink_to(picture: Rgb, shape: tuple[int, int]) -> Rgb:
    """Scale a picture to a smaller shape."""
    from PIL import Image as PillowImage

    if shape == picture.shape[:2]:
        return picture
    resized = PillowImage.fromarray(picture).resize(
        shape[::-1], PillowImage.Resampling.LANCZOS, reducing_gap=3.0
    )
    return np.asarray(resized)


def shrink_by_maximum(values: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Scale a map down to `shape`, each pixel the largest of those it stands for: no peak is lost."""
    rows, columns = (
        np.arange(n_small) * n_large // n_small for n_small, n_large in zip(shape, values.shape, strict=True)
    )
    if shape == values.shape:
        return values
    largest = np.fmax if values.dtype.kind == "f" else np.maximum
    small = np.empty(shape, values.dtype)
    for first in range(0, len(rows), _LINES_AT_A_TIME):
        lines = slice(first, first + _LINES_AT_A_TIME)
        start, stop = rows[first], [*rows, len(values)][min(lines.stop, len(rows))]
        high = largest.reduceat(values[start:stop], rows[lines] - start, axis=0)
        small[lines] = largest.reduceat(high, columns, axis=1)
    return small


def shrunk_shape(shape: tuple[int, int], max_side: int) -> tuple[int, int]:
    """Shape after scaling so that the longer side is at most `max_side`."""
    factor = min(1.0, max_side / max(shape))
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))

"""Defects of no particular material, pasted into normal images: a broad idea of what a defect may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sparsight.inspection.scorers import Observed

Pixels = NDArray[np.float32]
Kind = Callable[[Pixels, Pixels, Pixels, np.random.RandomState], Pixels]

_HALF_SIZES = (5.0, 40.0)
_AMPLITUDES = (0.7, 4.0)
_CROP = 320
_CROPS = 6
_AREA_IN_CROPS = 0.1


def crops_with_defects(
    images: Sequence[Observed], random_state: np.random.RandomState
) -> Iterator[tuple[Observed, NDArray[np.bool_]]]:
    """Parts of normal images with random defects in them, and where these are."""
    for number in range(_CROPS):
        image = images[number * len(images) // _CROPS]
        starts = [random_state.randint(max(0, length - _CROP) + 1) for length in image.pixels.shape[:2]]
        part = tuple(slice(start, start + _CROP) for start in starts)
        pixels, defects = paste_defects(image.pixels[part], random_state, area=_AREA_IN_CROPS)
        yield Observed(pixels, None if image.mask is None else image.mask[part]), defects


def paste_defects(
    pixels: Pixels, random_state: np.random.RandomState, *, area: float = 0.06
) -> tuple[Pixels, NDArray[np.bool_]]:
    """Put random defects into a normal image.

    Soft ellipses and lines of 5 to 40 pixels half-size, whose content is brighter or darker, flat, noisy,
    blurred, of other contrast, warped, of a foreign texture, or from elsewhere in the image, turned and
    rescaled. Amplitudes are 0.7 to 4 times the local spread.

    Parameters
    ----------
    pixels : float32 array of shape (height, width) or (height, width, n_channels)
    random_state : RandomState
    area : float
        Share of the pixels to cover, about.

    Returns
    -------
    pixels : array of the same shape
        A copy, with defects.
    mask : bool array of shape (height, width)
        Where the defects are.
    """
    shape = pixels.shape[:2]
    result = pixels.reshape(*shape, -1).copy()
    mask = np.zeros(shape, bool)
    low, high = result.min(axis=(0, 1)), result.max(axis=(0, 1))
    largest = min(_HALF_SIZES[1], min(shape) / 4)
    for _ in range(1000):
        if mask.mean() >= area:
            break
        half_size = _log_uniform(random_state, min(_HALF_SIZES[0], largest), largest)
        window = _random_window(shape, int(np.ceil(1.3 * half_size)) + 1, random_state)
        opacity = _shape(result[window].shape[:2], half_size, random_state)
        old = result[window]
        spread = np.maximum(old.std(axis=(0, 1)), 0.1 * result.std(axis=(0, 1)))
        kind = KINDS[random_state.randint(len(KINDS))]
        new = kind(old, spread, result, random_state)
        result[window] = np.clip(old + opacity[..., np.newaxis] * (new - old), low, high)
        mask[window] |= opacity > 0.5
    return result.reshape(pixels.shape), mask


def _random_window(
    shape: tuple[int, ...], half: int, random_state: np.random.RandomState
) -> tuple[slice, ...]:
    rows, columns = (random_state.randint(length) for length in shape)
    return tuple(
        slice(max(0, centre - half), min(length, centre + half + 1))
        for centre, length in zip((rows, columns), shape, strict=True)
    )


def _log_uniform(random_state: np.random.RandomState, low: float, high: float) -> float:
    return float(np.exp(random_state.uniform(np.log(low), np.log(high))))


def _shape(shape: tuple[int, ...], half_size: float, random_state: np.random.RandomState) -> Pixels:
    """Opacity of an ellipse or a line with a soft border."""
    down, across = np.indices(shape, np.float32)
    down -= (shape[0] - 1) / 2
    across -= (shape[1] - 1) / 2
    angle = random_state.uniform(0, np.pi)
    along = np.cos(angle) * across + np.sin(angle) * down
    beside = np.cos(angle) * down - np.sin(angle) * across
    if random_state.uniform() < 0.3:
        beside = beside + random_state.uniform(-0.3, 0.3) * along**2 / half_size
        width = random_state.uniform(1.0, 4.0)
    else:
        width = half_size * random_state.uniform(0.35, 1.0)
    radius = np.sqrt((along / half_size) ** 2 + (beside / width) ** 2)
    softness = random_state.uniform(0.5, 3.0)
    inside: Pixels = np.clip((1 - radius) * width / softness + 0.5, 0, 1).astype(np.float32)
    return inside


def _noise(shape: tuple[int, ...], random_state: np.random.RandomState) -> Pixels:
    """Power-law noise of unit spread, from white to very smooth."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(shape[0]), np.fft.fftfreq(shape[1]), indexing="ij"))
    gain = (frequency + 0.01) ** -random_state.uniform(0, 2)
    white = random_state.standard_normal(shape)
    noise = np.fft.ifft2(np.fft.fft2(white, axes=(0, 1)) * gain[..., np.newaxis], axes=(0, 1)).real
    noise -= noise.mean(axis=(0, 1))
    return np.asarray(noise / (noise.std(axis=(0, 1)) + 1e-12), np.float32)


def _amplitude(spread: Pixels, random_state: np.random.RandomState) -> Pixels:
    sign = np.float32(random_state.choice([-1, 1]))
    return np.asarray(sign * _log_uniform(random_state, *_AMPLITUDES) * spread, np.float32)


def _shifted(old: Pixels, spread: Pixels, image: Pixels, random_state: np.random.RandomState) -> Pixels:
    del image
    return old + _amplitude(spread, random_state)


def _flat(old: Pixels, spread: Pixels, image: Pixels, random_state: np.random.RandomState) -> Pixels:
    del image
    grain = 0.2 * spread * _noise(old.shape, random_state)
    return np.asarray(old.mean(axis=(0, 1)) + _amplitude(spread, random_state) + grain)


def _noisy(old: Pixels, spread: Pixels, image: Pixels, random_state: np.random.RandomState) -> Pixels:
    del image
    return old + _amplitude(spread, random_state) * _noise(old.shape, random_state)


def _foreign(old: Pixels, spread: Pixels, image: Pixels, random_state: np.random.RandomState) -> Pixels:
    del image
    gain = spread * random_state.uniform(0.5, 1.5)
    level = old.mean(axis=(0, 1)) + spread * random_state.uniform(-1.5, 1.5)
    return np.asarray(level + gain * _noise(old.shape, random_state))


def _blurred(old: Pixels, spread: Pixels, image: Pixels, random_state: np.random.RandomState) -> Pixels:
    del spread, image
    sigma = random_state.uniform(1.0, 4.0)
    return np.asarray(ndimage.gaussian_filter(old, (sigma, sigma, 0)))


def _contrast(old: Pixels, spread: Pixels, image: Pixels, random_state: np.random.RandomState) -> Pixels:
    del spread, image
    mean = old.mean(axis=(0, 1))
    factor = np.float32(_log_uniform(random_state, 1.5, 3.5) ** random_state.choice([-1, 1]))
    return np.asarray(mean + factor * (old - mean))


def _from_elsewhere(
    old: Pixels, spread: Pixels, image: Pixels, random_state: np.random.RandomState
) -> Pixels:
    """A turned and rescaled piece of the image."""
    del spread
    angle, zoom = random_state.uniform(0.3, np.pi - 0.3), _log_uniform(random_state, 0.5, 2.0)
    centre = [random_state.uniform(0, length - 1) for length in image.shape[:2]]
    down, across = np.indices(old.shape[:2], np.float32)
    down -= old.shape[0] / 2
    across -= old.shape[1] / 2
    where = [
        centre[0] + zoom * (np.cos(angle) * down - np.sin(angle) * across),
        centre[1] + zoom * (np.sin(angle) * down + np.cos(angle) * across),
    ]
    return _sampled(image, where)


def _warped(old: Pixels, spread: Pixels, image: Pixels, random_state: np.random.RandomState) -> Pixels:
    del spread, image
    shift = random_state.standard_normal((2, *old.shape[:2]))
    shift = ndimage.gaussian_filter(shift, (0, 4, 4))
    shift *= random_state.uniform(2.0, 5.0) / (shift.std() + 1e-12)
    return _sampled(old, list(np.indices(old.shape[:2]) + shift))


def _sampled(image: Pixels, where: list[NDArray[np.floating]]) -> Pixels:
    channels = [
        ndimage.map_coordinates(image[..., c], where, order=1, mode="mirror") for c in range(image.shape[2])
    ]
    return np.stack(channels, axis=-1)


KINDS: tuple[Kind, ...] = (
    _shifted,
    _flat,
    _noisy,
    _foreign,
    _blurred,
    _contrast,
    _from_elsewhere,
    _warped,
)

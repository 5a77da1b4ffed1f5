"""Inpainting: what it promises of known pixels, kinds of images, bad input, and that it beats interpolation."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from skimage import data
from skimage.restoration import inpaint_biharmonic

import sparsight
from sparsight.errors import ImageError, ParameterError
from sparsight.images import Image
from sparsight.restoration import RestorationWarning, inpaint
from sparsight.restoration._tiles import blend_tiles, tile_slices


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return data.camera()[128:208, 160:256]


def lost(image: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(image.shape) < share


def error(result: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((result - truth.astype(float)) ** 2)))


@pytest.mark.parametrize("method", ["structured", "nonlocal", "ksvd", "cosine", "auto"])
def test_better_than_biharmonic_or_close_for_single_dictionaries(photograph, method):
    mask = lost(photograph, 0.5)
    result = inpaint(np.where(mask, 0, photograph), mask, method=method, intensity_range=(0, 255))
    peer = inpaint_biharmonic(np.where(mask, 0, photograph).astype(float), mask)
    allowed = 1.15 if method in ("ksvd", "cosine") else 0.95
    assert error(result, photograph) < allowed * error(peer, photograph)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_known_pixels_stay_and_range_is_kept(photograph, dtype):
    factor = {np.uint8: 1, np.uint16: 257}.get(dtype, 1 / 255)
    image = (photograph.astype(float) * factor).astype(dtype)
    mask = lost(image, 0.4)
    result = inpaint(image, mask, quality="fast")
    assert result.dtype == (np.float32 if dtype == np.float32 else np.float64)
    np.testing.assert_array_equal(result[~mask], image[~mask])
    assert error(result / factor, photograph) < 12


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
def test_any_number_of_channels(n_channels):
    image = np.dstack([data.astronaut()[100:150, 200:260], data.astronaut()[100:150, 200:260, :1]])[
        :, :, :n_channels
    ]
    mask = lost(image[:, :, 0], 0.5)
    result = inpaint(image, mask, quality="fast")
    assert result.shape == image.shape or n_channels == 1
    np.testing.assert_array_equal(result.reshape(image.shape)[~mask], image[~mask])
    assert error(result.reshape(image.shape), image) < 25


def test_masks_may_differ_between_channels():
    image = data.astronaut()[100:150, 200:260]
    mask = lost(image, 0.5)
    result = inpaint(image, mask, quality="fast")
    np.testing.assert_array_equal(result[~mask], image[~mask])
    assert error(result, image) < 25


def test_missing_values_may_be_anything_and_input_is_left_alone(photograph):
    mask = lost(photograph, 0.5)
    image = np.where(mask, np.nan, photograph / 255)
    before = image.copy()
    result = inpaint(image, mask, quality="fast")
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(
        result, inpaint(np.where(mask, 7.0, photograph / 255), mask, quality="fast")
    )


def test_reproducible_whatever_the_threads(photograph):
    mask = lost(photograph, 0.7)
    results = [inpaint(photograph, mask, quality="fast", n_threads=n, random_state=3) for n in (1, 2, 3)]
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_nothing_missing_returns_the_image(photograph):
    np.testing.assert_array_equal(inpaint(photograph, np.zeros(photograph.shape, bool)), photograph)


def test_one_known_pixel_fills_everything_with_it():
    mask = np.ones((40, 50), bool)
    mask[10, 20] = False
    image = np.full(mask.shape, 90, np.uint8)
    with pytest.warns(RestorationWarning, match="smoothly"):
        np.testing.assert_allclose(inpaint(image, mask, quality="fast"), 90, atol=0.01)


def test_constant_image_stays_constant():
    image = np.full((32, 32), 0.25)
    np.testing.assert_allclose(inpaint(image, lost(image, 0.5), quality="fast"), 0.25, atol=1e-4)


def test_image_smaller_than_a_patch_is_filled_smoothly():
    image = np.linspace(0, 1, 5 * 6).reshape(5, 6)
    mask = lost(image, 0.3)
    with pytest.warns(RestorationWarning, match="smaller than a patch"):
        result = inpaint(image, mask)
    assert error(result, image) < 0.1


def test_inside_of_a_large_hole_is_smooth_and_said_so(photograph):
    image = np.pad(photograph, 20, mode="reflect")
    mask = np.zeros(image.shape, bool)
    mask[20:90, 20:110] = True
    with pytest.warns(RestorationWarning, match="more than 20 pixels"):
        result = inpaint(image, mask, quality="fast")
    inside = result[45:65, 45:85]
    assert np.isfinite(result).all()
    assert np.abs(np.diff(inside, axis=0)).max() < 6


def test_tiles_blend_without_seams():
    shape = (1, 200, 150)
    slices = tile_slices(shape[1:], tile=80, halo=48)
    assert len(slices) > 4
    plane = np.arange(200 * 150, dtype=np.float32).reshape(shape)
    np.testing.assert_allclose(blend_tiles(shape, slices, lambda where: plane[:, *where]), plane, rtol=1e-6)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("quality", ["fast", "balanced", "best"])
def test_progress_counts_to_the_end(photograph, share, quality):
    photograph = photograph[:40, :48]
    mask = lost(photograph, share)
    seen: list[tuple[int, int]] = []
    inpaint(photograph, mask, quality=quality, progress=lambda done, total, _text: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == len(seen)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((20, 30), bool), "[Ee]very pixel"),
        (np.zeros((20, 31), bool), "same height"),
        (np.zeros((20, 30), np.uint8), "boolean"),
    ],
)
def test_bad_masks(mask, message):
    with pytest.raises(ImageError, match=message):
        inpaint(np.full((20, 30), 0.5), mask)


@pytest.mark.parametrize("place", [(0, 0), (3, 4)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_known_pixel_that_is_not_finite_is_named(place, value):
    image = np.full((20, 30), 0.5)
    image[place] = value
    mask = np.eye(20, 30, dtype=bool) & (np.arange(30) > 5)
    with pytest.raises(ImageError, match=f"1 pixel value.*row {place[0]}, column {place[1]}"):
        inpaint(image, mask)


def test_unknown_method_or_quality(photograph):
    mask = lost(photograph, 0.1)
    with pytest.raises(ParameterError, match="method"):
        inpaint(photograph, mask, method="telea")
    with pytest.raises(ParameterError, match="quality"):
        inpaint(photograph, mask, quality="ultra")


def test_image_objects_and_their_range_serve(photograph):
    image = Image(photograph.astype(np.float32), (0, 255))
    mask = lost(photograph, 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = sparsight.inpaint(image, mask, quality="fast")
    np.testing.assert_allclose(result, inpaint(photograph, mask, quality="fast"), atol=0.01)

"""Denoising: better than the noisy image and scikit-image's peers, any kind of image, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data
from skimage.restoration import denoise_nl_means

from sparsight.errors import ImageError, ParameterError
from sparsight.restoration import denoise
from sparsight.restoration._noise import VarianceStabiliser, noise_level


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return data.camera()[100:228, 140:268]


def noisy(image: np.ndarray, sigma: float) -> np.ndarray:
    return image + sigma * np.random.default_rng(0).standard_normal(image.shape)


def error(result: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((result - truth.astype(float)) ** 2)))


@pytest.mark.parametrize("method", ["auto", "structured", "ksvd"])
def test_beats_non_local_means(photograph, method):
    image = noisy(photograph, 25)
    result = denoise(image / 255, 25 / 255, method=method) * 255
    peer = denoise_nl_means(image, patch_size=5, patch_distance=8, h=0.8 * 25, sigma=25, fast_mode=True)
    assert error(result, photograph) < (1.02 if method == "ksvd" else 0.95) * error(peer, photograph)


def test_units_are_those_of_the_image(photograph):
    image = noisy(photograph, 20).clip(0, 255).round().astype(np.uint8)
    eight_bit = denoise(image, 20)
    unit = denoise(image / 255, 20 / 255)
    np.testing.assert_allclose(eight_bit, 255 * unit, atol=0.05)
    assert denoise((image / 255).astype(np.float32), 20 / 255).dtype == np.float32


@pytest.mark.parametrize("sigma", [10, 20, 50])
def test_the_noise_level_is_found(photograph, sigma):
    for image in (photograph, data.astronaut()[:128, :128, 0]):
        assert noise_level(noisy(image, sigma).astype(np.float32)) == pytest.approx(sigma, rel=0.15)


def test_estimated_sigma_does_nearly_as_well(photograph):
    image = noisy(photograph, 20) / 255
    assert error(denoise(image), photograph / 255) < 1.05 * error(denoise(image, 20 / 255), photograph / 255)


def test_colour_gains_from_decorrelation():
    truth = data.astronaut()[80:160, 180:260]
    image = noisy(truth, 25)
    together = denoise(image / 255, 25 / 255) * 255
    apart = np.dstack([denoise(image[:, :, c] / 255, 25 / 255) * 255 for c in range(3)])
    assert error(together, truth) < 0.95 * error(apart, truth)


def test_photon_noise(photograph):
    gain = 4.0
    rng = np.random.default_rng(1)
    image = gain * rng.poisson(photograph / gain) + 3 * rng.standard_normal(photograph.shape)
    kept = {"intensity_range": (0, 255)}
    assert error(denoise(image, 3.0, gain=gain, **kept), photograph) < 0.95 * error(
        denoise(image, **kept), photograph
    )


def test_stabilised_noise_has_unit_variance_and_comes_back_unbiased():
    rng = np.random.default_rng(0)
    stabiliser = VarianceStabiliser(gain=2.0, sigma=3.0, black=10.0)
    for level in (20, 60, 200):
        image = 10 + 2.0 * rng.poisson(level / 2, 200_000) + 3 * rng.standard_normal(200_000)
        stabilised = stabiliser.forward(image)
        assert stabilised.std() == pytest.approx(1, abs=0.04)
        assert stabiliser.inverse(stabilised.mean()) == pytest.approx(10 + level, rel=0.02)


def test_reproducible_whatever_the_threads(photograph):
    image = noisy(photograph, 25) / 255
    np.testing.assert_array_equal(denoise(image, 0.1, n_threads=1), denoise(image, 0.1, n_threads=3))


def test_input_is_left_alone_and_progress_counts_to_the_end(photograph):
    image = noisy(photograph, 25) / 255
    before = image.copy()
    seen: list[tuple[int, int]] = []
    denoise(image, 0.1, progress=lambda done, total, _text: seen.append((done, total)))
    np.testing.assert_array_equal(image, before)
    assert seen[-1][0] == seen[-1][1] == len(seen)


def test_constant_image_stays_constant():
    np.testing.assert_allclose(denoise(np.full((30, 40), 0.5), 0.1), 0.5, atol=1e-4)
    np.testing.assert_array_equal(denoise(np.full((30, 40), 0.5)), 0.5)


@pytest.mark.parametrize("sigma", [0, -1, np.nan])
def test_sigma_must_be_positive(photograph, sigma):
    with pytest.raises(ParameterError, match="sigma"):
        denoise(photograph, sigma)


def test_bad_input(photograph):
    with pytest.raises(ImageError, match="smaller than a patch"):
        denoise(np.zeros((7, 30)), 0.1)
    with pytest.raises(ImageError, match="NaN"):
        denoise(np.where(np.eye(20) > 0, np.nan, 0.5), 0.1)
    with pytest.raises(ParameterError, match="method"):
        denoise(photograph, 10, method="median")
    with pytest.raises(ParameterError, match="gain"):
        denoise(photograph, 10, gain=0)

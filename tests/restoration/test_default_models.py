import numpy as np
import pytest
from skimage.data import coins

from sparsight import Image, imresize, upscale
from sparsight.errors import ImageError, ParameterError
from sparsight.restoration import fidelity
from sparsight.restoration.default_models import default_resolver, scales_for

TRUTH = coins()[:240, :240]  # no training image of the default models


@pytest.mark.parametrize(("scale", "gain"), [(2, 1.0), (3, 0.8), (4, 0.6)])
def test_default_models_beat_interpolation(scale, gain):
    low, truth = imresize(TRUTH, 1 / scale), Image(TRUTH, (0, 255))
    figures = [
        fidelity(Image(pixels, (0, 255)), truth, border=scale).psnr
        for pixels in (
            imresize(low, scale),
            upscale(low, scale, quality="fast"),
            upscale(low, scale),
            upscale(low, scale, quality="best"),
        )
    ]
    assert figures[1] > figures[0] + gain
    assert figures == sorted(figures)


@pytest.mark.parametrize("factor", [1.3, 2, 2.5, 6])
def test_any_factor(factor):
    image = TRUTH[:30, :41]
    upscaled = upscale(image, factor, n_threads=1)
    assert upscaled.shape == tuple(int(np.floor(n * factor + 0.5)) for n in image.shape)
    assert upscaled.dtype == np.uint8
    agreement = np.abs(imresize(upscaled, shape=image.shape).astype(int) - image)
    assert agreement.mean() < 3


def test_progress_covers_all_steps():
    shares = []
    upscale(TRUTH[:40, :40], 6, tile=20, progress=lambda done, total, _: shares.append(done / total))
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_the_models_say_what_they_were_trained_on():
    names = {image["name"] for image in default_resolver(2).provenance_["images"]}
    assert {"astronaut", "camera", "coffee"} <= names
    assert "coins" not in names


@pytest.mark.parametrize(
    ("factor", "scales"),
    [(1.5, (2,)), (2, (2,)), (3, (3,)), (3.5, (4,)), (5, (3, 2)), (8, (4, 2)), (9, (3, 3)), (16, (4, 4))],
)
def test_composition(factor, scales):
    assert scales_for(factor) == scales


@pytest.mark.parametrize("factor", [1, 0, -3, 17, float("inf")])
def test_absurd_factors(factor):
    with pytest.raises(ParameterError, match="factor above 1 and up to 16"):
        upscale(TRUTH, factor)


def test_fidelity_is_the_literature_s():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    noisy = np.clip(truth + rng.normal(0, 9, truth.shape), 0, 255).astype(np.uint8)

    def luminance(rgb):
        return np.round(16 + rgb @ np.array([65.481, 128.553, 24.966]) / 255)[3:-3, 3:-3]

    error = np.mean((luminance(noisy) - luminance(truth)) ** 2)
    found = fidelity(Image(noisy, (0, 255)), Image(truth, (0, 255)), border=3)
    assert found.psnr == pytest.approx(10 * np.log10(255**2 / error))
    assert found.channel == "luminance Y (BT.601)"
    assert 0 < found.ssim < 1
    same = fidelity(Image(truth, (0, 255)), Image(truth, (0, 255)))
    assert (same.psnr, same.ssim) == (float("inf"), pytest.approx(1))


def test_fidelity_needs_images_of_one_size():
    with pytest.raises(ImageError, match="at the size"):
        fidelity(Image(TRUTH, (0, 255)), Image(TRUTH[1:], (0, 255)))
    with pytest.raises(ImageError, match="too small"):
        fidelity(Image(TRUTH[:12, :12], (0, 255)), Image(TRUTH[:12, :12], (0, 255)), border=3)

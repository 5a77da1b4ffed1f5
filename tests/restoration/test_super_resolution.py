import numpy as np
import pytest
from skimage.data import camera, coffee

from sparsight import CoupledDictionaries, Image, SuperResolver, imresize
from sparsight.errors import ImageError, ModelError, ParameterError
from sparsight.restoration import Degradation


def psnr(truth, image, border=4):
    inner = (slice(border, -border), slice(border, -border))
    return -10 * np.log10(np.mean((truth[inner].astype(float) / 255 - image[inner].astype(float) / 255) ** 2))


TRAINING = [camera()[:200, 40:240], camera()[200:400, :200]]
TRUTH = camera()[60:228, 240:432]


@pytest.fixture(scope="module")
def resolver():
    return SuperResolver(2, n_anchors=128, random_state=0).fit(TRAINING)


@pytest.fixture(scope="module")
def low():
    return imresize(TRUTH, 0.5)


def test_each_quality_is_better_than_the_one_before(resolver, low):
    figures = [psnr(TRUTH, imresize(low, 2))]
    figures += [psnr(TRUTH, resolver.upscale(low, quality=q)) for q in ("fast", "balanced", "best")]
    assert figures[1] > figures[0] + 1.0
    assert figures == sorted(figures)


@pytest.mark.parametrize("scale", [3, 4])
def test_other_scales(scale):
    resolver = SuperResolver(scale, n_stages=1, n_anchors=64).fit(TRAINING)
    low = imresize(TRUTH, 1 / scale)
    upscaled = resolver.upscale(low)
    assert upscaled.shape == TRUTH.shape
    assert psnr(TRUTH, upscaled) > psnr(TRUTH, imresize(low, scale)) + 0.7


def test_fitting_is_reproducible_and_leaves_images_alone():
    images = [image.copy() for image in TRAINING]
    first, second = (SuperResolver(2, n_anchors=32, n_threads=n).fit(images) for n in (1, 2))
    low = imresize(TRUTH, 0.5)
    np.testing.assert_array_equal(first.upscale(low), second.upscale(low))
    np.testing.assert_array_equal(images[0], TRAINING[0])


def test_tiles_leave_no_seams(resolver, low):
    whole = resolver.upscale(low.astype(np.float32) / 255, tile=None)
    np.testing.assert_allclose(resolver.upscale(low.astype(np.float32) / 255, tile=37), whole, atol=1e-5)


def test_back_projection_agrees_with_the_image(resolver, low):
    image = low.astype(np.float64) / 255
    before, after = (
        np.abs(imresize(resolver.upscale(image, back_projection=n), 0.5) - image).mean() for n in (0, 5)
    )
    assert after < 0.2 * before


def test_dtypes_agree(resolver, low):
    exact = resolver.upscale(low / 255.0)
    eight = resolver.upscale(low)
    sixteen = resolver.upscale(low.astype(np.uint16) * 257)
    assert (exact.dtype, eight.dtype, sixteen.dtype) == (np.float64, np.uint8, np.uint16)
    assert np.abs(exact * 255 - eight).max() <= 0.501
    assert np.abs(exact * 65535 - sixteen).max() <= 1
    twelve = Image(low.astype(np.uint16) * 16, (0, 4080))
    assert np.abs(exact * 4080 - resolver.upscale(twelve)).max() <= 1


def test_an_image_beyond_its_range_is_not_clipped(resolver, low):
    image = low / 255.0
    beyond = resolver.upscale(image + 10.0)
    assert beyond.max() > 11
    # Rounding at 10 lets a few cells that lie between two anchors change sides.
    assert np.abs(np.clip(beyond - 10, 0, 1) - resolver.upscale(image)).mean() < 1e-4


def test_colour(resolver):
    truth = coffee()[100:260, 200:400]
    image = imresize(truth, 0.5)
    upscaled = resolver.upscale(image)
    assert upscaled.shape == truth.shape
    assert psnr(truth, upscaled) > psnr(truth, imresize(image, 2)) + 0.5
    grey = np.repeat(image[:, :, :1], 3, axis=2)
    assert np.abs(resolver.upscale(grey)[:, :, 1].astype(int) - resolver.upscale(grey[:, :, 0])).max() <= 1


def test_other_channels_are_upscaled_one_by_one(resolver, low):
    stack = np.stack([low, low[::-1]], axis=2)
    upscaled = resolver.upscale(stack)
    np.testing.assert_array_equal(upscaled[:, :, 1], resolver.upscale(low[::-1]))


@pytest.mark.parametrize("factor", [1.5, 2.5, 4, 5])
def test_other_factors(resolver, low, factor):
    small = low[:41, :50]
    upscaled = resolver.upscale(small, factor=factor)
    assert upscaled.shape == tuple(int(np.floor(n * factor + 0.5)) for n in small.shape)


@pytest.mark.parametrize("method", ["anchored", "coupled"])
def test_save_and_load(tmp_path, resolver, low, method):
    if method == "coupled":
        dictionaries = CoupledDictionaries(n_components=32, max_iter=2)
        resolver = SuperResolver(2, method=method, dictionaries=dictionaries).fit([TRAINING[0][:100]])
    path = tmp_path / "model.sparsight"
    resolver.save(path)
    loaded = SuperResolver.load(path, scale=2)
    np.testing.assert_array_equal(loaded.upscale(low), resolver.upscale(low))
    assert loaded.provenance_ == resolver.provenance_
    with pytest.raises(ModelError, match="upscales by 2, not by 3"):
        SuperResolver.load(path, scale=3)


@pytest.mark.parametrize(
    ("learning", "features"), [("least-squares", "gradients"), ("joint", "gradients"), ("joint", "pixels")]
)
def test_coupled_dictionaries_upscale(low, learning, features):
    dictionaries = CoupledDictionaries(n_components=64, learning=learning, max_iter=4)
    resolver = SuperResolver(2, method="coupled", dictionaries=dictionaries, features=features)
    resolver.fit([TRAINING[0][:100]])
    assert psnr(TRUTH, resolver.upscale(low)) > psnr(TRUTH, imresize(low, 2)) + 0.3


def test_what_degraded_the_images_is_learned():
    blurred = Degradation(blur=1.2, noise=0.02, reduction="mean")
    low = blurred.apply(TRUTH / 255.0, 2, np.random.RandomState(1))
    aware, naive = (
        SuperResolver(2, n_stages=1, n_anchors=64, degradation=d).fit(TRAINING) for d in (blurred, None)
    )
    bicubic = psnr(TRUTH, 255 * imresize(low, 2))
    assert psnr(TRUTH, 255 * aware.upscale(low)) > psnr(TRUTH, 255 * naive.upscale(low)) + 1
    assert psnr(TRUTH, 255 * aware.upscale(low)) > bicubic + 1


def test_progress_reaches_the_end(low):
    calls = []
    resolver = SuperResolver(2, n_anchors=16)
    resolver.fit(TRAINING, progress=lambda done, total, _: calls.append(done / total))
    assert calls == sorted(calls)
    assert calls[-1] == 1
    calls.clear()
    resolver.upscale(low, tile=32, factor=4, progress=lambda done, total, _: calls.append(done / total))
    assert calls == sorted(calls)
    assert calls[-1] == 1


@pytest.mark.parametrize("scale", [0, 1, -2, 5, 2.5, "3", True, None])
def test_scales_that_cannot_be(scale):
    with pytest.raises(ParameterError, match="scale must be 2, 3 or 4"):
        SuperResolver(scale).fit(TRAINING)


@pytest.mark.parametrize("factor", [0, 1, -2, 1000, float("nan"), "a"])
def test_factors_that_cannot_be(resolver, low, factor):
    with pytest.raises(ParameterError, match="factor above 1"):
        resolver.upscale(low, factor=factor)


def test_bad_images(resolver):
    with pytest.raises(ImageError, match="at least 3×3"):
        resolver.upscale(np.zeros((2, 50), np.uint8))
    with pytest.raises(ImageError, match="NaN"):
        resolver.upscale(np.full((9, 9), np.nan))
    assert resolver.upscale(np.full((3, 4), 7, np.uint8)).tolist() == np.full((6, 8), 7).tolist()


def test_too_little_to_learn_from():
    with pytest.raises(ImageError, match=r"18×18 pixels or more, but the largest has 17×40"):
        SuperResolver(3).fit([np.zeros((17, 40))])
    with pytest.raises(ImageError, match="there are none"):
        SuperResolver(3).fit([])
    with pytest.raises(ParameterError, match=r"hold \d+ patches, but 1024 anchors need 49152"):
        SuperResolver(3).fit([TRUTH[:60, :60]])
    with pytest.raises(ParameterError, match="constant"):
        SuperResolver(2).fit([np.ones((200, 200))])
    with pytest.raises(ImageError, match="put a single image in brackets"):
        SuperResolver(2).fit(TRUTH)

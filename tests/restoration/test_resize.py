import numpy as np
import pytest

from sparsight import imresize
from sparsight.errors import ParameterError


def keys(x):
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def resample_line(line, factor, n_output):
    """The definition, one pixel at a time."""
    n, shrink = len(line), min(1.0, factor)
    out = np.zeros(n_output)
    for i in range(n_output):
        centre, total = (i + 0.5) / factor - 0.5, 0.0
        for j in range(-8 * n, 9 * n):
            weight = keys(shrink * (centre - j))
            position = j % (2 * n)
            out[i] += weight * line[min(position, 2 * n - 1 - position)]
            total += weight
        out[i] /= total
    return out


@pytest.mark.parametrize("factor", [0.25, 1 / 3, 0.7, 1.5, 2, 3])
def test_follows_the_definition(factor):
    image = np.random.default_rng(0).random((9, 11))
    height, width = (int(np.ceil(n * factor - 1e-9)) for n in image.shape)
    rows = np.stack([resample_line(column, factor, height) for column in image.T], axis=1)
    expected = np.stack([resample_line(row, factor, width) for row in rows])
    np.testing.assert_allclose(imresize(image, factor), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64, bool])
def test_keeps_the_dtype_and_a_constant(dtype):
    image = np.ones((12, 9, 3), dtype=dtype)
    before = image.copy()
    resized = imresize(image, 1 / 3)
    assert resized.dtype == dtype
    assert resized.shape == (4, 3, 3)
    np.testing.assert_allclose(resized, 1, rtol=1e-6)
    np.testing.assert_array_equal(image, before)


def test_integers_are_rounded_and_clipped():
    edge = np.zeros((8, 8), np.uint8)
    edge[:, 4:] = 255
    exact = imresize(edge.astype(float), 4)
    assert exact.min() < 0
    assert exact.max() > 255
    np.testing.assert_array_equal(imresize(edge, 4), np.clip(np.floor(exact + 0.5), 0, 255))


def test_shape_instead_of_factor():
    image = np.random.default_rng(0).random((20, 30))
    np.testing.assert_allclose(imresize(image, shape=(10, 15)), imresize(image, 0.5), atol=1e-12)
    assert imresize(image, shape=(7, 45)).shape == (7, 45)


@pytest.mark.parametrize(
    ("image", "arguments"),
    [
        (np.zeros((4, 4)), {"factor": 0}),
        (np.zeros((4, 4)), {"factor": -1}),
        (np.zeros((4, 4)), {"factor": float("nan")}),
        (np.zeros((4, 4)), {"shape": (0, 4)}),
        (np.zeros((4, 4)), {}),
        (np.zeros(4), {"factor": 2}),
        (np.zeros((0, 4)), {"factor": 2}),
        (np.zeros((4, 4), complex), {"factor": 2}),
    ],
)
def test_refuses(image, arguments):
    with pytest.raises(ParameterError):
        imresize(image, **arguments)


@pytest.mark.parametrize(("scale", "published"), [(2, 33.66), (3, 30.39), (4, 28.42)])
def test_published_bicubic_figures(real_images, scale, published):
    from sparsight import read_image

    figures = []
    for path in sorted((real_images / "set5").iterdir()):
        rgb = read_image(path).pixels.astype(float)
        luminance = 16 + rgb @ np.array([65.481, 128.553, 24.966]) / 255
        height, width = (n // scale * scale for n in luminance.shape)
        truth = luminance[:height, :width]
        upscaled = imresize(imresize(truth, 1 / scale), scale)
        inner = (slice(scale, -scale), slice(scale, -scale))
        error = np.round(upscaled[inner]) - np.round(truth[inner])
        figures.append(10 * np.log10(255**2 / np.mean(error**2)))
    assert np.mean(figures) == pytest.approx(published, abs=0.01)

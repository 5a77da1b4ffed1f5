import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sparsight
from sparsight.errors import ImageError
from sparsight.images import Image, as_image, write_image


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (bool, (0, 1)),
        (np.uint8, (0, 255)),
        (np.uint16, (0, 65535)),
        (np.int16, (-32768, 32767)),
        (np.uint32, (0, 2**32 - 1)),
        (np.float16, (0, 1)),
        (np.float32, (0, 1)),
        (np.float64, (0, 1)),
    ],
)
def test_range_is_stated_by_the_type(dtype: Any, expected: tuple[float, float]) -> None:
    image = as_image(np.ones((3, 4), dtype=dtype))
    assert image.intensity_range == expected
    assert image.pixels.dtype == dtype


def test_pixels_are_a_read_only_view_and_the_array_stays_writable() -> None:
    array = np.zeros((3, 4), dtype=np.uint8)
    image = as_image(array)
    assert np.shares_memory(image.pixels, array)
    assert not image.pixels.flags.writeable
    assert array.flags.writeable


@pytest.mark.parametrize(
    ("shape", "expected", "n_channels"),
    [((3, 4), (3, 4), 1), ((3, 4, 1), (3, 4), 1), ((3, 4, 3), (3, 4, 3), 3), ((3, 4, 7), (3, 4, 7), 7)],
)
def test_channels(shape: tuple[int, ...], expected: tuple[int, ...], n_channels: int) -> None:
    image = as_image(np.zeros(shape))
    assert image.pixels.shape == expected
    assert image.n_channels == n_channels


def test_lists_are_taken() -> None:
    assert as_image([[0.0, 0.5], [1.0, 0.25]]).pixels.shape == (2, 2)


def test_an_image_stays_itself_but_for_what_is_asked() -> None:
    image = Image(np.zeros((2, 2)), (0, 1), pixel_size_um=0.5, path=Path("a/wood.png"))
    assert image.name == "wood"
    again = as_image(image, intensity_range=(0, 4095))
    assert (again.name, again.pixel_size_um, again.path) == ("wood", 0.5, image.path)
    assert again.intensity_range == (0, 4095)
    assert as_image(image, name="board 7").name == "board 7"
    assert as_image(image).pixels is not None


def test_default_name() -> None:
    assert as_image(np.zeros((2, 2))).name == "image"


def test_paths_are_read(tmp_path: Path) -> None:
    write_image(tmp_path / "wood.png", np.full((2, 3), 7, dtype=np.uint8))
    for path in (tmp_path / "wood.png", str(tmp_path / "wood.png")):
        image = as_image(path)
        assert image.name == "wood"
        assert (image.pixels == 7).all()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5), "image has 1 dimensions"),
        (np.zeros((2, 3, 4, 5)), "image has 4 dimensions"),
        (np.zeros((0, 5)), r"image is empty, of shape \(0, 5\)"),
        (np.zeros((5, 5, 0)), "is empty"),
        (np.zeros((2, 2), dtype=complex), "pixels of type complex128"),
        (np.array([["a", "b"]]), "give real numbers"),
        (None, "pixels of type object"),
        ([[1.0, 2.0], [3.0]], "no array of one shape"),
        (np.arange(4).reshape(2, 2), "whose pixels are int64: give the intensity_range"),
        (np.ma.masked_array(np.zeros((2, 2)), mask=True), "masked array"),
        (np.array([[0, np.nan], [np.inf, 1]]), "2 pixel values .* the first at row 0, column 1"),
        (np.array([[[0, 1.0], [2, np.inf]]]), "1 pixel values .* row 0, column 1"),
    ],
)
def test_what_is_no_image(array: Any, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        as_image(array)


def test_messages_name_the_image() -> None:
    with pytest.raises(ImageError, match=r"^image 3 of the list is empty"):
        as_image(np.zeros((0, 0)), name="image 3 of the list")


def test_wide_integers_need_a_range() -> None:
    image = as_image(np.arange(4).reshape(2, 2), intensity_range=(0, 3))
    assert image.pixels.dtype == np.int64
    assert image.intensity_range == (0, 3)


@pytest.mark.parametrize("wrong", [(1, 1), (1, 0), (0, np.inf), (np.nan, 1)])
def test_impossible_ranges(wrong: tuple[float, float]) -> None:
    with pytest.raises(ImageError, match=re.escape(f"intensity range {wrong}")):
        as_image(np.zeros((2, 2)), intensity_range=wrong)


@pytest.mark.parametrize("wrong", [0, -1, np.nan, np.inf])
def test_impossible_pixel_sizes(wrong: float) -> None:
    with pytest.raises(ImageError, match="pixel size of"):
        Image(np.zeros((2, 2)), (0, 1), pixel_size_um=wrong)


def test_public_names() -> None:
    assert sparsight.as_image is as_image
    assert sparsight.Image is Image

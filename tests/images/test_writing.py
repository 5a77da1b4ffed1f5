from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image as PillowImage

from sparsight.errors import ImageError, SparsightError
from sparsight.images import Image, read_image, write_image

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (20, 31), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (20, 31, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".TIFF", ".PNG"])
@pytest.mark.parametrize("pixels", [GREY, GREY[:, :, None], COLOUR, COLOUR[::-1, ::2]])
def test_other_programs_read_the_same_values(tmp_path: Path, suffix: str, pixels: NDArray[np.uint8]) -> None:
    write_image(tmp_path / f"a{suffix}", pixels)
    with PillowImage.open(tmp_path / f"a{suffix}") as file:
        np.testing.assert_array_equal(np.asarray(file), pixels.squeeze())


def test_jpeg_is_close(tmp_path: Path) -> None:
    smooth = np.kron(GREY[:3, :4], np.ones((16, 16), np.uint8))
    write_image(tmp_path / "a.jpg", smooth)
    with PillowImage.open(tmp_path / "a.jpg") as file:
        assert file.format == "JPEG"
        assert np.abs(np.asarray(file).astype(int) - smooth).max() < 30


def test_masks_are_written_as_black_and_white(tmp_path: Path) -> None:
    for suffix in (".png", ".bmp", ".tif"):
        write_image(tmp_path / f"a{suffix}", GREY > 99)
        with PillowImage.open(tmp_path / f"a{suffix}") as file:
            np.testing.assert_array_equal(np.asarray(file), np.where(GREY > 99, 255, 0))


def test_sixteen_bit_png_is_read_by_pillow(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 65536, (20, 31), dtype=np.uint16)
    write_image(tmp_path / "a.png", pixels)
    with PillowImage.open(tmp_path / "a.png") as file:
        np.testing.assert_array_equal(np.asarray(file), pixels)
    colour = np.repeat(pixels[:, :, None], 3, axis=2)
    write_image(tmp_path / "b.png", colour)
    with PillowImage.open(tmp_path / "b.png") as file:  # it keeps the upper eight bits
        np.testing.assert_array_equal(np.asarray(file), colour >> 8)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(20, 31), (20, 31, 2), (20, 31, 3), (20, 31, 4), (20, 31, 9)])
@pytest.mark.parametrize("pixel_size_um", [None, 0.025, 50])
def test_tiff(tmp_path: Path, dtype: str, shape: tuple[int, ...], pixel_size_um: float | None) -> None:
    pixels = (RNG.random(shape) * 200).astype(dtype)
    write_image(tmp_path / "a.tif", pixels, pixel_size_um=pixel_size_um)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert len(file.pages) == 1
        stored = file.asarray()
    assert stored.dtype == pixels.dtype
    np.testing.assert_array_equal(stored, pixels)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.pixel_size_um == pixel_size_um


def test_tiff_is_compressed(tmp_path: Path) -> None:
    write_image(tmp_path / "a.tif", np.zeros((500, 500), dtype=np.float32))
    assert (tmp_path / "a.tif").stat().st_size < 10_000


def test_plain_resolution_tells_the_pixel_size_too(tmp_path: Path) -> None:
    write_image(tmp_path / "a.tif", GREY, pixel_size_um=0.5)
    with PillowImage.open(tmp_path / "a.tif") as file:
        assert file.info["dpi"] == pytest.approx((50800, 50800))


def test_image_brings_its_pixel_size(tmp_path: Path) -> None:
    image = Image(GREY, (0, 255), pixel_size_um=0.25)
    write_image(tmp_path / "a.tif", image)
    assert read_image(tmp_path / "a.tif").pixel_size_um == 0.25
    write_image(tmp_path / "a.tif", image, pixel_size_um=2)
    assert read_image(tmp_path / "a.tif").pixel_size_um == 2


def test_half_precision_is_widened(tmp_path: Path) -> None:
    pixels = RNG.random((4, 5)).astype(np.float16)
    write_image(tmp_path / "a.tif", pixels, pixel_size_um=1)
    found = read_image(tmp_path / "a.tif").pixels
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, pixels)


def test_score_maps_may_hold_nan(tmp_path: Path) -> None:
    scores = np.array([[0.5, np.nan], [2, 3]], dtype=np.float32)
    write_image(tmp_path / "a.tif", scores)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), scores)


@pytest.mark.parametrize(
    ("name", "pixels", "message"),
    [
        ("a.png", np.zeros((4, 5)), r"Cannot write 1 channels of float64 to .*a\.png; use \.tif"),
        ("a.png", np.zeros((4, 5, 2), np.uint8), "Cannot write 2 channels of uint8"),
        ("a.png", np.zeros((4, 5, 4), np.uint8), "Cannot write 4 channels of uint8"),
        ("a.jpg", np.zeros((4, 5), np.uint16), "convert to grey or RGB pixels of uint8"),
        ("a.bmp", np.zeros((4, 5), np.uint16), "convert to grey or RGB pixels of uint8"),
        ("a.jpg", np.zeros((2, 65_501), np.uint8), r"2 × 65501 pixels .* at most 65500"),
        ("a.tif", np.zeros((4, 5), complex), "Cannot write pixels of type complex128"),
        ("a.tif", np.zeros((4, 5), np.int64), "Cannot write pixels of type int64"),
        ("a.tif", np.zeros(4), r"array of shape \(4,\)"),
        ("a.tif", np.zeros((0, 4)), r"array of shape \(0, 4\)"),
        ("a.gif", GREY, r"no image format has the suffix '\.gif'; use \.png, \.tif, \.jpg or \.bmp"),
        ("a", GREY, "no image format has the suffix ''"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, name: str, pixels: NDArray[Any], message: str) -> None:
    with pytest.raises(ImageError, match=message):
        write_image(tmp_path / name, pixels)
    assert list(tmp_path.iterdir()) == []


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(SparsightError, match="nowhere does not exist; create it first"):
        write_image(tmp_path / "nowhere" / "a.png", GREY)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_interruption_leaves_the_old_file(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / name, GREY)
    before = (tmp_path / name).read_bytes()

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PillowImage.Image, "save", interrupt)
    monkeypatch.setattr(tifffile, "imwrite", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_image(tmp_path / name, GREY // 2)
    assert (tmp_path / name).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["{}.png", "{}.tif", "{}.jpg"])
def test_same_pixels_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    image = Image(COLOUR, (0, 255), pixel_size_um=0.5)
    for letter in "ab":
        write_image(tmp_path / name.format(letter), image)
    assert (tmp_path / name.format("a")).read_bytes() == (tmp_path / name.format("b")).read_bytes()


@pytest.mark.parametrize("high", [255, 1023, 4095, 65535])
def test_significant_bits_are_kept(tmp_path: Path, high: int) -> None:
    pixels = RNG.integers(0, high, (4, 5), dtype=np.uint16, endpoint=True)
    write_image(tmp_path / "a.tif", Image(pixels, (0, high)))
    assert read_image(tmp_path / "a.tif").intensity_range == (0, high)

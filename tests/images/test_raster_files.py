"""PNG, JPEG and BMP files as other programs write them."""

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo

from sparsight.errors import ImageError
from sparsight.images import read_image

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (20, 31), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (20, 31, 3), dtype=np.uint8)


# First row and column, and steps, of the seven passes of an interlaced PNG.
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def filtered_rows(pixels: NDArray[Any], row_filter: int) -> bytes:
    """Rows of big-endian bytes, filtered by "none" (0) or "sub" (1)."""
    height, width = pixels.shape[:2]
    rows = pixels.astype(f">u{pixels.dtype.itemsize}").view(np.uint8).reshape(height, -1)
    if row_filter == 1:
        step = rows.shape[1] // width
        rows = np.concatenate([rows[:, :step], rows[:, step:] - rows[:, :-step]], axis=1)
    return np.concatenate([np.full((height, 1), row_filter, np.uint8), rows], axis=1).tobytes()


def png_by_hand(
    path: Path,
    pixels: NDArray[Any],
    bit_depth: int,
    colour_type: int,
    row_filter: int = 0,
    interlaced: bool = False,
) -> None:
    """Write what Pillow cannot write."""
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    parts = [pixels[row::down, column::right] for row, column, down, right in passes]
    data = b"".join(filtered_rows(np.ascontiguousarray(part), row_filter) for part in parts if part.size)
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, interlaced)
    compressed = zlib.compress(data)
    half = len(compressed) // 2
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, content in (
            (b"IHDR", header),
            (b"IDAT", compressed[:half]),
            (b"IDAT", compressed[half:]),
            (b"IEND", b""),
        ):
            checksum = struct.pack(">I", zlib.crc32(name + content))
            file.write(struct.pack(">I", len(content)) + name + content + checksum)


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_eight_bits(tmp_path: Path, suffix: str, pixels: NDArray[np.uint8]) -> None:
    path = tmp_path / f"a{suffix}"
    PillowImage.fromarray(pixels).save(path)
    image = read_image(path)
    assert image.pixels.dtype == np.uint8
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.intensity_range == (0, 255)
    assert image.pixel_size_um is None
    assert (image.path, image.name) == (path, "a")
    assert not image.pixels.flags.writeable


@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_jpeg(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    smooth = np.kron(pixels[:3, :4], np.ones((8, 8, 1)[: pixels.ndim], np.uint8))
    PillowImage.fromarray(smooth).save(tmp_path / "a.jpg", quality=100, subsampling=0)
    image = read_image(tmp_path / "a.jpg")
    assert image.pixels.shape == smooth.shape
    assert np.abs(image.pixels.astype(int) - smooth).max() <= 4


def test_the_content_tells_the_format_not_the_suffix(tmp_path: Path) -> None:
    PillowImage.fromarray(GREY).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg").pixels, GREY)


def test_one_bit(tmp_path: Path) -> None:
    PillowImage.fromarray(GREY > 100).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image.pixels, GREY > 100)
    assert image.pixels.dtype == bool
    assert image.intensity_range == (0, 1)


def test_sixteen_bits_grey(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 65536, (20, 31), dtype=np.uint16)
    PillowImage.fromarray(pixels).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.pixels.dtype == np.uint16
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.intensity_range == (0, 65535)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("row_filter", [0, 1])
@pytest.mark.parametrize(("colour_type", "n_channels"), [(2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_with_several_channels(
    tmp_path: Path, colour_type: int, n_channels: int, row_filter: int, interlaced: bool
) -> None:
    pixels = RNG.integers(0, 65536, (20, 31, n_channels), dtype=np.uint16)
    if n_channels in (2, 4):
        pixels[..., -1] = 65535
    png_by_hand(tmp_path / "a.png", pixels, 16, colour_type, row_filter, interlaced)
    image = read_image(tmp_path / "a.png")
    expected = {2: pixels[..., 0], 3: pixels, 4: pixels[..., :3]}[n_channels]
    assert image.pixels.dtype == np.uint16
    np.testing.assert_array_equal(image.pixels, expected)


def test_sixteen_bits_that_are_not_opaque(tmp_path: Path) -> None:
    pixels = np.full((3, 4, 4), 65535, dtype=np.uint16)
    pixels[1, 2, 3] = 65534
    png_by_hand(tmp_path / "a.png", pixels, 16, 6)
    with pytest.raises(ImageError, match=r"a\.png has transparent pixels"):
        read_image(tmp_path / "a.png")


def test_palette_of_colours(tmp_path: Path) -> None:
    quantised = PillowImage.fromarray(COLOUR).quantize(16)
    quantised.save(tmp_path / "a.png")
    expected = np.asarray(quantised.convert("RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, expected)


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_palette_of_greys_is_grey(tmp_path: Path, suffix: str) -> None:
    indices = PillowImage.fromarray(GREY % 4).convert("P")
    indices.putpalette([value for grey in (200, 10, 90, 255) for value in (grey,) * 3])
    indices.save(tmp_path / f"a{suffix}")
    expected = np.array([200, 10, 90, 255], dtype=np.uint8)[GREY % 4]
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}").pixels, expected)


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    red = PillowImage.new("RGB", (16, 16), (255, 0, 0))
    red.convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    pixels = read_image(tmp_path / "a.jpg").pixels
    assert pixels.shape == (16, 16, 3)
    assert np.abs(pixels.reshape(-1, 3).mean(axis=0) - [255, 0, 0]).max() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_orientation_of_the_camera_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    from PIL import ImageOps

    upright = PillowImage.fromarray(np.kron(COLOUR[:3, :4], np.ones((16, 16, 1), np.uint8)))
    exif = PillowImage.Exif()
    exif[274] = orientation
    upright.save(tmp_path / f"a{suffix}", exif=exif)
    with PillowImage.open(tmp_path / f"a{suffix}") as file:
        expected = np.asarray(ImageOps.exif_transpose(file))
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}").pixels, expected)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_opacity_is_dropped_only_where_all_is_opaque(tmp_path: Path, mode: str) -> None:
    picture = PillowImage.fromarray(GREY if mode == "LA" else COLOUR)
    picture.putalpha(255)
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, GREY if mode == "LA" else COLOUR)
    picture.putpixel((3, 2), (1,) * (len(mode) - 1) + (254,))
    picture.save(tmp_path / "a.png")
    with pytest.raises(ImageError, match="transparent pixels; save it without transparency"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_transparent_colour(tmp_path: Path, mode: str) -> None:
    picture = PillowImage.fromarray(COLOUR // 128).convert(mode)
    used = picture.getpixel((0, 0))
    picture.save(tmp_path / "a.png", transparency=used)
    with pytest.raises(ImageError, match="transparent pixels"):
        read_image(tmp_path / "a.png")
    unused = {"L": 77, "RGB": (7, 7, 7), "P": 255}[mode]
    if mode != "P":
        picture.save(tmp_path / "a.png", transparency=unused)
        np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, np.asarray(picture))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
@pytest.mark.parametrize("dots_per_inch", [72, 96, 300, 600])
def test_settings_of_printers_are_no_pixel_size(tmp_path: Path, suffix: str, dots_per_inch: int) -> None:
    PillowImage.fromarray(GREY).save(tmp_path / f"a{suffix}", dpi=(dots_per_inch,) * 2)
    assert read_image(tmp_path / f"a{suffix}").pixel_size_um is None


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_fine_resolution_is_the_pixel_size(tmp_path: Path, suffix: str) -> None:
    PillowImage.fromarray(GREY).save(tmp_path / f"a{suffix}", dpi=(2400, 2400))
    assert read_image(tmp_path / f"a{suffix}").pixel_size_um == pytest.approx(25400 / 2400, rel=1e-3)


def test_large_images_are_no_bombs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Pillow warns from 89 megapixels on, and refuses from 179 on."""
    PillowImage.new("L", (20_000, 10_000)).save(tmp_path / "a.png", compress_level=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(tmp_path / "a.png").pixels.shape == (10_000, 20_000)
    assert capfd.readouterr() == ("", "")


def test_text_in_png_does_no_harm(tmp_path: Path) -> None:
    notes = PngInfo()
    notes.add_text("Comment", "line 3, camera 2", zip=True)
    PillowImage.fromarray(GREY).save(tmp_path / "a.png", pnginfo=notes)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, GREY)

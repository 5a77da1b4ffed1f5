"""TIFF files as other programs write them."""

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image as PillowImage

from sparsight.errors import ImageError
from sparsight.images import read_image

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (20, 31), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (20, 31, 3), dtype=np.uint8)


def random_pixels(dtype: Any, shape: tuple[int, ...] = (20, 31)) -> NDArray[Any]:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return RNG.normal(size=shape).astype(kind)
    limits = np.iinfo(kind)
    return RNG.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("u1", (0, 255)),
        ("u2", (0, 65535)),
        ("i2", (-32768, 32767)),
        ("u4", (0, 2**32 - 1)),
        ("f2", (0, 1)),
        ("f4", (0, 1)),
        ("f8", (0, 1)),
    ],
)
def test_types_and_ranges(
    tmp_path: Path, dtype: str, expected: tuple[float, float], bigtiff: bool, byteorder: Any
) -> None:
    pixels = random_pixels(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, byteorder=byteorder, bigtiff=bigtiff)
    image = read_image(tmp_path / "a.tif")
    assert image.pixels.dtype == pixels.dtype
    assert image.pixels.dtype.isnative
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.intensity_range == expected


def test_twelve_bits_in_sixteen_keep_the_range_of_sixteen(tmp_path: Path) -> None:
    pixels = random_pixels("u2") >> 4
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.intensity_range == (0, 65535)


def test_significant_bits_stated_by_ome_set_the_range(tmp_path: Path) -> None:
    pixels = random_pixels("u2") >> 4
    metadata = {"axes": "YX", "SignificantBits": 12}
    tifffile.imwrite(tmp_path / "a.tif", pixels, ome=True, metadata=metadata)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.intensity_range == (0, 4095)


def packed(path: Path, values: NDArray[Any], bits: int, photometric: int = 1) -> None:
    """Write a grey TIFF whose pixels fill `bits` bits each, without gaps."""
    height, width = values.shape
    digits = (values[:, :, None] >> np.arange(bits)[::-1]) & 1
    data = np.packbits(digits.reshape(height, -1).astype(np.uint8), axis=1).tobytes()
    tags = [
        (256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric),
        (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, len(data)),
    ]  # fmt: skip
    entries = b"".join(
        tag.to_bytes(2, "little")
        + kind.to_bytes(2, "little")
        + (1).to_bytes(4, "little")
        + value.to_bytes(4, "little")
        for tag, kind, value in tags
    )
    directory = len(tags).to_bytes(2, "little") + entries + bytes(4)
    padding = bytes(len(data) % 2)
    header = b"II*\0" + (8 + len(data) + len(padding)).to_bytes(4, "little")
    path.write_bytes(header + data + padding + directory)


@pytest.mark.parametrize("bits", [1, 2, 4, 12])
@pytest.mark.parametrize("width", [32, 31])
def test_packed_pixels(tmp_path: Path, bits: int, width: int) -> None:
    values = RNG.integers(0, 2**bits, (20, width), dtype=np.uint16)
    packed(tmp_path / "a.tif", values, bits)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.pixels, values)
    assert image.intensity_range == (0, 2**bits - 1)


@pytest.mark.parametrize("bits", [1, 4])
def test_packed_pixels_whose_white_is_zero(tmp_path: Path, bits: int) -> None:
    values = RNG.integers(0, 2**bits, (20, 32), dtype=np.uint16)
    packed(tmp_path / "a.tif", values, bits, photometric=0)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, 2**bits - 1 - values)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_white_is_zero_is_inverted(tmp_path: Path, dtype: str) -> None:
    pixels = random_pixels(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    expected = np.iinfo(dtype).max - pixels
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, expected)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits", "tiff_adobe_deflate"])
@pytest.mark.parametrize("mode", ["1", "L", "I;16", "RGB", "F"])
def test_lossless_compression(tmp_path: Path, compression: str, mode: str) -> None:
    pixels: NDArray[Any] = {
        "1": GREY > 99,
        "L": GREY,
        "I;16": random_pixels("u2"),
        "RGB": COLOUR,
        "F": random_pixels("f4"),
    }[mode]
    PillowImage.fromarray(pixels).save(tmp_path / "a.tif", compression=compression)
    image = read_image(tmp_path / "a.tif")
    assert image.pixels.dtype == pixels.dtype
    np.testing.assert_array_equal(image.pixels, pixels)


def test_group4_fax(tmp_path: Path) -> None:
    PillowImage.fromarray(GREY > 99).save(tmp_path / "a.tif", compression="group4")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, GREY > 99)


def test_jpeg_in_tiff(tmp_path: Path) -> None:
    smooth = np.full((32, 48, 3), (200, 60, 30), dtype=np.uint8)
    PillowImage.fromarray(smooth).save(tmp_path / "a.tif", compression="jpeg", quality=95)
    assert np.abs(read_image(tmp_path / "a.tif").pixels.astype(int) - smooth).max() <= 4


@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_tiles_and_predictors(
    tmp_path: Path, dtype: str, tile: tuple[int, int] | None, predictor: bool
) -> None:
    pixels = random_pixels(dtype, (40, 50, 3))
    tifffile.imwrite(
        tmp_path / "a.tif",
        pixels,
        photometric="rgb",
        tile=tile,
        compression="zlib",
        predictor=predictor,
    )
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, pixels)


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize("n_channels", [2, 3, 4, 7])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_channels_in_one_page(tmp_path: Path, dtype: str, n_channels: int, planarconfig: Any) -> None:
    pixels = random_pixels(dtype, (20, 31, n_channels))
    stored = pixels if planarconfig == "contig" else np.moveaxis(pixels, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", planarconfig=planarconfig)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, pixels)


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_array_that_tifffile_was_given_without_a_word_about_channels(tmp_path: Path, dtype: str) -> None:
    pixels = random_pixels(dtype, (20, 31, 5))
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert len(file.pages) == 20
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, pixels)


@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_channels_in_several_pages(tmp_path: Path, kind: str) -> None:
    pixels = random_pixels("u2", (5, 20, 31))
    tifffile.imwrite(tmp_path / "a.tif", pixels, metadata={"axes": "CYX"}, **{kind: True})
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, np.moveaxis(pixels, 0, -1))


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((12, 20, 31), {"photometric": "minisblack"}),
        ((5, 20, 31), {"imagej": True, "metadata": {"axes": "ZYX"}}),
        ((5, 20, 31), {"ome": True, "metadata": {"axes": "TYX"}}),
        ((2, 3, 20, 31), {"imagej": True, "metadata": {"axes": "ZCYX"}}),
    ],
)
def test_stacks_are_refused(tmp_path: Path, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", random_pixels("u1", shape), **options)
    with pytest.raises(ImageError, match=r"a\.tif holds several images; save the one that is meant"):
        read_image(tmp_path / "a.tif")


def test_stack_of_imagej_without_pages(tmp_path: Path) -> None:
    """Where a stack is larger than 4 GB, ImageJ writes one page and lets the others follow."""
    tifffile.imwrite(
        tmp_path / "a.tif", GREY, description="ImageJ=1.54f\nimages=4\nslices=4\n", metadata=None
    )
    with (tmp_path / "a.tif").open("ab") as file:
        file.write(GREY.tobytes() * 3)
    with pytest.raises(ImageError, match="holds several images"):
        read_image(tmp_path / "a.tif")


def test_different_pictures_in_one_file_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(GREY)
        writer.write(COLOUR, photometric="rgb")
    with pytest.raises(ImageError, match="holds several images"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(("marked", "first"), [(True, False), (True, True), (False, False)])
def test_previews_are_passed_over(tmp_path: Path, marked: bool, first: bool) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        preview = {"subfiletype": 1 if marked else 0, "metadata": None}
        if first:
            writer.write(GREY[::4, ::4], **preview)
        writer.write(GREY, metadata=None)
        if not first:
            writer.write(GREY[::4, ::4], **preview)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, GREY)


def test_pyramid_gives_its_full_size(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(GREY, subifds=1, metadata=None)
        writer.write(GREY[::2, ::2], subfiletype=1, metadata=None)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, GREY)


@pytest.mark.parametrize("scale", [257, 256, 1])
def test_palette_of_greys_is_grey(tmp_path: Path, scale: int) -> None:
    """The SEMs of Zeiss store grey images this way."""
    ramp = np.tile(np.arange(256, dtype=np.uint16) * np.uint16(scale), (3, 1))
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="palette", colormap=ramp)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, GREY)


def test_palette_of_colours(tmp_path: Path) -> None:
    colours = RNG.integers(0, 65536, (3, 256), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="palette", colormap=colours)
    expected = (colours >> 8).astype(np.uint8).T[GREY]
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, expected)


@pytest.mark.parametrize("alpha", ["unassalpha", "assocalpha"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_opacity(tmp_path: Path, dtype: str, alpha: str) -> None:
    pixels = random_pixels(dtype, (20, 31, 4))
    pixels[..., 3] = 1 if dtype == "f4" else np.iinfo(dtype).max
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=[alpha])
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, pixels[..., :3])
    pixels[3, 4, 3] = 0
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=[alpha])
    with pytest.raises(ImageError, match="transparent pixels"):
        read_image(tmp_path / "a.tif")


def test_fourth_channel_that_is_no_opacity_is_kept(tmp_path: Path) -> None:
    pixels = random_pixels("u1", (20, 31, 4))
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unspecified"])
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path: Path, orientation: int) -> None:
    from PIL import ImageOps

    tifffile.imwrite(tmp_path / "a.tif", COLOUR, extratags=[(274, "H", 1, orientation, True)])
    with PillowImage.open(tmp_path / "a.tif") as file:
        expected = np.asarray(ImageOps.exif_transpose(file))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, expected)


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    PillowImage.new("RGB", (16, 16), (255, 0, 0)).convert("CMYK").save(tmp_path / "a.tif")
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.tif").pixels, np.broadcast_to([255, 0, 0], (16, 16, 3))
    )


def test_colour_spaces_that_are_not_read(tmp_path: Path) -> None:
    PillowImage.fromarray(COLOUR).convert("LAB").save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"a\.tif has pixels of the kind CIELAB"):
        read_image(tmp_path / "a.tif")


@pytest.mark.skipif(find_spec("imagecodecs") is not None, reason="imagecodecs reads it")
def test_what_only_imagecodecs_decompresses(tmp_path: Path) -> None:
    """16-bit colour in LZW: Pillow would read it, but only the upper 8 bits."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, random_pixels("u2", (20, 31, 3)), photometric="rgb")
    content = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        offset = file.pages.first.tags["Compression"].valueoffset
    path.write_bytes(content[:offset] + b"\x05" + content[offset + 1 :])
    with pytest.raises(ImageError, match=r"pip install imagecodecs"):
        read_image(path)


def test_odd_tags_are_not_logged_to_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    PillowImage.fromarray(GREY).save(tmp_path / "a.tif", description="x" * 100)
    content = (tmp_path / "a.tif").read_bytes()
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    try:
        (tmp_path / "a.tif").write_bytes(content.replace(b"x" * 100, b"\xff" * 100))
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, GREY)
    finally:
        root.handlers = handlers
    assert capfd.readouterr() == ("", "")

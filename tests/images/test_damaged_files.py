"""Files that are no images, or no longer: one sentence each, never another exception."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from sparsight.errors import ImageError
from sparsight.images import read_image, write_image

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (64, 80), dtype=np.uint8)


def saved(folder: Path, kind: str) -> Path:
    """Write an image in one of the ways in which images are stored."""
    path = folder / f"picture{kind[kind.index('.') :]}"
    colour = np.repeat(GREY[:, :, None], 3, axis=2)
    match kind:
        case "16-bit.png":
            write_image(path, colour.astype(np.uint16) * 257)
        case "plain.tif":
            tifffile.imwrite(path, GREY)
        case "deflated.tif":
            tifffile.imwrite(path, GREY, compression="zlib")
        case "tiled.tif":
            tifffile.imwrite(path, GREY, tile=(16, 16))
        case "header-at-the-end.tif" | "lzw.tif":
            compression = "tiff_lzw" if kind == "lzw.tif" else None
            PillowImage.fromarray(GREY).save(path, compression=compression)
        case "ome.tif":
            tifffile.imwrite(path, GREY, ome=True, metadata={"axes": "YX"})
        case "imagej.tif":
            tifffile.imwrite(path, GREY, imagej=True, metadata={"unit": "um"})
        case "float.tif":
            tifffile.imwrite(path, GREY.astype(np.float32) / 255)
        case _:
            PillowImage.fromarray(colour).save(path)
    return path


KINDS = [
    "8-bit.png", "16-bit.png", "photo.jpg", "photo.bmp", "plain.tif", "deflated.tif", "tiled.tif",
    "header-at-the-end.tif", "lzw.tif", "ome.tif", "imagej.tif", "float.tif",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.97])
def test_truncated(tmp_path: Path, kind: str, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path, kind)
    content = path.read_bytes()
    whole = read_image(path).pixels
    path.write_bytes(content[: int(share * len(content))])
    if kind == "ome.tif" and share >= 0.9:
        # What OME says of the image stands behind the pixels, none of which is missing.
        np.testing.assert_array_equal(read_image(path).pixels, whole)
        return
    with pytest.raises(ImageError, match=str(path)) as raised:
        read_image(path)
    assert str(raised.value).endswith("leave it out.")
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_bytes_give_an_image_or_an_image_error(
    tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path, kind)
    content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    rng = np.random.default_rng(len(kind))
    n_refused = 0
    for _ in range(60):
        damaged = content.copy()
        # Half of the damage goes to the first bytes, where the structure lies.
        end = content.size if rng.random() < 0.5 else min(content.size, 400)
        damaged[rng.integers(0, end, 4)] = rng.integers(0, 256, 4)
        path.write_bytes(damaged.tobytes())
        try:
            image = read_image(path)
        except ImageError as error:
            assert str(path) in str(error)  # noqa: PT017
            n_refused += 1
        else:
            assert image.pixels.size > 0
    assert n_refused > 0
    assert capfd.readouterr().out == ""


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"^There is no file .*nowhere\.png; check the path\.$"):
        read_image(tmp_path / "nowhere.png")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"is a folder; give an image file\.$"):
        read_image(tmp_path)


@pytest.mark.parametrize("name", ["notes.png", "notes.tif", "notes.jpg"])
def test_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("This is no picture.")
    with pytest.raises(
        ImageError, match=rf"{name} is not a PNG, JPEG, TIFF or BMP image; convert it to one or leave it out"
    ):
        read_image(tmp_path / name)


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(ImageError, match=r"The file .*a\.png is empty"):
        read_image(tmp_path / "a.png")


def test_without_the_right_to_read(
    open_folder: Path, as_ordinary_user: Callable[[], AbstractContextManager[None]]
) -> None:
    path = open_folder / "a.png"
    path.touch(mode=0o000)
    with (
        as_ordinary_user(),
        pytest.raises(ImageError, match=r"Cannot open .*a\.png \(Permission denied\)"),
    ):
        read_image(path)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite(tmp_path: Path, broken: float) -> None:
    pixels: Any = np.zeros((4, 5), dtype=np.float32)
    pixels[2, 3] = broken
    write_image(tmp_path / "a.tif", pixels)
    with pytest.raises(
        ImageError, match=r"a\.tif has 1 pixel values that are NaN or infinite, the first at row 2, column 3"
    ):
        read_image(tmp_path / "a.tif")

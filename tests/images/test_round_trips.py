"""What is written is what is read, for any pixels that a format can hold."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from sparsight.images import Image, as_image, read_image, read_mask, write_image

SIDES = st.integers(1, 40)
FINITE = {"allow_nan": False, "allow_infinity": False}


@st.composite
def pixels(draw: st.DrawFn, dtypes: tuple[str, ...], n_channels: st.SearchStrategy[int]) -> NDArray[Any]:
    channels = draw(n_channels)
    shape = (draw(SIDES), draw(SIDES), *((channels,) if channels > 1 else ()))
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    elements = FINITE if dtype.kind == "f" else None
    array = draw(npst.arrays(dtype, shape, elements=elements))
    # Any memory layout: turned, mirrored and thinned out.
    if draw(st.booleans()):
        array = array.swapaxes(0, 1)
    return array[:: draw(st.sampled_from((1, -1, 2))), :: draw(st.sampled_from((1, -1, 2)))]


ANY_TIFF = pixels(("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8", ">u2", ">f4"), st.integers(1, 8))
ANY_PNG = pixels(("u1", "u2", ">u2"), st.sampled_from((1, 3)))
ANY_BMP = pixels(("u1",), st.sampled_from((1, 3)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("round_trips")


def check(path: Path, array: NDArray[Any]) -> None:
    before = array.copy()
    write_image(path, array)
    np.testing.assert_array_equal(array, before)
    image = read_image(path)
    assert image.pixels.dtype == array.dtype.newbyteorder("=")
    assert image.pixels.flags.c_contiguous
    np.testing.assert_array_equal(image.pixels, array)
    assert image.intensity_range == as_image(array).intensity_range


@settings(deadline=None)
@given(array=ANY_TIFF)
def test_tiff(folder: Path, array: NDArray[Any]) -> None:
    check(folder / "a.tif", array)


@settings(deadline=None)
@given(array=ANY_PNG)
def test_png(folder: Path, array: NDArray[Any]) -> None:
    check(folder / "a.png", array)


@settings(deadline=None)
@given(array=ANY_BMP)
def test_bmp(folder: Path, array: NDArray[Any]) -> None:
    check(folder / "a.bmp", array)


@settings(deadline=None)
@given(array=pixels(("?",), st.just(1)), suffix=st.sampled_from((".png", ".tif", ".bmp")))
def test_masks(folder: Path, array: NDArray[np.bool_], suffix: str) -> None:
    write_image(folder / f"mask{suffix}", array)
    np.testing.assert_array_equal(read_mask(folder / f"mask{suffix}", array.shape[:2]), array)


@settings(deadline=None)
@given(size=st.floats(1e-5, 1e5))
def test_pixel_size(folder: Path, size: float) -> None:
    """From a hundredth of a nanometre to a decimetre."""
    write_image(folder / "a.tif", Image(np.zeros((2, 3)), (0, 1), pixel_size_um=size))
    assert read_image(folder / "a.tif").pixel_size_um == pytest.approx(size, rel=1e-6)


def test_the_module_is_light(folder: Path) -> None:
    """Neither it nor reading and writing a PNG load what they do not need."""
    program = (
        "import sys, numpy, sparsight.images as images\n"
        "heavy = {'scipy', 'sklearn', 'skimage', 'matplotlib', 'PIL', 'tifffile'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "images.write_image(sys.argv[1], numpy.zeros((4, 5), numpy.uint8))\n"
        "images.read_image(sys.argv[1])\n"
        "heavy.remove('PIL')\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(folder / "light.png")], check=True)

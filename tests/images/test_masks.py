from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage

from sparsight.errors import ImageError
from sparsight.images import read_mask, write_image

MASK = np.zeros((24, 32), dtype=bool)
MASK[4:12, 8:20] = True


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("a.png", MASK),
        ("a.png", np.where(MASK, 255, 0).astype(np.uint8)),
        ("a.png", np.where(MASK, 1, 0).astype(np.uint8)),
        ("a.png", np.where(MASK, 3, 0).astype(np.uint16)),
        ("a.png", np.where(MASK, 65535, 0).astype(np.uint16)),
        ("a.tif", np.where(MASK, 1, 0).astype(np.float32)),
        ("a.bmp", np.where(MASK[:, :, None], [0, 0, 255], 0).astype(np.uint8)),
        ("a.jpg", np.where(MASK, 255, 0).astype(np.uint8)),
    ],
)
def test_bright_is_true(tmp_path: Path, name: str, pixels: NDArray[Any]) -> None:
    write_image(tmp_path / name, pixels)
    mask = read_mask(tmp_path / name, shape=MASK.shape)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, MASK)


def test_one_bit_and_palette(tmp_path: Path) -> None:
    PillowImage.fromarray(MASK).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), MASK)
    labels = PillowImage.fromarray(MASK.astype(np.uint8)).convert("P")
    labels.putpalette([0, 0, 0, 128, 0, 0])
    labels.save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "b.png"), MASK)


def test_labels_all_count(tmp_path: Path) -> None:
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    write_image(tmp_path / "a.png", labels)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), labels > 0)


def test_what_compression_leaves_around_edges_is_black(tmp_path: Path) -> None:
    greys = np.array([[0, 3, 31, 32, 128, 255]], dtype=np.uint8)
    write_image(tmp_path / "a.png", greys)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), [[0, 0, 0, 1, 1, 1]])


def test_mask_of_nothing(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((3, 4), dtype=np.uint8))
    assert not read_mask(tmp_path / "a.png").any()


def test_mask_of_another_size(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", MASK)
    with pytest.raises(
        ImageError,
        match=r"The mask .*a\.png is 24 × 32 pixels \(height × width\), its image 32 × 24; give a mask",
    ):
        read_mask(tmp_path / "a.png", shape=(32, 24))


def test_missing_mask(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"There is no file .*a\.png"):
        read_mask(tmp_path / "a.png")

import os
from pathlib import Path

import pytest

from sparsight.datasets import LabelledImage, pair_masks, read_collection
from sparsight.errors import ImageError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def stems(pairs: list[LabelledImage]) -> list[tuple[str, str | None]]:
    return [(pair.path.name, pair.mask and pair.mask.name) for pair in pairs]


@pytest.mark.parametrize("ending", ["", "_gt", "_mask"])
def test_masks_in_a_folder_of_their_own(tmp_path: Path, ending: str) -> None:
    images = touch(tmp_path / "images", "a10.tif", "a9.tif", "good.tif")
    masks = touch(tmp_path / "masks", f"a9{ending}.png", f"a10{ending}.bmp")
    pairs = pair_masks(images, masks)
    assert stems(pairs) == [
        ("a9.tif", f"a9{ending}.png"),
        ("a10.tif", f"a10{ending}.bmp"),
        ("good.tif", None),
    ]
    assert [pair.kind for pair in pairs] == ["defective", "defective", "good"]
    assert [pair.is_good for pair in pairs] == [False, False, True]


def test_masks_beside_their_images(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a_mask.png", "b.jpg", "b.png", "c.tif", "c_gt.png", "d.png")
    expected = [("a.png", "a_mask.png"), ("b.jpg", "b.png"), ("c.tif", "c_gt.png"), ("d.png", None)]
    assert stems(pair_masks(tmp_path, tmp_path)) == expected


def test_one_folder_under_two_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.png", "a_mask.png", "b.png")
    monkeypatch.chdir(tmp_path)
    assert stems(pair_masks(".", tmp_path)) == [("a.png", "a_mask.png"), ("b.png", None)]


def test_more_masks_than_images_are_welcome(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "masks/a.png", "masks/b.png")
    assert stems(pair_masks([tmp_path / "images" / "a.png"], tmp_path / "masks")) == [("a.png", "a.png")]


def test_no_mask_fits(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "images/b.png", "masks/x.png")
    with pytest.raises(ImageError, match="None of the 1 masks belongs to any of the 2 images"):
        pair_masks(tmp_path / "images", tmp_path / "masks")


def test_slip_in_a_name(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "images/b.png", "masks/a.png", "masks/bb.png")
    with pytest.raises(ImageError, match=r"mask .*bb\.png belongs to no image .* image .*b\.png has no mask"):
        pair_masks(tmp_path / "images", tmp_path / "masks")


def test_two_masks_of_one_image(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "masks/a.png", "masks/a_gt.png")
    with pytest.raises(ImageError, match=r"image .*a\.png has several masks"):
        pair_masks(tmp_path / "images", tmp_path / "masks")


def mvtec(folder: Path) -> Path:
    return touch(
        folder,
        "train/good/001.png",
        "train/good/000.png",
        "test/good/000.png",
        "test/cut/000.png",
        "test/cut/001.png",
        "test/hole/000.png",
        "ground_truth/cut/000_mask.png",
        "ground_truth/cut/001_mask.png",
        "ground_truth/hole/000_mask.png",
        "readme.txt",
    )


def test_layout_of_mvtec(tmp_path: Path) -> None:
    collection = read_collection(mvtec(tmp_path))
    assert [path.name for path in collection.train] == ["000.png", "001.png"]
    assert [
        (image.kind, image.path.name, image.mask and image.mask.parent.name) for image in collection.test
    ] == [
        ("cut", "000.png", "cut"),
        ("cut", "001.png", "cut"),
        ("good", "000.png", None),
        ("hole", "000.png", "hole"),
    ]


def test_training_images_alone(tmp_path: Path) -> None:
    touch(tmp_path, "train/good/a.png")
    collection = read_collection(tmp_path)
    assert len(collection.train) == 1
    assert collection.test == []


def test_folder_of_another_layout(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    with pytest.raises(ImageError, match=rf"has no train{os.sep}good; give a folder in the layout"):
        read_collection(tmp_path)


def test_defect_without_masks(tmp_path: Path) -> None:
    touch(mvtec(tmp_path), "test/stain/000.png")
    with pytest.raises(ImageError, match=r"There is no folder .*stain with the masks"):
        read_collection(tmp_path)


def test_defect_without_its_mask(tmp_path: Path) -> None:
    touch(mvtec(tmp_path), "test/cut/002.png")
    with pytest.raises(ImageError, match=r"cut.002\.png has no mask in .*; add 002_mask\.png"):
        read_collection(tmp_path)

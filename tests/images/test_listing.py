from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from sparsight.errors import ImageError
from sparsight.images import list_images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("part10.png", "part2.PNG", "part1.tiff", "a.jpeg", "b.bmp", "c.TIF", "d.jpg"):
        (tmp_path / name).touch()
    for name in ("notes.txt", ".hidden.png", "._part1.png"):
        (tmp_path / name).touch()
    (tmp_path / "below.png").mkdir()
    return tmp_path


def test_folder_lists_its_images_in_natural_order(folder: Path) -> None:
    names = [path.name for path in list_images(folder)]
    assert names == ["a.jpeg", "b.bmp", "c.TIF", "d.jpg", "part1.tiff", "part2.PNG", "part10.png"]


def test_files_and_folders_keep_the_order_given_and_count_once(folder: Path) -> None:
    listed = list_images([str(folder / "part10.png"), folder, folder / "notes.txt"])
    assert listed[0] == folder / "part10.png"
    assert listed[-1] == folder / "notes.txt"
    assert len(listed) == len(set(listed)) == 8


def test_one_path_need_not_be_a_list(folder: Path) -> None:
    assert list_images(str(folder / "a.jpeg")) == [folder / "a.jpeg"]


def test_names_of_digits_only_and_letters_sort_together(tmp_path: Path) -> None:
    for name in ("10.png", "9.png", "x.png", "9a.png", "²1.png"):
        (tmp_path / name).touch()
    names = [path.name for path in list_images(tmp_path)]
    assert names.index("9.png") < names.index("10.png") < names.index("x.png")


def test_missing_path(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"There is no file or folder .*nowhere; check the path\."):
        list_images([tmp_path / "nowhere"])


def test_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ImageError, match=rf"The folder {tmp_path} holds no images; give one with"):
        list_images([tmp_path])


def test_folder_with_images_below_names_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "lot7").mkdir()
    (tmp_path / "lot7" / "a.png").touch()
    with pytest.raises(ImageError, match=rf"name its subfolder {tmp_path / 'lot7'}"):
        list_images(tmp_path)


def test_folder_without_the_right_to_read(
    open_folder: Path, as_ordinary_user: Callable[[], AbstractContextManager[None]]
) -> None:
    open_folder.chmod(0o333)
    with as_ordinary_user(), pytest.raises(ImageError, match="may not be read; allow reading"):
        list_images(open_folder)

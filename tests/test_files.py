import errno
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from sparsight.errors import SparsightError
from sparsight.files import atomic_path, check_output_path


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_appears_when_all_went_well(tmp_path: Path) -> None:
    target = tmp_path / "result.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".txt"
    assert target.read_text() == "new"
    assert names_in(tmp_path) == ["result.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, OSError])
def test_nothing_is_left_after_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "result.txt"
    target.write_text("old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(error):
        fail()
    assert target.read_text() == "old"
    assert names_in(tmp_path) == ["result.txt"]


def test_temporary_may_be_removed_by_the_writer(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic_path(tmp_path / "result.txt") as temporary:
            temporary.unlink()
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()
    assert names_in(tmp_path) == []


def test_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    def fill() -> None:
        with atomic_path(tmp_path / "result.txt"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(SparsightError, match=r"result\.txt: the disk is full; free some space\."):
        fill()
    assert names_in(tmp_path) == []


def test_mode_is_that_of_an_ordinary_new_file(tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()
    with atomic_path(tmp_path / "result"):
        pass
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ordinary", "result")}
    assert len(modes) == 1


def test_symbolic_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "result.txt"
    link.symlink_to(tmp_path / "elsewhere" / "real.txt")
    with atomic_path(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "elsewhere" / "real.txt").read_text() == "new"


def test_long_names_fit(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 250 + ".png")
    with atomic_path(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/result.txt", "the folder .*missing does not exist; create it first"),
        ("file/result.txt", "file is a file, not a folder"),
        ("folder", "it is a folder; add a file name"),
        ("n" * 300, "choose another name"),
    ],
)
def test_impossible_targets(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(SparsightError, match=message), atomic_path(tmp_path / name):
        pytest.fail("the body must not run")
    assert names_in(tmp_path) == ["file", "folder"]


def test_devices_are_not_replaced() -> None:
    with pytest.raises(SparsightError, match=r"/dev/null: it is no ordinary file"):
        check_output_path("/dev/null")


def test_folder_without_the_right_to_write(
    open_folder: Path, as_ordinary_user: Callable[[], AbstractContextManager[None]]
) -> None:
    open_folder.chmod(0o555)
    with (
        as_ordinary_user(),
        pytest.raises(SparsightError, match="is not writable; choose another place"),
        atomic_path(open_folder / "result.txt"),
    ):
        pytest.fail("the body must not run")


def test_write_protected_file_is_not_replaced(
    open_folder: Path, as_ordinary_user: Callable[[], AbstractContextManager[None]]
) -> None:
    target = open_folder / "model"
    target.write_text("precious")
    target.chmod(0o444)
    with as_ordinary_user(), pytest.raises(SparsightError, match="it is write-protected"):
        check_output_path(target)
    assert target.read_text() == "precious"

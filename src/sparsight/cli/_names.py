"""Names for the output files of many images, of which several may have the same file name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

_MAX_FOLDERS = 3


def unique_names(files: Sequence[Path]) -> list[str]:
    """Name each image by the stem of its file; where several share it, by more of the path.

    Names that differ only in case count as the same, since some file systems cannot tell them apart.

    Examples
    --------
    >>> unique_names([Path("a/1.png"), Path("b/1.png"), Path("b/2.png"), Path("b/2.tif")])
    ['a_1', 'b_1', '2_png', '2_tif']
    """
    names = [file.stem for file in files]
    names = _longer(names, files, _with_suffix)
    for n_folders in range(1, _MAX_FOLDERS + 1):
        names = _longer(names, files, partial(_with_folders, n_folders=n_folders))
    return _numbered(names)


def _longer(names: list[str], files: Sequence[Path], rename: Callable[[Path], str]) -> list[str]:
    """Rename those that share their name."""
    files_of: dict[str, list[Path]] = {}
    for name, file in zip(names, files, strict=True):
        files_of.setdefault(name.casefold(), []).append(file)
    renamed = []
    for name, file in zip(names, files, strict=True):
        twins = files_of[name.casefold()]
        one_folder = len({twin.parent for twin in twins}) == 1
        # In one folder only the suffix tells files apart, across folders only the folder should.
        helps = len(twins) > 1 and one_folder == (rename is _with_suffix)
        renamed.append(rename(file) if helps else name)
    return renamed


def _with_suffix(file: Path) -> str:
    return f"{file.stem}_{file.suffix[1:]}"


def _with_folders(file: Path, n_folders: int) -> str:
    return "_".join([*file.resolve().parent.parts[1:][-n_folders:], file.stem])


def _numbered(names: list[str]) -> list[str]:
    """Number what is still the same."""
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate.casefold())
        unique.append(candidate)
    return unique

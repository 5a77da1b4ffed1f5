"""Which files are meant when files and folders are named."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from sparsight.errors import ImageError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})


def list_images(paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str]) -> list[Path]:
    """List the image files among files and folders.

    A file is taken whatever its suffix. Of a folder, the image files directly in it are taken
    (``.png .jpg .jpeg .tif .tiff .bmp``, in any case), in the order in which people count
    (``part2`` before ``part10``); its subfolders and hidden files are not. A file that is named
    twice is listed once.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        Files and folders.

    Returns
    -------
    list of Path
        In the order given.

    Raises
    ------
    ImageError
        A path does not exist or may not be read, or a folder holds no image.
    """
    named = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    listed: dict[Path, None] = {}
    for path in map(Path, named):
        try:
            listed.update(dict.fromkeys(_images_at(path)))
        except PermissionError as error:
            raise ImageError(f"{path} may not be read; allow reading or choose another.") from error
    return list(listed)


def _images_at(path: Path) -> list[Path]:
    if path.is_dir():
        return _images_of_folder(path)
    if path.exists():
        return [path]
    raise ImageError(f"There is no file or folder {path}; check the path.")


def _images_in(folder: Path) -> list[Path]:
    """Image files directly in a folder, in natural order: none is no error."""
    files = (
        file
        for file in folder.iterdir()
        if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".") and file.is_file()
    )
    return sorted(files, key=_natural_key)


def _images_of_folder(folder: Path) -> list[Path]:
    images = _images_in(folder)
    if images:
        return images
    below = sorted((sub for sub in folder.iterdir() if sub.is_dir() and _images_in(sub)), key=_natural_key)
    remedy = (
        f"name its subfolder {below[0]} to use the images there"
        if below
        else f"give one with {' '.join(sorted(IMAGE_SUFFIXES))} files"
    )
    raise ImageError(f"The folder {folder} holds no images; {remedy}.")


def _natural_key(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key by which numbers within names count as numbers."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part], path.name

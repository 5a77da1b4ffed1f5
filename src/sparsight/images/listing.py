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
        A path does not exist, or a folder holds no image.
    """
    named = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    listed: dict[Path, None] = {}
    for path in map(Path, named):
        if path.is_dir():
            listed.update(dict.fromkeys(_images_of_folder(path)))
        elif path.exists():
            listed[path] = None
        else:
            raise ImageError(f"there is no file or folder '{path}'; check the path")
    return list(listed)


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key by which numbers within names count as numbers."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def images_in(folder: Path) -> list[Path]:
    """Image files directly in a folder, in natural order: none is no error."""
    try:
        files = [
            file
            for file in folder.iterdir()
            if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".") and file.is_file()
        ]
    except PermissionError as error:
        raise ImageError(f"the folder '{folder}' may not be read; allow reading or choose another") from error
    return sorted(files, key=natural_key)


def _images_of_folder(folder: Path) -> list[Path]:
    images = images_in(folder)
    if images:
        return images
    below = sorted((sub for sub in folder.iterdir() if sub.is_dir() and images_in(sub)), key=natural_key)
    remedy = (
        f"name its subfolder '{below[0]}' to use the images there"
        if below
        else f"give one with {' '.join(sorted(IMAGE_SUFFIXES))} files"
    )
    raise ImageError(f"the folder '{folder}' holds no images; {remedy}")

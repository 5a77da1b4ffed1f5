"""Output files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparsight.errors import SparsightError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def check_output_path(path: str | os.PathLike[str]) -> Path:
    """Find out whether a file can be written, before the work whose result it shall hold.

    Parameters
    ----------
    path : path-like
        The file to be written.

    Returns
    -------
    Path
        The file that will really be written: absolute, symbolic links followed.

    Raises
    ------
    SparsightError
        The folder does not exist or does not let us write, or `path` is a folder, a
        write-protected file or no ordinary file.
    """
    target = Path(path).resolve()
    try:
        problem = _problem(target)
    except OSError as error:
        problem = f"{error.strerror}; choose another name"
    if problem:
        raise SparsightError(f"Cannot write {path}: {problem}.")
    return target


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file to write to, which takes the name `path` when all went well.

    The temporary file lies beside `path` and has the same suffix, so that libraries which choose
    the format by the suffix choose the right one. After an error or an interruption it is removed,
    and a file that stood at `path` before is as it was.

    Parameters
    ----------
    path : path-like
        The file to be written. An existing file is replaced.

    Yields
    ------
    Path
        The temporary file: it exists and is empty.

    Raises
    ------
    SparsightError
        As :func:`check_output_path`, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder) / "result.csv") as temporary:
    ...         _ = temporary.write_text("name,area")
    ...     sorted(file.name for file in Path(folder).iterdir())
    ['result.csv']
    """
    target = check_output_path(path)
    temporary = target.with_name(f".sparsight-{os.urandom(8).hex()}{target.suffix}")
    try:
        # Created by the process's own umask: with the rights that the final file shall have.
        temporary.open("xb").close()
    except OSError as error:
        raise SparsightError(f"Cannot write {path}: {error.strerror}; choose another place.") from error
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in _FULL:
            message = f"Cannot write {path}: the disk is full; free some space."
            raise SparsightError(message) from error
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _problem(target: Path) -> str | None:
    """Say why a file cannot be written and what to do, or None if it can."""
    folder = target.parent
    if not folder.exists():
        return f"the folder {folder} does not exist; create it first"
    if not folder.is_dir():
        return f"{folder} is a file, not a folder; choose another place"
    if target.is_dir():
        return "it is a folder; add a file name to it"
    if target.exists() and not target.is_file():
        return "it is no ordinary file; choose another name"
    if target.exists() and not _allows(target, os.W_OK):
        return "it is write-protected; choose another name or allow writing"
    if not _allows(folder, os.W_OK | os.X_OK):
        return f"the folder {folder} is not writable; choose another place or allow writing"
    return None


def _allows(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)

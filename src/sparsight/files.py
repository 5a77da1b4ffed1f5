"""Output files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
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
    folder = target.parent
    if not folder.exists():
        raise SparsightError(
            f"cannot write {_quoted(path)}: the folder {_quoted(folder)} does not exist; create it first"
        )
    if not folder.is_dir():
        raise SparsightError(
            f"cannot write {_quoted(path)}: {_quoted(folder)} is a file, not a folder; choose another place"
        )
    if target.is_dir():
        raise SparsightError(f"cannot write {_quoted(path)}: it is a folder; add a file name to it")
    if target.exists() and not target.is_file():
        raise SparsightError(f"cannot write {_quoted(path)}: it is no ordinary file; choose another name")
    if target.exists() and not os.access(target, os.W_OK):
        raise SparsightError(
            f"cannot write {_quoted(path)}: the file is write-protected; choose another name or allow writing"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _not_writable(path, folder)
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
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(4)}{target.suffix}")
    try:
        # Created here, by the process's own umask: the mode that the final file shall have.
        temporary.open("xb").close()
    except OSError as error:
        raise _not_writable(path, target.parent) from error
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in _FULL:
            raise SparsightError(
                f"cannot write {_quoted(path)}: the disk is full; free some space"
            ) from error
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _quoted(path: str | os.PathLike[str]) -> str:
    return f"'{os.fspath(path)}'"


def _not_writable(path: str | os.PathLike[str], folder: Path) -> SparsightError:
    return SparsightError(
        f"cannot write {_quoted(path)}: the folder {_quoted(folder)} is not writable; "
        "choose another place or allow writing"
    )

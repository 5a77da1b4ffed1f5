"""A trained model as one file: arrays in safetensors, the rest in a versioned JSON header; no pickle."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight.errors import ModelError
from sparsight.files import atomic_path

FORMAT_VERSION = 1
_HEADER = "sparsight"


@dataclass(frozen=True)
class StoredModel:
    """What a model file holds.

    Attributes
    ----------
    kind : str
        What was stored, such as ``"anomaly-detector"``.
    settings : dict
        Parameters, thresholds and provenance: anything that JSON can express.
    arrays : dict of arrays
        Learned arrays by name.
    """

    kind: str
    settings: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def save_model(
    path: str | os.PathLike[str],
    kind: str,
    settings: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
) -> None:
    """Write a model file atomically: the old file stays whole until the new one is complete.

    Parameters
    ----------
    path : path
        Where to write; an existing model is replaced.
    kind : str
        What is stored; `load_model` can insist on it.
    settings : mapping
        JSON-able settings; NaN and infinity are not JSON and are refused.
    arrays : mapping of str to array
        Learned arrays.

    Raises
    ------
    SparsightError
        If the file cannot be written.
    """
    from safetensors.numpy import save

    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    header = {"format": FORMAT_VERSION, "kind": kind, "settings": dict(settings)}
    header["checksum"] = _checksum(header, contiguous)
    text = json.dumps(header, sort_keys=True, allow_nan=False)
    content = save(contiguous, metadata={_HEADER: text})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def load_model(path: str | os.PathLike[str], kind: str | None = None) -> StoredModel:
    """Read a model file.

    Parameters
    ----------
    path : path
    kind : str, optional
        Refuse a model of any other kind.

    Raises
    ------
    ModelError
        If the file is missing, truncated, damaged or altered, was not written by Sparsight, was written by a
        newer version, or holds another kind of model.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"Cannot read the model {path}: {error.strerror or error}; check the path."
        ) from error
    try:
        arrays = load(content)
        header_size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + header_size]).get("__metadata__") or {}
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path} is not a Sparsight model or is truncated; train it again or copy it anew."
        ) from error
    return _checked(path, metadata, arrays, kind)


def arrays_under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Arrays of one part of a model, those whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _checked(
    path: Path, metadata: Mapping[str, str], arrays: dict[str, NDArray[Any]], kind: str | None
) -> StoredModel:
    try:
        header = json.loads(metadata[_HEADER])
        format_version, stored_kind = int(header["format"]), str(header["kind"])
        checksum, settings = header.pop("checksum"), dict(header["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} was not written by Sparsight; give a file that `sparsight train` made."
        ) from error
    if format_version > FORMAT_VERSION:
        raise ModelError(
            f"{path} was written by a newer Sparsight (model format {format_version}, this version reads up "
            f"to {FORMAT_VERSION}); upgrade Sparsight."
        )
    if checksum != _checksum(header, arrays):
        raise ModelError(f"{path} is damaged or was altered; train it again or copy it anew.")
    if kind is not None and stored_kind != kind:
        raise ModelError(f"{path} holds a model of kind {stored_kind!r}, but {kind!r} is needed here.")
    return StoredModel(stored_kind, settings, arrays)


def _checksum(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True, allow_nan=False).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()

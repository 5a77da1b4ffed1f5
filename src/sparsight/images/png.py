"""PNG files of 16 bits per channel, of which Pillow keeps only the upper 8 in colour images."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_COLOUR_TYPES = {1: 0, 3: 2}


@dataclass(frozen=True)
class PngHeader:
    """The IHDR chunk."""

    width: int
    height: int
    bit_depth: int
    colour_type: int
    interlaced: bool

    @property
    def n_channels(self) -> int:
        """Number of channels, opacity included."""
        return _CHANNELS[self.colour_type]

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is opacity."""
        return self.colour_type in (4, 6)


def png_header(path: Path) -> PngHeader:
    """Read the header of a PNG file."""
    name, data = next(_chunks(path))
    if name != b"IHDR":
        raise ValueError("the header is not the first chunk")
    width, height, bit_depth, colour_type, _, _, interlace = struct.unpack(">IIBBBBB", data)
    return PngHeader(width, height, bit_depth, colour_type, bool(interlace))


def decode_png16(path: Path) -> NDArray[np.uint16]:
    """Decode all 16 bits of a colour or grey-and-opacity PNG.

    Pillow undoes the compression and the row filters; it is asked once for the upper and once for
    the lower byte of every value.
    """
    from PIL import Image

    header = png_header(path)
    size = (header.width, header.height)
    data = b"".join(data for name, data in _chunks(path) if name == b"IDAT")

    def decode(mode: str, raw_mode: str) -> NDArray[np.uint8]:
        image = Image.frombytes(mode, size, data, "zip", raw_mode, int(header.interlaced))
        return np.asarray(image)

    if header.n_channels == 2:
        # Four bytes per pixel, taken as they are.
        return decode("RGBA", "RGBA").view(">u2").astype(np.uint16)
    mode = "RGB" if header.n_channels == 3 else "RGBA"
    pixels = np.empty((header.height, header.width, header.n_channels), dtype=np.uint16)
    np.left_shift(decode(mode, f"{mode};16B"), 8, out=pixels, dtype=np.uint16)
    pixels |= decode(mode, f"{mode};16L")
    return pixels


def encode_png16(pixels: NDArray[np.uint16]) -> bytes:
    """Encode a grey, (height, width), or RGB, (height, width, 3), image of 16 bits per channel."""
    height, width = pixels.shape[:2]
    colour_type = _COLOUR_TYPES[1 if pixels.ndim == 2 else pixels.shape[2]]
    rows = pixels.astype(">u2").view(np.uint8).reshape(height, -1)
    # Filter 2, "up": neighbouring rows of a photograph differ little.
    filtered = np.empty((height, 1 + rows.shape[1]), dtype=np.uint8)
    filtered[:, 0] = 2
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return _SIGNATURE + b"".join(
        _chunk(name, data)
        for name, data in (
            (b"IHDR", header),
            (b"IDAT", zlib.compress(filtered.tobytes(), 6)),
            (b"IEND", b""),
        )
    )


def _chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    with path.open("rb") as file:
        file.seek(len(_SIGNATURE))
        while start := file.read(8):
            length, name = struct.unpack(">I4s", start)
            data = file.read(length)
            (checksum,) = struct.unpack(">I", file.read(4))
            if zlib.crc32(name + data) != checksum:
                raise ValueError(f"checksum of chunk {name!r}")
            yield name, data
            if name == b"IEND":
                return


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

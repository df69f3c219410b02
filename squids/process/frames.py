"""Encodes frames: a length of four bytes (big endian), then JSON (UTF-8) of that length.

Pure: the reader of the socket feeds in pieces of any size. `protocol` defines what frames mean.
"""

from __future__ import annotations

import json
import struct
from typing import Any

MAX_FRAME = 64 * 1024 * 1024
"""In bytes. Ten messages of 1 MiB fit, even if JSON takes six bytes for each of theirs; garbage does not."""

_LENGTH = struct.Struct(">I")
_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder().decode


class FrameError(Exception):
    """The peer sent something that is not a frame."""


def encode(payload: Any) -> bytes:
    """Encode a payload as a frame. Raises FrameError if it is too large."""
    body = _encode(payload).encode()
    if len(body) > MAX_FRAME:
        raise FrameError(f"a frame of {len(body)} bytes is over the limit of {MAX_FRAME}")
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Assembles frames from pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Add a piece; return the payloads of all frames that are now complete. Raises FrameError."""
        buffer = self._buffer
        buffer += data
        payloads = []
        start = 0
        while len(buffer) - start >= 4:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > MAX_FRAME:
                raise FrameError(f"a frame of {length} bytes is over the limit of {MAX_FRAME}")
            end = start + 4 + length
            if len(buffer) < end:
                break
            try:
                payloads.append(_decode(buffer[start + 4 : end].decode()))
            except ValueError as error:
                raise FrameError(f"a frame is not JSON: {error}") from error
            start = end
        if start:
            del buffer[:start]
        return payloads

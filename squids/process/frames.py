"""Bytes to frames and back: four bytes of length (big endian), then that much JSON (UTF-8).

Pure: whoever reads the socket feeds what came, in pieces of any size. What a frame means is
in `protocol`.
"""

from __future__ import annotations

import json
import struct
from typing import Any

MAX_FRAME = 64 * 1024 * 1024
"""Bytes. Ten messages of 1 MiB, each of whose bytes JSON may write as six, fit; garbage does not."""

_LENGTH = struct.Struct(">I")
_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder().decode


class FrameError(Exception):
    """The peer sent what is not a frame."""


def encode(payload: Any) -> bytes:
    """A payload as the bytes of one frame."""
    body = _encode(payload).encode()
    if len(body) > MAX_FRAME:
        raise FrameError(f"a frame of {len(body)} bytes is over the limit of {MAX_FRAME}")
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Puts frames together from pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Take a piece; the payloads of all frames that are whole now, in order."""
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

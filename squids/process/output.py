"""Standard output and error, which an application may have closed, replaced or set to None."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TextIO


def open_streams() -> Iterator[TextIO]:
    """Yield those of `sys.stdout` and `sys.stderr` that are there and not closed."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not getattr(stream, "closed", False):
            yield stream


def flush_output() -> None:
    """Write out what is buffered, as before a fork, which would copy it."""
    for stream in open_streams():
        try:
            stream.flush()
        except Exception:  # noqa: S110 # the application's, or a disk that is full: who prints next is told
            pass


def complain(text: str) -> None:
    """Write to standard error, whatever the application made of it."""
    try:
        sys.stderr.write(text)
    except Exception:
        try:
            os.write(2, text.encode("utf-8", "backslashreplace"))
        except OSError:
            pass

"""Saving a file as an editor does."""

from __future__ import annotations

import os
from pathlib import Path


def save(path: Path, text: str, *, modified_ns: int | None = None) -> None:
    """A temporary file, renamed over the old one: each save is one change, and nobody reads half of it."""
    path = path.resolve()
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text)
    if modified_ns is not None:
        os.utime(temporary, ns=(modified_ns, modified_ns))
    os.replace(temporary, path)

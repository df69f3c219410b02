"""Code that a developer saves: how it is written, and how long its import takes."""

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


def imported_after(go: Path, source: str) -> str:
    """Code whose import ends once this file is there. It is the code that looks again and again, not the test."""
    return f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\n{source}"

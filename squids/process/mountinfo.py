"""Reads what is mounted where, as this process sees it: /proc/self/mountinfo, proc_pid_mountinfo(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mounted:
    """A mounted file system. `root`: the directory in it that is at `place`. `options`: its own."""

    root: str
    place: str
    kind: str
    options: tuple[str, ...] = ()


def read_mounts() -> tuple[Mounted, ...]:
    """Return what is mounted, a later mount after those that it hides; nothing on other systems."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            return tuple(parse(file.read()))
    except OSError:
        return ()


def parse(text: str) -> Iterator[Mounted]:
    """Yield what the lines of the file say."""
    for line in text.split("\n"):
        before, _, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if len(fields) >= 5 and rest[0]:
            options = rest[2].split(",") if len(rest) >= 3 else ()
            yield Mounted(_unescaped(fields[3]), _unescaped(fields[4]), rest[0], tuple(options))


def _unescaped(field: str) -> str:
    """Return a field as it is: the kernel writes a space as \\040."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), field)

"""Finds the library that a thread of compiled code runs. Linux only.

Such a thread tells nothing but its name, which is often the process's. But it sleeps in a call of its
library, so the addresses to which that returns are on its stack, and /proc/self/maps says which file each
belongs to. The outermost is the function that the thread was started with.
"""

from __future__ import annotations

import array
import os
import sys
from bisect import bisect_right
from dataclasses import dataclass

MAX_STACK = 256 * 1024
"""In bytes. A sleeping thread uses a few thousand."""

SYSTEM = ("libc.", "libc-", "ld-", "ld.", "libpthread", "libstdc++", "libgcc_s", "libm.", "libpython")
"""Files that a stack always has, by the start of their names."""


@dataclass(frozen=True, slots=True)
class _Region:
    start: int
    end: int
    runs: bool
    path: str


class Memory:
    """The memory of this process, as it is now."""

    def __init__(self) -> None:
        """Raises OSError if the system does not show it."""
        with open("/proc/self/maps") as maps:
            self._regions = [_region(line) for line in maps]
        self._starts = [region.start for region in self._regions]

    def library_of(self, thread: str) -> str | None:
        """Return the path of the library that started this thread; "" if it cannot be found.

        None if the thread runs: only a sleeping one has a stack that can be read.
        """
        try:
            with open(f"/proc/self/task/{thread}/syscall") as file:
                words = file.read().split()
            if words == ["running"]:
                return None
            stack = int(words[-2], 16)
            region = self._at(stack)
            if region is None:
                return ""
            with open("/proc/self/mem", "rb", buffering=0) as memory:
                data = os.pread(memory.fileno(), min(region.end - stack, MAX_STACK) & ~7, stack)
        except (OSError, IndexError, ValueError, OverflowError):
            return ""  # It has ended, or the system does not tell.
        addresses = array.array("Q", data)
        for address in reversed(addresses):
            found = self._at(address)
            if found is not None and found.runs and _may_start_threads(found.path):
                return found.path
        return ""

    def _at(self, address: int) -> _Region | None:
        number = bisect_right(self._starts, address) - 1
        if number < 0 or address >= self._regions[number].end:
            return None
        return self._regions[number]


def package_of(path: str) -> str:
    """Return the installed package that a library belongs to, or its file's name, without versions.

    Libraries that a package brings along are named beside it: "scikit_learn (libgomp)".
    """
    for folder in ("/site-packages/", "/dist-packages/"):
        if folder in path:
            package, _, rest = path.rpartition(folder)[2].partition("/")
            if package.endswith(".libs"):
                return f"{package.removesuffix('.libs')} ({_stem(rest)})"
            return package if rest else _stem(package)
    return _stem(os.path.basename(path))


def _stem(name: str) -> str:
    return name.partition(".")[0].partition("-")[0]


def _region(line: str) -> _Region:
    span, access, _, _, _, *path = line.split(maxsplit=5)
    start, end = (int(number, 16) for number in span.split("-"))
    return _Region(start, end, "x" in access, path[0].strip() if path else "")


def _may_start_threads(path: str) -> bool:
    if not path.startswith("/") or path == os.path.realpath(sys.executable):
        return False
    return not os.path.basename(path).startswith(SYSTEM)

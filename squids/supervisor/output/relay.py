"""Reads the output of children from a pipe each, and their log records from a socket each.

Both are passed on line by line. Output printed before a log record comes before it; output printed right
after one may come before it, too.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence

from squids.process.channel import close_all
from squids.process.log_lines import MAX_RECORD, Line, LineReader, Source, parse_record, printed

READ_BYTES = 64 * 1024
"""Bytes read at once from one child, so that none starves the others. A pipe holds no more."""


class _ChildOutput:
    """The pipe and the socket of one child; either may have reached its end."""

    def __init__(
        self,
        descriptors: Sequence[int],
        source: Source,
        take: Callable[[Line], None],
        end: Callable[[int], None],
    ) -> None:
        self._source = source
        self._take = take
        self._end = end
        self._prints: int | None = descriptors[0]
        self._lines = LineReader()
        self._records = LineReader(MAX_RECORD)

    def read_prints(self, descriptor: int) -> None:
        data = _read(descriptor)
        if data is None:
            return
        now = time.time()
        for text in self._lines.feed(data) if data else self._lines.end():
            self._take(printed(text, self._source, now))
        if not data:
            self._prints = None
            self._end(descriptor)

    def read_records(self, descriptor: int) -> None:
        data = _read(descriptor)
        if data is None:
            return
        if self._prints is not None:
            self.read_prints(self._prints)  # All earlier output is in the pipe by now.
        now = time.time()
        for text in self._records.feed(data) if data else self._records.end():
            self._take(parse_record(text, self._source, now))
        if not data:
            self._end(descriptor)


class Relay:
    """Reads all children. `on_end` is called at the end of each pipe or socket."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._open: dict[int, int] = {}
        """The owner of each open descriptor."""
        self._counts: Counter[int] = Counter()
        """Open descriptors per owner. Kept, because each new process asks for it."""

    @property
    def reading(self) -> bool:
        """Whether any descriptor is open."""
        return bool(self._open)

    def open_of(self, owner: int) -> int:
        """Return the number of open descriptors of this owner."""
        return self._counts[owner]

    def add(
        self, descriptors: Sequence[int], source: Source, take: Callable[[Line], None], owner: int
    ) -> None:
        """Read a child's pipe, and its record socket if given, to the end; then close them.

        Any further descriptors are closed.
        """
        child = _ChildOutput(descriptors, source, take, self._ended)
        loop = asyncio.get_running_loop()
        for descriptor, read in zip(descriptors, (child.read_prints, child.read_records), strict=False):
            os.set_blocking(descriptor, False)
            self._open[descriptor] = owner
            self._counts[owner] += 1
            loop.add_reader(descriptor, read, descriptor)
        close_all(descriptors[2:])

    def _ended(self, descriptor: int) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        owner = self._open.pop(descriptor)
        self._counts[owner] -= 1
        if not self._counts[owner]:
            del self._counts[owner]
        self._on_end()


def _read(descriptor: int) -> bytes | None:
    """Return available data; b"" at the end; None if there is none yet."""
    try:
        return os.read(descriptor, READ_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""

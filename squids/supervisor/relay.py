"""Reads what children print, from a pipe for each, and hands it on line by line."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

from squids.supervisor.lines import Line, LineReader, parse

READ_BYTES = 64 * 1024
"""Bytes read at once of what one child prints: no child keeps the others waiting."""


class Relay:
    """All pipes. `on_end` is called when one has ended."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._open: set[int] = set()

    @property
    def reading(self) -> bool:
        """Whether somebody may still print."""
        return bool(self._open)

    def add(self, descriptor: int, source: str, take: Callable[[Line], None]) -> None:
        """Read this pipe to its end, and close it. Its lines are called `source`."""
        os.set_blocking(descriptor, False)
        self._open.add(descriptor)
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, self._read, loop, descriptor, source, LineReader(), take)

    def _read(
        self,
        loop: asyncio.AbstractEventLoop,
        descriptor: int,
        source: str,
        reader: LineReader,
        take: Callable[[Line], None],
    ) -> None:
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        now = time.time()
        for text in reader.feed(data) if data else reader.end():
            take(parse(text, source, now))
        if not data:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            self._open.discard(descriptor)
            self._on_end()

"""Waits at the end until all workers have exited, and kills those that take too long.

Idle workers exit as soon as their sockets end, but their `worker_stop` hooks and exit handlers take time. How
much they have is up to the caller.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping

from squids.pool import log_events
from squids.process.protocol import Exited
from squids.process.zygote_handle import ZygoteHandle


class Exits:
    """Used once, when nothing else listens to the fork server."""

    def __init__(self, zygote: ZygoteHandle, loop: asyncio.AbstractEventLoop) -> None:
        self._zygote = zygote
        self._loop = loop
        self._over = asyncio.Event()
        self._waiting = False

    async def wait(self, slots: Mapping[int, int], within: float) -> None:
        """Wait for these workers, by child number, for up to `within` seconds."""
        left = set(slots)
        if not left:
            return

        def hear() -> None:
            for event in self._zygote.receive():
                if isinstance(event, Exited):
                    left.discard(event.child)
            if not left or self._zygote.gone:
                self._over.set()

        self._waiting = True
        self._zygote.channel.watch(self._loop, hear)
        try:
            await asyncio.wait_for(self._over.wait(), within)
        except TimeoutError:
            log_events.exit_overdue([slots[child] for child in sorted(left)], within)
        finally:
            self._zygote.channel.unwatch()
        for child in left if not self._zygote.gone else ():
            self._zygote.kill(child, signal.SIGKILL, group=True)

    def cut_short(self) -> None:
        """Kill at once those that are waited for. Does nothing before."""
        if self._waiting:
            self._over.set()

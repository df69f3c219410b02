"""A channel whose socket an asyncio loop watches.

Senders just send. The loop watches for writing only while frames wait for the kernel, so a frame that the
kernel takes at once costs no more than on a plain `Channel`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVarTuple

from squids.process.channel import Channel

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

Ts = TypeVarTuple("Ts")


class LoopChannel(Channel):
    """It can be made, and sent to, before there is a loop."""

    _loop: AbstractEventLoop | None = None
    _flushing = False

    def watch(self, loop: AbstractEventLoop, hear: Callable[[*Ts], object], *args: *Ts) -> None:
        """Call `hear(*args)` whenever there is something to receive, the end of the socket included.

        A second call replaces the callback. `hear` must `unwatch` or `close` a channel that is `closed`: its
        socket stays readable.
        """
        self._loop = loop
        loop.add_reader(self.fileno(), hear, *args)
        self._flush_later()

    def unwatch(self) -> None:
        """Neither read nor flush any more. Safe to call at any time, and more than once."""
        if self._loop is not None:
            self._loop.remove_reader(self.fileno())
            self._loop.remove_writer(self.fileno())
            self._loop, self._flushing = None, False

    def close(self) -> None:
        self.unwatch()  # First: the next file that is opened may get the same descriptor.
        super().close()

    def _keep(self, data: bytes, descriptors: Sequence[int]) -> None:
        super()._keep(data, descriptors)
        self._flush_later()

    def _flush_later(self) -> None:
        if self._loop is not None and self.wants_write and not self._flushing:
            self._flushing = True
            self._loop.add_writer(self.fileno(), self._flush)

    def _flush(self) -> None:
        self.flush()
        if self._loop is not None and not self.wants_write:
            self._flushing = False
            self._loop.remove_writer(self.fileno())

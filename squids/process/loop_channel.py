"""A channel that is watched by an asyncio loop.

`send` may be called at any time. The loop watches for writability only while frames are queued, so a frame
that the kernel accepts at once costs no more than on a plain `Channel`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVarTuple

from squids.process.channel import Channel

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

Ts = TypeVarTuple("Ts")


class LoopChannel(Channel):
    """Can be created and used for sending before there is a loop."""

    _loop: AbstractEventLoop | None = None
    _flushing = False

    def watch(self, loop: AbstractEventLoop, hear: Callable[[*Ts], object], *args: *Ts) -> None:
        """Call `hear(*args)` whenever there is data, or the end of the socket.

        A second call replaces the callback. `hear` must `unwatch` or `close` a channel that is `closed`: its
        socket stays readable.
        """
        self._loop = loop
        loop.add_reader(self.fileno(), hear, *args)
        self._flush_later()

    def unwatch(self) -> None:
        """Stop reading and flushing. May be called at any time, and repeatedly."""
        if self._loop is not None:
            self._loop.remove_reader(self.fileno())
            self._loop.remove_writer(self.fileno())
            self._loop, self._flushing = None, False

    def close(self) -> None:
        self.unwatch()  # First: the next opened file may get the same descriptor.
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

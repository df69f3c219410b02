"""How a consumer tells whoever started it how it is: the one interface for that.

What is told, and when, is its caller's to decide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from squids.process.channel import Channel
from squids.process.protocol import Alive, Booted, Degraded, Figures, Life, Ready, Stopping


class Liveness(Protocol):
    """Who hears of a consumer's life. `listens`: whether anybody does."""

    listens: bool

    def booted(self) -> None:
        """Its loop runs."""

    def ready(self) -> None:
        """Its first receive was answered."""

    def degraded(self, reason: str | None) -> None:
        """It cannot do its work, and tries on; None: it can again."""

    def figures(self, values: dict[str, Any]) -> None:
        """What it is doing."""

    def alive(self) -> None:
        """Its receive loop advances, and nothing else is to be told."""

    def stopping(self, reason: str) -> None:
        """It drains."""


class Unheard:
    """Nobody asked."""

    listens = False

    def booted(self) -> None: ...

    def ready(self) -> None: ...

    def degraded(self, reason: str | None) -> None: ...

    def figures(self, values: dict[str, Any]) -> None: ...

    def alive(self) -> None: ...

    def stopping(self, reason: str) -> None: ...


class ToOwner:
    """A supervisor at the other end of a socket. `flush_later` is called when the socket takes no more."""

    listens = True

    def __init__(self, channel: Channel, flush_later: Callable[[], None]) -> None:
        self._channel = channel
        self._flush_later = flush_later

    def booted(self) -> None:
        self._send(Booted())

    def ready(self) -> None:
        self._send(Ready())

    def degraded(self, reason: str | None) -> None:
        self._send(Degraded(reason))

    def figures(self, values: dict[str, Any]) -> None:
        self._send(Figures(values), droppable=True)

    def alive(self) -> None:
        self._send(Alive(), droppable=True)

    def stopping(self, reason: str) -> None:
        self._send(Stopping(reason))

    def _send(self, frame: Life, *, droppable: bool = False) -> None:
        self._channel.send(frame, droppable=droppable)
        if self._channel.wants_write:
            self._flush_later()

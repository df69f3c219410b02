"""How a consumer's state is reported to the process that started it: a supervisor, systemd, or none.

The caller decides what to report, and when.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from squids.process.figures import ConsumerFigures, ImportFacts
from squids.process.loop_channel import LoopChannel
from squids.process.protocol import (
    Alive,
    Booted,
    Degraded,
    Figures,
    ForkServerHangs,
    Ready,
    Stopping,
)
from squids.process.sd_notify import Notifier

ALIVE_EVERY = 5.0
"""Seconds between signs of life when there is nothing else to report."""

STATUS_EVERY = 5.0
"""Seconds between status lines with figures for `systemctl status`."""

EXTENSION = 15.0
"""Seconds of each timeout extension during a drain: three signs of life."""


class Liveness(Protocol):
    """A receiver of a consumer's reports.

    `listens`: whether there is a receiver. `alive_every`: maximum seconds between signs of life.
    """

    listens: bool
    alive_every: float

    def booted(self) -> None:
        """Its loop runs."""

    def ready(self) -> None:
        """Its first receive was answered."""

    def degraded(self, reason: str | None) -> None:
        """It cannot work, and keeps trying; None: it has recovered."""

    def figures(self, values: ConsumerFigures) -> None:
        """What it is doing."""

    def alive(self) -> None:
        """Its receive loop advances, and there is nothing else to report."""

    def stopping(self, reason: str) -> None:
        """It drains."""

    def fork_server_hangs(self, reason: str) -> None:
        """The fork server, which another process is responsible for, hangs."""


class NoListener:
    """No receiver, for a consumer that was started by hand."""

    listens = False
    alive_every = ALIVE_EVERY

    def booted(self) -> None: ...

    def ready(self) -> None: ...

    def degraded(self, reason: str | None) -> None: ...

    def figures(self, values: ConsumerFigures) -> None: ...

    def alive(self) -> None: ...

    def stopping(self, reason: str) -> None: ...

    def fork_server_hangs(self, reason: str) -> None: ...


class ToSystemd:
    """systemd, for `squids@.service`. `clock` returns seconds.

    The service is up once a receive was answered, or failed: an outage of SQS must not time the unit out.
    """

    listens = True

    def __init__(self, notifier: Notifier, clock: Callable[[], float] = time.monotonic) -> None:
        self._notifier = notifier
        self._clock = clock
        self.alive_every = min(ALIVE_EVERY, notifier.watchdog / 3) if notifier.watchdog else ALIVE_EVERY
        self._up = False
        self._stopping = False
        self._trouble: str | None = None
        self._warnings = ""
        self._said_at = 0.0

    def booted(self) -> None:
        self._notifier.status("starting")

    def ready(self) -> None:
        self._is_up(f"receiving{self._warnings}")

    def degraded(self, reason: str | None) -> None:
        self._trouble = reason
        self._is_up(f"receiving{self._warnings}" if reason is None else f"degraded: {reason}")

    def figures(self, values: ConsumerFigures) -> None:
        self.alive()
        self._warnings = "".join(f"; {text}" for text in values.warnings)
        now = self._clock()
        if self._up and self._trouble is None and not self._stopping and now - self._said_at >= STATUS_EVERY:
            self._said_at = now
            busy = f"{values.busy}/{values.workers} workers busy"
            self._notifier.status(f"receiving; {busy}, {values.done} done{self._warnings}")

    def alive(self) -> None:
        if self._notifier.watchdog is not None:
            self._notifier.alive()
        if self._stopping:
            self._notifier.extend(EXTENSION)

    def stopping(self, reason: str) -> None:
        self._stopping = True
        self._notifier.stopping(f"draining: {reason}")
        self._notifier.extend(EXTENSION)

    def fork_server_hangs(self, reason: str) -> None:
        """Nothing to do: its consumer kills it."""

    def _is_up(self, status: str) -> None:
        if self._stopping:
            return
        if self._up:
            self._notifier.status(status)
        else:
            self._up = True
            self._notifier.ready(status)


class ToOwner:
    """A supervisor at the other end of a socket. `facts` are for `Booted`."""

    listens = True
    alive_every = ALIVE_EVERY

    def __init__(self, channel: LoopChannel, facts: ImportFacts | None = None) -> None:
        self._channel = channel
        self._facts = facts

    def booted(self) -> None:
        self._channel.send(Booted(self._facts))

    def ready(self) -> None:
        self._channel.send(Ready())

    def degraded(self, reason: str | None) -> None:
        self._channel.send(Degraded(reason))

    def figures(self, values: ConsumerFigures) -> None:
        self._channel.send(Figures(values), droppable=True)

    def alive(self) -> None:
        self._channel.send(Alive(), droppable=True)

    def stopping(self, reason: str) -> None:
        self._channel.send(Stopping(reason))

    def fork_server_hangs(self, reason: str) -> None:
        self._channel.send(ForkServerHangs(reason))

"""The supervisor as a systemd service: READY, STATUS, RELOADING, STOPPING, WATCHDOG. `readiness` decides."""

from __future__ import annotations

import asyncio
import time

from squids.process.sd_notify import Notifier
from squids.supervisor.events import EventKind
from squids.supervisor.file_reload import FileReload
from squids.supervisor.history import NotedEvent
from squids.supervisor.program.machine import Program
from squids.supervisor.readiness import ProgramView, advances, draining, is_up, summary
from squids.supervisor.supervisor import Supervisor

TICK = 5.0
"""Maximum seconds between checks; a third of the watchdog's timeout if that is less."""

EXTENSION = 3 * TICK
"""Seconds of each timeout extension while the start or stop makes progress."""

SOON = 0.05
"""Seconds over which changes are collected."""


class Unit:
    """Reports a supervisor's state to systemd, from before its start to its end."""

    def __init__(self, supervisor: Supervisor, file_reload: FileReload, notifier: Notifier) -> None:
        self._supervisor = supervisor
        self._file_reload = file_reload
        self._notifier = notifier
        self._loop = asyncio.get_running_loop()
        self._tick_seconds = min(TICK, notifier.watchdog / 3) if notifier.watchdog else TICK
        self._timer: asyncio.TimerHandle | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._said = ""
        self._up = False
        self._tried: set[str] = set()
        self._began_to_stop = False

    def start(self) -> None:
        """Start, once the control socket listens and the programs were told to start."""
        self._supervisor.watchers.add(self._on_event)
        self._file_reload.on_reload = self._on_reload
        self._tick()

    def close(self) -> None:
        """Report the end."""
        self._supervisor.watchers.discard(self._on_event)
        self._file_reload.on_reload = None
        for timer in (self._timer, self._soon):
            if timer is not None:
                timer.cancel()
        self._notifier.status("stopped")
        self._notifier.close()

    def _on_event(self, event: NotedEvent) -> None:
        if event.kind in (EventKind.BACKOFF, EventKind.FATAL, EventKind.EXITED):
            self._tried.add(event.program)
        if self._supervisor.stopping and not self._began_to_stop:
            self._look()  # At once: it may be over soon.
        elif self._soon is None:
            self._soon = self._loop.call_later(SOON, self._look)

    def _on_reload(self, on: bool) -> None:
        if not self._up or self._began_to_stop:
            return
        if on:
            self._notifier.reloading("reading its configuration again")
        else:
            self._notifier.ready(self._summary(self._seen()))

    def _tick(self) -> None:
        self._timer = self._loop.call_later(self._tick_seconds, self._tick)
        if advances(self._seen(), time.monotonic()):
            if self._notifier.watchdog is not None:
                self._notifier.alive()
            if not self._up or self._supervisor.stopping:
                self._notifier.extend(EXTENSION)
        self._look()

    def _look(self) -> None:
        self._soon = None
        seen = self._seen()
        if self._supervisor.stopping:
            self._say(draining(seen))
        elif not self._up and is_up(seen):
            self._up = True
            self._said = self._summary(seen)
            self._notifier.ready(self._said)
        else:
            self._say(self._summary(seen))

    def _say(self, text: str) -> None:
        if self._supervisor.stopping and not self._began_to_stop:
            self._began_to_stop = True
            self._notifier.stopping(text)
            self._notifier.extend(EXTENSION)
        elif text != self._said:
            self._notifier.status(text)
        self._said = text

    def _summary(self, seen: list[ProgramView]) -> str:
        return summary(seen, self._file_reload.last_error)

    def _seen(self) -> list[ProgramView]:
        return [self._seen_of(program) for program in self._supervisor.programs.values()]

    def _seen_of(self, program: Program) -> ProgramView:
        name = program.settings.name
        return ProgramView(
            name=name,
            state=program.state,
            wanted=program.wanted,
            reason=program.reason,
            degraded=self._supervisor.degraded(program),
            retry_in=program.retry_in(time.monotonic()),
            tried=name in self._tried,
            due=program.wakes_at(),
        )

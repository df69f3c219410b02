"""History: the last deaths of each program, and the last events of all. Values only. Pure.

Times are seconds since the epoch, for display only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from squids.bounds import cut
from squids.process.figures import RunningJob
from squids.supervisor.events import Event, EventKind

DEATHS_KEPT = 20
EVENTS_KEPT = 1000

LINES_KEPT = 100
CHARACTERS_KEPT = 32 * 1024
LONGEST_LINE = 4 * 1024
"""Limits of a process's last output: one that prints long lines and keeps dying is stored twenty times."""


class LastLines:
    """The last lines of a process, within these limits."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._characters = 0

    def add(self, text: str) -> None:
        """Add a line."""
        text = cut(text, LONGEST_LINE)
        self._lines.append(text)
        self._characters += len(text)
        while len(self._lines) > LINES_KEPT or self._characters > CHARACTERS_KEPT:
            self._characters -= len(self._lines.popleft())

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)


@dataclass(frozen=True, slots=True)
class Death:
    """One death of a process: when, why, its uptime, its last lines, and what it was running."""

    at: float
    pid: int | None
    status: int | None
    cause: str
    asked: bool
    uptime: float
    lines: Iterable[str] = ()
    """It may still grow: output is read after the death."""
    running: tuple[RunningJob, ...] = ()
    held: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(replace(self, lines=())), "lines": list(self.lines)}


@dataclass(frozen=True, slots=True)
class NotedEvent:
    """An event with its number and time."""

    number: int
    at: float
    event: Event

    @property
    def kind(self) -> EventKind:
        return self.event.kind

    @property
    def program(self) -> str:
        return self.event.program

    def as_dict(self) -> dict[str, Any]:
        """For machine-readable output."""
        event = self.event
        return {
            "number": self.number,
            "at": self.at,
            "program": event.program,
            "event": event.kind.value,
            "text": event.text,
            "details": dict(event.details),
        }


class History:
    """Keeps the last deaths and events."""

    def __init__(self) -> None:
        self._deaths: dict[str, deque[Death]] = {}
        self._events: deque[NotedEvent] = deque(maxlen=EVENTS_KEPT)
        self._number = 0

    def died(self, program: str, death: Death) -> None:
        self._deaths.setdefault(program, deque(maxlen=DEATHS_KEPT)).append(death)

    def deaths(self, program: str) -> Sequence[Death]:
        """Return the last deaths, oldest first."""
        return list(self._deaths.get(program, ()))

    def last_unasked(self, program: str) -> Death | None:
        """Return the last death that was not requested."""
        return next((death for death in reversed(self.deaths(program)) if not death.asked), None)

    def forget(self, program: str) -> None:
        self._deaths.pop(program, None)

    def note(self, at: float, event: Event) -> NotedEvent:
        """Keep an event under the next number."""
        self._number += 1
        noted = NotedEvent(self._number, at, event)
        self._events.append(noted)
        return noted

    def events(self) -> list[NotedEvent]:
        """Return the last events, oldest first."""
        return list(self._events)

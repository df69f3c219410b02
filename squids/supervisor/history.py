"""What happened: the last deaths of each program, and the last events of all. Values only.

Times are seconds since 1970, for people; nothing is decided by them.
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
"""Of what a process said last: what prints long lines and dies again and again is kept twenty times."""


class LastLines:
    """What a process said last, as far as there is room."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._characters = 0

    def add(self, text: str) -> None:
        """It said one more line."""
        text = cut(text, LONGEST_LINE)
        self._lines.append(text)
        self._characters += len(text)
        while len(self._lines) > LINES_KEPT or self._characters > CHARACTERS_KEPT:
            self._characters -= len(self._lines.popleft())

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)


@dataclass(frozen=True, slots=True)
class Death:
    """One end of a process: when, how, after how long, what it said last, and what it was running."""

    at: float
    pid: int | None
    status: int | None
    cause: str
    asked: bool
    uptime: float
    lines: Iterable[str] = ()
    """It may grow for a moment: what a process said last is read after it died."""
    running: tuple[RunningJob, ...] = ()
    held: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(replace(self, lines=())), "lines": list(self.lines)}


@dataclass(frozen=True, slots=True)
class NotedEvent:
    """An event, its number, and when it was."""

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
        """For programs."""
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
    """The last of both."""

    def __init__(self) -> None:
        self._deaths: dict[str, deque[Death]] = {}
        self._events: deque[NotedEvent] = deque(maxlen=EVENTS_KEPT)
        self._number = 0

    def died(self, program: str, death: Death) -> None:
        self._deaths.setdefault(program, deque(maxlen=DEATHS_KEPT)).append(death)

    def deaths(self, program: str) -> Sequence[Death]:
        """The last ones, the oldest first."""
        return list(self._deaths.get(program, ()))

    def last_unasked(self, program: str) -> Death | None:
        """The last death that nobody asked for."""
        return next((death for death in reversed(self.deaths(program)) if not death.asked), None)

    def forget(self, program: str) -> None:
        self._deaths.pop(program, None)

    def note(self, at: float, event: Event) -> NotedEvent:
        """Keep it, under the next number."""
        self._number += 1
        noted = NotedEvent(self._number, at, event)
        self._events.append(noted)
        return noted

    def events(self) -> list[NotedEvent]:
        """The last ones, the oldest first."""
        return list(self._events)

"""Constructors of answers, which `protocol` describes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from squids.process.log_lines import Line, as_text, iso
from squids.process.log_values import shown
from squids.supervisor.history import NotedEvent
from squids.supervisor.outcome import ProgramOutcome

Answer = dict[str, Any]
Answers = AsyncIterator[Answer]


def end(code: int, error: str | None = None) -> Answer:
    """The last answer to each request. `code`: the exit code of the command."""
    return {"type": "end", "code": code, "error": error}


def result(queue: str, outcome: ProgramOutcome) -> Answer:
    """The outcome for one queue."""
    return {"type": "result", "queue": queue, "ok": outcome.ok, "text": outcome.text}


def text(text: str, **more: Any) -> Answer:
    """A sentence for people."""
    return {"type": "text", "text": text, **more}


def line(line: Line) -> Answer:
    """A line of the log."""
    return {
        "type": "line",
        "at": iso(line.at),
        "source": str(line.source),
        "level": line.level,
        "message": line.text,
        "details": {key: shown(value) for key, value in line.details.items()},
        "text": as_text(line),
    }


def states(states: dict[str, str], wanted: dict[str, str]) -> Answer:
    """The state of each queue that a client follows, and what it is to be."""
    return {"type": "states", "states": states, "wanted": wanted}


def jobs(queue: str, changes: list[list[str]]) -> Answer:
    """What happened to jobs of a queue: pairs of a message id and a `JobChange`."""
    return {"type": "jobs", "queue": queue, "changes": changes}


def event(event: NotedEvent) -> Answer:
    """A change of state, or another event."""
    return {"type": "event", **event.as_dict(), "at": iso(event.at)}

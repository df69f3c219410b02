"""Decides across programs: in which order they start and stop, which kinds of consumers there are, and when
the supervisor exits because of them. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from squids.queues import QueueRef
from squids.supervisor.program.events import ProgramState
from squids.supervisor.settings import ExitOn, ProgramSettings


def start_order(programs: Iterable[ProgramSettings]) -> list[ProgramSettings]:
    """By priority, and as they stand in the file."""
    return sorted(programs, key=lambda program: program.priority)


def stop_order(programs: Iterable[ProgramSettings]) -> list[ProgramSettings]:
    """The reverse. All stop at the same time; this is the order in which they are told."""
    return list(reversed(start_order(programs)))


def kinds_of_consumers(programs: Iterable[ProgramSettings]) -> list[dict[str, Any]]:
    """The options of one consumer of each kind. Those of one kind differ in their queue's name alone, which a
    fork server prepares nothing for; so thousands of queues are, most often, of one kind."""
    found: dict[Any, dict[str, Any]] = {}
    for program in programs:
        options = dict(program.options)
        queue = QueueRef.parse(options.pop("queue"))
        kind = (queue.region, queue.endpoint, tuple(sorted(options.items())))
        found.setdefault(kind, {**dict(program.options), "app": program.app_spec.app})
    return list(found.values())


def gives_up(exit_on: ExitOn, programs: Iterable[tuple[ProgramSettings, ProgramState]]) -> str | None:
    """Why the supervisor is to leave, if it is."""
    listed = list(programs)
    if exit_on is ExitOn.ESSENTIAL:
        for settings, state in listed:
            if settings.essential and state is ProgramState.FATAL:
                return f"{settings.name} is essential, and FATAL"
    if exit_on is ExitOn.ALL and listed and all(state is ProgramState.FATAL for _, state in listed):
        return "all programs are FATAL"
    return None

"""Decides across programs: order of start and stop, kinds of consumers, when the supervisor exits. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from squids.queues import QueueRef
from squids.supervisor.program.events import ProgramState
from squids.supervisor.settings import ExitOn, ProgramSettings


def start_order(programs: Iterable[ProgramSettings]) -> list[ProgramSettings]:
    """Return the programs by priority, equal ones in the order of the file."""
    return sorted(programs, key=lambda program: program.priority)


def stop_order(programs: Iterable[ProgramSettings]) -> list[ProgramSettings]:
    """Return the reverse of the start order. All stop at once; this is the order in which they are told."""
    return list(reversed(start_order(programs)))


def kinds_of_consumers(programs: Iterable[ProgramSettings]) -> list[dict[str, Any]]:
    """Return the options of one consumer of each kind.

    Consumers of one kind differ only in the queue's name, for which a fork server prepares nothing; thousands
    of queues are usually of one kind.
    """
    found: dict[Any, dict[str, Any]] = {}
    for program in programs:
        options = dict(program.options)
        queue = QueueRef.parse(options.pop("queue"))
        kind = (queue.region, queue.endpoint, tuple(sorted(options.items())))
        found.setdefault(kind, {**dict(program.options), "app": program.app_spec.app})
    return list(found.values())


def gives_up(exit_on: ExitOn, programs: Iterable[tuple[ProgramSettings, ProgramState]]) -> str | None:
    """Return why the supervisor must exit, or None."""
    listed = list(programs)
    if exit_on is ExitOn.ESSENTIAL:
        for settings, state in listed:
            if settings.essential and state is ProgramState.FATAL:
                return f"{settings.name} is essential, and FATAL"
    if exit_on is ExitOn.ALL and listed and all(state is ProgramState.FATAL for _, state in listed):
        return "all programs are FATAL"
    return None

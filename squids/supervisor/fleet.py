"""Decides across programs: in which order they start and stop, how many boot at once, and when the
supervisor leaves because of them. Pure.

Booting is the expensive part of a process's life. All of them at once would only make each slower,
and the first one ready as late as the last: so no more boot at once than there are CPUs.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any

from squids.queues import QueueRef
from squids.supervisor.program_events import State
from squids.supervisor.settings import ExitOn, ProgramSettings


class Boots:
    """Who may boot, and who waits for it. Children are numbers."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: list[tuple[int, int]] = []
        self._booting: set[int] = set()
        self._cancelled: set[int] = set()

    def want(self, child: int, priority: int) -> None:
        """It is to boot: lower priorities first, and among equals who came first."""
        heapq.heappush(self._waiting, (priority, child))

    def over(self, child: int) -> None:
        """It has booted, or will not."""
        if child in self._booting:
            self._booting.discard(child)
        elif any(child == waiting for _, waiting in self._waiting):
            self._cancelled.add(child)

    def next(self) -> list[int]:
        """Who may begin now."""
        begin = []
        while self._waiting and len(self._booting) < self._most:
            _, child = heapq.heappop(self._waiting)
            if child in self._cancelled:
                self._cancelled.discard(child)
                continue
            self._booting.add(child)
            begin.append(child)
        return begin


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
        found.setdefault(kind, {**dict(program.options), "app": program.ground.app})
    return list(found.values())


def gives_up(exit_on: ExitOn, programs: Iterable[tuple[ProgramSettings, State]]) -> str | None:
    """Why the supervisor is to leave, if it is."""
    listed = list(programs)
    if exit_on is ExitOn.ESSENTIAL:
        for settings, state in listed:
            if settings.essential and state is State.FATAL:
                return f"{settings.name} is essential, and FATAL"
    if exit_on is ExitOn.ALL and listed and all(state is State.FATAL for _, state in listed):
        return "all programs are FATAL"
    return None

"""One process of a program, as the program sees it: values, and the times that it is given."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from squids.supervisor.program.events import Exited, Spawned
from squids.supervisor.settings import ProgramSettings

ANSWER_SECONDS = 2.0
"""How long a consumer may take to say that it drains, before it gets a SIGTERM."""

STOP_MARGIN = 12.0
"""Seconds beyond the shutdown timeout in which a consumer kills, gives back and leaves by itself."""

RECEIVE_PATIENCE = 5.0
"""Seconds that a process which is killed for newer ones may still wait for a receive under way: what that
brings would be hidden for the visibility timeout."""

STACK_SECONDS = 3.0
"""How long a process that hangs may write its stacks, before it is killed."""

KILL_AGAIN = 10.0
"""Seconds after which what does not die of SIGKILL (it is in the kernel) gets another."""

REFUSED_FIRST, REFUSED_MAX = 0.5, 10.0
"""Seconds before a process that the system refused is asked for again."""


class Step(Enum):
    """How far a process has come."""

    ASKED = 1
    BOOTING = 2
    STARTING = 3
    READY = 4
    STOPPING = 5
    KILLED = 6


@dataclass(eq=False, slots=True)
class Process:
    """One process. `fault`: why it is killed, if that is its own fault.

    `drain_seconds`: how long its tasks may take when it leaves. `alone`: when it takes over, whatever leaves
    already is hurried, and the one before it has so many seconds.
    """

    child: int
    settings: ProgramSettings
    generation: int
    step: Step = Step.ASKED
    pid: int | None = None
    there_since: float = 0.0
    ready_since: float | None = None
    deadline: float | None = None
    fault: str | None = None
    answered: bool = False
    drain_seconds: float | None = None
    drain_limit_of_old: float | None = None


def is_there(process: Process, event: Spawned, now: float) -> None:
    """It came."""
    process.pid = event.pid
    process.there_since = now
    process.step = Step.BOOTING
    process.deadline = now + process.settings.start_timeout


def how_it_ended(event: Exited) -> str:
    """ "exit 3", "signal 9", "out of memory"."""
    if event.status is None:
        return "exit status unknown"
    if event.status >= 0:
        return f"exit {event.status}" if event.status else "exit 0, unasked"
    if event.out_of_memory:
        return "killed: out of memory"
    return f"signal {-event.status}"

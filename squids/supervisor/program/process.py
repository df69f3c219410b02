"""The state machine of one process of a program: its progress, its deadlines, and how it is ended. Pure.

A process has one deadline at a time. It must boot within `start_timeout`, then give a sign of life every
`heartbeat_timeout`; if told to drain, it must answer, then exit within its drain limit. A missed deadline
escalates: a frame, SIGTERM, SIGABRT for its stacks, SIGKILL. `machine` decides what that means for its
program.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from squids.process.exit_status import exit_text
from squids.supervisor.program.events import (
    AbortProcess,
    Action,
    CancelProcess,
    KillProcess,
    ProcessExited,
    SendDrain,
    TerminateProcess,
)
from squids.supervisor.settings import ProgramSettings

DRAIN_ANSWER_SECONDS = 2.0
"""How long a consumer may take to confirm that it drains, before it gets SIGTERM."""

DRAIN_MARGIN = 12.0
"""Seconds beyond the shutdown timeout in which a consumer kills, gives back and exits by itself."""

RECEIVE_PATIENCE = 5.0
"""Seconds that a process that is killed for newer ones may wait for a receive in progress.

Messages of that receive would otherwise stay hidden for the visibility timeout.
"""

STACK_SECONDS = 3.0
"""How long a hung process may write its stacks before it is killed."""

KILL_AGAIN = 10.0
"""Seconds after which SIGKILL is sent again to a process that did not die (it is in the kernel)."""


class Step(Enum):
    """How far a process has come."""

    ASKED = 1
    BOOTING = 2
    STARTING = 3
    READY = 4
    STOPPING = 5
    KILLED = 6


ALIVE = (Step.BOOTING, Step.STARTING, Step.READY)
"""Steps in which a process must show signs of life."""


@dataclass(eq=False, slots=True)
class Process:
    """One process. `fault`: why it is killed, if that is its own fault. `said`: why it drains by itself.

    `drain_seconds`: how long its tasks may take when it drains; None: its shutdown timeout.
    `drain_limit_of_old`: when it takes over, the previous process gets this many seconds, and older ones are
    forced; None: each keeps its own limit.
    `to_force`: the older ones (by child number) that are forced once this one receives nothing more.
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
    said: str = ""
    answered: bool = False
    drain_seconds: float | None = None
    drain_limit_of_old: float | None = None
    to_force: tuple[int, ...] = ()

    # Progress.

    def spawned(self, pid: int, now: float) -> None:
        """It was spawned, and has `start_timeout` to boot."""
        self.pid, self.there_since = pid, now
        self.step = Step.BOOTING
        self.deadline = now + self.settings.start_timeout

    def booted(self, now: float) -> None:
        """It booted, and must now give signs of life."""
        self.step = Step.STARTING
        self.beat(now)

    def ready(self, now: float) -> None:
        """It receives."""
        self.step = Step.READY
        self.ready_since = now
        self.beat(now)

    def beat(self, now: float) -> None:
        """It gave a sign of life; the next one is due within `heartbeat_timeout`."""
        if self.step in (Step.STARTING, Step.READY):
            self.deadline = now + self.settings.heartbeat_timeout

    def was_healthy(self, now: float) -> bool:
        """Whether it received for long enough to forget earlier failures."""
        return self.ready_since is not None and now - self.ready_since >= self.settings.healthy_after

    def stalled(self, seconds: float) -> None:
        """Extend its deadline, because the supervisor was stalled for `seconds`."""
        if self.deadline is not None and self.step in ALIVE:
            self.deadline += seconds

    # Its end.

    def dismiss(self, now: float) -> list[Action]:
        """Tell it to drain, or cancel it. Repeated calls do nothing."""
        if self.step in (Step.STOPPING, Step.KILLED):
            return []
        self.step = Step.STOPPING
        return [CancelProcess(self.child)] if self.pid is None else self._send_drain(now)

    def came_too_late(self, pid: int, now: float) -> list[Action]:
        """It was spawned when no longer wanted."""
        self.pid, self.there_since = pid, now
        return self._send_drain(now)

    def _send_drain(self, now: float) -> list[Action]:
        self.deadline = now + DRAIN_ANSWER_SECONDS
        return [SendDrain(self.child, self.drain_seconds)]

    def drains(self, now: float) -> None:
        """It drains: it has its drain limit to exit."""
        self.step = Step.STOPPING
        self.answered = True
        seconds = self.settings.shutdown_timeout if self.drain_seconds is None else self.drain_seconds
        self.deadline = now + seconds + DRAIN_MARGIN

    def answered_drain(self, now: float) -> None:
        """It confirmed that it drains."""
        self.answered = True
        if self.step is Step.STOPPING:
            self.drains(now)

    def stop_waiting(self, now: float, patience: float | None = None) -> list[Action]:
        """Do not wait for its tasks. `patience`: seconds for a receive in progress."""
        if self.pid is None or self.step is not Step.STOPPING:
            return []
        self.answered = True
        self.deadline = now + DRAIN_MARGIN
        return [SendDrain(self.child, patience)]

    def force_older(self, draining: dict[int, Process], now: float) -> list[Action]:
        """Do not wait for the tasks of processes that it has to force; it receives nothing more.

        Not earlier: it would receive the messages that they give back, and run them on its old code.
        """
        older, self.to_force = self.to_force, ()
        return [
            action
            for child in older
            if child in draining
            for action in draining[child].stop_waiting(now, RECEIVE_PATIENCE)
        ]

    def is_overdue(self, now: float) -> bool:
        """Whether it has missed its deadline."""
        return self.deadline is not None and now >= self.deadline

    def overdue(self, now: float) -> list[Action]:
        """It missed its deadline: escalate."""
        match self.step:
            case Step.BOOTING:
                return self._hangs(f"did not start within {self.settings.start_timeout:g} s", now)
            case Step.STARTING | Step.READY:
                return self._hangs(f"no sign of life for {self.settings.heartbeat_timeout:g} s", now)
            case Step.STOPPING if not self.answered and self.pid is not None:
                self.drains(now)
                return [TerminateProcess(self.child)]
            case _:
                self.step = Step.KILLED
                self.deadline = now + KILL_AGAIN
                return [KillProcess(self.child)]

    def _hangs(self, fault: str, now: float) -> list[Action]:
        self.fault = fault
        self.step = Step.KILLED
        self.deadline = now + STACK_SECONDS
        return [AbortProcess(self.child)]


def how_it_ended(event: ProcessExited) -> str:
    """Return "exit 3", "signal 9" or "killed: out of memory", or why it could not start."""
    if event.failure:
        return f"cannot start: {event.failure}"
    if event.status == 0:
        return "exit 0, unasked"
    if event.out_of_memory and event.status is not None and event.status < 0:
        return "killed: out of memory"
    return exit_text(event.status)


def how_it_drained(event: ProcessExited, orderly: str) -> str:
    """Return `orderly`, or what killed it: "signal 9 while draining"."""
    if event.status is None or event.status >= 0:
        return orderly
    return f"{how_it_ended(event)} while draining"

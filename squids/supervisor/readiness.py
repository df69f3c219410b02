"""What systemd is told of the supervisor: whether it is up, and its status line. Pure.

It is up once each program that starts automatically was seen to run, to be degraded, or to have failed: one
bad queue must not time out the unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from squids.hints import count
from squids.supervisor.program.events import ProgramState, Wanted

OVERDUE_SECONDS = 5.0
"""Seconds that a deadline may be missed before the state machines count as stuck."""


@dataclass(frozen=True, slots=True)
class ProgramView:
    """One program. `degraded`: why it cannot work although alive. `tried`: it has failed before."""

    name: str
    state: ProgramState
    wanted: Wanted
    reason: str = ""
    degraded: str | None = None
    retry_in: float | None = None
    tried: bool = False
    due: float | None = None
    """The monotonic time of its next deadline."""

    @property
    def settled(self) -> bool:
        """Whether the result of its start is known."""
        on_its_way = self.state is ProgramState.STARTING and self.degraded is None and not self.tried
        return not on_its_way and not (self.state is ProgramState.STOPPING and self.wanted is Wanted.UP)


def is_up(programs: Iterable[ProgramView]) -> bool:
    """Whether the service has started."""
    return all(program.settled for program in programs)


def advances(programs: Iterable[ProgramView], now: float) -> bool:
    """Whether nothing is overdue."""
    return all(program.due is None or now < program.due + OVERDUE_SECONDS for program in programs)


def summary(programs: Sequence[ProgramView], trouble: str | None = None) -> str:
    """`7/8 queues running; reports: backoff, exit 1, retry in 12 s`. `trouble`: of the last reload."""
    wanted = [program for program in programs if program.wanted is not Wanted.DOWN]
    running = [
        program for program in wanted if program.state is ProgramState.RUNNING and program.degraded is None
    ]
    parts = [f"{len(running)}/{count(len(wanted), 'queue')} running"]
    parts += [f"{program.name}: {_what(program)}" for program in wanted if program not in running]
    paused = [program.name for program in running if program.wanted is Wanted.PAUSED]
    if paused:
        parts.append(f"paused: {', '.join(paused)}")
    stopped = len(programs) - len(wanted)
    if stopped:
        parts.append(f"{stopped} stopped")
    if trouble is not None:
        parts.append(f"the last reload failed: {trouble}")
    return "; ".join(parts)


def draining(programs: Sequence[ProgramView]) -> str:
    """The status line while it stops."""
    left = [program.name for program in programs if program.state is not ProgramState.STOPPED]
    return f"draining {count(len(left), 'queue')}: {', '.join(left)}" if left else "stopped"


def _what(program: ProgramView) -> str:
    if program.degraded is not None:
        return f"degraded, {program.degraded}"
    reason = program.reason.splitlines()[-1] if program.reason else ""
    parts = [program.state.value]
    if reason and program.state is not ProgramState.STARTING:
        parts.append(reason)
    if program.retry_in is not None:
        parts.append(f"retry in {program.retry_in:.0f} s")
    return ", ".join(parts)

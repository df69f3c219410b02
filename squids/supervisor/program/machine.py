"""Decides the life of one program: when its process is started, stopped, replaced and started again. Pure.

It alone decides that; processes, sockets and clocks are the shell's. It is told what happens, with the time,
and answers with what to do. All times are monotonic seconds.

What is wanted (up, down, paused) is kept apart from what is. A program has one process that counts, the
current one. Besides, it may have a replacement, which takes over once it receives, and some that are
leaving: they drain, and receive nothing any more. So two processes of one program receive at the same time
only for the moment of a hand-over. How far each has come, and what happens when it misses a deadline, is
decided in `process`.

A process that dies unasked is a failure: the program waits, exponentially longer each time, and the failures
are forgotten only once it has been running for `healthy_after` seconds: what crashes every five seconds is a
crash loop too (`squids.process.restarts`). A failure that a restart cannot fix (exit code 78) is FATAL at
once.

Which of this happens on which event, in which state, is the table in `rules`.
"""

from __future__ import annotations

from collections.abc import Iterator

from squids.supervisor.program.events import (
    Action,
    CodeUnavailable,
    Event,
    ForkServerLost,
    HandOver,
    ProcessBeat,
    ProcessBooted,
    ProcessCancelled,
    ProcessDied,
    ProcessDraining,
    ProcessExited,
    ProcessReady,
    ProcessRefused,
    ProcessSpawned,
    ProgramState,
    ReplaceProgram,
    SpawnProcess,
    StateChanged,
    TellPause,
    Tick,
    Wanted,
)
from squids.supervisor.program.failures import Failures, Verdict
from squids.supervisor.program.process import ALIVE, RECEIVE_PATIENCE, Process, Step, how_it_ended
from squids.supervisor.settings import ProgramSettings

FOR_GOOD = (ProgramState.STOPPED, ProgramState.EXITED, ProgramState.FATAL)
"""States that only a command ends."""


class Program:
    """One consumer of one queue, over all of its processes."""

    def __init__(self, settings: ProgramSettings, generation: int, children: Iterator[int]) -> None:
        self.settings = settings
        self.generation = generation
        self._children = children
        self.state = ProgramState.STOPPED
        self.reason = ""
        self.wanted = Wanted.DOWN
        self.current: Process | None = None
        self.replacement: Process | None = None
        self.leaving: dict[int, Process] = {}
        self.restarts = 0
        self.retry_at: float | None = None
        self.state_since = 0.0
        self.hand_over_failure: str | None = None
        """Why the last rolling replacement failed, if it did."""
        self.failures = Failures()
        self._actions: list[Action] = []

    # What it is told, and what it wants to be told.

    def told(self, event: Event, now: float) -> None:
        """An event about the replacement, or about a process that leaves; or time has passed."""
        child = getattr(event, "child", None)
        if isinstance(event, Tick):
            self._tick(now)
        elif self.replacement is not None and child == self.replacement.child:
            self._on_replacement(self.replacement, event, now)
        elif child in self.leaving:
            self._on_leaving(self.leaving[child], event, now)

    def force(self, now: float) -> list[Action]:
        """Those that drain do not wait for their tasks any longer."""
        for process in self.processes():
            self._actions += process.hurry(now)
        return self.taken()

    def taken(self) -> list[Action]:
        """What it asks for since the last time."""
        actions, self._actions = self._actions, []
        return actions

    def wakes_at(self) -> float | None:
        """When it wants a Tick, if nothing happens before."""
        times = [process.deadline for process in self.processes() if process.deadline is not None]
        if self.state is ProgramState.BACKOFF and self.retry_at is not None:
            times.append(self.retry_at)
        return min(times, default=None)

    def retry_in(self, now: float) -> float | None:
        """Seconds until it is started again; None: that is not planned."""
        if self.state is not ProgramState.BACKOFF or self.retry_at is None:
            return None
        return max(0.0, self.retry_at - now)

    def stalled(self, seconds: float) -> None:
        """The supervisor stood still for so long: that is not held against any process."""
        for process in self.processes():
            process.stalled(seconds)

    def processes(self) -> list[Process]:
        """All that are there or were asked for; the current one first."""
        first = [process for process in (self.current, self.replacement) if process is not None]
        return [*first, *self.leaving.values()]

    @property
    def gone(self) -> bool:
        """Whether nothing of it is left."""
        return not self.processes()

    # Commands. What each of these does, and in which states, is said by its row in `rules`.

    def start(self, now: float) -> None:
        if self.wanted is Wanted.DOWN:
            self.wanted = Wanted.UP
        if self.state in FOR_GOOD:
            self.failures.forget()
        if self.current is None:
            self._ask(now, "started")

    def stop(self, now: float) -> None:
        self.wanted = Wanted.DOWN
        self._drop_replacement(now, "it was stopped")
        if self.current is not None:
            self._actions += self.current.tell_to_leave(now)
            self._become(ProgramState.STOPPING, "stopped")
        else:
            self.retry_at = None
            self._become(ProgramState.STOPPED, "stopped")

    def restart(self, generation: int, settings: ProgramSettings, now: float) -> None:
        self.generation, self.settings = generation, settings
        self._drop_replacement(now, "it was restarted")
        self.failures.progress()
        if self.wanted is Wanted.DOWN:
            self.wanted = Wanted.UP
        if self.current is None:
            self._ask(now, "restarted")
        else:
            self._actions += self.current.tell_to_leave(now)
            self._become(ProgramState.STOPPING, "restarted")

    def replace(self, event: ReplaceProgram, now: float) -> None:
        self._drop_replacement(now, "another one was requested")
        self.hand_over_failure = None
        child, limit = next(self._children), event.kill_after
        self.replacement = Process(child, event.settings, event.generation, drain_limit_of_old=limit)
        self._actions.append(SpawnProcess(child, event.generation, event.settings))

    def replace_what_leaves(self, event: ReplaceProgram, now: float) -> None:
        if self.wanted is Wanted.DOWN:
            self.adopt(event)
        else:
            self.restart(event.generation, event.settings, now)

    def adopt(self, event: ReplaceProgram) -> None:
        self.generation, self.settings = event.generation, event.settings
        self.hand_over_failure = None

    def reset(self, now: float) -> None:
        self.failures.forget()
        self.start(now)

    def set_paused(self, on: bool) -> None:
        before, after = (Wanted.UP, Wanted.PAUSED) if on else (Wanted.PAUSED, Wanted.UP)
        if self.wanted is before:
            self.wanted = after
            self._tell_pause(on)

    def _tell_pause(self, on: bool) -> None:
        if self.current is not None and self.current.step is Step.READY:
            self._actions.append(TellPause(self.current.child, on))

    # The current process.

    def receives(self, process: Process, now: float) -> None:
        process.ready(now)
        self.failures.process_came()
        self._become(ProgramState.RUNNING, "receiving")
        if self.wanted is Wanted.PAUSED:
            self._tell_pause(on=True)

    def came_too_late(self, process: Process, pid: int, now: float) -> None:
        self._actions += process.came_too_late(pid, now)

    def drains_by_itself(self, process: Process, reason: str, now: float) -> None:
        process.drains(now)
        process.fault = None if self.wanted is Wanted.DOWN else ""  # "": its exit says why.
        self._become(ProgramState.STOPPING, reason)

    def rest(self, verdict: Verdict) -> None:
        """It has no process now, until the time that is set for the next."""
        self.current = None
        self.retry_at = verdict.retry_at
        self._become(verdict.state, verdict.reason)

    def never_came(self, now: float) -> None:
        self.current = None
        self._after_stop(now)

    def fork_server_lost(self, process: Process, now: float) -> None:
        if self.state is ProgramState.STOPPING and (self.wanted is Wanted.DOWN or process.fault is None):
            return  # It leaves as it was told.
        if process.pid is None:
            self.never_came(now)
            return
        process.drains(now)
        self.leaving[process.child] = process
        self.current = None
        self._drop_replacement(now, "the fork server died")
        self._ask(now, "the fork server died")

    def exited_while_stopping(self, process: Process, event: ProcessExited, now: float) -> None:
        if process.fault is not None:
            self.exited(process, event, now)
            return
        self.current = None
        self._died(process, event, "stopped", now, asked=True)
        self._after_stop(now)

    def _after_stop(self, now: float) -> None:
        if self.wanted is Wanted.DOWN:
            self._become(ProgramState.STOPPED, "stopped")
        else:
            self._ask(now, self.reason)

    def exited(self, process: Process, event: ProcessExited, now: float) -> None:
        self.current = None
        cause = process.fault or how_it_ended(event)
        self._died(process, event, cause, now, asked=False)
        if self.wanted is Wanted.DOWN:
            self._become(ProgramState.STOPPED, cause)
        elif self.replacement is not None:
            self.current, self.replacement = self.replacement, None
            self.settings, self.generation = self.current.settings, self.current.generation
            self._become(ProgramState.STARTING, f"{cause}; its replacement is starting")
        else:
            self.rest(self.failures.died(process, event, cause, self.settings, now))

    # The replacement, and those that leave.

    def _on_replacement(self, process: Process, event: Event, now: float) -> None:
        match event:
            case ProcessSpawned(pid=pid):
                process.spawned(pid, now)
            case ProcessBooted() if process.drain_limit_of_old is not None:
                process.booted(now)
            case ProcessBooted():  # It has the rest of `start_timeout` to receive, whatever it says.
                process.step = Step.STARTING
            case ProcessBeat() if process.drain_limit_of_old is not None and process.step is Step.STARTING:
                # Where SQS does not answer, the old one receives nothing either: it takes over when both can.
                process.beat(now)
            case ProcessReady():
                self._take_over(process, now)
            case ProcessRefused() | CodeUnavailable():
                self.replacement = None
                self._handed_over(HandOver(event.reason))
            case ProcessCancelled():
                self.replacement = None
            case ForkServerLost():
                self._drop_replacement(now, "its fork server died")
            case ProcessExited():
                self.replacement = None
                cause = process.fault or how_it_ended(event)
                self._died(process, event, cause, now, asked=False)
                self._handed_over(HandOver(f"the new process ended before it received: {cause}"))
            case _:
                pass

    def _take_over(self, process: Process, now: float) -> None:
        """The replacement receives, and becomes the current process."""
        old = self.current
        if old is not None:
            if process.drain_limit_of_old is not None:
                # Before the old process joins those that leave: they had their time, it has yet to have its.
                for leaving in self.leaving.values():
                    self._actions += leaving.hurry(now, RECEIVE_PATIENCE)
                old.drain_seconds = process.drain_limit_of_old  # First: `tell_to_leave` sends it.
            self._actions += old.tell_to_leave(now)
            self.leaving[old.child] = old
        self.current, self.replacement = process, None
        self.settings, self.generation = process.settings, process.generation
        self.failures.progress()
        self.receives(process, now)
        self._handed_over(HandOver(None))

    def _drop_replacement(self, now: float, why: str) -> None:
        process, self.replacement = self.replacement, None
        if process is not None:
            self._actions += process.tell_to_leave(now)
            self.leaving[process.child] = process
            self._handed_over(HandOver(why))

    def _handed_over(self, how: HandOver) -> None:
        self.hand_over_failure = how.failure
        self._actions.append(how)

    def _on_leaving(self, process: Process, event: Event, now: float) -> None:
        match event:
            case ProcessSpawned(pid=pid):
                self._actions += process.came_too_late(pid, now)
            case ProcessDraining():
                process.answered_drain(now)
            case ProcessExited():
                del self.leaving[process.child]
                self._died(process, event, process.fault or "replaced", now, asked=True)
            case ProcessCancelled() | ProcessRefused() | CodeUnavailable():
                del self.leaving[process.child]
            case _:
                pass  # It leaves already.

    # Time, and what is common to all.

    def _tick(self, now: float) -> None:
        for process in self.processes():
            if process.is_overdue(now):
                self._overdue(process, now)
        if self.state is ProgramState.BACKOFF and self.retry_at is not None and now >= self.retry_at:
            self.restarts += 1
            self._ask(now, self.reason)

    def _overdue(self, process: Process, now: float) -> None:
        """A replacement that does not receive in time is dropped, not killed as hung. With a limit for the
        old process it may wait for SQS, and must only show that it is alive, as a current process must."""
        patient = process.drain_limit_of_old is not None
        if process is self.replacement and process.step is Step.STARTING and not patient:
            self._drop_replacement(now, f"did not receive within {process.settings.start_timeout:g} s")
            return
        hangs = process.step in ALIVE  # Looked at first: `overdue` moves it on.
        self._actions += process.overdue(now)
        if hangs and process is self.current:
            self._become(ProgramState.STOPPING, process.fault or "")

    def _ask(self, now: float, reason: str) -> None:
        self.retry_at = None
        self.current = Process(next(self._children), self.settings, self.generation)
        self._actions.append(SpawnProcess(self.current.child, self.generation, self.settings))
        self._become(ProgramState.STARTING, reason)

    def _died(self, process: Process, event: ProcessExited, cause: str, now: float, *, asked: bool) -> None:
        uptime = now - process.there_since if process.pid is not None else 0.0
        self._actions.append(ProcessDied(process.child, process.pid, event.status, cause, asked, uptime))

    def _become(self, state: ProgramState, reason: str) -> None:
        old, self.state, self.reason = self.state, state, reason
        if old is not state:
            self._actions.append(StateChanged(old, state, reason))

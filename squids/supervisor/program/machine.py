"""The state machine of one program: when its process is started, stopped, replaced and restarted. Pure.

It only decides; the shell owns processes, sockets and clocks. It is told events, with the time, and returns
actions. All times are monotonic seconds.

The desired state (up, down, paused) is separate from the actual one. A program has one current process. It
may also have a replacement, which takes over once it receives, and draining processes, which receive nothing
any more. So two processes of a program receive at the same time only for the moment of a hand-over.
`process` decides how far each has come, and what happens when it misses a deadline.

A process that dies without being told to is a failure. The program waits, exponentially longer each time, and
forgets the failures only after it has run for `healthy_after` seconds: crashing every five seconds is a crash
loop too (`squids.process.restarts`). A failure that a restart cannot fix (exit code 78) is FATAL at once.

The table in `rules` defines which event does what in which state.
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
    SendPause,
    SpawnProcess,
    StateChanged,
    Tick,
    Wanted,
)
from squids.supervisor.program.failures import Failures, Verdict
from squids.supervisor.program.process import (
    ALIVE,
    Process,
    Step,
    how_it_drained,
    how_it_ended,
)
from squids.supervisor.settings import ProgramSettings

FOR_GOOD = (ProgramState.STOPPED, ProgramState.EXITED, ProgramState.FATAL)
"""States that only a command ends."""


class Program:
    """One consumer of one queue, across all its processes."""

    def __init__(self, settings: ProgramSettings, generation: int, children: Iterator[int]) -> None:
        self.settings = settings
        self.generation = generation
        self._children = children
        self.state = ProgramState.STOPPED
        self.reason = ""
        self.wanted = Wanted.DOWN
        self.current: Process | None = None
        self.replacement: Process | None = None
        self.draining: dict[int, Process] = {}
        self.restarts = 0
        self.retry_at: float | None = None
        self.state_since = 0.0
        self.hand_over_failure: str | None = None
        """Why the last rolling replacement failed, if it did."""
        self.failures = Failures()
        self._actions: list[Action] = []

    # Events and deadlines.

    def on_other_event(self, event: Event, now: float) -> None:
        """Handle an event of the replacement or of a draining process, or a Tick."""
        child = getattr(event, "child", None)
        if isinstance(event, Tick):
            self._tick(now)
        elif self.replacement is not None and child == self.replacement.child:
            self._on_replacement(self.replacement, event, now)
        elif child in self.draining:
            self._on_draining(self.draining[child], event, now)

    def force(self, now: float) -> list[Action]:
        """Do not wait for the tasks of draining processes."""
        for process in self.processes():
            self._actions += process.stop_waiting(now)
        return self.taken()

    def taken(self) -> list[Action]:
        """Return the actions requested since the last call."""
        actions, self._actions = self._actions, []
        return actions

    def wakes_at(self) -> float | None:
        """Return when it needs a Tick if nothing happens before, or None."""
        times = [process.deadline for process in self.processes() if process.deadline is not None]
        if self.state is ProgramState.BACKOFF and self.retry_at is not None:
            times.append(self.retry_at)
        return min(times, default=None)

    def retry_in(self, now: float) -> float | None:
        """Return the seconds until it starts again, or None if that is not planned."""
        if self.state is not ProgramState.BACKOFF or self.retry_at is None:
            return None
        return max(0.0, self.retry_at - now)

    def stalled(self, seconds: float) -> None:
        """Extend deadlines, because the supervisor was stalled for `seconds`."""
        for process in self.processes():
            process.stalled(seconds)

    def processes(self) -> list[Process]:
        """Return all processes that exist or were requested; the current one first."""
        first = [process for process in (self.current, self.replacement) if process is not None]
        return [*first, *self.draining.values()]

    @property
    def gone(self) -> bool:
        """Whether it has no process."""
        return not self.processes()

    # Commands. The rows in `rules` say what each does, and in which states.

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
            self._actions += self.current.dismiss(now)
            self._become(ProgramState.STOPPING, "stopped")
        else:
            self.retry_at = None
            self._become(ProgramState.STOPPED, "stopped")

    def restart(self, generation: int, settings: ProgramSettings, now: float) -> None:
        self.generation, self.settings = generation, settings
        self._drop_replacement(now, "it was restarted")
        self.hand_over_failure = None
        self.failures.progress()
        if self.wanted is Wanted.DOWN:
            self.wanted = Wanted.UP
        if self.current is None:
            self._ask(now, "restarted")
        else:
            self._actions += self.current.dismiss(now)
            self._become(ProgramState.STOPPING, "restarted")

    def replace(self, event: ReplaceProgram, now: float) -> None:
        self._drop_replacement(now, "another one was requested")
        self.hand_over_failure = None
        child, limit = next(self._children), event.kill_after
        self.replacement = Process(child, event.settings, event.generation, drain_limit_of_old=limit)
        self._actions.append(SpawnProcess(child, event.generation, event.settings))

    def replace_while_stopping(self, event: ReplaceProgram, now: float) -> None:
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
            self._send_pause(on)

    def _send_pause(self, on: bool) -> None:
        if self.current is not None and self.current.step is Step.READY:
            self._actions.append(SendPause(self.current.child, on))

    # The current process.

    def receives(self, process: Process, now: float) -> None:
        process.ready(now)
        self.failures.process_came()
        self._become(ProgramState.RUNNING, "receiving")
        if self.wanted is Wanted.PAUSED:
            self._send_pause(on=True)

    def came_too_late(self, process: Process, pid: int, now: float) -> None:
        self._actions += process.came_too_late(pid, now)

    def drains_by_itself(self, process: Process, reason: str, now: float) -> None:
        process.drains(now)
        process.said = reason
        process.fault = None if self.wanted is Wanted.DOWN else ""  # "": the exit status will be the reason.
        self._become(ProgramState.STOPPING, reason)

    def rest(self, verdict: Verdict) -> None:
        """Have no process until the time of the next start."""
        self.current = None
        self.retry_at = verdict.retry_at
        self._become(verdict.state, verdict.reason)

    def never_came(self, now: float) -> None:
        self.current = None
        self._after_stop(now)

    def fork_server_lost(self, process: Process, now: float) -> None:
        if self.state is ProgramState.STOPPING and (self.wanted is Wanted.DOWN or process.fault is None):
            return  # It was told to exit anyway.
        if process.pid is None:
            self.never_came(now)
            return
        process.drains(now)
        self.draining[process.child] = process
        self.current = None
        self._drop_replacement(now, "the fork server died")
        self._ask(now, "the fork server died")

    def exited_while_stopping(self, process: Process, event: ProcessExited, now: float) -> None:
        if process.fault is not None:
            self.exited(process, event, now)
            return
        self.current = None
        self._died(process, event, how_it_drained(event, "stopped"), now, asked=True)
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

    # The replacement, and draining processes.

    def _on_replacement(self, process: Process, event: Event, now: float) -> None:
        match event:
            case ProcessSpawned(pid=pid):
                process.spawned(pid, now)
            case ProcessBooted() if process.drain_limit_of_old is not None:
                process.booted(now)
            case ProcessBooted():  # It must receive within the rest of `start_timeout`, whatever it reports.
                process.step = Step.STARTING
            case ProcessBeat() if process.drain_limit_of_old is not None and process.step is Step.STARTING:
                # If SQS does not answer, the old process receives nothing either: the hand-over waits until
                # both can.
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
        """Make the replacement, which receives, the current process."""
        old = self.current
        if old is not None:
            if process.drain_limit_of_old is not None:
                # What drains already has had its time, once the old process receives nothing more.
                old.to_force = tuple(self.draining)
                old.drain_seconds = process.drain_limit_of_old  # First: `dismiss` sends it.
            self._actions += old.dismiss(now)
            self.draining[old.child] = old
            if old.answered:  # It drains by itself already: no other answer comes.
                self._actions += old.force_older(self.draining, now)
        self.current, self.replacement = process, None
        self.settings, self.generation = process.settings, process.generation
        self.failures.progress()
        self.receives(process, now)
        self._handed_over(HandOver(None))

    def _drop_replacement(self, now: float, why: str) -> None:
        process, self.replacement = self.replacement, None
        if process is not None:
            self._actions += process.dismiss(now)
            self.draining[process.child] = process
            self._handed_over(HandOver(why))

    def _handed_over(self, how: HandOver) -> None:
        self.hand_over_failure = how.failure
        self._actions.append(how)

    def _on_draining(self, process: Process, event: Event, now: float) -> None:
        match event:
            case ProcessSpawned(pid=pid):
                self._actions += process.came_too_late(pid, now)
            case ProcessDraining():
                process.answered_drain(now)
                self._actions += process.force_older(self.draining, now)
            case ProcessExited():
                del self.draining[process.child]
                self._actions += process.force_older(self.draining, now)
                cause = process.fault or how_it_drained(event, "replaced")
                self._died(process, event, cause, now, asked=True)
            case ProcessCancelled() | ProcessRefused() | CodeUnavailable():
                del self.draining[process.child]
            case _:
                pass  # It drains already.

    # Time, and helpers.

    def _tick(self, now: float) -> None:
        for process in self.processes():
            if process.is_overdue(now):
                self._overdue(process, now)
        if self.state is ProgramState.BACKOFF and self.retry_at is not None and now >= self.retry_at:
            self.restarts += 1
            self._ask(now, self.reason)

    def _overdue(self, process: Process, now: float) -> None:
        """Handle a missed deadline.

        A replacement that does not receive in time is dropped, not killed as hung. With a limit for the old
        process, it may wait for SQS and must only show signs of life, like a current process.
        """
        patient = process.drain_limit_of_old is not None
        if process is self.replacement and process.step is Step.STARTING and not patient:
            self._drop_replacement(now, f"did not receive within {process.settings.start_timeout:g} s")
            return
        hangs = process.step in ALIVE  # Checked first: `overdue` changes it.
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

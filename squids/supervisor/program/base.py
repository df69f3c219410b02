"""What all of a program's life has in common: its processes, their times, and how they are made to leave.

When that happens is decided in `program`. Pure, as that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from squids.supervisor.program.events import (
    Abort,
    Action,
    Cancel,
    Cancelled,
    Changed,
    Died,
    Draining,
    Event,
    Exited,
    HandOver,
    Kill,
    Refused,
    Spawn,
    Spawned,
    State,
    TellDrain,
    Terminate,
    Unavailable,
    Wanted,
)
from squids.supervisor.program.process import (
    ANSWER_SECONDS,
    KILL_AGAIN,
    STACK_SECONDS,
    STOP_MARGIN,
    Process,
    Step,
)
from squids.supervisor.settings import ProgramSettings


class ProgramBase:
    """One consumer of one queue, over all of its processes."""

    def __init__(self, settings: ProgramSettings, generation: int, children: Iterator[int]) -> None:
        self.settings = settings
        self.generation = generation
        self._children = children
        self.state = State.STOPPED
        self.reason = ""
        self.wanted = Wanted.DOWN
        self.current: Process | None = None
        self.replacement: Process | None = None
        self.leaving: dict[int, Process] = {}
        self.failures = 0
        self.restarts = 0
        self.retry_at: float | None = None
        self.state_since = 0.0
        self.hand_over_failure: str | None = None
        """Why the last rolling replacement failed, if it did."""
        self._refusals = 0
        self._deaths: list[float] = []
        self._actions: list[Action] = []

    def wakes_at(self) -> float | None:
        """When it wants a Tick, if nothing happens before."""
        times = [process.deadline for process in self.processes() if process.deadline is not None]
        if self.state is State.BACKOFF and self.retry_at is not None:
            times.append(self.retry_at)
        return min(times, default=None)

    def stalled(self, seconds: float) -> None:
        """Nobody listened for so long: nobody is to be judged for it."""
        for process in self.processes():
            if process.deadline is not None and process.step in (Step.BOOTING, Step.STARTING, Step.READY):
                process.deadline += seconds

    def processes(self) -> list[Process]:
        """All that are there or were asked for; the current one first."""
        first = [process for process in (self.current, self.replacement) if process is not None]
        return [*first, *self.leaving.values()]

    def force(self, now: float) -> list[Action]:
        """Whoever leaves shall not wait for its tasks any longer."""
        self._hurry(self.processes(), now)
        actions, self._actions = self._actions, []
        return actions

    def _hurry(self, processes: Iterable[Process], now: float, patience: float | None = None) -> None:
        for process in processes:
            if process.pid is not None and process.step is Step.STOPPING:
                process.answered = True
                process.deadline = now + STOP_MARGIN
                self._actions.append(TellDrain(process.child, patience))

    @property
    def gone(self) -> bool:
        """Nothing of it is left."""
        return not self.processes()

    # Processes that are made to leave.

    def _drop_replacement(self, now: float, why: str) -> None:
        process, self.replacement = self.replacement, None
        if process is not None:
            self._tell_to_leave(process, now)
            self.leaving[process.child] = process
            self._handed_over(HandOver(why))

    def _on_leaving(self, process: Process, event: Event, now: float) -> None:
        match event:
            case Spawned():
                self._leave_at_once(process, event, now)
            case Draining():
                process.answered = True
                if process.step is Step.STOPPING:
                    self._give_time_to_leave(process, now)
            case Exited():
                del self.leaving[process.child]
                self._died(process, event, process.fault or "replaced", now, asked=True)
            case Cancelled() | Refused() | Unavailable():
                del self.leaving[process.child]
            case _:
                pass  # It leaves already.

    # Times that ran out.

    def _overdue(self, process: Process, now: float) -> None:
        match process.step:
            case Step.BOOTING:
                seconds = process.settings.start_timeout
                self._hangs(process, f"did not start within {seconds:g} s", now)
            case Step.STARTING if process is self.replacement and process.drain_limit_of_old is None:
                self._drop_replacement(now, f"did not receive within {process.settings.start_timeout:g} s")
            case Step.STARTING | Step.READY:
                seconds = process.settings.heartbeat_timeout
                self._hangs(process, f"no sign of life for {seconds:g} s", now)
            case Step.STOPPING if not process.answered and process.pid is not None:
                process.answered = True
                self._actions.append(Terminate(process.child))
                self._give_time_to_leave(process, now)
            case _:
                process.step = Step.KILLED
                process.deadline = now + KILL_AGAIN
                self._actions.append(Kill(process.child))

    def _hangs(self, process: Process, fault: str, now: float) -> None:
        process.fault = fault
        process.step = Step.KILLED
        process.deadline = now + STACK_SECONDS
        self._actions.append(Abort(process.child))
        if process is self.current:
            self._become(State.STOPPING, fault)

    # Common to all.

    def _ask(self, now: float, reason: str) -> None:
        self.retry_at = None
        self.current = Process(next(self._children), self.settings, self.generation)
        self._actions.append(Spawn(self.current.child, self.generation, self.settings))
        self._become(State.STARTING, reason)

    def _tell_to_leave(self, process: Process, now: float) -> None:
        if process.step in (Step.STOPPING, Step.KILLED):
            return
        process.step = Step.STOPPING
        if process.pid is None:
            self._actions.append(Cancel(process.child))
        else:
            self._say_leave(process, now)

    def _say_leave(self, process: Process, now: float) -> None:
        process.deadline = now + ANSWER_SECONDS
        self._actions.append(TellDrain(process.child, process.drain_seconds))

    def _leave_at_once(self, process: Process, event: Spawned, now: float) -> None:
        """It came when it was not wanted any more."""
        process.pid, process.there_since = event.pid, now
        self._say_leave(process, now)

    def _give_time_to_leave(self, process: Process, now: float) -> None:
        process.step = Step.STOPPING
        process.answered = True
        seconds = process.drain_seconds
        if seconds is None:
            seconds = process.settings.shutdown_timeout
        process.deadline = now + seconds + STOP_MARGIN

    def _died(self, process: Process, event: Exited, cause: str, now: float, *, asked: bool) -> None:
        uptime = now - process.there_since if process.pid is not None else 0.0
        self._actions.append(Died(process.child, process.pid, event.status, cause, asked, uptime))

    def _handed_over(self, how: HandOver) -> None:
        self.hand_over_failure = how.failure
        self._actions.append(how)

    def _become(self, state: State, reason: str) -> None:
        old, self.state, self.reason = self.state, state, reason
        if old is not state:
            self._actions.append(Changed(old, state, reason))

"""Decides the life of one program: when its process is started, stopped, killed and started again.

It alone decides that; processes, sockets and clocks are the shell's. It is told what happens, with
the time, and answers with what to do. All times are monotonic seconds.

What is wanted (up, down, paused) is kept apart from what is. A program has one process that counts, the
current one. Besides, it may have a replacement, which takes over once it receives, and
some that leave and receive nothing any more. So two processes of one program receive at the same time
only for the moment of a hand-over.

A process that dies unasked is a failure: the program waits, exponentially longer each time, and
the failures are forgotten only after it has been running for `healthy_after` seconds: what crashes every
five seconds is a crash loop too. A failure that a restart cannot heal (exit code 78) is FATAL at once.

`TABLE` says for each state and event what happens; what it does not name is ignored, and `IGNORED` says
why.
"""

from __future__ import annotations

from collections.abc import Callable

from squids.backoff import exponential
from squids.exit_codes import ExitCode
from squids.supervisor.program.base import ProgramBase
from squids.supervisor.program.events import (
    Action,
    Beat,
    Booted,
    Cancelled,
    Draining,
    Event,
    Exited,
    HandOver,
    Pause,
    Ready,
    Refused,
    Replace,
    Reset,
    Restart,
    Resume,
    Spawn,
    Spawned,
    Start,
    State,
    Stop,
    TellPause,
    Tick,
    Unavailable,
    Wanted,
    ZygoteLost,
)
from squids.supervisor.program.process import (
    RECEIVE_PATIENCE,
    REFUSED_FIRST,
    REFUSED_MAX,
    Process,
    Step,
    how_it_ended,
    is_there,
)
from squids.supervisor.settings import Restart as RestartWhen


class Program(ProgramBase):
    """One consumer of one queue, over all of its processes."""

    def handle(self, event: Event, now: float) -> list[Action]:
        """What to do about it, in order."""
        before = self.state
        child = getattr(event, "child", None)
        if isinstance(event, Tick):
            self._tick(now)
        elif child is None or (self.current is not None and child == self.current.child):
            rule = TABLE.get((self.state, type(event)))
            if rule is not None:
                rule(self, event, now)
        elif self.replacement is not None and child == self.replacement.child:
            self._on_replacement(self.replacement, event, now)
        elif child in self.leaving:
            self._on_leaving(self.leaving[child], event, now)
        if self.state is not before:
            self.state_since = now
        actions, self._actions = self._actions, []
        return actions

    # Commands.

    def _start(self, event: Event, now: float) -> None:
        """It is wanted up: a process is asked for, if there is none. Of one that stopped for good, the
        failures are forgotten."""
        if self.wanted is Wanted.DOWN:
            self.wanted = Wanted.UP
        if self.state in (State.STOPPED, State.EXITED, State.FATAL):
            self.failures = 0
            self._deaths.clear()
        if self.current is None:
            self._ask(now, "started")

    def _stop(self, event: Event, now: float) -> None:
        """It is wanted down: its process is told to drain, and killed after its time; one that is on its
        way is cancelled."""
        self.wanted = Wanted.DOWN
        self._drop_replacement(now, "it was stopped")
        if self.current is not None:
            self._tell_to_leave(self.current, now)
            self._become(State.STOPPING, "stopped")
        else:
            self.retry_at = None
            self._become(State.STOPPED, "stopped")

    def _restart(self, event: Event, now: float) -> None:
        """Its process is told to drain; then one of the new code is started."""
        assert isinstance(event, Restart | Replace)
        self.generation, self.settings = event.generation, event.settings
        self._drop_replacement(now, "it was restarted")
        self.failures = 0
        if self.wanted is Wanted.DOWN:
            self.wanted = Wanted.UP
        if self.current is None:
            self._ask(now, "restarted")
        else:
            self._tell_to_leave(self.current, now)
            self._become(State.STOPPING, "restarted")

    def _replace(self, event: Event, now: float) -> None:
        """A process of the new code is asked for; the old one drains once that receives, and goes on if
        it fails."""
        assert isinstance(event, Replace)
        self._drop_replacement(now, "another one was asked for")
        self.hand_over_failure = None
        self.replacement = Process(
            next(self._children), event.settings, event.generation, drain_limit_of_old=event.kill_after
        )
        self._actions.append(Spawn(self.replacement.child, event.generation, event.settings))

    def _replace_leaving(self, event: Event, now: float) -> None:
        """If it was stopped, the next start takes the new code and settings; else one is started with them
        after it."""
        if self.wanted is Wanted.DOWN:
            self._adopt_settings(event, now)
        else:
            self._restart(event, now)

    def _adopt_settings(self, event: Event, now: float) -> None:
        """The next start takes the new code and settings."""
        assert isinstance(event, Replace)
        self.generation, self.settings = event.generation, event.settings
        self.hand_over_failure = None

    def _reset(self, event: Event, now: float) -> None:
        """Its failures are forgotten, and it is started now."""
        self.failures = 0
        self._deaths.clear()
        self._start(event, now)

    def _pause(self, event: Event, now: float) -> None:
        """Its consumer is told to receive nothing, now or once it receives."""
        if self.wanted is Wanted.UP:
            self.wanted = Wanted.PAUSED
            self._tell_pause(on=True)

    def _resume(self, event: Event, now: float) -> None:
        """Its consumer is told to receive again."""
        if self.wanted is Wanted.PAUSED:
            self.wanted = Wanted.UP
            self._tell_pause(on=False)

    def _tell_pause(self, *, on: bool) -> None:
        if self.current is not None and self.current.step is Step.READY:
            self._actions.append(TellPause(self.current.child, on))

    # The current process.

    def _spawned(self, event: Event, now: float) -> None:
        """It has `start_timeout` to boot."""
        assert isinstance(event, Spawned)
        assert self.current is not None
        is_there(self.current, event, now)

    def _spawned_too_late(self, event: Event, now: float) -> None:
        """It is told to drain."""
        assert isinstance(event, Spawned)
        assert self.current is not None
        self._leave_at_once(self.current, event, now)

    def _booted(self, event: Event, now: float) -> None:
        """From now on a sign of life is expected each `heartbeat_timeout`."""
        assert self.current is not None
        self.current.step = Step.STARTING
        self._expect_beat(self.current, now)

    def _ready(self, event: Event, now: float) -> None:
        """It is RUNNING."""
        assert self.current is not None
        self.current.step = Step.READY
        self.current.ready_since = now
        self._refusals = 0
        self._expect_beat(self.current, now)
        self._become(State.RUNNING, "receiving")
        if self.wanted is Wanted.PAUSED:
            self._tell_pause(on=True)

    def _beat(self, event: Event, now: float) -> None:
        """The next sign of life is expected."""
        assert self.current is not None
        if self.current.step in (Step.STARTING, Step.READY):
            self._expect_beat(self.current, now)

    def _expect_beat(self, process: Process, now: float) -> None:
        process.deadline = now + process.settings.heartbeat_timeout

    def _leaves_by_itself(self, event: Event, now: float) -> None:
        """It leaves by itself (a signal, workers that keep dying): STOPPING, then as after a death."""
        assert isinstance(event, Draining)
        assert self.current is not None
        self._give_time_to_leave(self.current, now)
        self.current.fault = None if self.wanted is Wanted.DOWN else ""
        self._become(State.STOPPING, event.reason)

    def _answered(self, event: Event, now: float) -> None:
        """It has its shutdown timeout to leave."""
        assert self.current is not None
        self.current.answered = True
        if self.current.step is Step.STOPPING:
            self._give_time_to_leave(self.current, now)

    def _refused(self, event: Event, now: float) -> None:
        """BACKOFF; it counts as no failure."""
        assert isinstance(event, Refused)
        self.current = None
        self._refusals += 1
        self.retry_at = now + exponential(
            self._refusals, first=REFUSED_FIRST, maximum=REFUSED_MAX, jitter=1.0
        )
        self._become(State.BACKOFF, f"the system refused a process: {event.reason}")

    def _unavailable(self, event: Event, now: float) -> None:
        """BACKOFF until the import is tried again; FATAL if that cannot help, or as `max_restarts` says."""
        assert isinstance(event, Unavailable)
        self.current = None
        self.retry_at = event.retry_at
        if event.retry_at is None:
            self._become(State.FATAL, event.reason)
        elif event.refused or not self._gave_up(event.reason, now):
            self._become(State.BACKOFF, event.reason)

    def _never_came(self, event: Event, now: float) -> None:
        """STOPPED, or asked for again, as it is wanted."""
        self.current = None
        self._after_stop(now)

    def _zygote_lost(self, event: Event, now: float) -> None:
        """It drains by itself, and another is asked for at once, from a new fork server."""
        assert self.current is not None
        if self.state is State.STOPPING and (self.wanted is Wanted.DOWN or self.current.fault is None):
            return  # It leaves as it was told.
        if self.current.pid is None:
            self._never_came(event, now)
            return
        self._give_time_to_leave(self.current, now)
        self.leaving[self.current.child] = self.current
        self.current = None
        self._drop_replacement(now, "the fork server died")
        self._ask(now, "the fork server died")

    def _exited_while_stopping(self, event: Event, now: float) -> None:
        """STOPPED, or started again, as it is wanted; BACKOFF if it was killed for a fault."""
        assert isinstance(event, Exited)
        process = self.current
        assert process is not None
        if process.fault is not None:
            self._exited(event, now)
            return
        self.current = None
        self._died(process, event, "stopped", now, asked=True)
        self._after_stop(now)

    def _after_stop(self, now: float) -> None:
        if self.wanted is Wanted.DOWN:
            self._become(State.STOPPED, "stopped")
        else:
            self._ask(now, self.reason)

    def _exited(self, event: Event, now: float) -> None:
        """BACKOFF; or FATAL (exit 78, `max_restarts`); or EXITED, as `restart` says."""
        assert isinstance(event, Exited)
        process = self.current
        assert process is not None
        self.current = None
        cause = process.fault or how_it_ended(event)
        self._died(process, event, cause, now, asked=False)
        if self.wanted is Wanted.DOWN:
            self._become(State.STOPPED, cause)
        elif self.replacement is not None:
            self.current, self.replacement = self.replacement, None
            self.settings, self.generation = self.current.settings, self.current.generation
            self._become(State.STARTING, f"{cause}; its replacement is starting")
        elif event.status == ExitCode.CONFIG:
            self._become(State.FATAL, f"{cause}: a restart cannot heal it")
        elif self._may_stay_down(event):
            self._become(State.EXITED, cause)
        else:
            self._back_off(process, cause, event.jitter, now)

    def _may_stay_down(self, event: Exited) -> bool:
        when = self.settings.restart
        if when is RestartWhen.NEVER:
            return True
        expected = when is RestartWhen.ON_FAILURE or bool(self.settings.option("exit_when_empty"))
        return event.status == 0 and expected

    def _back_off(self, process: Process, cause: str, jitter: float, now: float) -> None:
        if process.ready_since is not None and now - process.ready_since >= self.settings.healthy_after:
            self.failures = 0
        self.failures += 1
        if self._gave_up(cause, now):
            return
        backoff = self.settings.backoff
        seconds = exponential(
            self.failures,
            first=backoff.first,
            maximum=backoff.maximum,
            jitter=jitter,
            spread=backoff.jitter,
        )
        self.retry_at = now + seconds
        self._become(State.BACKOFF, cause)

    def _gave_up(self, cause: str, now: float) -> bool:
        """One more failure: whether that is one too many, as `max_restarts` says."""
        limit = self.settings.max_restarts
        if limit is None:
            return False
        self._deaths = [at for at in self._deaths if now - at < limit.window]
        if len(self._deaths) >= limit.count:
            self.retry_at = None
            text = f"{cause}; restarted {len(self._deaths)} times within {limit.window:g} s"
            self._become(State.FATAL, text)
            return True
        self._deaths.append(now)
        return False

    # A replacement, and those that leave.

    def _on_replacement(self, process: Process, event: Event, now: float) -> None:
        match event:
            case Spawned():
                is_there(process, event, now)
            case Booted():
                process.step = Step.STARTING
                if process.drain_limit_of_old is not None:
                    self._expect_beat(process, now)
            case Beat() if process.drain_limit_of_old is not None and process.step is Step.STARTING:
                # Where SQS does not answer, the old one receives nothing either: it takes over when both can.
                self._expect_beat(process, now)
            case Ready():
                self._take_over(process, now)
            case Refused() | Unavailable():
                self.replacement = None
                self._handed_over(HandOver(event.reason))
            case Cancelled():
                self.replacement = None
            case ZygoteLost():
                self._drop_replacement(now, "its fork server died")
            case Exited():
                self.replacement = None
                cause = process.fault or how_it_ended(event)
                self._died(process, event, cause, now, asked=False)
                self._handed_over(HandOver(f"the new process ended before it received: {cause}"))
            case _:
                pass  # It is given `start_timeout` to receive, whatever it says meanwhile.

    def _take_over(self, process: Process, now: float) -> None:
        old = self.current
        assert old is not None
        if process.drain_limit_of_old is not None:
            self._hurry(self.leaving.values(), now, RECEIVE_PATIENCE)
            old.drain_seconds = process.drain_limit_of_old
        self._tell_to_leave(old, now)
        self.leaving[old.child] = old
        self.current, self.replacement = process, None
        self.settings, self.generation = process.settings, process.generation
        self.failures = 0
        self._ready(Ready(process.child), now)
        self._handed_over(HandOver(None))

    # Time.

    def _tick(self, now: float) -> None:
        for process in self.processes():
            if process.deadline is not None and now >= process.deadline:
                self._overdue(process, now)
        if self.state is State.BACKOFF and self.retry_at is not None and now >= self.retry_at:
            self.restarts += 1
            self._ask(now, self.reason)


Rule = Callable[[Program, Event, float], None]

_ALL = tuple(State)
_UP = (State.STARTING, State.RUNNING)

_ROWS: tuple[tuple[type[Event], Rule, tuple[State, ...]], ...] = (
    (Start, Program._start, _ALL),
    (Stop, Program._stop, _ALL),
    (Restart, Program._restart, _ALL),
    (Reset, Program._reset, _ALL),
    (Replace, Program._replace, (State.RUNNING,)),
    (Replace, Program._adopt_settings, (State.STOPPED, State.EXITED)),
    (Replace, Program._restart, (State.STARTING, State.BACKOFF, State.FATAL)),
    (Replace, Program._replace_leaving, (State.STOPPING,)),
    (Pause, Program._pause, (*_UP, State.BACKOFF, State.STOPPING)),
    (Resume, Program._resume, (*_UP, State.BACKOFF, State.STOPPING)),
    (Spawned, Program._spawned, (State.STARTING,)),
    (Spawned, Program._spawned_too_late, (State.STOPPING,)),
    (Refused, Program._refused, (State.STARTING,)),
    (Refused, Program._never_came, (State.STOPPING,)),
    (Unavailable, Program._unavailable, (State.STARTING,)),
    (Unavailable, Program._never_came, (State.STOPPING,)),
    (Cancelled, Program._never_came, (State.STARTING, State.STOPPING)),
    (Booted, Program._booted, (State.STARTING,)),
    (Ready, Program._ready, (State.STARTING,)),
    (Beat, Program._beat, _UP),
    (Draining, Program._leaves_by_itself, _UP),
    (Draining, Program._answered, (State.STOPPING,)),
    (ZygoteLost, Program._zygote_lost, (*_UP, State.STOPPING)),
    (Exited, Program._exited, _UP),
    (Exited, Program._exited_while_stopping, (State.STOPPING,)),
)

TABLE: dict[tuple[State, type[Event]], Rule] = {
    (state, event): rule for event, rule, states in _ROWS for state in states
}
"""What happens in each state. Events of a process other than the current one are looked at apart from it."""

IGNORED: dict[type[Event], str] = {
    Pause: "there is no process that receives",
    Resume: "there is no process that receives",
    Spawned: "it was there already",
    Refused: "it is there",
    Unavailable: "it is there",
    Cancelled: "it is there",
    Booted: "its loop runs already, or it leaves",
    Ready: "it receives already, or it leaves",
    Beat: "it leaves",
    Draining: "there is no process",
    ZygoteLost: "it leaves",
    Exited: "there is no process",
}
"""Why a pair that `TABLE` does not name changes nothing."""

"""Random walks through the life of a program: what must never happen does not."""

from __future__ import annotations

import itertools

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from squids.supervisor.program import events as ev
from squids.supervisor.program.events import ProgramState, Wanted
from squids.supervisor.program.machine import Program
from squids.supervisor.program.rules import handle
from squids.supervisor.settings import AppSpec, ProgramSettings

SETTINGS = ProgramSettings("q", "q", AppSpec("shop:app", "/srv"), (("queue", "q"), ("shutdown_timeout", 5.0)))


class World:
    """What a shell would see: processes that were asked for, that are there, that receive."""

    def __init__(self):
        self.asked = set()
        self.alive = {}
        self.receiving = set()
        self.told = set()
        self.killed = set()


class ProgramLives(RuleBasedStateMachine):
    """The machine does what it is asked, in any order and at any time, and things go wrong."""

    @initialize()
    def begin(self):
        self.now = 1000.0
        self.program = Program(SETTINGS, 1, itertools.count(1))
        self.world = World()
        self.generations = itertools.count(2)
        self.last_fault = None
        self.handing_over = False

    def feed(self, event):
        before = self.program.state
        actions = handle(self.program, event, self.now)
        for action in actions:
            match action:
                case ev.SpawnProcess(child):
                    if (
                        before is ProgramState.BACKOFF
                        and isinstance(event, ev.Tick)
                        and self.last_fault is not None
                    ):
                        assert self.now - self.last_fault >= 0.49, "never faster than the backoff"
                    self.world.asked.add(child)
                case ev.SendDrain(child) | ev.TerminateProcess(child):
                    self.world.told.add(child)
                    self.world.receiving.discard(child)
                case ev.AbortProcess(child) | ev.KillProcess(child):
                    self.world.killed.add(child)
                    self.world.receiving.discard(child)
                case ev.CancelProcess(child):
                    self.cancel = child
                    if child in self.world.asked:
                        self.world.asked.discard(child)
                        self.feed_later = ev.ProcessCancelled(child)
        later, self.feed_later = getattr(self, "feed_later", None), None
        if later is not None:
            self.feed(later)

    @rule(
        event=st.sampled_from(
            [
                *[ev.StartProgram()] * 6,
                ev.StopProgram(),
                ev.ResetProgram(),
                ev.PauseProgram(),
                ev.ResumeProgram(),
            ]
        )
    )
    def command(self, event):
        self.feed(event)

    @rule(rolling=st.booleans())
    def other_code(self, rolling):
        self.feed((ev.ReplaceProgram if rolling else ev.RestartProgram)(next(self.generations), SETTINGS))

    @rule(seconds=st.sampled_from([0.1, 0.1, 0.1, 1.0, 3.0, 20.0, 70.0]))
    def time_passes(self, seconds):
        end = self.now + seconds
        for _ in range(60):
            at = self.program.wakes_at()
            if at is None or at > end:
                break
            self.now = max(self.now, at)
            self.feed(ev.Tick())
        self.now = end

    @precondition(lambda self: self.world.asked)
    @rule(data=st.data(), how=st.sampled_from([*["there"] * 8, "refused", "unavailable", "hopeless"]))
    def an_answer(self, data, how):
        child = data.draw(st.sampled_from(sorted(self.world.asked)))
        self.world.asked.discard(child)
        match how:
            case "there":
                self.world.alive[child] = 10_000 + child
                self.feed(ev.ProcessSpawned(child, 10_000 + child))
            case "refused":
                self.feed(ev.ProcessRefused(child, "EAGAIN"))
            case "unavailable":
                self.feed(ev.CodeUnavailable(child, "it raises", self.now + 5))
            case "hopeless":
                self.feed(ev.CodeUnavailable(child, "no such module", None))

    @precondition(lambda self: self.world.asked)
    @rule(data=st.data())
    def one_comes_up(self, data):
        """The way that it mostly goes."""
        child = data.draw(st.sampled_from(sorted(self.world.asked)))
        self.world.asked.discard(child)
        self.world.alive[child] = 10_000 + child
        self.feed(ev.ProcessSpawned(child, 10_000 + child))
        if child not in self.world.told:
            self.feed(ev.ProcessBooted(child))
            self.world.receiving.add(child)
            self.feed(ev.ProcessReady(child))

    @precondition(lambda self: self.program.state is ProgramState.RUNNING)
    @rule()
    def a_rolling_restart(self):
        self.feed(ev.ReplaceProgram(next(self.generations), SETTINGS))

    @precondition(lambda self: self.world.alive)
    @rule(data=st.data(), how=st.sampled_from(["booted", *["ready"] * 5, "beat", "draining", "lost"]))
    def a_word(self, data, how):
        child = data.draw(st.sampled_from(sorted(self.world.alive)))
        if child in self.world.told | self.world.killed and how in ("ready", "booted"):
            return
        match how:
            case "booted":
                self.feed(ev.ProcessBooted(child))
            case "ready":
                self.world.receiving.add(child)
                self.feed(ev.ProcessReady(child))
            case "beat":
                self.feed(ev.ProcessBeat(child))
            case "draining":
                self.world.receiving.discard(child)
                self.world.told.add(child)
                self.feed(ev.ProcessDraining(child, "it was told"))
            case "lost":
                self.world.receiving.discard(child)
                self.world.told.add(child)
                self.feed(ev.ForkServerLost(child))

    @precondition(lambda self: self.world.alive)
    @rule(data=st.data(), status=st.sampled_from([0, 1, 78, -9, -6, None]), jitter=st.floats(0, 1))
    def a_death(self, data, status, jitter):
        child = data.draw(st.sampled_from(sorted(self.world.alive)))
        del self.world.alive[child]
        self.world.receiving.discard(child)
        before = self.program.state
        self.feed(ev.ProcessExited(child, status, jitter))
        if self.program.state is ProgramState.BACKOFF and before is not ProgramState.BACKOFF:
            self.last_fault = self.now

    @invariant()
    def two_receive_only_in_the_moment_of_a_hand_over(self):
        """Each but one was told to leave."""
        assert len(self.world.receiving) <= 1 or self.program.replacement is not None

    @invariant()
    def what_is_alive_is_known(self):
        known = {process.child for process in self.program.processes()}
        assert set(self.world.alive) <= known

    @invariant()
    def down_means_that_nothing_receives(self):
        if self.program.state in (
            ProgramState.STOPPED,
            ProgramState.EXITED,
            ProgramState.FATAL,
            ProgramState.BACKOFF,
        ):
            assert self.program.current is None
            assert not self.world.receiving

    @invariant()
    def there_is_always_something_to_wait_for(self):
        """A program that is on its way has a process that was asked for, or a time."""
        program = self.program
        if program.state is ProgramState.BACKOFF:
            assert program.retry_at is not None
        if program.state in (ProgramState.STARTING, ProgramState.RUNNING, ProgramState.STOPPING):
            assert program.current is not None
            child = program.current.child
            assert child in self.world.alive or child in self.world.asked
            if child in self.world.alive:
                assert program.wakes_at() is not None

    def teardown(self):
        """A stop has an end, whatever went before: by the machine's own kills, if nothing else helps."""
        if not hasattr(self, "program"):
            return
        self.feed(ev.StopProgram())
        for child in list(self.world.asked):
            self.world.asked.discard(child)
            self.world.alive[child] = 10_000 + child
            self.feed(ev.ProcessSpawned(child, 10_000 + child))
        for _ in range(300):  # Each that leaves has a few times of its own.
            self.now = max(self.now, self.program.wakes_at() or self.now)
            self.feed(ev.Tick())
            for child in list(self.world.alive):
                if child in self.world.killed:
                    del self.world.alive[child]
                    self.feed(ev.ProcessExited(child, -9))
        assert self.program.gone
        assert self.program.wanted is Wanted.DOWN
        assert self.program.state is ProgramState.STOPPED


TestProgramLives = ProgramLives.TestCase
TestProgramLives.settings = hypothesis_settings(max_examples=400, stateful_step_count=50, deadline=None)

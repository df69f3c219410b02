"""The life of one program, without processes: every state and event, and the sentences of its docs."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from squids.supervisor.program import events as ev
from squids.supervisor.program.events import ProgramState, Wanted
from squids.supervisor.program.machine import Program
from squids.supervisor.program.rules import IGNORED, RULES, handle
from squids.supervisor.settings import (
    AppSpec,
    BackoffSettings,
    MaxRestarts,
    ProgramSettings,
    RestartWhen,
)

GROUND = AppSpec("shop:app", "/srv")
CALM = ProgramSettings("emails", "emails", GROUND, (("queue", "emails"), ("shutdown_timeout", 5.0)))


def settings(**changes):
    values = {name: getattr(CALM, name) for name in CALM.__slots__}
    return ProgramSettings(**{**values, **changes})


class Life:
    """A program, and what it asked for since."""

    def __init__(self, **changes):
        self.program = Program(settings(**changes), 1, itertools.count(1))
        self.asked = []
        self.now = 100.0

    def feed(self, *events):
        self.asked = []
        for event in events:
            self.asked += handle(self.program, event, self.now)
        return self

    def later(self, seconds):
        self.now += seconds
        return self.feed(ev.Tick())

    @property
    def child(self):
        return self.program.current.child

    def all(self, kind):
        return [action for action in self.asked if isinstance(action, kind)]

    def one(self, kind):
        (action,) = self.all(kind)
        return action

    def running(self):
        self.feed(ev.StartProgram())
        child = self.child
        return self.feed(
            ev.ProcessSpawned(child, 1000 + child), ev.ProcessBooted(child), ev.ProcessReady(child)
        )


def in_state(state):
    """A life that has come to this state."""
    life = Life(restart=RestartWhen.NEVER if state is ProgramState.EXITED else RestartWhen.ALWAYS)
    match state:
        case ProgramState.STOPPED:
            return life
        case ProgramState.STARTING:
            return life.feed(ev.StartProgram())
        case ProgramState.RUNNING:
            return life.running()
        case ProgramState.BACKOFF | ProgramState.EXITED:
            life.running()
            return life.feed(ev.ProcessExited(life.child, 1))
        case ProgramState.FATAL:
            life.running()
            return life.feed(ev.ProcessExited(life.child, 78))
        case ProgramState.STOPPING:
            life.running()
            return life.feed(ev.StopProgram())


EVENTS = get_args(ev.Command) + get_args(ev.Report)


def event_of(kind, child):
    values = {
        "child": child, "generation": 2, "settings": settings(priority=3), "pid": 7, "reason": "because",
        "retry_at": 200.0, "status": 1,
    }  # fmt: skip
    names = [name for name in kind.__slots__ if name in values]
    return kind(**{name: values[name] for name in names})


@pytest.mark.parametrize("state", ProgramState)
@pytest.mark.parametrize("kind", EVENTS)
def test_every_event_in_every_state_has_an_answer(state, kind):
    """Nothing raises; what is ignored changes nothing, and asks for nothing."""
    life = in_state(state)
    assert life.program.state is state
    child = life.child if life.program.current is not None else 99
    life.feed(event_of(kind, child))
    if any(row.event is kind and state in row.states for row in IGNORED):
        assert life.program.state is state
        assert not life.asked


def test_the_table_is_total_and_no_pair_is_in_it_twice():
    """Each event has one rule, or one reason to be ignored, in each state."""
    pairs = [(state, row.event) for row in (*RULES, *IGNORED) for state in row.states]
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == {(state, kind) for state in ProgramState for kind in EVENTS}


@pytest.mark.parametrize("state", ProgramState)
def test_no_state_is_left_without_a_way_out_or_a_timer(state):
    """What waits for time says for which; what waits for nobody can be started."""
    life = in_state(state)
    if state in (ProgramState.BACKOFF, ProgramState.STOPPING, ProgramState.RUNNING):
        assert life.program.wakes_at() is not None
    life.feed(ev.StopProgram())
    for _ in range(10):
        for process in life.program.processes():
            life.feed(
                ev.ProcessCancelled(process.child)
                if process.pid is None
                else ev.ProcessExited(process.child, 0)
            )
    assert life.program.state is ProgramState.STOPPED
    assert life.program.gone


@pytest.mark.parametrize("restart", [RestartWhen.ALWAYS, RestartWhen.ON_FAILURE])
def test_an_end_whose_status_nobody_knows_is_a_failure(restart):
    """Nobody can say that it was meant: it is started again after its backoff."""
    life = Life(restart=restart).running()
    life.feed(ev.ProcessExited(life.child, None))
    assert life.program.state is ProgramState.BACKOFF
    assert life.program.reason == "exit status unknown"
    assert life.one(ev.ProcessDied).status is None


def test_an_end_whose_status_nobody_knows_is_an_end_for_all_that_leave():
    """Told to leave, killed, or left by its fork server: nothing waits for it any more."""
    life = Life().running()
    old = life.child
    life.feed(ev.ForkServerLost(old))
    assert old in life.program.draining
    life.feed(ev.ProcessExited(old, None))
    assert not life.program.draining
    life.feed(ev.StopProgram(), ev.ProcessSpawned(life.child, 8), ev.ProcessExited(life.child, None))
    assert life.program.state is ProgramState.STOPPED
    assert life.program.gone


def test_a_replacement_whose_status_nobody_knows_is_no_replacement():
    """The old process goes on."""
    life = Life().running()
    life.feed(ev.ReplaceProgram(2, settings()))
    new = life.program.replacement.child
    life.feed(ev.ProcessSpawned(new, 8), ev.ProcessExited(new, None))
    assert life.program.state is ProgramState.RUNNING
    assert life.program.replacement is None
    assert "exit status unknown" in life.program.hand_over_failure


def test_running_means_that_it_receives():
    """Not that a pid exists, nor that it is old."""
    life = Life().feed(ev.StartProgram())
    child = life.child
    life.feed(ev.ProcessSpawned(child, 7), ev.ProcessBooted(child))
    for _ in range(100):
        life.later(10).feed(ev.ProcessBeat(child))
    assert life.program.state is ProgramState.STARTING
    life.feed(ev.ProcessReady(child))
    assert life.program.state is ProgramState.RUNNING


def test_what_does_not_boot_in_time_writes_its_stacks_and_is_killed():
    """SIGABRT first, SIGKILL after, then the backoff."""
    life = Life(start_timeout=10).feed(ev.StartProgram())
    child = life.child
    life.feed(ev.ProcessSpawned(child, 7))
    assert not life.later(9.9).asked
    assert life.later(0.2).one(ev.AbortProcess).child == child
    assert life.later(3.1).one(ev.KillProcess).child == child
    life.feed(ev.ProcessExited(child, -9))
    assert life.program.state is ProgramState.BACKOFF
    assert life.program.reason == "did not start within 10 s"


def test_a_missing_heartbeat_kills_and_an_answering_one_does_not():
    """Any word of it counts."""
    life = Life().running()
    for _ in range(20):
        life.later(25).feed(ev.ProcessBeat(life.child))
        assert not life.all(ev.AbortProcess)
    assert life.later(31).one(ev.AbortProcess)
    assert life.program.state is ProgramState.STOPPING


def test_a_stalled_supervisor_judges_nobody():
    """What it did not hear while it slept is no fault of others."""
    life = Life().running()
    life.now += 3600
    life.program.stalled(3600)
    assert not life.feed(ev.Tick()).all(ev.AbortProcess)


def test_backoff_grows_and_is_forgotten_after_a_healthy_time():
    """1, 2, 4 ... seconds up to the maximum; dying every five seconds is a loop too."""
    life = Life(backoff=BackoffSettings(1, 60, 0))
    waits = []
    for _ in range(9):
        life.running() if life.program.state is ProgramState.STOPPED else None
        child = life.child
        life.feed(ev.ProcessSpawned(child, 7), ev.ProcessBooted(child), ev.ProcessReady(child))
        life.now += 5
        life.feed(ev.ProcessExited(child, 1))
        waits.append(life.program.retry_at - life.now)
        assert not life.later(waits[-1] - 0.01).all(ev.SpawnProcess)
        assert life.later(0.02).one(ev.SpawnProcess)
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60])
    child = life.child
    life.feed(ev.ProcessSpawned(child, 7), ev.ProcessBooted(child), ev.ProcessReady(child))
    life.now += 60
    life.feed(ev.ProcessExited(child, 1))
    assert life.program.retry_at - life.now == pytest.approx(1)


def test_max_restarts_counts_imports_that_fail_but_nothing_that_the_system_refuses():
    """What cannot be imported is no better than what crashes."""
    life = Life(max_restarts=MaxRestarts(2, 100))
    life.feed(ev.StartProgram())
    for _ in range(5):
        life.feed(ev.CodeUnavailable(life.child, "no memory", life.now + 1, refused=True)).later(1.1)
        assert life.program.state is ProgramState.STARTING
    for _ in range(2):
        life.feed(ev.CodeUnavailable(life.child, "no database", life.now + 1)).later(1.1)
        assert life.program.state is ProgramState.STARTING
    life.feed(ev.CodeUnavailable(life.child, "no database", life.now + 1))
    assert life.program.state is ProgramState.FATAL
    assert life.program.wakes_at() is None
    assert life.program.restarts == 7, "each is counted once"


def test_max_restarts_counts_within_its_window():
    """More than so many within the window are FATAL; start begins anew."""
    life = Life(max_restarts=MaxRestarts(2, 100), backoff=BackoffSettings(1, 1, 0))
    life.running()
    for _ in range(2):
        life.feed(ev.ProcessExited(life.child, 1)).later(1.1)
        assert life.program.state is ProgramState.STARTING
    life.feed(ev.ProcessExited(life.child, 1))
    assert life.program.state is ProgramState.FATAL
    life.feed(ev.StartProgram())
    assert life.program.state is ProgramState.STARTING


@pytest.mark.parametrize(
    ("restart", "status", "state"),
    [
        (RestartWhen.ALWAYS, 0, ProgramState.BACKOFF),
        (RestartWhen.ALWAYS, 1, ProgramState.BACKOFF),
        (RestartWhen.ON_FAILURE, 0, ProgramState.EXITED),
        (RestartWhen.ON_FAILURE, -9, ProgramState.BACKOFF),
        (RestartWhen.NEVER, 0, ProgramState.EXITED),
        (RestartWhen.NEVER, 1, ProgramState.EXITED),
        (RestartWhen.ALWAYS, 78, ProgramState.FATAL),
        (RestartWhen.NEVER, 78, ProgramState.FATAL),
        (RestartWhen.ALWAYS, None, ProgramState.BACKOFF),
    ],
)
def test_what_follows_a_death(restart, status, state):
    """By the policy, and by the exit status."""
    life = Life(restart=restart).running()
    life.feed(ev.ProcessExited(life.child, status))
    assert life.program.state is state
    assert not life.one(ev.ProcessDied).asked


def test_a_refused_fork_is_nobodys_fault():
    """It is tried again, and counts as no failure."""
    life = Life().feed(ev.StartProgram())
    for _ in range(5):
        life.feed(ev.ProcessRefused(life.child, "Resource temporarily unavailable"))
        assert life.program.state is ProgramState.BACKOFF
        life.later(11)
        assert life.program.state is ProgramState.STARTING
    assert life.program.failures.in_a_row == 0


def test_a_stop_is_told_then_signalled_then_killed():
    """Over the socket; SIGTERM if it does not answer; SIGKILL after its shutdown timeout, again and again."""
    life = Life().running()
    child = life.child
    assert life.feed(ev.StopProgram()).one(ev.SendDrain).child == child
    assert not life.later(1.9).asked
    assert life.later(0.2).one(ev.TerminateProcess)
    assert not life.later(16.9).asked
    assert life.later(0.2).one(ev.KillProcess)
    assert life.later(10.1).one(ev.KillProcess)
    assert life.program.state is ProgramState.STOPPING
    life.feed(ev.ProcessExited(child, -9))
    assert life.program.state is ProgramState.STOPPED
    assert life.one(ev.ProcessDied).asked


def test_who_says_that_it_drains_gets_no_sigterm():
    """The answer on the socket is enough."""
    life = Life().running().feed(ev.StopProgram())
    life.feed(ev.ProcessDraining(life.child, "the supervisor"))
    assert not life.later(10).asked


def test_a_stop_before_the_process_is_there_cancels_it():
    """And if it comes all the same, it is told to leave."""
    life = Life().feed(ev.StartProgram())
    child = life.child
    assert life.feed(ev.StopProgram()).one(ev.CancelProcess).child == child
    assert life.feed(ev.ProcessSpawned(child, 7)).one(ev.SendDrain)
    life.feed(ev.ProcessExited(child, 0))
    assert life.program.state is ProgramState.STOPPED


def test_start_while_stopping_starts_once_it_has_stopped():
    """Never two at a time."""
    life = Life().running().feed(ev.StopProgram())
    assert not life.feed(ev.StartProgram()).all(ev.SpawnProcess)
    assert life.feed(ev.ProcessExited(life.child, 0)).one(ev.SpawnProcess)
    assert life.program.state is ProgramState.STARTING


def test_a_rolling_replacement_takes_over_when_it_receives():
    """Until then the old one is left alone."""
    life = Life().running()
    old = life.child
    life.feed(ev.ReplaceProgram(2, settings(priority=9)))
    new = life.program.replacement.child
    assert life.one(ev.SpawnProcess).generation == 2
    life.feed(ev.ProcessSpawned(new, 8), ev.ProcessBooted(new))
    assert life.child == old
    assert not life.all(ev.SendDrain)
    life.feed(ev.ProcessReady(new))
    assert life.child == new
    assert life.one(ev.SendDrain).child == old
    assert life.one(ev.HandOver).failure is None
    assert life.program.settings.priority == 9
    assert not life.program.gone
    life.feed(ev.ProcessExited(old, 0))
    assert life.program.state is ProgramState.RUNNING
    assert [process.child for process in life.program.processes()] == [new]


def twice_reloaded():
    """A save, then another one while the tasks of the first process continue; with their three children."""
    life = Life().running()
    children = [life.child]
    for generation in (2, 3):
        life.feed(ev.ReplaceProgram(generation, settings(), 5.0))
        new = life.program.replacement.child
        children.append(new)
        life.feed(ev.ProcessSpawned(new, 1000 + new), ev.ProcessBooted(new), ev.ProcessReady(new))
        if generation == 2:
            life.feed(ev.ProcessDraining(children[0], "replaced"))
            assert not life.asked
    return life, *children


def test_the_oldest_is_forced_once_the_previous_one_receives_nothing():
    """Else the previous one could receive what the oldest gives back, and run it on its old code."""
    life, oldest, previous, _ = twice_reloaded()
    assert life.one(ev.SendDrain).child == previous
    assert life.feed(ev.ProcessDraining(previous, "replaced")).one(ev.SendDrain).child == oldest
    assert not life.feed(ev.ProcessExited(previous, 0)).all(ev.SendDrain)


def test_the_oldest_is_forced_when_the_previous_one_ends_without_an_answer():
    life, oldest, previous, _ = twice_reloaded()
    assert life.feed(ev.ProcessExited(previous, -9)).one(ev.SendDrain).child == oldest


def test_the_oldest_is_forced_at_once_if_the_previous_one_drains_already():
    life = Life().running()
    oldest = life.child
    life.feed(ev.ReplaceProgram(2, settings(), 5.0))
    previous = life.program.replacement.child
    life.feed(ev.ProcessSpawned(previous, 7), ev.ProcessBooted(previous), ev.ProcessReady(previous))
    life.feed(ev.ProcessDraining(oldest, "replaced"), ev.ReplaceProgram(3, settings(), 5.0))
    newest = life.program.replacement.child
    life.feed(ev.ProcessSpawned(newest, 8), ev.ProcessDraining(previous, "SIGTERM"), ev.ProcessBooted(newest))
    assert life.feed(ev.ProcessReady(newest)).one(ev.SendDrain).child == oldest


def test_one_that_has_ended_is_not_forced():
    life, oldest, previous, _ = twice_reloaded()
    life.feed(ev.ProcessExited(oldest, 0))
    assert not life.feed(ev.ProcessDraining(previous, "replaced")).all(ev.SendDrain)


def test_new_code_for_one_that_is_stopped_hands_nothing_over():
    """It is for the next start, and the log says nothing of a process that is not there."""
    life = Life().running()
    life.feed(ev.StopProgram(), ev.ProcessExited(life.child, 0))
    assert life.program.state is ProgramState.STOPPED
    life.feed(ev.ReplaceProgram(2, settings(priority=9)))
    assert not life.all(ev.HandOver)
    assert (life.program.generation, life.program.settings.priority) == (2, 9)


@pytest.mark.parametrize(
    "trouble",
    [
        lambda new: ev.ProcessExited(new, 1),
        lambda new: ev.ProcessRefused(new, "no"),
        lambda new: ev.CodeUnavailable(new, "no", None),
    ],
)
def test_a_replacement_that_fails_changes_nothing(trouble):
    """The old process, its code and its settings go on."""
    life = Life().running()
    old = life.child
    life.feed(ev.ReplaceProgram(2, settings(priority=9)))
    life.feed(trouble(life.program.replacement.child))
    assert life.one(ev.HandOver).failure
    assert (life.child, life.program.generation, life.program.settings.priority) == (old, 1, 0)
    assert life.program.state is ProgramState.RUNNING


def test_what_was_stopped_stays_stopped_whatever_comes_while_it_drains():
    """New code or settings are for its next start."""
    life = Life().running()
    old = life.child
    life.feed(ev.StopProgram(), ev.ReplaceProgram(2, settings(priority=3)))
    assert life.program.wanted is Wanted.DOWN
    life.feed(ev.ProcessExited(old, 0))
    assert life.program.state is ProgramState.STOPPED
    assert not life.all(ev.SpawnProcess)
    spawn = life.feed(ev.StartProgram()).one(ev.SpawnProcess)
    assert (spawn.generation, spawn.settings.priority) == (2, 3)


def test_what_is_restarted_takes_the_newest_settings_that_came_while_it_drained():
    """It is wanted up, so it comes back, with what came last."""
    life = Life().running()
    old = life.child
    life.feed(ev.RestartProgram(2, settings()), ev.ReplaceProgram(3, settings(priority=3)))
    spawn = life.feed(ev.ProcessExited(old, 0)).one(ev.SpawnProcess)
    assert (spawn.generation, spawn.settings.priority) == (3, 3)


def test_a_replacement_that_does_not_receive_in_time_is_told_to_leave():
    """It is no hang: SQS may be down. The old one goes on."""
    life = Life(start_timeout=10).running()
    life.feed(ev.ReplaceProgram(2, settings(start_timeout=10.0)))
    new = life.program.replacement.child
    life.feed(ev.ProcessSpawned(new, 8), ev.ProcessBooted(new))
    for _ in range(11):
        life.later(1)
        asked = life.all(ev.SendDrain)
        life.feed(ev.ProcessBeat(life.child))
    assert asked or life.program.replacement is None
    assert new in life.program.draining


def test_new_code_starts_nothing_that_was_told_to_stop():
    """It was saved just before: its import succeeds while the old process drains."""
    life = Life().running()
    child = life.child
    life.feed(ev.StopProgram(), ev.ReplaceProgram(2, settings(priority=9), 5.0))
    assert life.program.state is ProgramState.STOPPING
    life.feed(ev.ProcessExited(child, 0, 0.0))
    assert life.program.state is ProgramState.STOPPED
    assert not life.all(ev.SpawnProcess)
    assert life.program.gone
    life.feed(ev.StartProgram())
    assert life.one(ev.SpawnProcess).generation == 2


def test_when_the_current_one_dies_its_replacement_is_promoted():
    """There is one on the way already."""
    life = Life().running()
    life.feed(ev.ReplaceProgram(2, settings()))
    new = life.program.replacement.child
    life.feed(ev.ProcessExited(life.child, -9))
    assert life.child == new
    assert life.program.state is ProgramState.STARTING


@pytest.mark.parametrize(
    ("event", "stopped", "replaced"),
    [
        (ev.ProcessExited(1, -9), "signal 9 while draining", "signal 9 while draining"),
        (
            ev.ProcessExited(1, -9, out_of_memory=True),
            "killed: out of memory while draining",
            "killed: out of memory while draining",
        ),
        (ev.ProcessExited(1, 0), "stopped", "replaced"),
        (ev.ProcessExited(1, 1), "stopped", "replaced"),  # Its fork server died: it drains all the same.
        (ev.ProcessExited(1, None), "stopped", "replaced"),
    ],
)
def test_what_kills_one_that_drains_is_its_cause(event, stopped, replaced):
    """`why` said that it had stopped as requested, while its tasks were killed with it."""
    life = Life().running().feed(ev.StopProgram(), event)
    died = life.one(ev.ProcessDied)
    assert (died.cause, died.asked) == (stopped, True)
    assert life.program.state is ProgramState.STOPPED
    life = Life().running().feed(ev.ReplaceProgram(2, settings()))
    new = life.program.replacement.child
    life.feed(ev.ProcessSpawned(new, 7), ev.ProcessBooted(new), ev.ProcessReady(new), event)
    died = life.one(ev.ProcessDied)
    assert (died.cause, died.asked) == (replaced, True)
    assert life.program.state is ProgramState.RUNNING


def test_a_lost_fork_server_is_replaced_at_once_and_costs_no_failure():
    """The old process drains by itself; the new one is asked for."""
    life = Life().running()
    old = life.child
    life.feed(ev.ForkServerLost(old))
    assert life.one(ev.SpawnProcess)
    assert old in life.program.draining
    assert life.program.failures.in_a_row == 0
    life.feed(ev.ProcessExited(old, 1))
    assert life.program.state is ProgramState.STARTING


def test_paused_is_told_once_it_receives():
    """After a crash, too."""
    life = Life().running()
    assert life.feed(ev.PauseProgram()).one(ev.SendPause).on
    life.feed(ev.ProcessExited(life.child, 1)).later(2)
    child = life.child
    life.feed(ev.ProcessSpawned(child, 7), ev.ProcessBooted(child), ev.ProcessReady(child))
    assert life.one(ev.SendPause).on
    assert life.program.wanted is Wanted.PAUSED
    assert not life.feed(ev.ResumeProgram()).one(ev.SendPause).on


def test_hurry_tells_those_that_leave_once_more():
    """Their tasks are not waited for."""
    life = Life().running().feed(ev.StopProgram())
    assert [type(action) for action in life.program.force(life.now)] == [ev.SendDrain]

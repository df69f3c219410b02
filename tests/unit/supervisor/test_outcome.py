"""What starts, restarts, stops and waits come to, of programs in every state."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from squids.supervisor import outcome
from squids.supervisor.outcome import ProgramOutcome
from squids.supervisor.program import events as ev
from squids.supervisor.program.events import ProgramState, Wanted
from squids.supervisor.program.machine import Program
from squids.supervisor.program.rules import handle
from squids.supervisor.settings import AppSpec, ProgramSettings, RestartWhen

SETTINGS = ProgramSettings("emails", "emails", AppSpec("shop:app", "/srv"), (("queue", "emails"),))


def program(*, restart: RestartWhen = RestartWhen.ALWAYS) -> Program:
    settings = ProgramSettings("emails", "emails", SETTINGS.app_spec, SETTINGS.options, restart=restart)
    return Program(settings, 1, itertools.count(1))


def running(**settings: RestartWhen) -> Program:
    made = program(**settings)
    handle(made, ev.StartProgram(), 0.0)
    for event in (ev.ProcessSpawned(1, 4711), ev.ProcessBooted(1), ev.ProcessReady(1)):
        handle(made, event, 0.0)
    return made


def test_a_start_is_decided_once_it_receives_is_degraded_or_fails() -> None:
    made = program()
    handle(made, ev.StartProgram(), 0.0)
    assert outcome.of_start(made, None) is None
    degraded = outcome.of_start(made, "no such queue")
    assert degraded == ProgramOutcome(False, "started, but degraded: no such queue")
    assert outcome.of_start(running(), None) == ProgramOutcome(True, "running, pid 4711")
    handle(made, ev.CodeUnavailable(1, "SyntaxError", 9.0), 0.0)
    assert outcome.of_start(made, None) == ProgramOutcome(False, "backoff: SyntaxError")


def test_a_restart_waits_for_the_old_process_and_a_stop_undoes_it() -> None:
    made = running()
    handle(made, ev.RestartProgram(2, SETTINGS), 1.0)
    assert made.state is ProgramState.STOPPING
    assert outcome.of_start(made, None) is None
    assert outcome.of_generation(made, 2, None) is None
    handle(made, ev.StopProgram(), 1.0)
    assert outcome.of_start(made, None) == ProgramOutcome(False, "stopping: stopped")
    assert outcome.of_generation(made, 2, None) == ProgramOutcome(
        True, "is stopping; the change takes effect when it starts"
    )


def test_what_a_shutdown_cancels_has_failed_since_nothing_will_start_it() -> None:
    """A deployment script went on: the restart was reported as done."""
    made = running()
    handle(made, ev.RestartProgram(2, SETTINGS), 1.0)
    handle(made, ev.StopProgram(), 1.0)
    answer = outcome.of_generation(made, 2, None, stopping=True)
    assert answer == ProgramOutcome(False, "the supervisor is stopping")


@pytest.mark.parametrize("generation", [1, 2], ids=["settings", "code"])
def test_a_stop_during_a_hand_over_drops_what_was_to_take_over(generation: int) -> None:
    """It is not started with the new settings either, as was said."""
    made = running()
    handle(made, ev.ReplaceProgram(generation, replace(SETTINGS, nice=5)), 1.0)
    handle(made, ev.StopProgram(), 1.0)
    assert outcome.of_generation(made, generation, None) == ProgramOutcome(False, "it was stopped")
    assert made.settings.nice == 0


def test_a_hand_over_that_failed_before_is_no_failure_of_a_restart() -> None:
    """A `restart` after a `restart --rolling` that failed was said to have failed so, too."""
    made = running()
    handle(made, ev.ReplaceProgram(2, SETTINGS), 1.0)
    handle(made, ev.ProcessExited(2, 1), 1.0)
    handle(made, ev.RestartProgram(3, SETTINGS), 2.0)
    assert outcome.of_generation(made, 3, None) is None
    handle(made, ev.ProcessExited(1, 0), 2.0)
    for event in (ev.ProcessSpawned(3, 4713), ev.ProcessBooted(3), ev.ProcessReady(3)):
        handle(made, event, 2.0)
    assert outcome.of_generation(made, 3, None) == ProgramOutcome(True, "running, pid 4713")


def test_a_rolling_replacement_is_decided_by_its_hand_over() -> None:
    made = running()
    handle(made, ev.ReplaceProgram(2, SETTINGS), 1.0)
    assert outcome.of_generation(made, 2, None) is None
    handle(made, ev.ProcessExited(2, 1), 1.0)
    failed = outcome.of_generation(made, 2, None)
    assert failed is not None
    assert not failed.ok
    assert failed.text == "the new process ended before it received: exit 1; the old process keeps running"
    handle(made, ev.ReplaceProgram(3, SETTINGS), 2.0)
    for event in (ev.ProcessSpawned(3, 4713), ev.ProcessBooted(3), ev.ProcessReady(3)):
        handle(made, event, 2.0)
    newer = outcome.of_generation(made, 2, None)
    assert newer == ProgramOutcome(True, "running, pid 4713"), "newer code overtook it, and that counts"


@pytest.mark.parametrize(("on", "wanted"), [(True, Wanted.PAUSED), (False, Wanted.UP)])
def test_a_pause_is_decided_by_the_consumers_word(on: bool, wanted: Wanted) -> None:
    made = running()
    made.wanted = wanted
    assert outcome.of_pause(made, on, not on) is None
    assert outcome.of_pause(made, on, on) == ProgramOutcome(True, "paused" if on else "receiving")
    assert outcome.of_pause(made, not on, on) == ProgramOutcome(False, "another request wants something else")
    waiting = outcome.of_pause(made, on, None)
    assert waiting is not None
    assert waiting.text.startswith("is running, and will be ")


def test_waits_end_where_only_a_person_can_help() -> None:
    made = running()
    assert outcome.of_wait_for_running(made) == ProgramOutcome(True, "running")
    assert outcome.of_wait_for_stopped(made) is None
    handle(made, ev.ProcessExited(1, 78), 1.0)
    fatal = outcome.of_wait_for_running(made)
    assert fatal is not None
    assert fatal.text.startswith("fatal: exit 78")
    assert outcome.of_wait_for_stopped(made) == ProgramOutcome(True, "fatal")


def test_as_wanted_is_up_and_able_to_work_or_down_as_asked() -> None:
    made = running(restart=RestartWhen.NEVER)
    assert outcome.is_as_wanted(made, None)
    assert not outcome.is_as_wanted(made, "access denied")
    handle(made, ev.ProcessExited(1, 0), 1.0)
    assert made.state is ProgramState.EXITED
    assert outcome.is_as_wanted(made, None)
    handle(made, ev.StopProgram(), 1.0)
    assert outcome.is_as_wanted(made, None)
    assert outcome.of_stop(made) == ProgramOutcome(True, "stopped")
    handle(made, ev.StartProgram(), 1.0)
    assert not outcome.is_as_wanted(made, None)
    assert outcome.of_stop(made) == ProgramOutcome(False, "another request wants it up again")


def test_what_is_awaited_is_said_of_one_that_drains_and_starts_again() -> None:
    """ "stopping: stopped" was said of a queue that a reload had removed, and the next one took back."""
    drains = "timed out; its old process is still draining; it will start after that"
    made = running()
    handle(made, ev.StopProgram(), 1.0)
    assert outcome.timed_out(made).text == "timed out; its process is still draining"
    handle(made, ev.ReplaceProgram(1, SETTINGS), 1.0)
    handle(made, ev.StartProgram(), 1.0)
    assert outcome.timed_out(made) == ProgramOutcome(False, drains)
    handle(made, ev.PauseProgram(), 1.0)
    assert outcome.timed_out(made).text == drains
    made = running()
    handle(made, ev.RestartProgram(2, SETTINGS), 1.0)
    assert outcome.timed_out(made).text == drains


def test_one_that_ends_by_its_own_fault_may_not_start_again() -> None:
    made = running()
    handle(made, ev.ProcessDraining(1, "workers die again and again"), 1.0)
    assert outcome.timed_out(made).text == "timed out; stopping: workers die again and again"
    made = running()
    handle(made, ev.Tick(), 1000.0)
    assert made.state is ProgramState.STOPPING
    assert outcome.timed_out(made).text.startswith("timed out; stopping: no sign of life for")

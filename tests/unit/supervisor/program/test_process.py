"""One process of a program: its deadlines, and by which means it is ended."""

from __future__ import annotations

import pytest

from squids.supervisor.program import events as ev
from squids.supervisor.program.process import (
    DRAIN_ANSWER_SECONDS,
    DRAIN_MARGIN,
    KILL_AGAIN,
    STACK_SECONDS,
    Process,
    Step,
    how_it_ended,
)
from squids.supervisor.settings import AppSpec, ProgramSettings

SETTINGS = ProgramSettings(
    "q",
    "q",
    AppSpec("shop:app", "/srv"),
    (("queue", "q"), ("shutdown_timeout", 5.0)),
    start_timeout=10.0,
    heartbeat_timeout=30.0,
)


def process_at(step: Step) -> Process:
    """A process that came to this step at 100.0."""
    process = Process(1, SETTINGS, 1)
    if step is not Step.ASKED:
        process.spawned(7, 100.0)
    if step in (Step.STARTING, Step.READY):
        process.booted(100.0)
    if step is Step.READY:
        process.ready(100.0)
    if step is Step.STOPPING:
        process.dismiss(100.0)
    if step is Step.KILLED:
        process.overdue(100.0)
    assert process.step is step
    return process


@pytest.mark.parametrize(
    ("step", "seconds"),
    [
        (Step.ASKED, None),
        (Step.BOOTING, 10.0),
        (Step.STARTING, 30.0),
        (Step.READY, 30.0),
        (Step.STOPPING, DRAIN_ANSWER_SECONDS),
        (Step.KILLED, STACK_SECONDS),
    ],
)
def test_each_step_has_one_deadline(step: Step, seconds: float | None) -> None:
    """What was only asked for has none: its fork server answers, or is lost."""
    process = process_at(step)
    assert process.deadline == (None if seconds is None else 100.0 + seconds)
    if seconds is not None:
        assert not process.is_overdue(100.0 + seconds - 0.01)
        assert process.is_overdue(100.0 + seconds)


@pytest.mark.parametrize("step", Step)
def test_a_beat_moves_the_deadline_of_what_runs_and_of_nothing_else(step: Step) -> None:
    """A process that boots or drains does not buy time by talking."""
    process = process_at(step)
    before = process.deadline
    process.beat(120.0)
    assert process.deadline == (150.0 if step in (Step.STARTING, Step.READY) else before)


@pytest.mark.parametrize("step", Step)
def test_a_supervisor_that_stood_still_judges_nothing_that_must_show_life(step: Step) -> None:
    process = process_at(step)
    before = process.deadline
    process.stalled(50.0)
    if before is not None and step in (Step.BOOTING, Step.STARTING, Step.READY):
        before += 50.0
    assert process.deadline == before


def test_what_hangs_writes_its_stacks_and_is_killed_until_it_is_dead() -> None:
    process = process_at(Step.READY)
    assert process.overdue(130.0) == [ev.AbortProcess(1)]
    assert process.fault == "no sign of life for 30 s"
    assert process.overdue(133.0) == [ev.KillProcess(1)]
    assert process.deadline == 133.0 + KILL_AGAIN
    assert process.overdue(143.0) == [ev.KillProcess(1)]


def test_what_is_told_to_drain_is_asked_then_signalled_then_killed() -> None:
    process = process_at(Step.READY)
    assert process.dismiss(100.0) == [ev.SendDrain(1, None)]
    assert process.dismiss(101.0) == []
    assert process.overdue(102.0) == [ev.TerminateProcess(1)]
    assert process.deadline == 102.0 + 5.0 + DRAIN_MARGIN
    assert process.overdue(119.0) == [ev.KillProcess(1)]
    assert process.fault is None


def test_an_answer_to_a_drain_gives_it_its_own_limit() -> None:
    process = process_at(Step.READY)
    process.drain_seconds = 0.0
    assert process.dismiss(100.0) == [ev.SendDrain(1, 0.0)]
    process.answered_drain(101.0)
    assert process.deadline == 101.0 + DRAIN_MARGIN
    assert process.overdue(113.0) == [ev.KillProcess(1)]


def test_an_answer_of_one_that_is_being_killed_does_not_save_it() -> None:
    process = process_at(Step.KILLED)
    process.answered_drain(101.0)
    assert (process.step, process.deadline) == (Step.KILLED, 100.0 + STACK_SECONDS)


def test_what_is_not_there_is_cancelled_and_told_to_drain_if_it_comes() -> None:
    process = process_at(Step.ASKED)
    assert process.dismiss(100.0) == [ev.CancelProcess(1)]
    assert process.stop_waiting(100.0) == []
    assert process.came_too_late(7, 101.0) == [ev.SendDrain(1, None)]
    assert process.deadline == 101.0 + DRAIN_ANSWER_SECONDS


def test_only_what_drains_is_hurried_and_it_gets_no_sigterm_then() -> None:
    assert process_at(Step.READY).stop_waiting(100.0) == []
    process = process_at(Step.STOPPING)
    assert process.stop_waiting(101.0, 5.0) == [ev.SendDrain(1, 5.0)]
    assert process.deadline == 101.0 + DRAIN_MARGIN
    assert process.overdue(113.0) == [ev.KillProcess(1)]


@pytest.mark.parametrize(
    ("status", "out_of_memory", "text"),
    [
        (0, False, "exit 0, unasked"),
        (3, False, "exit 3"),
        (3, True, "exit 3"),
        (-9, False, "signal 9"),
        (-9, True, "killed: out of memory"),
        (None, True, "exit status unknown"),
    ],
)
def test_an_end_is_told_in_words(status: int | None, out_of_memory: bool, text: str) -> None:
    assert how_it_ended(ev.ProcessExited(1, status, out_of_memory=out_of_memory)) == text


def test_an_end_is_told_by_its_reason_if_it_gave_one() -> None:
    assert how_it_ended(ev.ProcessExited(1, 1, failure="no port")) == "cannot start: no port"

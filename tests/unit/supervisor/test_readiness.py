"""When the service is up, and the line that `systemctl status` shows."""

from __future__ import annotations

import pytest

from squids.supervisor.program.events import ProgramState, Wanted
from squids.supervisor.readiness import OVERDUE_SECONDS, ProgramView, advances, draining, is_up, summary


def seen(state: ProgramState, name: str = "q", wanted: Wanted = Wanted.UP, **more) -> ProgramView:
    return ProgramView(name, state, wanted, **more)


def test_it_is_up_when_each_start_has_shown_how_it_goes():
    running = seen(ProgramState.RUNNING)
    assert is_up([])
    assert is_up([running, seen(ProgramState.STOPPED, wanted=Wanted.DOWN)])
    assert not is_up([running, seen(ProgramState.STARTING)])
    assert is_up([running, seen(ProgramState.STARTING, degraded="no queue")])
    assert is_up([running, seen(ProgramState.STARTING, tried=True)]), "one that failed once is tried again"
    for state in (ProgramState.BACKOFF, ProgramState.FATAL, ProgramState.EXITED):
        assert is_up([running, seen(state)])
    assert not is_up([seen(ProgramState.STOPPING)]), "it is on its way down to come up again"
    assert is_up([seen(ProgramState.STOPPING, wanted=Wanted.DOWN)])


def test_what_is_long_overdue_says_that_the_machines_stand_still():
    assert advances([], 100.0)
    assert advances([seen(ProgramState.RUNNING), seen(ProgramState.BACKOFF, due=100.0)], 99.0)
    assert advances([seen(ProgramState.BACKOFF, due=100.0)], 100.0 + OVERDUE_SECONDS - 0.1)
    assert not advances(
        [seen(ProgramState.RUNNING), seen(ProgramState.BACKOFF, due=100.0)], 100.0 + OVERDUE_SECONDS
    )


def test_the_line_says_how_many_run_and_why_others_do_not():
    programs = [
        seen(ProgramState.RUNNING, "emails"),
        seen(ProgramState.BACKOFF, "reports", reason="Traceback\n  line\nexit 1", retry_in=11.6),
        seen(ProgramState.RUNNING, "orders", degraded="no route"),
        seen(ProgramState.STARTING, "slow", reason="started"),
        seen(ProgramState.FATAL, "broken", reason="exit 78"),
        seen(ProgramState.STOPPED, "off", wanted=Wanted.DOWN),
    ]
    assert summary(programs) == (
        "1/5 queues running; reports: backoff, exit 1, retry in 12 s; orders: degraded, no route; slow: starting; "
        "broken: fatal, exit 78; 1 stopped"
    )


@pytest.mark.parametrize(("count", "noun"), [(1, "1/1 queue running"), (2, "2/2 queues running")])
def test_all_well_is_a_short_line(count, noun):
    assert summary([seen(ProgramState.RUNNING)] * count) == noun


def test_what_runs_and_is_paused_is_named():
    programs = [seen(ProgramState.RUNNING, "a"), seen(ProgramState.RUNNING, "b", wanted=Wanted.PAUSED)]
    assert summary(programs) == "2/2 queues running; paused: b"


def test_a_reload_that_failed_is_in_it():
    assert summary([seen(ProgramState.RUNNING)], "squids.yaml:1:1: no") == (
        "1/1 queue running; the last reload failed: squids.yaml:1:1: no"
    )


def test_a_drain_names_whom_it_waits_for():
    stopped = seen(ProgramState.STOPPED, "a", wanted=Wanted.DOWN)
    leaving = seen(ProgramState.STOPPING, "b", wanted=Wanted.DOWN)
    assert draining([stopped, leaving]) == "draining 1 queue: b"
    assert draining([stopped]) == "stopped"

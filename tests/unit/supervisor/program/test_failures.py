"""What follows when a program's process fails, or cannot be had."""

from __future__ import annotations

from dataclasses import replace

import pytest

from squids.supervisor.program.events import CodeUnavailable, ProcessExited, ProgramState
from squids.supervisor.program.failures import Failures, Verdict
from squids.supervisor.program.process import Process
from squids.supervisor.settings import AppSpec, BackoffSettings, MaxRestarts, ProgramSettings, RestartWhen

PLAIN = ProgramSettings(
    "q", "q", AppSpec("shop:app", "/srv"), (("queue", "q"),), backoff=BackoffSettings(1.0, 60.0, 0.0)
)


def died(
    failures: Failures,
    now: float,
    settings: ProgramSettings = PLAIN,
    status: int | None = 1,
    ready_since: float | None = None,
) -> Verdict:
    process = Process(1, settings, 1, ready_since=ready_since)
    return failures.died(process, ProcessExited(1, status), "exit 1", settings, now)


def test_the_last_words_of_a_process_that_no_restart_helps_are_the_reason() -> None:
    process = Process(1, PLAIN, 1, said="no region")
    verdict = Failures().died(process, ProcessExited(1, 78), "exit 78", PLAIN, 1.0)
    assert verdict == Verdict(ProgramState.FATAL, "exit 78: no region")
    assert died(Failures(), 1.0, status=78).reason == "exit 1: a restart cannot fix it"


def test_failures_in_a_row_wait_longer_until_one_was_healthy() -> None:
    """`healthy_after` counts from its first receive, not from its start."""
    failures = Failures()
    assert [died(failures, 100.0).retry_at for _ in range(3)] == [101.0, 102.0, 104.0]
    assert died(failures, 200.0, ready_since=140.1).retry_at == 208.0
    assert died(failures, 300.0, ready_since=240.0) == Verdict(ProgramState.BACKOFF, "exit 1", 301.0)
    assert failures.in_a_row == 1


@pytest.mark.parametrize(
    ("settings", "status", "state"),
    [
        (replace(PLAIN, options=(("exit_when_empty", True),)), 0, ProgramState.EXITED),
        (replace(PLAIN, options=(("exit_when_empty", True),)), 1, ProgramState.BACKOFF),
        (replace(PLAIN, restart=RestartWhen.NEVER), None, ProgramState.EXITED),
        (replace(PLAIN, restart=RestartWhen.NEVER), 78, ProgramState.FATAL),
        (PLAIN, 0, ProgramState.BACKOFF),
    ],
)
def test_an_exit_that_the_file_expects_is_no_failure(
    settings: ProgramSettings, status: int | None, state: ProgramState
) -> None:
    failures = Failures()
    assert died(failures, 100.0, settings, status).state is state
    assert failures.in_a_row == (state is ProgramState.BACKOFF)


def test_a_limit_that_a_reload_lowers_holds_for_the_starts_before_it() -> None:
    failures = Failures()
    many, few = (replace(PLAIN, max_restarts=MaxRestarts(count, 100.0)) for count in (5, 2))
    for _ in range(2):
        assert died(failures, 100.0, many).state is ProgramState.BACKOFF
    verdict = died(failures, 101.0, few)
    assert verdict == Verdict(ProgramState.FATAL, "exit 1; restarted 2 times within 100 s")


def test_other_code_forgets_failures_but_only_a_person_forgets_starts() -> None:
    """Else a deployment in a loop would outrun `max_restarts`."""
    failures = Failures()
    settings = replace(PLAIN, max_restarts=MaxRestarts(1, 100.0))
    died(failures, 100.0, settings)
    failures.progress()
    assert failures.in_a_row == 0
    assert died(failures, 101.0, settings).state is ProgramState.FATAL
    failures.forget()
    assert died(failures, 102.0, settings).retry_at == 103.0


def test_code_that_is_not_there_is_tried_when_its_fork_server_says() -> None:
    """Its backoff is the fork server's; only the limit is the program's."""
    failures = Failures()
    settings = replace(PLAIN, max_restarts=MaxRestarts(1, 100.0))
    broken = CodeUnavailable(1, "no database", 130.0)
    assert failures.unavailable(broken, settings, 100.0) == Verdict(
        ProgramState.BACKOFF, "no database", 130.0
    )
    refused = CodeUnavailable(1, "no memory", 131.0, refused=True)
    assert failures.unavailable(refused, settings, 101.0).state is ProgramState.BACKOFF
    assert failures.unavailable(broken, settings, 102.0).state is ProgramState.FATAL
    hopeless = CodeUnavailable(1, "no such module", None)
    assert Failures().unavailable(hopeless, settings, 100.0) == Verdict(ProgramState.FATAL, "no such module")


def test_refusals_wait_longer_until_a_process_came_and_are_no_failures() -> None:
    failures = Failures()
    assert [failures.refused("no", 100.0).retry_at for _ in range(6)] == [100.5, 101, 102, 104, 108, 110]
    failures.process_came()
    assert failures.refused("no", 100.0) == Verdict(
        ProgramState.BACKOFF, "the system refused a process: no", 100.5
    )
    assert failures.in_a_row == 0

"""Which consumers log and report each of their jobs, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from squids.process.protocol import Follow
from squids.supervisor.job_log import JobLog

NEITHER = Follow(logs=False, reports=False)
LOGS = Follow(logs=True, reports=False)
BOTH = Follow(logs=True, reports=True)


class StubConsumer:
    """Records what it is sent."""

    def __init__(self, program: str, log_level: str = "INFO", connected: bool = True) -> None:
        self.program = program
        self.settings = SimpleNamespace(log_level=log_level)
        self.channel = object() if connected else None
        self.told: list[Follow] = []

    def send(self, frame: Follow) -> None:
        if self.channel is not None:
            self.told.append(frame)


@pytest.fixture
def consumers() -> dict[int, StubConsumer]:
    return {1: StubConsumer("emails"), 2: StubConsumer("orders"), 3: StubConsumer("quiet", "WARNING")}


def only(*programs: str) -> Callable[[str], bool]:
    return programs.__contains__


def ignore(program: str, changes: list[list[str]]) -> None:
    """A follower that looks away."""


def test_a_followed_program_reports_its_jobs_until_the_last_follower_is_gone(consumers):
    jobs = JobLog(consumers, log_all=False)
    with jobs.following(only("emails"), ignore), jobs.following(only("emails"), ignore):
        assert consumers[1].told == [BOTH, BOTH]
    assert consumers[1].told == [BOTH, BOTH, BOTH, NEITHER]
    assert consumers[2].told == []


def test_a_follower_sees_jobs_at_any_log_level_but_the_file_asks_within_it(consumers):
    """And nothing is reported only because it is logged."""
    jobs = JobLog(consumers, log_all=True)
    for consumer in consumers.values():
        jobs.on_start(consumer)
    assert [consumer.told for consumer in consumers.values()] == [[LOGS], [LOGS], []]
    with jobs.following(only("quiet"), ignore):
        assert consumers[3].told == [BOTH]
        jobs.set_all(False)
        assert [consumer.told[-1] for consumer in consumers.values()] == [NEITHER, NEITHER, BOTH]


def test_a_consumer_without_a_socket_is_told_when_it_has_one(consumers):
    jobs = JobLog(consumers, log_all=False)
    consumers[4] = StubConsumer("emails", connected=False)
    with jobs.following(only("emails"), ignore):
        assert consumers[4].told == []
        consumers[4].channel = object()
        jobs.on_start(consumers[4])
        assert consumers[4].told == [BOTH]


def test_each_follower_gets_the_jobs_of_its_programs(consumers):
    jobs = JobLog(consumers, log_all=False)
    one, both = [], []
    done, failed = [["m1", "done"]], [["m2", "failed"]]
    with jobs.following(only("emails", "orders"), lambda *what: both.append(what)):
        with jobs.following(only("orders"), lambda *what: one.append(what)):
            jobs.changed("emails", done)
            jobs.changed("orders", failed)
            jobs.changed("quiet", done)
        jobs.changed("orders", done)
    jobs.changed("orders", failed)
    assert both == [("emails", done), ("orders", failed), ("orders", done)]
    assert one == [("orders", failed)]


def test_a_follower_that_failed_is_gone(consumers):
    jobs = JobLog(consumers, log_all=False)
    with pytest.raises(ConnectionError), jobs.following(only("emails"), ignore):
        raise ConnectionError
    assert consumers[1].told == [BOTH, NEITHER]

"""Which consumers log each of their jobs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from squids.process.protocol import Follow
from squids.supervisor.job_log import JobLog


class StubConsumer:
    """Records what it is sent."""

    def __init__(self, program: str, log_level: str = "INFO", connected: bool = True) -> None:
        self.program = program
        self.settings = SimpleNamespace(log_level=log_level)
        self.channel = object() if connected else None
        self.follows: list[bool] = []

    def send(self, frame: Follow) -> None:
        if self.channel is not None:
            self.follows.append(frame.on)


@pytest.fixture
def consumers() -> dict[int, StubConsumer]:
    return {1: StubConsumer("emails"), 2: StubConsumer("orders"), 3: StubConsumer("quiet", "WARNING")}


def test_a_followed_program_logs_its_jobs_until_the_last_follower_is_gone(consumers):
    jobs = JobLog(consumers, log_all=False)
    jobs.follow("emails", True)
    jobs.follow("emails", True)
    jobs.follow("emails", False)
    jobs.follow("emails", False)
    assert consumers[1].follows == [True, True, True, False]
    assert consumers[2].follows == []


def test_a_follower_sees_jobs_at_any_log_level_but_the_file_asks_within_it(consumers):
    jobs = JobLog(consumers, log_all=True)
    for consumer in consumers.values():
        jobs.on_start(consumer)
    assert [consumer.follows for consumer in consumers.values()] == [[True], [True], []]
    jobs.follow("quiet", True)
    assert consumers[3].follows == [True]
    jobs.set_all(False)
    assert [consumer.follows[-1] for consumer in consumers.values()] == [False, False, True]


def test_a_consumer_without_a_socket_is_told_when_it_has_one(consumers):
    jobs = JobLog(consumers, log_all=False)
    consumers[4] = StubConsumer("emails", connected=False)
    jobs.follow("emails", True)
    assert consumers[4].follows == []
    consumers[4].channel = object()
    jobs.on_start(consumers[4])
    assert consumers[4].follows == [True]

"""The start of a consumer: what becomes of its options, and how it obeys a supervisor."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

import squids
from squids.options import ConsumerOptions
from squids.pool import consumer_main
from squids.pool.consumer_main import client_of, serve_supervisor, settings_of, start_zygote
from squids.pool.inflight import Phase
from squids.process import log_setup
from squids.process.channel import Channel
from squids.process.cpus import usable_cpus
from squids.process.forkable import Unforkable
from squids.process.liveness import ToOwner
from squids.process.loop_channel import LoopChannel
from squids.process.protocol import Drain, Follow, Frame, Pause, Scale
from squids.process.stops import StopBy
from squids.queues import QueueRef
from squids.reports import log
from squids.sqs import QueueStats
from tests.support.logs import configured_logging

EMAILS = QueueRef.parse("emails")
OPTIONS = ConsumerOptions("emails", "shop:app")


def settings(**options: Any):
    return settings_of(replace(OPTIONS, **options), EMAILS)


def test_what_nobody_set_is_worked_out():
    """A worker for each CPU that it may use, and two messages for each worker."""
    limits = settings().limits
    assert (limits.workers, limits.prefetch) == (usable_cpus(), 2 * usable_cpus())
    assert settings(workers=7).limits.prefetch == 14


def test_what_a_user_set_counts():
    made = settings(workers=3, prefetch=4, visibility_timeout=50, shutdown_timeout=9, polling_wait_time=0)
    limits = made.limits
    assert (limits.workers, limits.prefetch, limits.visibility) == (3, 4, 50)
    assert (limits.shutdown_timeout, limits.wait, limits.exit_when_empty) == (9, 0, False)


def test_a_consumer_that_is_to_empty_a_queue_polls_long():
    """A short poll that brings nothing says nothing: messages may be on machines that were not asked."""
    assert settings(exit_when_empty=True, polling_wait_time=0).limits.wait == 1
    assert settings(exit_when_empty=True, polling_wait_time=20).limits.wait == 20


def test_the_delays_of_failed_messages_are_the_users():
    retry = settings(retry_delay=8, retry_max_delay=20).retry
    assert [retry.decide(count, 1.0).delay_seconds for count in (1, 2, 3)] == [8, 16, 20]
    assert settings(no_retry_delay=True).retry.decide(1, 1.0).delay_seconds is None


def test_a_client_has_a_connection_for_each_call_that_may_be_under_way(monkeypatch):
    """Receives of ten, deletes, and visibility changes: none waits for the connection of another."""
    asked: dict[str, object] = {}
    app = squids.App("shop")
    monkeypatch.setattr(app.sqs, "queue_client", lambda ref, **options: asked.update(options, ref=ref))
    client_of(app, settings(workers=20, polling_wait_time=3))
    assert asked == {"ref": EMAILS, "wait_seconds": 3, "connections": 9}


class Consumer:
    """A consumer that notes its orders."""

    def __init__(self) -> None:
        self.orders: list[tuple[Any, ...]] = []
        self.inflight = SimpleNamespace(phase=Phase.RUNNING)
        self.jobs = SimpleNamespace(follow=lambda logs, send: self.follows.append((logs, send is not None)))
        self.follows: list[tuple[bool, bool]] = []
        self.liveness: Any = None

    def report_to(self, liveness: Any) -> None:
        self.liveness = liveness

    def stop(self, reason: str, within: float | None = None, *, by: StopBy = StopBy.SIGNAL) -> None:
        self.orders.append(("stop", reason, within, by))
        self.inflight.phase = Phase.DRAINING

    def pause(self, on: bool) -> None:
        self.orders.append(("pause", on))

    def scale(self, workers: int) -> None:
        self.orders.append(("scale", workers))


def obeys(*frames: Frame, hangs_up: bool = False, phase: Phase = Phase.RUNNING) -> Consumer:
    """A consumer, after its supervisor said all this."""
    consumer = Consumer()
    consumer.inflight.phase = phase

    async def run() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with closing(LoopChannel(ours)) as owner, closing(Channel(theirs)) as supervisor:
            serve_supervisor(consumer, owner, loop, None)
            for frame in (*frames, Pause(False)):
                supervisor.send(frame)
            async with asyncio.timeout(60):
                while ("pause", False) not in consumer.orders:
                    await asyncio.sleep(0)
                if hangs_up:
                    supervisor.close()
                    while not owner.closed:
                        await asyncio.sleep(0)
                    assert not loop.remove_reader(owner.fileno()), "its end would be heard for ever"
        consumer.orders.remove(("pause", False))

    asyncio.run(run())
    return consumer


def test_it_does_what_its_supervisor_says():
    consumer = obeys(Pause(True), Scale(3), Drain(2.5), Drain())
    assert consumer.orders == [
        ("pause", True),
        ("scale", 3),
        ("stop", "stopped by the supervisor", 2.5, StopBy.SUPERVISOR),
        ("stop", "stopped by the supervisor", None, StopBy.SUPERVISOR),
    ]
    assert isinstance(consumer.liveness, ToOwner)


def test_without_its_supervisor_it_drains():
    """Nobody would ever tell it to."""
    assert obeys(hangs_up=True).orders == [("stop", "the supervisor is gone", None, StopBy.GONE)]


def test_a_supervisor_that_leaves_a_drain_does_not_force_it():
    """A second stop kills what runs; this is none."""
    assert obeys(hangs_up=True, phase=Phase.DRAINING).orders == []


@pytest.mark.parametrize(("level", "own"), [("ERROR", "INFO"), ("INFO", "INFO"), ("DEBUG", "DEBUG")])
def test_jobs_that_are_followed_are_logged_whatever_the_level(level, own):
    """And a log that shows more continues to do so."""
    with configured_logging():
        log_setup.configure(level, "text")
        assert obeys(Follow(True, reports=True)).follows == [(True, True)]
        assert log.level == logging.getLevelNamesMapping()[own]


def test_jobs_that_are_followed_no_longer_are_logged_no_longer():
    with configured_logging():
        log_setup.configure("ERROR", "text")
        consumer = obeys(
            Follow(True, reports=True), Follow(True, reports=False), Follow(False, reports=False)
        )
        assert consumer.follows == [(True, True), (True, False), (False, False)]
        assert log.level == logging.ERROR


def test_a_terminal_that_is_closed_says_so_twice():
    """The shell and the kernel each do: only a request by a person is one to hurry."""
    consumer = Consumer()
    consumer_main.terminal_closed(consumer)
    consumer_main.terminal_closed(consumer)
    assert [order[0] for order in consumer.orders] == ["stop"]


def test_what_no_fork_may_cross_is_told_and_workers_start_anew(caplog):
    """Its fork server is a program of its own, which has imported nothing of the app."""
    unforkable = Unforkable(("metrics",), 0)
    zygote = start_zygote(squids.App("shop"), OPTIONS, settings(), SimpleNamespace(), unforkable)
    try:
        (record,) = [record for record in caplog.records if getattr(record, "action", "") == "not_forkable"]
        assert "threads (metrics)" in record.getMessage()
        assert zygote._process is not None, "it was not forked"
    finally:
        zygote.close()
        assert zygote.wait(60) == 0


@pytest.mark.parametrize("threads", [(), ("metrics",)])
def test_who_wants_no_preload_gets_none_and_is_told_nothing(caplog, threads):
    """It is what was asked for."""
    options = replace(OPTIONS, preload=False)
    app, unforkable = squids.App("shop"), Unforkable(threads, 0)
    zygote = start_zygote(app, options, settings(), SimpleNamespace(), unforkable)
    zygote.close()
    assert zygote.wait(60) == 0
    assert zygote._process is not None, "it was not forked"
    assert caplog.records == []


def test_reports_of_the_queue_go_on_after_one_that_failed(caplog):
    """Their thread ends with the consumer."""
    app = squids.App("shop")
    answers: list[QueueStats | Exception] = [OSError("no route"), QueueStats("emails", {"Delayed": "3"})]
    seen: list[Any] = []
    end, enough = threading.Event(), threading.Event()

    class Client:
        def attributes(self) -> QueueStats:
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

    @app.report_queue_stats
    def hook(stats):
        seen.append((stats.queue_name, stats["Delayed"]))
        enough.set()

    # A local SQS of a later test makes each living app forget its clients.
    app.sqs = SimpleNamespace(queue_client=lambda *_, **__: Client(), forget=lambda: None)
    consumer_main._start_reports(app, settings(), 0.001, end)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "squids-report"]
    assert enough.wait(60)
    end.set()
    thread.join(60)
    assert not thread.is_alive()
    assert seen[0] == ("emails", 3)
    assert [record.action for record in caplog.records] == ["report_failed"]

"""The shell of a pooled consumer. SQS, the fork server and the workers do what the tests say."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
from dataclasses import replace

import pytest
from botocore.exceptions import EndpointConnectionError, NoRegionError

from squids.exit_codes import ExitCode
from squids.pool import polls as polls_module
from squids.pool import settling as settling_module
from squids.pool.inflight import Phase
from squids.pool.pooled_consumer import ADVANCE_MARGIN
from squids.pool.worker_main import MARK
from squids.process import stops
from squids.process.protocol import JobsChanged, Recall
from squids.process.stops import StopBy
from squids.sqs import classify
from squids.sqs_answers import BatchFailure
from tests.support.consumers import LIMITS, Scene, delivery, play
from tests.support.loops import until

AWAY = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


@pytest.fixture(autouse=True)
def no_long_backoff(monkeypatch) -> None:
    """After a receive that failed, or a delete."""
    monkeypatch.setattr(polls_module, "BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(settling_module, "ENTRY_RETRY", 0.01)


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Each signal is a stop of its own."""
    monkeypatch.setattr(stops, "SAME_STOP_SECONDS", 0.0)


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, "squids")
    return lambda action: [record for record in caplog.records if getattr(record, "action", "") == action]


def test_a_message_goes_its_whole_way(said):
    """Received, run by a worker, deleted; and the consumer ends well."""

    async def scenario(scene: Scene) -> None:
        worker = await scene.bring("m1")
        worker.ends("m1")
        await until(lambda: scene.client.deleted == ["m1"])
        scene.consumer.stop("SIGTERM")
        assert await scene.ended() is ExitCode.OK

    scene = play(scenario)
    assert scene.client.returned == []
    (stopped,) = said("stopped")
    assert (stopped.done, stopped.failed, stopped.exit) == (1, 0, 0)
    assert scene.life.heard == [("booted", None), ("ready", None), ("stopping", "SIGTERM")]


def test_it_is_ready_once_and_only_when_a_receive_was_answered(said):
    """A worker that waits is not enough: the queue may not exist."""
    calls: list[str] = []

    async def scenario(scene: Scene) -> None:
        scene.consumer.on_ready = lambda: calls.append("on_ready")
        await scene.worker()
        await scene.receives(1)
        assert scene.life.of("ready") == [] and calls == []
        for _ in range(3):
            scene.client.coming.put([])
        await until(lambda: scene.client.coming.empty())
        await scene.receives(4)

    scene = play(scenario)
    assert scene.life.of("ready") == [None]
    assert calls == ["on_ready"]
    assert len(said("ready")) == 1


def test_an_outage_is_told_when_it_begins_and_when_it_ends(said):
    """Not at each receive that fails meanwhile."""

    async def scenario(scene: Scene) -> None:
        await scene.worker()
        for error in (AWAY, AWAY, AWAY):
            scene.client.coming.put(error)
        await scene.receives(4)
        scene.client.coming.put([])
        await until(lambda: len(scene.life.of("degraded")) == 2)

    scene = play(scenario)
    assert scene.life.of("degraded") == [classify(AWAY).text, None]
    assert len(said("degraded")) == len(said("healed")) == 1


def test_what_no_time_can_mend_ends_it(said):
    """Waiting gives nobody a region: that is one ERROR, and nothing is said to be tried again."""

    async def scenario(scene: Scene) -> None:
        await scene.worker()
        scene.client.coming.put(NoRegionError())
        assert await scene.ended() is ExitCode.CONFIG

    play(scenario)
    (line,) = said("degraded")
    assert line.levelno == logging.ERROR
    assert "set AWS_REGION" in line.getMessage()
    assert "again" not in line.getMessage()
    assert not said("stopping")


def test_a_queue_that_cannot_be_reached_ends_a_consumer_that_is_to_empty_it():
    """Whoever started it waits for its end, as a step of something."""

    async def scenario(scene: Scene) -> None:
        await scene.worker()
        scene.client.coming.put(AWAY)
        assert await scene.ended() is ExitCode.CONFIG

    play(scenario, replace(LIMITS, exit_when_empty=True))


def test_an_outage_in_between_does_not_end_a_consumer_that_is_to_empty_a_queue():
    """It was there a moment ago."""

    async def scenario(scene: Scene) -> None:
        await scene.worker()
        scene.client.coming.put([])
        await scene.receives(2)
        scene.client.coming.put(AWAY)
        await scene.receives(3)
        assert scene.consumer.inflight.phase is Phase.RUNNING
        assert await scene.ended() is ExitCode.OK

    play(scenario, replace(LIMITS, exit_when_empty=True))


def test_a_failed_task_goes_back_after_its_delay(said):
    """It is not deleted."""

    async def scenario(scene: Scene) -> None:
        worker = await scene.bring("m1")
        worker.ends("m1", "failed", "shop.mail", "ValueError: x", "File 1")
        await until(lambda: scene.client.returned)

    scene = play(scenario)
    ((name, seconds),) = scene.client.returned
    assert name == "m1" and seconds >= 1
    (record,) = said("task_failed")
    assert (record.message_id, record.traceback) == ("m1", "File 1")
    assert scene.client.deleted == []


@pytest.mark.parametrize(
    "refusal",
    [AWAY, BatchFailure("m1", "InternalError", "try again", stale=False)],
    ids=["no answer", "refused alone"],
)
def test_a_delete_that_fails_is_made_again(refusal):
    """The message is held until SQS has confirmed it."""

    async def scenario(scene: Scene) -> None:
        worker = await scene.bring("m1")
        scene.client.refusals.append(refusal)
        worker.ends("m1")
        await until(lambda: not scene.client.refusals)
        assert scene.consumer.inflight.held == 1
        await until(lambda: scene.client.deleted == ["m1"])
        await until(lambda: scene.consumer.inflight.held == 0)

    play(scenario)


def test_a_stop_waits_for_what_runs_and_gives_back_what_does_not():
    async def scenario(scene: Scene) -> None:
        worker = await scene.bring("m1", "m2")
        scene.consumer.stop("SIGTERM")
        await until(lambda: scene.client.returned == [("m2", 0)])
        assert not scene.running.done()
        worker.ends("m1")
        assert await scene.ended() is ExitCode.OK
        assert scene.client.deleted == ["m1"]

    play(scenario)


@pytest.mark.usefixtures("impatient")
def test_a_second_stop_kills_what_runs_and_gives_it_back(said):
    async def scenario(scene: Scene) -> None:
        await scene.bring("m1")
        scene.consumer.stop("SIGTERM")
        scene.consumer.stop("SIGTERM")
        assert await scene.ended() is ExitCode.OK

    scene = play(scenario)
    assert scene.client.returned == [("m1", 0)]
    assert scene.client.deleted == []
    assert "SIGTERM again" in said("killing")[0].getMessage()


@pytest.mark.parametrize("senders", [*itertools.permutations(StopBy)])
def test_a_stop_that_comes_from_two_senders_is_one(said, senders):
    """A supervisor that hears no answer sends SIGTERM, which a busy consumer reads together with the command."""

    async def scenario(scene: Scene) -> None:
        worker = await scene.bring("m1")
        for sender in senders:
            scene.consumer.stop(sender.value, by=sender)
        assert scene.consumer.inflight.phase is Phase.DRAINING
        worker.ends("m1")
        assert await scene.ended() is ExitCode.OK

    scene = play(scenario)
    assert scene.client.deleted == ["m1"]
    assert len(said("stopping")) == 1
    assert not said("killing")


def test_the_supervisors_limit_holds_after_a_signal():
    async def scenario(scene: Scene) -> None:
        await scene.bring("m1")
        scene.consumer.stop("SIGTERM")
        scene.consumer.stop("stopped by the supervisor", 0.0, by=StopBy.SUPERVISOR)
        assert await scene.ended() is ExitCode.OK

    assert play(scenario).client.returned == [("m1", 0)]


@pytest.mark.usefixtures("impatient")
def test_a_forced_end_does_not_wait_for_a_receive():
    """Whoever runs it is told that a thread is still inside: only `os._exit` ends such a process."""

    async def scenario(scene: Scene) -> None:
        await scene.worker()
        await scene.receives(1)
        scene.consumer.stop("SIGTERM")
        assert scene.consumer.inflight.phase is Phase.DRAINING
        scene.consumer.stop("SIGTERM")
        assert scene.consumer.inflight.phase is Phase.DONE
        assert await asyncio.wait_for(scene.running, 60) is ExitCode.OK
        assert scene.consumer.stuck_in_receive
        scene.client.coming.put([])

    play(scenario)


def test_a_pause_lets_run_what_is_held_and_gives_back_what_comes(said):
    """Nothing is asked for until it is over; said twice, it is one pause."""

    async def scenario(scene: Scene) -> None:
        worker = await scene.worker(2)
        await scene.bring("m1")
        scene.workers[0].ready()
        await scene.receives(2)
        scene.consumer.pause(True)
        scene.consumer.pause(True)
        scene.client.coming.put([delivery("m2")])
        await until(lambda: scene.client.returned == [("m2", 0)])
        worker.ends("m1")
        await until(lambda: scene.client.deleted == ["m1"])
        await until(lambda: scene.consumer.inflight.held == 0)
        assert scene.consumer.inflight.polls.quiet
        scene.consumer.pause(False)
        await scene.receives(3)

    play(scenario, replace(LIMITS, workers=2, prefetch=4))
    assert len(said("paused")) == len(said("resumed")) == 1


@pytest.mark.parametrize(("prefetch", "expected"), [(2, 5), (3, 3)], ids=["two a worker", "set by the user"])
def test_more_workers_are_started_and_more_is_asked_for(prefetch, expected):
    """Up to the prefetch, which grows with them unless a user has set it."""

    async def scenario(scene: Scene) -> None:
        scene.consumer.pause(True)
        scene.consumer.scale(5)
        await until(lambda: len(scene.workers) == 5)
        for worker in scene.workers:
            worker.ready()
        await until(lambda: scene.consumer.inflight.roster.idle == 5)
        scene.consumer.pause(False)
        await scene.receives(1)
        assert scene.client.receives[0][0] == expected

    play(scenario, replace(LIMITS, prefetch=prefetch))


def test_workers_too_many_leave_when_their_tasks_have_ended():
    """One that is idle leaves now. A number of workers that there cannot be changes nothing."""

    async def scenario(scene: Scene) -> None:
        await until(lambda: len(scene.workers) == 2)
        first, second = scene.workers
        second.ready()
        await scene.receives(1)
        scene.client.coming.put([delivery("m1")])
        await until(lambda: second.jobs)
        scene.consumer.scale(0)
        scene.consumer.scale(1)
        first.ready()
        await until(lambda: scene.consumer.inflight.roster.idle == 1)
        assert not second.channel.closed, "its task still runs"
        second.ends("m1")
        await until(lambda: second.channel.closed)
        await until(lambda: [handle.slot for handle in scene.consumer.workers.handles] == [1])
        await until(lambda: scene.client.deleted == ["m1"])
        assert not first.channel.closed

    play(scenario, replace(LIMITS, workers=2, prefetch=4))


def test_a_hand_over_that_fails_costs_its_worker_and_no_message(said):
    """JSON cannot carry what came. The worker may have a part of it, so it is not used again."""

    async def scenario(scene: Scene) -> None:
        await scene.worker()
        await scene.receives(1)
        scene.client.coming.put([delivery("m1")._replace(body=b"\xff")])
        await until(lambda: scene.workers[0].channel.closed)
        scene.consumer.stop("the test")
        assert await scene.ended() is ExitCode.OK
        assert scene.client.returned == [("m1", 0)]

    play(scenario)
    assert said("internal_error")[0].getMessage().startswith("hand failed: TypeError")


def test_a_worker_that_dies_loses_the_task_that_it_ran(said):
    """The shared page says which; it comes back after its delay, and the worker is replaced."""

    async def scenario(scene: Scene) -> None:
        worker = await scene.bring("m1")
        MARK.pack_into(worker.page, 0, worker.jobs["m1"], time.monotonic())
        worker.exit(-9)
        await until(lambda: scene.client.returned)
        await until(lambda: len(scene.workers) == 2)

    scene = play(scenario)
    assert scene.client.returned[0][1] >= 1
    (record,) = said("worker_died")
    assert (record.message_id, record.task) == ("m1", "shop.mail")
    assert scene.consumer.inflight.failed == 1


def test_a_worker_that_dies_between_tasks_loses_none(said):
    """What it was handed and did not start runs in the next."""

    async def scenario(scene: Scene) -> None:
        worker = await scene.bring("m1")
        worker.exit(3)
        second = await scene.worker(2)
        await until(lambda: "m1" in second.jobs)
        second.ends("m1")
        await until(lambda: scene.client.deleted == ["m1"])

    play(scenario)
    assert said("worker_died") == []


def test_workers_that_keep_dying_end_it_as_a_failure():
    async def scenario(scene: Scene) -> None:
        await scene.worker()
        scene.consumer.workers_keep_dying()
        assert await scene.ended() is ExitCode.FAILURE

    assert play(scenario).life.of("stopping") == ["workers die again and again"]


def test_without_its_fork_server_it_drains_and_fails():
    """The worker that it has ends its task."""

    async def scenario(scene: Scene) -> None:
        worker = await scene.bring("m1")
        scene.server.die()
        await until(lambda: scene.life.of("stopping"))
        worker.ends("m1")
        await until(lambda: scene.client.deleted == ["m1"])
        assert await scene.ended() is ExitCode.FAILURE

    play(scenario)


def test_a_fork_server_that_hangs_is_its_owners_to_kill():
    async def scenario(scene: Scene) -> None:
        await scene.worker()
        scene.consumer.workers.fork_server_hangs("did not start worker 1")

    assert play(scenario).life.of("hangs") == ["did not start worker 1"]


def test_who_follows_jobs_is_told_of_each_and_others_are_not(said):
    """Nothing is logged or reported for each message, but for them."""
    told: list[JobsChanged] = []

    async def scenario(scene: Scene) -> None:
        worker = await scene.bring("m1")
        worker.ends("m1")
        await until(lambda: scene.client.deleted == ["m1"])
        scene.consumer.jobs.follow(True, told.append)
        scene.client.coming.put([delivery("m2")])
        await until(lambda: "m2" in worker.jobs)
        worker.ends("m2")
        await until(lambda: scene.client.deleted == ["m1", "m2"])

    play(scenario)
    assert [record.message_id for record in said("job_started") + said("job_done")] == ["m2", "m2"]
    assert told == [JobsChanged([["m2", "started"]]), JobsChanged([["m2", "done"]])]


@pytest.mark.parametrize(
    ("end", "change"), [("failed", "failed"), ("bad", "bad_message"), ("dies", "worker_lost")]
)
def test_a_failure_is_reported_however_it_came_and_before_it_is_given_back(end, change):
    """Whether anything is logged or not."""
    told: list[list[str]] = []

    async def scenario(scene: Scene) -> None:
        scene.consumer.jobs.follow(False, lambda frame: told.extend(frame.changes))
        worker = await scene.bring("m1")
        MARK.pack_into(worker.page, 0, worker.jobs["m1"], time.monotonic())
        worker.exit(-9) if end == "dies" else worker.ends("m1", end, "shop.mail", "ValueError: x")
        await until(lambda: [name for name, _ in scene.client.returned] == ["m1"])

    play(scenario)
    assert told == [["m1", "started"], ["m1", change], ["m1", "given_back"]]


def test_what_a_stop_gives_back_is_reported_and_what_finishes_meanwhile_too():
    told: list[list[str]] = []

    async def scenario(scene: Scene) -> None:
        scene.consumer.jobs.follow(False, lambda frame: told.extend(frame.changes))
        worker = await scene.bring("m1", "m2")
        scene.consumer.stop("the test")
        await until(lambda: scene.client.returned == [("m2", 0)])
        worker.ends("m1")
        assert await scene.ended() is ExitCode.OK

    play(scenario)
    assert told == [["m1", "started"], ["m2", "given_back"], ["m1", "done"]]


def test_a_fifo_queue_has_attempts_of_its_own_for_each_receive():
    """No two consumers may have one: each would be given what the other was."""
    attempts = []
    for _ in range(2):

        async def scenario(scene: Scene) -> None:
            await scene.worker()
            scene.client.coming.put([])
            await scene.receives(2)

        attempts += [asked[3] for asked in play(scenario, name="orders.fifo").client.receives[:2]]
    assert len(set(attempts)) == 4
    assert all(attempt.startswith(f"squids-{os.getpid()}-") for attempt in attempts)


def test_another_queue_has_no_attempts():
    """SQS refuses them there."""

    async def scenario(scene: Scene) -> None:
        await scene.worker()
        await scene.receives(1)

    assert play(scenario).client.receives[0][3] is None


def test_a_receive_that_is_never_answered_is_no_sign_of_life():
    """Whoever listens for one restarts a consumer that only seems to live."""

    async def scenario(scene: Scene) -> None:
        await scene.worker()
        await scene.receives(1)
        now, longest = time.monotonic(), LIMITS.wait + ADVANCE_MARGIN
        assert scene.consumer._advances(now)
        assert not scene.consumer._advances(now + longest + 1)
        scene.consumer.pause(True)
        scene.client.coming.put([])
        await until(lambda: scene.consumer.inflight.polls.quiet)
        assert scene.consumer._advances(now + longest + 1), "there is none under way any more"

    play(scenario)


def test_the_state_has_each_task_that_runs(said):
    async def scenario(scene: Scene) -> None:
        worker = await scene.bring("m1")
        MARK.pack_into(worker.page, 0, worker.jobs["m1"], time.monotonic() - 3600)
        scene.consumer.report_state()
        worker.ends("m1")

    play(scenario)
    (record,) = said("state")
    assert record.getMessage().startswith("running; running: worker 1 for 36")
    assert (record.workers, record.held) == ("1/1", 1)


def test_a_stop_recalls_what_waits_in_a_worker():
    """It was handed several, and runs one: the others go back unrun."""

    async def scenario(scene: Scene) -> None:
        worker = await scene.worker()
        for _ in range(20):
            scene.consumer.inflight.prefetch.tasks.observe(0.00002)  # Tasks are short: several at a time.
        await scene.receives(1)
        scene.client.coming.put([delivery("m1"), delivery("m2")])
        await until(lambda: set(worker.jobs) == {"m1", "m2"})
        scene.consumer.stop("SIGTERM")
        await until(lambda: Recall() in worker.heard)
        worker.ends("m2", "unstarted")
        worker.ends("m1")
        assert await scene.ended() is ExitCode.OK
        assert (scene.client.deleted, scene.client.returned) == (["m1"], [("m2", 0)])

    play(scenario)

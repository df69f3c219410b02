"""SQS in trouble: receiving never stops for good, never spins, and no failed call counts as done."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
import time

import pytest

from tests.support.processes import APP, call
from tests.support.waiting import wait_until


@pytest.fixture
def queue(strict_sqs):
    return strict_sqs.create("tests")


@pytest.mark.slow
def test_after_a_storm_of_failures_receiving_goes_on(strict_sqs, queue, squids_process):
    """After 500s, 503s, throttling, garbage and cut connections in random order all messages are done."""
    chance = random.Random(5)
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "2").ready()
    kinds = ["500", "503", "throttle", "cut", "garbage"]
    for number in range(30):
        strict_sqs.put("tests", call("work", str(number)))
        strict_sqs.fail(chance.choice(kinds), times=1)
        if number % 3 == 2:  # An answer that is good ends the backoff: three failures in a row, and on.
            wait_until(lambda: not queue.messages, what="all is done")
    assert set(process.journal.words("done")) == {str(number) for number in range(30)}
    assert process.actions("degraded")
    process.wait_for("healed")
    assert process.stop() == 0


def test_trouble_is_said_once_when_it_starts_and_once_when_it_ends(strict_sqs, queue, squids_process):
    """One line when receiving fails, one when it heals, however many tries lie between."""
    process = (
        squids_process(strict_sqs.endpoint_url).start("--workers", "1", "--polling-wait-time", "0").ready()
    )
    strict_sqs.fail("503", action="ReceiveMessage", times=4)
    process.wait_for("healed")
    (degraded,) = process.actions("degraded")
    assert "WARNING" in degraded
    assert len(process.actions("healed")) == 1
    assert process.stop() == 0


def test_a_server_that_is_not_there_is_tried_less_and_less_often(squids_process):
    """With SQS unreachable the consumer says so once, as an ERROR, and stays. Each try is one connection, and
    waits longer than the one before: at least half of 0.5, 1, 2 and 4 seconds."""
    with refuses_all() as (url, tries):
        process = squids_process(url).start("--workers", "2")
        (line,) = process.wait_for("degraded")
        assert "ERROR" in line
        wait_until(lambda: len(tries) >= 5, what=lambda: f"{len(tries)} tries")
        assert tries[4] - tries[0] > 3.7, "no more than five, however long it takes"
        assert len(process.actions("degraded")) == 1
        assert process.stop() == 0


@contextlib.contextmanager
def refuses_all():
    """A server that closes each connection at once; its URL, and when it was tried."""
    tries: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    tries.append(time.monotonic())
                    connection.close()

        threading.Thread(target=refuse, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", tries
        listener.shutdown(socket.SHUT_RDWR)


def test_it_heals_when_the_queue_comes_to_be(strict_sqs, squids_process):
    """A queue that does not exist yet is said at once, and waited for."""
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "1", queue="later")
    (line,) = process.wait_for("degraded")
    assert "ERROR" in line
    assert "does not exist" in line
    strict_sqs.create("later")
    strict_sqs.put("later", call("work", "a"))
    wait_until(lambda: process.journal.words("done") == ["a"], seconds=60)
    assert process.stop() == 0


def test_a_queue_deleted_while_running_is_waited_for(strict_sqs, queue, squids_process):
    """A queue that goes away does not end its consumer."""
    process = (
        squids_process(strict_sqs.endpoint_url).start("--workers", "1", "--polling-wait-time", "0").ready()
    )
    del strict_sqs.queues["tests"]
    process.wait_for("degraded")
    strict_sqs.create("tests")
    strict_sqs.put("tests", call("work", "a"))
    wait_until(lambda: process.journal.words("done") == ["a"], seconds=60)
    assert process.stop() == 0


def test_expired_credentials_are_looked_up_anew(strict_sqs, queue, squids_process):
    """When SQS says that credentials are expired, the consumer makes a new client and goes on."""
    process = (
        squids_process(strict_sqs.endpoint_url).start("--workers", "1", "--polling-wait-time", "0").ready()
    )
    urls = strict_sqs.calls["GetQueueUrl"]
    strict_sqs.fail("expired", action="ReceiveMessage", times=1)
    process.wait_for("healed")
    assert strict_sqs.calls["GetQueueUrl"] == urls + 1, "the new client asks for the queue's URL again"
    assert process.stop() == 0


@pytest.mark.parametrize("kind", ["entry", "missing"])
def test_a_partial_failure_of_a_delete_is_retried(strict_sqs, queue, squids_process, kind):
    """An entry of a batch that was refused, or not answered for, is deleted in the end, and run once."""
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "2", "--prefetch", "20").ready()
    strict_sqs.fail(kind, action="DeleteMessageBatch", times=3)
    for number in range(20):
        strict_sqs.put("tests", call("work", str(number)))
    wait_until(lambda: not queue.messages, seconds=30)
    assert len(process.journal.words("start")) == 20
    assert process.stop() == 0


@pytest.mark.parametrize("kind", ["cut", "503", "throttle"])
def test_a_delete_without_an_answer_is_retried(strict_sqs, queue, squids_process, kind):
    """A task whose delete failed as a whole is not run again: the delete is repeated."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "1", "--visibility-timeout", "2").ready()
    strict_sqs.fail(kind, action="DeleteMessageBatch", times=4)
    strict_sqs.put("tests", call("work", "a"))
    wait_until(lambda: not queue.messages, seconds=30)
    assert process.journal.words("start") == ["a"]
    assert process.actions("settle_failed")
    assert process.stop() == 0


@pytest.mark.slow
def test_a_partial_failure_of_a_beat_is_retried(strict_sqs, squids_process, tmp_path):
    """A refused extension is repeated before the visibility runs out."""
    queue = strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "1", "--visibility-timeout", "2").ready()
    message = strict_sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    strict_sqs.fail("entry", action="ChangeMessageVisibilityBatch", times=2)
    strict_sqs.wait_until(
        lambda: len(strict_sqs.happened("ChangeMessageVisibility", message.message_id)) >= 4
    )
    assert len(queue.in_flight()) == 1
    (tmp_path / "go").touch()
    wait_until(lambda: not queue.messages)
    assert process.journal.words("start") == ["a"]
    assert process.stop() == 0


def test_a_redelivered_message_is_not_run_twice(strict_sqs, queue, squids_process, tmp_path):
    """A message that SQS gives again while it runs here is run once, and deleted with its newest receipt."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "2").ready()
    message = strict_sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    wait_until(lambda: process.journal.words("start") == ["a"])
    with strict_sqs.together():
        message.visible_at = 0.0  # As SQS may: at least once.
    strict_sqs.wait_until(lambda: message.receive_count == 2)
    (tmp_path / "go").touch()
    wait_until(lambda: not queue.messages)
    assert process.journal.words("start") == ["a"]
    assert process.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1, 3])
def test_a_task_longer_than_the_visibility_is_run_once(strict_sqs, squids_process, tmp_path, seconds):
    """Tasks may take longer than the visibility, also on a queue whose own is a second."""
    queue = strict_sqs.create("tests", visibility=1)
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "1", "--prefetch", "4", "--visibility-timeout", str(seconds)).ready()
    for name in ("a", "b"):
        strict_sqs.put("tests", call("work", name, seconds * 2.5))
    wait_until(lambda: not queue.messages, seconds=40)
    assert sorted(process.journal.words("start")) == ["a", "b"]
    assert all(event.seconds == seconds for event in strict_sqs.happened("ReceiveMessage"))
    assert process.stop() == 0


def test_no_more_than_twice_the_workers_are_held(strict_sqs, queue, squids_process):
    """Held messages, with those that a receive may still bring, never exceed the budget."""
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "2").ready()
    for number in range(200):
        strict_sqs.put("tests", call("work", str(number), 0.001))
    most = 0

    def watch():
        nonlocal most
        with strict_sqs.together():
            most = max(most, len(queue.in_flight()))
        return not queue.messages

    wait_until(watch, seconds=60)
    assert most <= 4
    assert process.stop() == 0


def test_only_what_the_policy_allows_is_called(strict_sqs, queue, squids_process):
    """With a URL, receiving, deleting and changing visibility is all that is asked of SQS."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "1", "--retry-delay", "0", queue=strict_sqs.url("tests")).ready()
    strict_sqs.put("tests", call("work", "a"))
    strict_sqs.put("tests", call("fail", "b", 2))
    wait_until(lambda: not queue.messages)
    assert process.stop() == 0
    assert set(strict_sqs.calls) == {
        "ReceiveMessage",
        "DeleteMessageBatch",
        "ChangeMessageVisibilityBatch",
    }


def test_a_name_costs_one_lookup(strict_sqs, queue, squids_process):
    """With a name, the queue's URL is asked for once, whatever the number of workers."""
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "3").ready()
    assert process.stop() == 0
    assert strict_sqs.calls["GetQueueUrl"] == 1


def test_statistics_are_reported_only_if_asked_for(strict_sqs, queue, squids_process):
    """report_queue_stats runs in the main process; slow and raising callbacks delay no receive."""
    app = """
import os, time
import squids
app = squids.App("tests")

@app.task("tests")
def work(name):
    with open(os.environ["JOURNAL"], "a") as file:
        file.write(f"done {name} {os.getpid()}\\n")

@app.report_queue_stats
def raising(stats):
    raise RuntimeError("no good")

@app.report_queue_stats
def slow(stats):
    assert isinstance(stats["ApproximateNumberOfMessages"], int)
    with open(os.environ["JOURNAL"], "a") as file:
        file.write(f"stats {stats.queue_name} {os.getpid()}\\n")
    time.sleep(600)
"""
    process = squids_process(strict_sqs.endpoint_url, app)
    process.start("--workers", "1", "--report-interval", "1").ready()
    wait_until(lambda: process.journal.words("stats") == ["tests"])
    assert process.journal.pids("stats") == [process.pid]
    strict_sqs.put("tests", call("work", "a"))
    wait_until(lambda: process.journal.words("done") == ["a"])
    wait_until(lambda: process.actions("hook_failed"))
    assert strict_sqs.calls["GetQueueAttributes"] == 1
    assert process.stop() == 0


def test_bad_messages_harm_nobody_and_reach_the_dead_letter_queue(strict_sqs, squids_process):
    """What nobody can run is logged with its id, never deleted, and goes to the dead-letter queue by redrive."""
    queue = strict_sqs.create("tests", max_receive_count=2)
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "2", "--retry-delay", "0").ready()
    bad = [
        "this is not JSON",
        json.dumps(["a", "list"]),
        json.dumps({"args": []}),
        json.dumps({"task": 5}),
        json.dumps({"task": "shop.nothing", "args": [], "kwargs": {}}),
        call("work", "a", "b", "c", "d"),
        call("work", no_such="argument"),
        "\U0001f991" * 1000,
        "x" * (1024 * 1024),
        '{"task": "shop.work", "args": [' + "[" * 5000,
    ]
    ids = [strict_sqs.put("tests", body).message_id for body in bad]
    good = [str(number) for number in range(20)]
    for name in good:
        strict_sqs.put("tests", call("work", name))
    strict_sqs.put("tests", call("work", "big" * 300_000))
    strict_sqs.put("tests", call("work", "\U0001f991 \u00fc"))
    wait_until(lambda: not queue.messages, seconds=60, what="the queue is empty")
    assert set(good) <= set(process.journal.words("done"))
    assert {message.message_id for message in queue.dead_letter.messages} == set(ids)
    deleted = {event.message_id for event in strict_sqs.happened("DeleteMessage")}
    assert not deleted & set(ids)
    for message_id in ids:
        assert [line for line in process.actions("bad_message") if message_id in line]
    assert process.stop() == 0


def test_a_failed_task_comes_back_later_and_later(strict_sqs, queue, squids_process):
    """A task that raises goes back with a backoff by its receive count, and its traceback is the user's."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "1", "--retry-delay", "1").ready()
    message = strict_sqs.put("tests", call("fail", "x", 3))
    wait_until(lambda: process.journal.words("done") == ["x"], seconds=30)
    returns = [e.seconds for e in strict_sqs.happened("ChangeMessageVisibility", message.message_id)]
    assert returns[0] == 1
    assert 1 <= returns[1] <= 2
    lines = process.text.splitlines()
    start = lines.index(process.actions("task_failed")[0])
    assert lines[start + 1] == "Traceback (most recent call last):"
    assert 'shop.py", line' in lines[start + 2]
    assert "squids/" not in "\n".join(lines[start + 1 : start + 4])
    assert process.stop() == 0


def test_without_a_retry_delay_the_visibility_runs_out(strict_sqs, queue, squids_process):
    """--no-retry-delay leaves a failed message alone."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "1", "--no-retry-delay", "--visibility-timeout", "2").ready()
    strict_sqs.put("tests", call("fail", "x", 2))
    wait_until(lambda: process.journal.words("done") == ["x"], seconds=30)
    assert not strict_sqs.happened("ChangeMessageVisibility")
    assert process.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["empty", "null"])
def test_answers_at_once_are_paused_after_told_once_and_heal(strict_sqs, queue, squids_process, kind):
    """A server that ignores the wait is asked ever less often; the first message ends that."""
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "1", "--polling-wait-time", "5")
    process.ready()
    strict_sqs.fail(kind, action="ReceiveMessage", times=7)
    (line,) = process.wait_for("degraded")
    assert "a wait of 5 s was asked for" in line
    strict_sqs.put("tests", call("work", "a"))
    process.wait_for("healed", seconds=60)
    wait_until(lambda: process.journal.words("done") == ["a"])
    assert len(process.actions("degraded")) == 1
    assert process.stop() == 0


@pytest.mark.parametrize("kind", ["garbage", "odd"])
def test_answers_of_another_shape_are_trouble_like_any_other(strict_sqs, queue, squids_process, kind):
    """On receives, deletes and visibility changes alike: nothing ends, nothing counts as done, all heals."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "1", "--visibility-timeout", "5").ready()
    strict_sqs.fail(kind, action="ReceiveMessage", times=2)
    process.wait_for("degraded")
    process.wait_for("healed")
    strict_sqs.fail(kind, action="DeleteMessageBatch", times=2)
    strict_sqs.put("tests", call("work", "a"))
    wait_until(lambda: not queue.messages, what="it is deleted in the end")
    assert process.journal.words("start") == ["a"]
    assert process.stop() == 0


def test_a_thread_that_cannot_start_is_a_failed_call(strict_sqs, queue, squids_process):
    """As with a limit of processes that is reached for a moment: degraded, and all is done and deleted after it."""
    app = (
        APP
        + """
import threading
def _start(thread, start=threading.Thread.start):
    if thread.name.startswith("squids-settle") and os.path.exists("refuse"):
        raise RuntimeError("can't start new thread")
    start(thread)
threading.Thread.start = _start
"""
    )
    process = squids_process(strict_sqs.endpoint_url, app)
    (process.directory / "refuse").touch()
    process.start("--workers", "2").ready()
    for name in "abc":
        strict_sqs.put("tests", call("work", name))
    (line, *_) = process.wait_for("settle_failed")
    assert "refused a thread" in line
    assert queue.messages
    (process.directory / "refuse").unlink()
    wait_until(lambda: not queue.messages, what="all is deleted")
    assert sorted(process.journal.words("start")) == ["a", "b", "c"]
    assert process.stop() == 0

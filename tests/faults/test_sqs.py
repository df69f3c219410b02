"""A hostile or broken SQS: answers that trickle, refusals of one action, hundreds of answers at once."""

from __future__ import annotations

import json
import threading
import time

import pytest

import squids
from squids.send_retries import TRIES
from squids.sqs_answers import BadAnswer
from tests.support.processes import call
from tests.support.waiting import wait_until


@pytest.fixture
def queue(strict_sqs):
    return strict_sqs.create("tests")


def test_deletes_that_trickle_are_told_and_delay_no_heartbeat(strict_sqs, queue, squids_process, tmp_path):
    """Both calls hang on a byte now and then: they fail in time, a task that runs keeps its message, all heals."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "3", "--visibility-timeout", "16").ready()
    strict_sqs.put("tests", call("wait_for", "long", str(tmp_path / "go")))
    wait_until(lambda: process.journal.words("start") == ["long"])
    strict_sqs.fail("trickle", action="DeleteMessageBatch", times=4)
    strict_sqs.put("tests", call("work", "a"))
    strict_sqs.put("tests", call("work", "b"))
    (line, *_) = process.wait_for("settle_failed", seconds=60)
    assert "no whole answer within" in line
    wait_until(lambda: len(queue.messages) == 1, seconds=120, what="both are deleted in the end")
    (tmp_path / "go").touch()
    wait_until(lambda: not queue.messages)
    assert sorted(process.journal.words("start")) == ["a", "b", "long"], "none ran twice"
    assert process.stop() == 0


def degradations(process):
    """Why the supervisor saw the queue's consumer degraded, until now: the state may last for a second only."""
    answers = [json.loads(line) for line in process.verb("events", "tests", "--json").stdout.splitlines()]
    return [answer["text"] for answer in answers if answer.get("event") == "degraded"]


def test_receives_that_trickle_are_trouble_and_kill_nobody(strict_sqs, queue, supervisor):
    """The supervisor sees a degraded consumer, not a hung one, and it heals."""
    process = supervisor(strict_sqs.endpoint_url).write({"tests": {}}).up()
    pid = process.pid_of("tests")
    strict_sqs.fail("trickle", action="ReceiveMessage", times=1)
    degraded = wait_until(lambda: degradations(process), seconds=60)[0]
    assert "no whole answer within" in degraded
    strict_sqs.put("tests", call("work", "a"))
    wait_until(lambda: process.journal.words("done") == ["a"], seconds=60)
    wait_until(lambda: process.state("tests") == "running")
    assert process.pid_of("tests") == pid
    assert process.stop() == 0


def test_a_stop_does_not_wait_for_what_trickles(strict_sqs, queue, squids_process):
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "1").ready()
    strict_sqs.fail("trickle", action="ReceiveMessage", times=50)
    strict_sqs.wait_until(lambda: strict_sqs.faults.left < 50)
    assert process.stop(60) == 0
    process.nothing_left()


@pytest.mark.parametrize("action", ["DeleteMessageBatch", "ChangeMessageVisibilityBatch"])
def test_one_action_refused_is_degraded_with_its_reason(strict_sqs, queue, supervisor, tmp_path, action):
    """Receives go well, so only the state can tell that nothing is ever deleted, or extended."""
    process = supervisor(strict_sqs.endpoint_url)
    process.write({"tests": {"visibility_timeout": 4}}).up()
    strict_sqs.fail("denied", action=action, times=6)
    strict_sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    if action == "DeleteMessageBatch":
        (tmp_path / "go").touch()
    degraded = wait_until(lambda: degradations(process))[0]
    assert "AccessDenied" in degraded
    (tmp_path / "go").touch()
    wait_until(lambda: not queue.messages, seconds=60)
    process.until_state("tests", "running")
    assert process.stop() == 0


@pytest.mark.parametrize("kind", ["entry", "missing"])
@pytest.mark.parametrize("action", ["DeleteMessageBatch", "ChangeMessageVisibilityBatch"])
def test_entries_refused_or_not_answered_for_are_degraded(
    strict_sqs, queue, supervisor, tmp_path, action, kind
):
    """The call succeeds, and nothing of it is carried out: as bad as a call that fails, and told as one."""
    process = supervisor(strict_sqs.endpoint_url)
    process.write({"tests": {"visibility_timeout": 6}}).up()
    strict_sqs.fail(kind, action=action, times=5, code="AccessDenied")
    strict_sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    if action == "DeleteMessageBatch":
        (tmp_path / "go").touch()
    degraded = wait_until(lambda: degradations(process))[0]
    wanted = "AccessDenied" if kind == "entry" else "did not answer for it"
    assert wanted in degraded
    assert wanted in process.wait_for("settle_failed")[0]
    (tmp_path / "go").touch()
    wait_until(lambda: not queue.messages, seconds=60)
    assert process.journal.words("start") == ["a"]
    process.until_state("tests", "running")
    assert process.stop() == 0


def test_messages_that_are_held_already_cost_few_requests(strict_sqs, queue, squids_process, tmp_path):
    """A server that gives a message again at once, while it runs: it was 113 receives a second."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "3", "--polling-wait-time", "5", "--visibility-timeout", "60").ready()
    strict_sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    wait_until(lambda: process.journal.words("start") == ["a"])
    answering = threading.Event()

    def again():
        while not answering.wait(0.002):
            with strict_sqs.changed:
                for message in queue.in_flight():
                    message.visible_at = 0.0
                strict_sqs.changed.notify_all()

    thread = threading.Thread(target=again)
    thread.start()
    try:
        asked = strict_sqs.calls["ReceiveMessage"]
        began = time.monotonic()
        strict_sqs.wait_until(lambda: strict_sqs.calls["ReceiveMessage"] >= asked + 9, seconds=120)
        seconds = time.monotonic() - began
    finally:
        answering.set()
        thread.join()
    assert seconds >= 0.05 * (2**5 - 1), "each pause is twice the one before"
    (tmp_path / "go").touch()
    wait_until(lambda: not queue.messages, seconds=60)
    assert process.journal.words("start") == ["a"]
    assert process.stop() == 0


@pytest.mark.parametrize("wait", ["0", "5"])
def test_answers_at_once_cost_few_requests(strict_sqs, queue, squids_process, wait):
    """It was 800 a second."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "1", "--polling-wait-time", wait).ready()
    strict_sqs.fail("empty", action="ReceiveMessage", times=10_000)
    asked = strict_sqs.calls["ReceiveMessage"]
    began = time.monotonic()
    strict_sqs.wait_until(lambda: strict_sqs.calls["ReceiveMessage"] >= asked + 8, seconds=120)
    seconds = time.monotonic() - began
    assert seconds >= 0.05 * (2**5 - 1), "each pause is twice the one before"
    assert process.stop() == 0


@pytest.mark.parametrize("action", ["GetQueueUrl", "ReceiveMessage", "DeleteMessageBatch"])
def test_an_answer_without_end_is_given_up_before_it_fills_the_memory(
    strict_sqs, queue, squids_process, action
):
    """It comes as fast as it is read, for as long as a call may take; it is trouble, and all heals."""
    strict_sqs.fail("flood", action=action, times=1)
    strict_sqs.put("tests", call("work", "a"))
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "1")
    wait_until(
        lambda: "the answer has more than 64 MiB" in process.text, seconds=60, what=lambda: process.text
    )
    wait_until(lambda: not queue.messages, seconds=60, what=lambda: process.text)
    assert process.journal.words("done") == ["a"]
    assert strict_sqs.flooded < 100 * 2**20
    assert process.stop() == 0


def test_a_send_reads_no_answer_without_end(strict_sqs, queue):
    app = squids.App(
        "shop",
        config={
            "endpoint_url": strict_sqs.endpoint_url,
            "region_name": "eu-west-1",
            "aws_access_key_id": "a",
            "aws_secret_access_key": "b",
        },
    )

    @app.task("tests")
    def work(name):
        """Only sent."""

    strict_sqs.fail("flood", action="SendMessage", times=TRIES)
    with pytest.raises(BadAnswer, match="more than 64 MiB"):
        work.send("a")
    assert strict_sqs.flooded < TRIES * 100 * 2**20
    work.send("b")
    assert len(queue.messages) == 1

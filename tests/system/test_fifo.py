"""FIFO queues: one of a group at a time, in order, and nothing overtakes a failed one."""

from __future__ import annotations

import itertools

import boto3
import pytest

from tests.support.processes import call
from tests.support.waiting import wait_until


@pytest.fixture
def queue(strict_sqs):
    return strict_sqs.create("tests.fifo", visibility=1)


def intervals(journal):
    """Per name: when its task started and ended, by line number."""
    found: dict[str, tuple[int | None, int | None]] = {}
    for number, line in enumerate(journal.lines()):
        start, end = found.get(line[1], (None, None))
        found[line[1]] = (number, end) if line[0] == "start" else (start, number)
    return found


def test_order_within_groups_and_groups_beside_each_other(strict_sqs, queue, squids_process):
    """Each group runs in order and one at a time; different groups run at the same time."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "4", "--prefetch", "20", queue="tests.fifo").ready()
    with strict_sqs.together():
        for number in range(40):
            group = f"g{number % 3}"
            strict_sqs.put("tests.fifo", call("work", f"{group}.{number:02}", 0.01), group=group)
    wait_until(lambda: not queue.messages, seconds=60)
    started = process.journal.words("start")
    for group in ("g0", "g1", "g2"):
        mine = [name for name in started if name.startswith(group)]
        assert mine == sorted(mine)
    spans = intervals(process.journal)
    for group in ("g0", "g1", "g2"):
        mine = sorted(span for name, span in spans.items() if name.startswith(group))
        assert all(first[1] < second[0] for first, second in itertools.pairwise(mine))
    assert process.stop() == 0


@pytest.mark.slow
def test_nothing_overtakes_a_failed_one(strict_sqs, queue, squids_process):
    """When one of a group fails, those behind it go back unrun and come after it; other groups go on."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "2", "--prefetch", "10", "--retry-delay", "1", queue="tests.fifo").ready()
    with strict_sqs.together():
        strict_sqs.put("tests.fifo", call("fail", "first", 3), group="g")
        for name in ("second", "third"):
            strict_sqs.put("tests.fifo", call("work", name), group="g")
        for number in range(5):
            strict_sqs.put("tests.fifo", call("work", f"other{number}"), group="h")
    wait_until(lambda: not queue.messages, seconds=60)
    group = [name for name in process.journal.words("start") if not name.startswith("other")]
    assert group == ["first"] * 3 + ["second", "third"]
    assert process.stop() == 0


def test_a_killed_worker_does_not_break_the_order(strict_sqs, queue, squids_process):
    """A task that kills its worker is a failure like any other: nothing overtakes it."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "2", "--prefetch", "10", "--retry-delay", "0", queue="tests.fifo").ready()
    queue.max_receive_count = 3
    queue.dead_letter = strict_sqs.create("dead.fifo")
    with strict_sqs.together():
        strict_sqs.put("tests.fifo", call("die", "first"), group="g")
        strict_sqs.put("tests.fifo", call("work", "second"), group="g")
    wait_until(lambda: not queue.messages, seconds=60)
    names = process.journal.words("start")
    assert names == ["first"] * (len(names) - 1) + ["second"] or names == ["first"] * len(names)
    assert process.stop() == 0


def test_the_next_starts_when_the_delete_is_confirmed(strict_sqs, queue, squids_process):
    """While the delete of one is not confirmed, the next of its group does not start."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "2", "--prefetch", "10", queue="tests.fifo").ready()
    answer = strict_sqs.hold("DeleteMessageBatch")
    with strict_sqs.together():
        for name in ("first", "second"):
            strict_sqs.put("tests.fifo", call("work", name), group="g")
    strict_sqs.wait_until(lambda: strict_sqs.held["DeleteMessageBatch"] == 1)
    assert process.journal.words("start") == ["first"]
    answer.set()
    wait_until(lambda: not queue.messages)
    assert process.journal.words("start") == ["first", "second"]
    assert process.stop() == 0


def test_a_whole_group_is_extended_together(strict_sqs, queue, squids_process, tmp_path):
    """Those that wait behind a long task keep their visibility, so that SQS keeps the order."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start(
        "--workers", "1", "--prefetch", "10", "--visibility-timeout", "1", queue="tests.fifo"
    ).ready()
    go = tmp_path / "go"
    with strict_sqs.together():
        strict_sqs.put("tests.fifo", call("wait_for", "0", str(go)), group="g")
        for number in range(1, 5):
            strict_sqs.put("tests.fifo", call("work", str(number)), group="g")
    wait_until(lambda: process.journal.words("start") == ["0"])
    held = [message.message_id for message in queue.in_flight()]
    for message_id in held:
        strict_sqs.wait_until(
            lambda m=message_id: len(strict_sqs.happened("ChangeMessageVisibility", m)) >= 4
        )
    go.touch()
    wait_until(lambda: not queue.messages)
    assert process.journal.words("start") == [str(number) for number in range(5)]
    assert process.stop() == 0


def test_a_receive_cut_on_the_network_is_repeated_with_its_attempt_id(strict_sqs, queue, squids_process):
    """After a network failure the same ReceiveRequestAttemptId asks again, so that nothing hides in flight."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "1", "--polling-wait-time", "0", queue="tests.fifo").ready()
    strict_sqs.fail("cut", action="ReceiveMessage", times=1)
    process.wait_for("healed")
    ids = [d["ReceiveRequestAttemptId"] for _, a, d in strict_sqs.requests if a == "ReceiveMessage"]
    assert [first for first, second in itertools.pairwise(ids) if first == second]
    assert len(set(ids)) >= len(ids) - 1
    assert process.stop() == 0


def test_order_on_another_server(fauxqs_url, squids_process):
    """The same promise on a server that is not ours."""
    client = boto3.client(
        "sqs",
        endpoint_url=fauxqs_url,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    url = client.create_queue(
        QueueName="order.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    )["QueueUrl"]
    names = [f"g{number % 3}.{number:02}" for number in range(30)]
    for name in names:
        client.send_message(
            QueueUrl=url, MessageBody=call("work", name, 0.005), MessageGroupId=name.partition(".")[0]
        )
    process = squids_process(fauxqs_url).start("--workers", "3", "--exit-when-empty", queue="order.fifo")
    assert process.wait(60) == 0
    started = process.journal.words("start")
    assert sorted(started) == sorted(names)
    for group in ("g0", "g1", "g2"):
        mine = [name for name in started if name.startswith(group)]
        assert mine == sorted(mine)
    client.close()

"""The calls of a consumer. Most of it is tested against real servers, in `tests/integration` and `tests/system`."""

from __future__ import annotations

import squids
from squids.queues import QueueRef
from squids.sqs_client import CONNECT_TIMEOUT, READ_MARGIN, QueueStats, lean_config


def test_a_receive_is_waited_for_longer_than_it_asks_for() -> None:
    config = lean_config(20, 7)
    assert (config.connect_timeout, config.read_timeout) == (CONNECT_TIMEOUT, 20 + READ_MARGIN)
    assert config.retries["total_max_attempts"] == 1, "a consumer's retries are its own, and are seen"


def test_numbers_of_a_queue_are_numbers() -> None:
    stats = QueueStats("emails", {"ApproximateNumberOfMessages": "3", "QueueArn": "arn"})
    assert (stats["ApproximateNumberOfMessages"], stats["QueueArn"], stats.queue_name) == (3, "arn", "emails")


def test_a_client_is_made_once_until_it_is_renewed() -> None:
    """Making one looks up credentials."""
    config = {"aws_access_key_id": "x", "aws_secret_access_key": "y", "region_name": "eu-west-1"}
    client = squids.App("shop", config).sqs.queue_client(
        QueueRef.parse("emails"), wait_seconds=1, connections=1
    )
    first = client.prepare()
    assert client.prepare() is first
    client.renew()
    assert client.prepare() is not first

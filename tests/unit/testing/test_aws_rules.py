"""What boto3 and SQS would refuse of a message."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from squids.queues import QueueRef
from squids.sqs_limits import MAX_MESSAGE_BYTES
from squids.testing.aws_rules import check_send

PLAIN, FIFO = QueueRef.parse("emails"), QueueRef.parse("emails.fifo")


@pytest.mark.parametrize(
    ("ref", "options"),
    [
        (PLAIN, {}),
        (PLAIN, {"DelaySeconds": 900}),
        (PLAIN, {"DelaySeconds": 0, "MessageAttributes": {"a": {"DataType": "String", "StringValue": "x"}}}),
        (FIFO, {"MessageGroupId": "g"}),
        (FIFO, {"MessageGroupId": "g", "MessageDeduplicationId": "d", "DelaySeconds": 0}),
    ],
)
def test_what_sqs_takes_is_taken(ref: QueueRef, options: dict[str, Any]) -> None:
    check_send(ref, "{}", options)


@pytest.mark.parametrize(
    "options",
    [{"NoSuchOption": 1}, {"DelaySeconds": "5"}, {"MessageGroupId": 5}, {"MessageAttributes": []}],
)
def test_what_boto3_refuses_is_refused_as_it_does_it(options: dict[str, Any]) -> None:
    """A test that passes with a misspelt option would be worth less than none."""
    with pytest.raises(ParamValidationError):
        check_send(PLAIN, "{}", options)


@pytest.mark.parametrize(
    ("ref", "options", "code", "words"),
    [
        (PLAIN, {"DelaySeconds": 901}, "InvalidParameterValue", "DelaySeconds must be >= 0 and <= 900"),
        (PLAIN, {"DelaySeconds": -1}, "InvalidParameterValue", "Value -1 for parameter DelaySeconds"),
        (FIFO, {}, "MissingParameter", "MessageGroupId"),
        (
            FIFO,
            {"MessageGroupId": "g", "DelaySeconds": 5},
            "InvalidParameterValue",
            "not valid for this queue",
        ),
    ],
)
def test_what_sqs_refuses_is_refused_with_its_code(
    ref: QueueRef, options: dict[str, Any], code: str, words: str
) -> None:
    with pytest.raises(ClientError) as refused:
        check_send(ref, "{}", options)
    assert refused.value.response["Error"]["Code"] == code
    assert words in str(refused.value)


def test_a_message_is_counted_in_bytes() -> None:
    check_send(PLAIN, "x" * MAX_MESSAGE_BYTES, {})
    with pytest.raises(ClientError, match="must be shorter"):
        check_send(PLAIN, "ä" * (MAX_MESSAGE_BYTES // 2 + 1), {})

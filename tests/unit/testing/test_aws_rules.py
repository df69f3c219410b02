"""What boto3 and SQS would refuse of a message."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from squids.queues import QueueRef
from squids.sqs_limits import MAX_MESSAGE_BYTES
from squids.testing.aws_rules import check_send


def attribute(value: Any, kind: str = "String") -> dict[str, Any]:
    return {"DataType": kind, "BinaryValue" if kind.startswith("Binary") else "StringValue": value}


PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
PLAIN, FIFO = QueueRef.parse("emails"), QueueRef.parse("emails.fifo")


@pytest.mark.parametrize(
    ("ref", "options"),
    [
        (PLAIN, {}),
        (PLAIN, {"DelaySeconds": 900}),
        (PLAIN, {"DelaySeconds": 0, "MessageAttributes": {"a": {"DataType": "String", "StringValue": "x"}}}),
        (FIFO, {"MessageGroupId": "g"}),
        (FIFO, {"MessageGroupId": PUNCTUATION, "MessageDeduplicationId": "a" * 128}),
        (PLAIN, {"MessageGroupId": "tenant-1"}),  # For fair queues.
        (
            PLAIN,
            {
                "MessageAttributes": {
                    "a.b-C_1": attribute("5e3", "Number.int"),
                    "b": attribute(b"x", "Binary"),
                }
            },
        ),
        (PLAIN, {"MessageSystemAttributes": {"AWSTraceHeader": attribute("Root=1")}}),
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
        *(
            (ref, {"MessageGroupId": group}, "InvalidParameterValue", "MessageGroupId can only include")
            for ref in (PLAIN, FIFO)
            for group in ("", "a b", "ä", "a\n", "a" * 129)
        ),
        *(
            (
                FIFO,
                {"MessageGroupId": "g", "MessageDeduplicationId": given},
                "InvalidParameterValue",
                "MessageDeduplicationId can only include",
            )
            for given in ("", "a b", "ä", "a" * 129)
        ),
        (PLAIN, {"MessageDeduplicationId": "d"}, "InvalidParameterValue", "not valid for this queue"),
        *(
            (PLAIN, {"MessageAttributes": {name: attribute("x")}}, "InvalidParameterValue", "is malformed")
            for name in ("", "a b", ".a", "a.", "a..b", "AWS.a", "amazon.a", "x" * 257)
        ),
        *(
            (PLAIN, {"MessageAttributes": {"a": given}}, "InvalidParameterValue", words)
            for given, words in (
                (attribute("x", "Text"), "not supported"),
                (attribute(""), "must not be empty"),
                (attribute("x", "Number"), "to a number"),
                ({"DataType": "Binary", "StringValue": "x"}, "must use field 'BinaryValue'"),
            )
        ),
        (
            PLAIN,
            {"MessageAttributes": {f"a{number}": attribute("x") for number in range(11)}},
            "InvalidParameterValue",
            "exceeds the allowed maximum",
        ),
        (
            PLAIN,
            {"MessageSystemAttributes": {"Other": attribute("x")}},
            "InvalidParameterValue",
            "AWSTraceHeader",
        ),
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


def test_attributes_count_like_the_body() -> None:
    options = {"MessageAttributes": {"a": attribute("x" * 10)}}
    check_send(PLAIN, "x" * (MAX_MESSAGE_BYTES - 17), options)
    with pytest.raises(ClientError, match="must be shorter"):
        check_send(PLAIN, "x" * (MAX_MESSAGE_BYTES - 16), options)

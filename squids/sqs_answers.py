"""Validates each response of SQS and converts it to values. Pure.

botocore parses responses by the service model, but accepts a proxy's page, a null, or a list in place of
text. The rest of squids sees values of the right type and range, or one exception, `BadAnswer`, which is
reported and retried like any other trouble.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html,
API_DeleteMessageBatch, API_ChangeMessageVisibilityBatch, API_GetQueueUrl, API_GetQueueAttributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from squids.delivery import Delivery
from squids.errors import SquidsError
from squids.sqs_errors import STALE_CODES
from squids.sqs_limits import MAX_BATCH

MAX_RECEIVES = 10**9
"""Larger receive counts are ignored."""

LAST_MILLISECOND = 253_402_300_799_999
"""The end of the year 9999, the last that Python's datetime supports."""

MAX_CHARACTERS = 500
"""Maximum characters of the code or message that SQS gives for one entry."""


class BadAnswer(SquidsError):
    """What came is not an answer of SQS."""


@dataclass(frozen=True, slots=True)
class BatchFailure:
    """An entry that SQS refused. `stale`: its receipt is no longer valid."""

    id: str
    code: str
    message: str
    stale: bool


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The results of a batch by message id. SQS did not report on an entry that is in neither list."""

    done: list[str]
    failed: list[BatchFailure]


def read_messages(answer: Any) -> list[Delivery]:
    """Return the messages of a receive. Raises BadAnswer."""
    messages = _list(answer, "Messages")
    if len(messages) > MAX_BATCH:
        raise BadAnswer(f"a receive brought {len(messages)} messages; SQS gives {MAX_BATCH} at most")
    return [read_message(message) for message in messages]


def read_message(message: Any) -> Delivery:
    """Return one message of a receive. Raises BadAnswer."""
    if not isinstance(message, Mapping):
        raise BadAnswer(f"a message is {_kind(message)}, not an object")
    attributes = message.get("Attributes")
    if not isinstance(attributes, Mapping):
        attributes = {}
    body, group = message.get("Body"), attributes.get("MessageGroupId")
    sent = _number(attributes.get("SentTimestamp"), 0, LAST_MILLISECOND)
    return Delivery(
        _text(message, "MessageId"),
        _text(message, "ReceiptHandle"),
        body if isinstance(body, str) else "",
        _number(attributes.get("ApproximateReceiveCount"), 1, MAX_RECEIVES) or 1,
        None if sent is None else sent / 1000,
        group if isinstance(group, str) else None,
    )


def read_batch(answer: Any, ids: Sequence[str]) -> BatchAnswer:
    """Return the results of a batch whose entry Ids are positions in `ids`. Raises BadAnswer.

    Entries that were not requested are ignored.
    """
    known = {str(number): message_id for number, message_id in enumerate(ids)}
    done = [known[key] for entry in _list(answer, "Successful") if (key := _id(entry)) in known]
    failed = []
    for entry in _list(answer, "Failed"):
        key = _id(entry)
        if key in known:
            code, reason = _brief(entry.get("Code")) or "?", _brief(entry.get("Message"))
            stale = code in STALE_CODES or "ReceiptHandle" in reason
            failed.append(BatchFailure(known[key], code, reason, stale))
    return BatchAnswer(done, failed)


def read_url(answer: Any) -> str:
    """Return a queue's URL. Raises BadAnswer."""
    _check(answer)
    url = _text(answer, "QueueUrl")
    if not url.startswith(("http://", "https://")):
        raise BadAnswer(f"the queue's URL is {url[:80]!r}")
    return url


def read_attributes(answer: Any) -> dict[str, str]:
    """Return a queue's attributes, those that are text. Raises BadAnswer."""
    _check(answer)
    attributes = answer.get("Attributes") or {}
    if not isinstance(attributes, Mapping):
        raise BadAnswer(f"Attributes is {_kind(attributes)}, not an object")
    return {
        key: value for key, value in attributes.items() if isinstance(key, str) and isinstance(value, str)
    }


def _check(answer: Any) -> None:
    """Check that it is an object, and not made from an HTML page, which botocore parses as empty."""
    if not isinstance(answer, Mapping):
        raise BadAnswer(f"the answer is {_kind(answer)}, not an object")
    metadata = answer.get("ResponseMetadata")
    headers = metadata.get("HTTPHeaders") if isinstance(metadata, Mapping) else None
    kind = headers.get("content-type", "") if isinstance(headers, Mapping) else ""
    if isinstance(kind, str) and "html" in kind.lower():
        raise BadAnswer(
            "the answer is a page of HTML, not of SQS: check the endpoint, and proxies on the way"
        )


def _list(answer: Any, name: str) -> Sequence[Any]:
    _check(answer)
    value = answer.get(name)
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise BadAnswer(f"{name} is {_kind(value)}, not a list")
    return value


def _id(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        raise BadAnswer(f"an entry is {_kind(entry)}, not an object")
    key = entry.get("Id")
    return key if isinstance(key, str) else ""


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise BadAnswer(f"{name} is {_kind(value)}, not text")
    return value


def _number(value: object, least: int, most: int) -> int | None:
    """Parse a number from text; None if it is not a number or out of range."""
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 20:
        return None
    number = int(value)
    return number if least <= number <= most else None


def _brief(value: object) -> str:
    return value[:MAX_CHARACTERS] if isinstance(value, str) else ""


def _kind(value: object) -> str:
    return (
        "missing" if value is None else f"empty {type(value).__name__}" if not value else type(value).__name__
    )

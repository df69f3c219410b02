"""Validates each answer of SQS where it enters, and makes values of it. Pure.

botocore parses what came by the service's model, but accepts a page of a proxy, a null, a list in the place
of text. Whatever answers, the rest of squids sees values of the right type and range, or one
exception, `BadAnswer`, which is trouble like any other: told, and tried again.

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

MOST_RECEIVES = 10**9
"""A receive count beyond is not believed."""

LAST_MILLISECOND = 253_402_300_799_999
"""The end of the year 9999, the last that Python's datetime knows."""

MOST_CHARACTERS = 500
"""Of a reason that SQS gives for one entry."""


class BadAnswer(SquidsError):
    """What came is not an answer of SQS."""


@dataclass(frozen=True, slots=True)
class BatchFailure:
    """One entry that SQS refused. `stale`: its receipt is worth nothing any more."""

    id: str
    code: str
    message: str
    stale: bool


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What became of each entry of a batch. An entry in neither list was not answered for."""

    done: list[str]
    failed: list[BatchFailure]


def read_messages(answer: Any) -> list[Delivery]:
    """The messages of a receive. BadAnswer."""
    messages = _list(answer, "Messages")
    if len(messages) > MAX_BATCH:
        raise BadAnswer(f"a receive brought {len(messages)} messages; SQS gives {MAX_BATCH} at most")
    return [read_message(message) for message in messages]


def read_message(message: Any) -> Delivery:
    """One message of a receive. BadAnswer."""
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
        _number(attributes.get("ApproximateReceiveCount"), 1, MOST_RECEIVES) or 1,
        None if sent is None else sent / 1000,
        group if isinstance(group, str) else None,
    )


def read_batch(answer: Any, ids: Sequence[str]) -> BatchAnswer:
    """What became of the entries, whose Ids are their positions in `ids`. Entries that were not asked for are
    passed over. BadAnswer."""
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
    """A queue's URL. BadAnswer."""
    _check(answer)
    url = _text(answer, "QueueUrl")
    if not url.startswith(("http://", "https://")):
        raise BadAnswer(f"the queue's URL is {url[:80]!r}")
    return url


def read_attributes(answer: Any) -> dict[str, str]:
    """A queue's attributes: those that are text. BadAnswer."""
    _check(answer)
    attributes = answer.get("Attributes") or {}
    if not isinstance(attributes, Mapping):
        raise BadAnswer(f"Attributes is {_kind(attributes)}, not an object")
    return {
        key: value for key, value in attributes.items() if isinstance(key, str) and isinstance(value, str)
    }


def _check(answer: Any) -> None:
    """That it is an object, and not a page for people, of which botocore makes an empty one."""
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
    """A number that came as text; None if it is none, or out of range."""
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 20:
        return None
    number = int(value)
    return number if least <= number <= most else None


def _brief(value: object) -> str:
    return value[:MOST_CHARACTERS] if isinstance(value, str) else ""


def _kind(value: object) -> str:
    return (
        "missing" if value is None else f"empty {type(value).__name__}" if not value else type(value).__name__
    )

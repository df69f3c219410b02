"""What SQS refuses, and the errors that say so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

MAX_BYTES = 1_048_576
"""API_SendMessage: a message, and all of a batch together, is at most 1 MiB."""

MAX_DELAY = 900
"""API_SendMessage, DelaySeconds."""

TWELVE_HOURS = 43_200
"""API_ChangeMessageVisibility: the most seconds of a visibility timeout, counted from the receive."""

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""API_SendMessage: the characters that a body must not have."""

_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
"""API_SendMessageBatchRequestEntry, Id."""


class SQSError(Exception):
    """An error answer: its shape, its code for older clients (awsQueryCompatible), the status and a text.

    Where the model of the API has an exception, `shape` is its name, and botocore raises that exception.
    """

    def __init__(self, shape: str, message: str, *, query_code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.shape, self.message, self.status = shape, message, status
        self.query_code = query_code or shape


def of_service(shape: str, message: str, query_code: str | None = None) -> SQSError:
    """One whose older code has the service's prefix. DG sqs-json-faqs (awsQueryCompatible)."""
    return SQSError(shape, message, query_code=f"AWS.SimpleQueueService.{query_code or shape}")


def no_such_queue() -> SQSError:
    return of_service("QueueDoesNotExist", "The specified queue does not exist.", "NonExistentQueue")


def bad_value(message: str) -> SQSError:
    return SQSError("InvalidParameterValue", message)


def stale_receipt(receipt: str, reason: str) -> SQSError:
    """What SQS says of a receipt that was good once (aws-sdk-js#1279, boto3#2898, taskq#29)."""
    return bad_value(f"Value {receipt} for parameter ReceiptHandle is invalid. Reason: {reason}.")


def unknown_receipt(receipt: str) -> SQSError:
    """A receipt that no receive ever gave. API_DeleteMessage, ReceiptHandleIsInvalid."""
    return SQSError(
        "ReceiptHandleIsInvalid", f'The input receipt handle "{receipt}" is not a valid receipt handle.'
    )


def check_range(name: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise bad_value(
            f"Value {value} for parameter {name} is invalid. Reason: Must be between {low} and {high}."
        )
    return value


def check_body(body: str) -> None:
    """API_SendMessage: 1 byte to 1 MiB of allowed characters."""
    size = len(body.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= MAX_BYTES:
        raise bad_value(
            f"One or more parameters are invalid. Reason: Message has {size} bytes, of 1 to {MAX_BYTES}."
        )
    if _FORBIDDEN.search(body):
        raise SQSError(
            "InvalidMessageContents", "Invalid characters found. Valid unicode characters are listed."
        )


def check_send(data: dict[str, Any], *, fifo: bool, by_content: bool) -> None:
    """What a SendMessage, or an entry of a batch, must have. API_SendMessage."""
    check_body(data["MessageBody"])
    if "DelaySeconds" in data:
        check_range("DelaySeconds", int(data["DelaySeconds"]), 0, MAX_DELAY)
    if not fifo:
        if data.get("MessageDeduplicationId"):
            raise bad_value("MessageDeduplicationId is not valid for this queue type.")
        return
    if not data.get("MessageGroupId"):
        raise SQSError("MissingParameter", "The request must contain the parameter MessageGroupId.")
    if data.get("DelaySeconds"):
        raise bad_value("DelaySeconds is not valid for this queue type.")
    if not (by_content or data.get("MessageDeduplicationId")):
        raise bad_value("Either ContentBasedDeduplication or a MessageDeduplicationId is needed.")


def check_batch(entries: Sequence[dict[str, Any]]) -> None:
    """DG sqs-batch-api-actions and the API_...Batch pages: 1 to 10 entries with distinct ids; in all 1 MiB."""
    ids = [entry["Id"] for entry in entries]
    if not entries:
        raise of_service("EmptyBatchRequest", "There should be at least one entry in the request.")
    if len(entries) > 10:
        raise of_service("TooManyEntriesInBatchRequest", f"There are {len(entries)} entries, of 10 at most.")
    if len(set(ids)) < len(ids):
        raise of_service("BatchEntryIdsNotDistinct", "Two entries have the same id.")
    if not all(_ENTRY_ID.fullmatch(entry_id) for entry_id in ids):
        raise of_service("InvalidBatchEntryId", "An id has 1 to 80 letters, digits, hyphens and underscores.")
    if (
        sum(len(entry.get("MessageBody", "").encode("utf-8", "surrogatepass")) for entry in entries)
        > MAX_BYTES
    ):
        raise of_service("BatchRequestTooLong", f"The messages together have more than {MAX_BYTES} bytes.")

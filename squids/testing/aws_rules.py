"""Raises the errors that boto3 and SQS would raise for a message, without calling SQS.

Sources: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html and
botocore's model of it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from squids.queues import QueueRef
from squids.sqs_limits import MAX_MESSAGE_BYTES

MAX_DELAY = 900
"""The maximum of DelaySeconds, from the page above."""


def check_send(ref: QueueRef, body: str, options: Mapping[str, Any]) -> None:
    """Raise botocore's ParamValidationError or ClientError if a real send would."""
    from botocore.exceptions import ParamValidationError
    from botocore.validate import ParamValidator

    parameters = {"QueueUrl": "https://sqs.invalid/0/q", "MessageBody": body, **options}
    report = ParamValidator().validate(parameters, _shape())
    if report.has_errors():
        raise ParamValidationError(report=report.generate_report())
    delay = options.get("DelaySeconds")
    if delay is not None and not 0 <= delay <= MAX_DELAY:
        raise _refusal(
            "InvalidParameterValue",
            f"Value {delay} for parameter DelaySeconds is invalid. "
            "Reason: DelaySeconds must be >= 0 and <= 900.",
        )
    if ref.is_fifo and "MessageGroupId" not in options:
        raise _refusal("MissingParameter", "The request must contain the parameter MessageGroupId.")
    if ref.is_fifo and delay:
        raise _refusal(
            "InvalidParameterValue",
            f"Value {delay} for parameter DelaySeconds is invalid. "
            "Reason: The request include parameter that is not valid for this queue type.",
        )
    size = len(body.encode())
    if size > MAX_MESSAGE_BYTES:
        raise _refusal(
            "InvalidParameterValue",
            "One or more parameters are invalid. "
            f"Reason: Message must be shorter than {MAX_MESSAGE_BYTES} bytes, and has {size}.",
        )


@functools.cache
def _shape() -> Any:
    import botocore.session

    model = botocore.session.Session().get_service_model("sqs")
    return model.operation_model("SendMessage").input_shape


def _refusal(code: str, message: str) -> Exception:
    from botocore.exceptions import ClientError

    return ClientError({"Error": {"Code": code, "Message": message}}, "SendMessage")

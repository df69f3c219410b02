"""Raises the errors that boto3 and SQS would raise for a message, without calling SQS.

Sources: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html and
botocore's model of it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from squids.queues import QueueRef
from squids.sqs_limits import MAX_DELAY, MAX_MESSAGE_BYTES

TOKEN = re.compile(r"[!-~]{1,128}")
"""MessageGroupId and MessageDeduplicationId: letters, digits and ASCII punctuation, from the page above."""

MAX_ATTRIBUTES = 10
ATTRIBUTE_NAME = re.compile(r"(?!(?i:aws|amazon)\.)(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)")
DATA_TYPE = re.compile(r"(String|Number|Binary)(\..*)?")
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html"""


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
        raise _invalid("DelaySeconds", delay, f"DelaySeconds must be >= 0 and <= {MAX_DELAY}.")
    if ref.is_fifo and "MessageGroupId" not in options:
        raise _refusal("MissingParameter", "The request must contain the parameter MessageGroupId.")
    for name in ("MessageGroupId", "MessageDeduplicationId"):
        if name in options and not TOKEN.fullmatch(options[name]):
            reason = f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
            raise _invalid(name, options[name], reason)
    if ref.is_fifo and delay:
        raise _invalid("DelaySeconds", delay, WRONG_QUEUE)
    if not ref.is_fifo and "MessageDeduplicationId" in options:
        raise _invalid("MessageDeduplicationId", options["MessageDeduplicationId"], WRONG_QUEUE)
    attributes: Mapping[str, Mapping[str, Any]] = options.get("MessageAttributes", {})
    if len(attributes) > MAX_ATTRIBUTES:
        raise _refusal(
            "InvalidParameterValue",
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [10].",
        )
    for name, attribute in attributes.items():
        _check_attribute(name, attribute)
    for name, attribute in options.get("MessageSystemAttributes", {}).items():
        if name != "AWSTraceHeader" or attribute["DataType"] != "String":
            raise _invalid(
                "MessageSystemAttributes", name, "only AWSTraceHeader, of type String, is supported."
            )
        _check_attribute(name, attribute)
    size = len(body.encode()) + sum(_size(name, attribute) for name, attribute in attributes.items())
    if size > MAX_MESSAGE_BYTES:
        raise _refusal(
            "InvalidParameterValue",
            "One or more parameters are invalid. "
            f"Reason: Message must be shorter than {MAX_MESSAGE_BYTES} bytes, and has {size}.",
        )


WRONG_QUEUE = "The request include parameter that is not valid for this queue type."


def _check_attribute(name: str, attribute: Mapping[str, Any]) -> None:
    if not ATTRIBUTE_NAME.fullmatch(name):
        raise _invalid("MessageAttributes", name, "The name of a message attribute is malformed.")
    data_type = DATA_TYPE.fullmatch(attribute["DataType"])
    if data_type is None or len(attribute["DataType"]) > 256:
        raise _invalid("DataType", attribute["DataType"], f"of attribute '{name}': it is not supported.")
    value = attribute.get("BinaryValue" if data_type[1] == "Binary" else "StringValue")
    if not value:
        raise _refusal(
            "InvalidParameterValue",
            f"The message attribute '{name}' with type '{data_type[1]}' must use field "
            f"'{'Binary' if data_type[1] == 'Binary' else 'String'}Value', which must not be empty.",
        )
    if data_type[1] == "Number":
        try:
            float(value)
        except ValueError:
            raise _refusal(
                "InvalidParameterValue", f"Can't cast the value of message attribute '{name}' to a number."
            ) from None


def _size(name: str, attribute: Mapping[str, Any]) -> int:
    """Return the bytes of a message attribute, which count like those of the body."""
    text, data = attribute.get("StringValue", ""), attribute.get("BinaryValue", b"")
    binary = data.encode() if isinstance(data, str) else bytes(data)
    return len(name) + len(attribute["DataType"]) + len(text.encode()) + len(binary)


def _invalid(name: str, value: object, reason: str) -> Exception:
    return _refusal(
        "InvalidParameterValue", f"Value {value} for parameter {name} is invalid. Reason: {reason}"
    )


@functools.cache
def _shape() -> Any:
    import botocore.session

    model = botocore.session.Session().get_service_model("sqs")
    return model.operation_model("SendMessage").input_shape


def _refusal(code: str, message: str) -> Exception:
    from botocore.exceptions import ClientError

    return ClientError({"Error": {"Code": code, "Message": message}}, "SendMessage")

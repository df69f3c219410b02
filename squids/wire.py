"""A message's body: JSON, `{"task": "package.module.qualname", "args": [...], "kwargs": {...}}`. Pure.

This is the format of the original SQuidS. Unknown keys are ignored, so that later additions are compatible;
no new key is ever required.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from squids.errors import NotATaskMessage


@dataclass(frozen=True, slots=True)
class Call:
    """A task's name and its arguments, as JSON gives them."""

    task: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)


class JSON(Protocol):
    """Encodes and decodes bodies in place of the standard library's `json`; modules such as `orjson` are one.

    What it encodes, all consumers of the queue must be able to decode. Annotations are not used then.
    """

    def dumps(self, body: dict[str, Any], /) -> str | bytes:
        """Encode a call, with any arguments. Any exception is a TypeError of the sender."""

    def loads(self, body: str, /) -> Any:
        """Decode a body. Any exception makes the message a bad one."""


def encode_with(codec: JSON, body: dict[str, Any]) -> str:
    """Encode a body with an application's own codec. Raises TypeError."""
    try:
        text = codec.dumps(body)
        return text if isinstance(text, str) else text.decode()
    except Exception as error:
        raise TypeError(f"{body['task']}: the arguments cannot be encoded: {error}") from error


def encode(
    task: str, args: Sequence[Any], kwargs: Mapping[str, Any], names: Sequence[str | None] = ()
) -> str:
    """Encode a call as a body. Raises TypeError that names the argument which JSON cannot carry.

    `names`: parameter names of the positional arguments, for that error.
    """
    body = {"task": task, "args": list(args), "kwargs": dict(kwargs)}
    try:
        return to_json(body)
    except (TypeError, ValueError, RecursionError) as error:
        labels = [*names, *[None] * len(args)]
        for position, value in enumerate(args):
            _check(value, f'"{labels[position]}"' if labels[position] else f"number {position + 1}")
        for name, value in kwargs.items():
            _check(value, f'"{name}"')
        raise TypeError(f"JSON cannot carry the arguments: {error}") from error


_REFUSED = re.compile("[\ud800-\udfff\ufffe\uffff]")
"""Characters that SQS refuses, or that UTF-8 does not have. JSON escapes those below a space itself.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""


def to_json(body: Mapping[str, Any]) -> str:
    """Write a body, with characters beyond ASCII as they are: SQS counts the bytes of UTF-8.

    Escaped, a Chinese character takes six bytes instead of three. Raises as json.dumps does.
    """
    text = json.dumps(body, allow_nan=False, ensure_ascii=False)
    if text.isascii():
        return text
    return _REFUSED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def decode(body: str, codec: JSON | None = None) -> Call:
    """Decode a body. Raises NotATaskMessage with the reason if it is not a call."""
    try:
        data = json.loads(body) if codec is None else codec.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotATaskMessage(f"the body is not JSON: {error}") from None
    except Exception as error:  # It is the application's.
        raise NotATaskMessage(f"the body cannot be decoded: {error}") from None
    if not isinstance(data, dict):
        raise NotATaskMessage(f"the body is a JSON {_kind(data)}, not an object")
    task, args, kwargs = data.get("task"), data.get("args", []), data.get("kwargs", {})
    if not isinstance(task, str):
        raise NotATaskMessage('the body has no "task"' if task is None else '"task" is not a string')
    if not isinstance(args, list):
        raise NotATaskMessage(f'"args" is a JSON {_kind(args)}, not an array')
    if not isinstance(kwargs, dict):
        raise NotATaskMessage(f'"kwargs" is a JSON {_kind(kwargs)}, not an object')
    return Call(task, args, kwargs)


def _check(value: Any, label: str) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"argument {label} cannot be sent as JSON: {error}") from None


def _kind(value: Any) -> str:
    names = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "null")

"""Scalars without a type in YAML: times, sizes, permission bits and limits; and how values are shown."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, GetJsonSchemaHandler, Strict, WithJsonSchema

from squids.hints import did_you_mean
from squids.process.child import LIMITS

DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)")
UNITS = {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
SIZE = re.compile(r"(\d+)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
SIZES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}

MAX_SECONDS = 30 * 365 * 86400
MAX_BYTES = 2**63 - 1
"""The maximum of setrlimit(2)."""

OCTAL = r"0o[0-7]{1,4}|[0-7]{3,4}"


def duration(value: Any) -> Any:
    """Parse seconds: a number, or a number with a unit. Raises ValueError."""
    if isinstance(value, str):
        match = DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"expected a time such as 30, 30s or 5m, not {shown(value)}")
        value = float(match[1]) * UNITS[match[2]]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a time such as 30, 30s or 5m, not {shown(value)}")
    if not abs(value) <= MAX_SECONDS:  # Rejects NaN, and integers too large for a float.
        raise ValueError("expected a time of at most 30 years")
    return float(value)


def whole_seconds(value: Any) -> Any:
    """Parse whole seconds. Raises ValueError."""
    seconds = duration(value)
    if seconds != int(seconds):
        raise ValueError(f"expected whole seconds, not {shown(value)}")
    return int(seconds)


def size(value: Any) -> Any:
    """Parse bytes: a number, or a number with K, M, G or T. Raises ValueError."""
    if isinstance(value, str):
        match = SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"expected a size such as 512M, not {shown(value)}")
        value = int(match[1]) * SIZES[match[2].upper()] if len(match[1]) < 20 else MAX_BYTES + 1
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected a size such as 512M, not {shown(value)}")
    if not abs(value) <= MAX_BYTES:
        raise ValueError(f"expected a size of at most {MAX_BYTES}")
    return value


def limit(value: Any) -> Any:
    """Parse a number, a size, or "unlimited". Raises ValueError."""
    if value == "unlimited":
        return None
    number = size(value)
    if number < 0:
        raise ValueError(f'expected 0 or more, or "unlimited", not {shown(value)}')
    return number


def file_or_mapping(value: Any) -> Any:
    """Check the value of `logging`. Raises ValueError."""
    if value is not None and not isinstance(value, str | dict):
        raise ValueError(f"expected a file or a mapping, not {shown(value)}")
    if value == "":
        raise ValueError("is empty")
    return value


def octal(value: Any) -> Any:
    """Parse permission bits, which are always octal. Raises ValueError."""
    if not isinstance(value, str) or not re.fullmatch(OCTAL, value):
        raise ValueError(f"expected octal digits such as 0027, not {shown(value)}")
    return int(value.replace("o", ""), 8)


def checked_limits(limits: dict[str, Any]) -> dict[str, Any]:
    """Check that all limits are known. Raises ValueError."""
    for name in limits:
        if name not in LIMITS:
            hint = did_you_mean(name, LIMITS, f"known limits: {', '.join(LIMITS)}", quoted=True)
            raise ValueError(f'unknown limit "{name}", {hint}')
    return limits


def shown(value: object) -> str:
    """Format a value as its author would recognize it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f'"{value}"' if isinstance(value, str) else str(value)


class AlsoWritten:
    """Says in the JSON Schema that a value may also have another type, which a validator converts."""

    def __init__(self, kind: str, **more: Any) -> None:
        self._schema = {"type": kind, **more}

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(core), self._schema]}


def _schema(*kinds: str, pattern: str | None = None) -> WithJsonSchema:
    """The JSON Schema of a value of one of these types, or a string; `pattern`: of the string."""
    text = {"type": "string"} if pattern is None else {"type": "string", "pattern": pattern}
    return WithJsonSchema({"anyOf": [text, *({"type": kind} for kind in kinds)]})


_TIME = rf"^\s*{DURATION.pattern}\s*$"
_OCTAL_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "pattern": "^(0o0?[0-7]{1,3}|0?[0-7]{3})$"},
        {"type": "integer", "minimum": 0, "maximum": 777},
    ]
}
"""At most 0777. Editors read 0027 as a number, in a way that depends on their version of YAML."""

Duration = Annotated[float, BeforeValidator(duration), _schema("number", pattern=_TIME)]
Seconds = Annotated[int, BeforeValidator(whole_seconds), _schema("integer", pattern=_TIME)]
Size = Annotated[int, BeforeValidator(size), _schema("integer")]
Limit = Annotated[int | None, BeforeValidator(limit), _schema("integer")]
Octal = Annotated[int, BeforeValidator(octal), WithJsonSchema(_OCTAL_SCHEMA)]
LoggingConfig = Annotated[
    Any,
    BeforeValidator(file_or_mapping),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"type": "object"}, {"type": "null"}]}),
]
Text = Annotated[str, Strict(False), _schema("number")]
"""A string. A plain number is accepted too: a queue may be called 2025."""
Environment = dict[str, Annotated[Text | None, _schema("number", "boolean", "null")]]
"""Variables by name. A value that YAML takes for a number, true or false is kept as written."""

"""Formats and bounds the values of log lines. Pure.

Imports little: the verbs, which start fast, print JSON with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from squids.bounds import DETAIL, DETAILS, NAME, cut
from squids.printable import printable


def shown(value: object) -> str:
    """Format a value of `key=value`: quoted if it has spaces, with control characters escaped."""
    text = _text(value)
    if not text or any(character.isspace() or character in '"=' for character in text):
        return printable(json.dumps(text, ensure_ascii=False))
    return printable(text)


def json_line(event: Mapping[str, Any]) -> str:
    """Format an object as one line of JSON that is safe on a terminal.

    Escapes the control characters that JSON permits, and what some readers take for a line end.
    """
    try:
        text = json.dumps(event, default=_text, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):  # A key that is not text, NaN, or a cycle: use its text.
        text = json.dumps({key: _plain(value) for key, value in event.items()}, ensure_ascii=False)
    if text.isascii() and "\x7f" not in text:
        return text
    return text.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode()


_UNSEEN = (
    *range(0x7F, 0xA0),
    *(0x061C, 0x200E, 0x200F),
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
    *range(0xFFF9, 0xFFFC),
)
"""Characters that `printable` escapes, but JSON does not."""

_ESCAPES = {code: f"\\u{code:04x}" for code in _UNSEEN}


def bounded(details: Mapping[str, Any]) -> dict[str, Any]:
    """Cut the fields of a line to their limits, each and all together."""
    found: dict[str, Any] = {}
    room = DETAILS
    for name, value in details.items():
        if room <= 0:
            found["details_cut"] = len(details) - len(found)
            break
        name, value = cut(_text(name), NAME), _bounded(value)
        room -= len(name) + (len(_text(value)) if not isinstance(value, bool | float | None) else 8)
        found[name] = value
    return found


def _bounded(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _text(value)
    if isinstance(value, int):
        return value if value.bit_length() < 1024 else f"an integer of {value.bit_length()} bits"
    if isinstance(value, str):
        return cut(_text(value), DETAIL)
    text = _plain(value)
    if isinstance(text, str):
        return cut(text, DETAIL)
    return value if len(_text(value)) <= DETAIL else cut(_text(value), DETAIL)


def _plain(value: object) -> object:
    """Return the value if JSON can represent it, otherwise its text."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return _text(value)
    return value


def _text(value: object) -> str:
    """Convert to a plain str. `__str__` may be the application's, and raise."""
    try:
        return "".join((str(value), ""))
    except Exception:
        return f"<{type(value).__name__} that cannot be shown>"

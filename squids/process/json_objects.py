"""Merges a line that the application formatted as a JSON object into ours, for logs that are JSON. Pure.

Our fields stand. What the application calls by the name of one of them is kept beside it, as `app_NAME`: a
line may hold what a message says, and must not pass for a report of squids.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

MOST = 64 * 1024
"""Maximum characters of an object that is merged. A longer one stays a text, as it is."""

DEPTH = 16
"""Maximum depth of an object that is merged. Many readers of logs refuse what is much deeper."""

OURS = frozenset(
    {"time", "level", "program", "worker", "printed", "logger", "message", "action", "queue", "pid"}
)
"""Fields that say what happened and where. The application cannot set them."""

MESSAGES = ("message", "event", "msg")
"""What others call the text of a line: most libraries, structlog, bunyan and its like."""

LEVELS = {"WARN": "WARNING", "FATAL": "CRITICAL", "EXCEPTION": "ERROR"} | {
    level: level for level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
}
"""Levels as others write them, in capitals."""


def merged(text: str, ours: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return our fields with those of the object that the text is, or None if it is none.

    A printed line takes its level and logger from the object; a record has its own.
    """
    theirs = _object(text)
    if theirs is None:
        return None
    event = dict(ours)
    if event.get("printed"):
        event["level"] = _level(theirs, event["level"])
        logger = theirs.get("logger")
        if isinstance(logger, str) and logger.partition(".")[0] != "squids":
            event["logger"] = theirs.pop("logger")
    elif _level(dict(theirs), "") == event["level"]:
        del theirs["level"]
    name = next((name for name in MESSAGES if isinstance(theirs.get(name), str)), None)
    event["message"] = theirs.pop(name) if name is not None else ""
    for name, value in theirs.items():
        if name in event and event[name] == value:
            continue
        key = name
        while key in OURS or key in event or (key != name and key in theirs):
            key = f"app_{key}"
        event[key] = value
    return event


def _level(theirs: dict[str, Any], otherwise: str) -> str:
    """Take the level out of an object, if it is one that we know."""
    level = theirs.get("level")
    if not isinstance(level, str) or level.upper() not in LEVELS:
        return otherwise
    return LEVELS[theirs.pop("level").upper()]


def _object(text: str) -> dict[str, Any] | None:
    if not text.startswith("{") or len(text) > MOST or not text.endswith(("}", " ", "\t")):
        return None
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and _is_plain(found, DEPTH) else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _is_plain(value: object, depth: int) -> bool:
    """Whether JSON can represent it, within this depth. The number 1e999 is read as infinite."""
    if isinstance(value, float):
        return math.isfinite(value)
    if not isinstance(value, dict | list):
        return True
    items = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_plain(item, depth - 1) for item in items)

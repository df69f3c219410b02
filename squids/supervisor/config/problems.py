"""Converts pydantic's errors to problems with our wording and a location."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from squids.hints import did_you_mean
from squids.supervisor.config.document import Document, Path, Problem
from squids.supervisor.config.rules import (
    BackoffRules,
    DefaultRules,
    FileRules,
    LogFileRules,
    MaxRestartsRules,
    QueueRules,
    ReloadRules,
    SupervisorRules,
)
from squids.supervisor.config.scalars import shown

MODELS: dict[str, type[BaseModel]] = {
    "supervisor": SupervisorRules,
    "reload": ReloadRules,
    "defaults": DefaultRules,
    "backoff": BackoffRules,
    "max_restarts": MaxRestartsRules,
    "log_file": LogFileRules,
}


_EXPECTED = {
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "list_type": "a list",
    "string_type": "a text",
    "float_type": "a number",
}
_LIMITS = {
    "greater_than_equal": ("less than", "ge"),
    "less_than_equal": ("more than", "le"),
    "greater_than": ("not more than", "gt"),
}
"""What breaks a limit, in words, and where pydantic says the limit."""


def problem_of(text: Document, detail: Any) -> Problem:
    """One error of pydantic's `ValidationError.errors()`, in the file's terms."""
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    kind, is_key = detail["type"], "[key]" in detail["loc"]
    while kind != "missing" and path not in text.locations and path not in text.keys and len(path) > 1:
        path = path[:-1]
    if kind == "missing":
        return Problem(text.location(path[:-1]), path[:-1], f"{path[-1]} is missing")
    location = text.location(path, key=kind == "extra_forbidden" or is_key)
    if is_key:
        known = detail.get("ctx", {}).get("expected", "").replace("'", "").split(", ")
        return Problem(location, path, _unknown(path, known))
    if kind == "extra_forbidden":
        return Problem(location, path, _unknown(path, _known_keys(path[:-1])))
    return Problem(location, path, _words(detail))


def _words(detail: Any) -> str:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail.get("input")
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, not {shown(value)}"
    if kind in _LIMITS:
        words, key = _LIMITS[kind]
        return f"{_plain(value)} is {words} {context[key]:g}"
    match kind:
        case "value_error":
            return str(context.get("error", detail["msg"]))
        case "literal_error":
            words = f"expected {context['expected'].replace(chr(39), '')}, not {shown(value)}"
            return words + _near(str(value), re.findall(r"[\w-]+", context["expected"].replace(" or ", ", ")))
        case "finite_number":
            return "expected a smaller number"
        case "string_too_short":
            return "is empty"
    return f"is not valid: {detail['msg']}"


def _plain(value: object) -> str:
    return str(value) if isinstance(value, int | float | str) else shown(value)


def _unknown(path: Path, known: list[str]) -> str:
    hint = did_you_mean(str(path[-1]), known, quoted=True)
    if hint:
        return f"unknown key, {hint}"
    moved = _home_of(str(path[-1]), path)
    return f"unknown key; {moved}" if moved else f"unknown key; known keys: {', '.join(sorted(known))}"


def _home_of(key: str, path: Path) -> str | None:
    """Return where a misplaced key belongs, or None."""
    if len(path) == 1 and key in DefaultRules.model_fields:
        return "it belongs under defaults, or a queue"
    if len(path) > 1 and key in SupervisorRules.model_fields:
        return "it belongs under supervisor"
    return None


def _known_keys(path: Path) -> list[str]:
    if not path:
        return list(FileRules.model_fields)
    last = str(path[-1])
    if len(path) == 2 and path[0] == "queues":
        return list(QueueRules.model_fields)
    return list(MODELS[last].model_fields) if last in MODELS else list(DefaultRules.model_fields)


def _near(value: str, known: list[str]) -> str:
    hint = did_you_mean(value, known)
    return f"; {hint}" if hint else ""

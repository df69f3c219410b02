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


def problem_of(text: Document, detail: Any) -> Problem:
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    kind, context, value = detail["type"], detail.get("ctx", {}), detail.get("input")
    while path and path not in text.locations and path not in text.keys and len(path) > 1:
        if kind == "missing":
            break
        path = path[:-1]
    location = text.location(path, key=kind in ("extra_forbidden",) or "[key]" in detail["loc"])
    if "[key]" in detail["loc"]:
        return Problem(
            location, path, _unknown(path, list(context.get("expected", "").replace("'", "").split(", ")))
        )
    match kind:
        case "extra_forbidden":
            return Problem(location, path, _unknown(path, _known_keys(path[:-1])))
        case "missing":
            words = f"{path[-1]} is missing"
            return Problem(text.location(path[:-1]), path[:-1], words)
        case "value_error":
            words = str(context.get("error", detail["msg"]))
        case "literal_error":
            words = f"expected {context['expected'].replace(chr(39), '')}, not {shown(value)}"
            words += _near(str(value), re.findall(r"[\w-]+", context["expected"].replace(" or ", ", ")))
        case "greater_than_equal":
            words = f"{_plain(value)} is less than {context['ge']:g}"
        case "less_than_equal":
            words = f"{_plain(value)} is more than {context['le']:g}"
        case "greater_than":
            words = f"{_plain(value)} is not more than {context['gt']:g}"
        case "dict_type" | "model_type" | "model_attributes_type":
            words = f"expected a mapping of keys to values, not {shown(value)}"
        case "bool_type":
            words = f"expected true or false, not {shown(value)}"
        case "int_type":
            words = f"expected a whole number, not {shown(value)}"
        case "finite_number":
            words = "expected a smaller number"
        case "list_type":
            words = f"expected a list, not {shown(value)}"
        case "string_type":
            words = f"expected a text, not {shown(value)}"
        case "float_type":
            words = f"expected a number, not {shown(value)}"
        case "string_too_short":
            words = "is empty"
        case _:
            words = f"is not valid: {detail['msg']}"
    return Problem(location, path, words)


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

"""The JSON Schema of a configuration file, for editors.

pydantic describes what the rules get, after YAML was read. Here that becomes what a person may write: numbers
within their range, permission bits in octal digits, and a variable wherever a scalar may be. What the loader
accepts, the schema accepts.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

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
from squids.supervisor.config.yaml_values import EXTENSION, WRITTEN

MODELS = (
    BackoffRules,
    DefaultRules,
    LogFileRules,
    MaxRestartsRules,
    QueueRules,
    ReloadRules,
    SupervisorRules,
)

VARIABLE = {"type": "string", "pattern": r"\$\{"}
"""`${NAME}`, alone or in a text; its value may be a number, true or false."""

BESIDE = ("default", "description", "title")
"""What a schema says of a key, and not of one of its alternatives."""

OF_NUMBERS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum"}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema, for editors and the documentation."""
    schema = FileRules.model_json_schema()
    for mapping in (schema, *(schema["$defs"][model.__name__] for model in MODELS)):
        mapping["patternProperties"] = {f"^{EXTENSION}": {"description": "Your own, for YAML anchors."}}
    _write_properties(FileRules, schema)
    for model in MODELS:
        _write_properties(model, schema["$defs"][model.__name__])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "squids.yaml",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _write_properties(model: type[BaseModel], schema: dict[str, Any]) -> None:
    for name, field in model.model_fields.items():
        rule = schema["properties"][name]
        alternatives = [_limited(one, field.metadata) for one in _alternatives(rule)]
        if _needs_variable(alternatives):
            alternatives.append(VARIABLE)
        beside = {key: rule[key] for key in BESIDE if key in rule}
        if isinstance(field.default, BaseModel):
            beside["default"] = {}
        elif name in WRITTEN and field.default is not None:
            beside["default"] = f"{field.default:04o}"
        only = alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}
        schema["properties"][name] = {**only, **beside}


def _alternatives(rule: dict[str, Any]) -> list[dict[str, Any]]:
    if "anyOf" in rule:
        return [one for inner in rule["anyOf"] for one in _alternatives(inner)]
    return [{key: value for key, value in rule.items() if key not in BESIDE}]


def _limited(rule: dict[str, Any], metadata: list[Any]) -> dict[str, Any]:
    """Add a range to a number that has none: pydantic leaves it out, or garbles it, after a validator."""
    found = dict(rule)
    for limit in metadata:
        if rule.get("type") in ("integer", "number") and "maximum" not in rule:
            found |= {word: getattr(limit, name) for name, word in OF_NUMBERS.items() if hasattr(limit, name)}
        if rule.get("type") == "string" and hasattr(limit, "min_length"):
            found["minLength"] = limit.min_length
    return found


def _needs_variable(alternatives: list[dict[str, Any]]) -> bool:
    """Whether a scalar is expected, and not just any text."""
    scalars = [one for one in alternatives if one.get("type") in ("boolean", "integer", "number", "string")]
    return bool(scalars) and not any(set(one) == {"type"} and one["type"] == "string" for one in scalars)

"""What a configuration of logging may look like: the schema of `logging.config.dictConfig`. Pure.

https://docs.python.org/3/library/logging.config.html#dictionary-schema-details

Nothing that it names is imported here. What a handler, formatter or filter takes, its class knows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from squids.hints import did_you_mean

LEVELS = ("CRITICAL", "FATAL", "ERROR", "WARNING", "WARN", "INFO", "DEBUG", "NOTSET")

TOP = (
    "version",
    "formatters",
    "filters",
    "handlers",
    "loggers",
    "root",
    "incremental",
    "disable_existing_loggers",
)

SECTIONS = ("formatters", "filters", "handlers", "loggers")

OF_LOGGER = ("level", "handlers", "filters", "propagate")

FACTORY = "()"
"""The key of a callable that makes the object. It takes all other keys."""

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class LogMistake:
    """What is wrong, and where."""

    path: Path
    text: str

    def __str__(self) -> str:
        path = ".".join(str(part) for part in self.path)
        return f"{path}: {self.text}" if path else self.text


def mistakes(config: Mapping[str, Any]) -> list[LogMistake]:
    """Return all that is wrong with a configuration. `version` may be left out."""
    return list(_mistakes(config))


def _mistakes(config: Mapping[str, Any]) -> Iterator[LogMistake]:
    yield from _unknown((), config, TOP)
    version = config.get("version", 1)
    if version != 1 or isinstance(version, bool):
        yield LogMistake(("version",), "1 is the only version there is")
    for name in ("incremental", "disable_existing_loggers"):
        yield from _boolean(config, (name,))
    parts = {section: config.get(section) for section in SECTIONS}
    names: Names = {name: tuple(part) if isinstance(part, Mapping) else () for name, part in parts.items()}
    if config.get("incremental") is True:  # It names what is there already.
        names = dict.fromkeys(SECTIONS)
    for section, part in parts.items():
        yield from _section(section, part, names)
    yield from _part(("root",), config.get("root"), names, _logger)


Names = Mapping[str, "Collection[str] | None"]
"""What each section defines. None: it is not known here."""


def _section(section: str, parts: object, names: Names) -> Iterator[LogMistake]:
    if isinstance(parts, Mapping):
        for name, part in parts.items():
            yield from _part((section, name), part, names, _CHECKS.get(section))
    elif parts is not None:
        yield LogMistake((section,), "expected a mapping of names to their keys")


def _part(path: Path, part: object, names: Names, check: Check | None) -> Iterator[LogMistake]:
    if not isinstance(part, Mapping):
        if part is not None or path != ("root",):
            yield LogMistake(path, "expected a mapping of keys to values")
    elif check is not None:
        yield from check(path, part, names)


def _formatter(path: Path, part: Mapping[str, Any], names: Names) -> Iterator[LogMistake]:
    style = part.get("style", "%")
    if FACTORY not in part and style not in ("%", "{", "$"):
        yield LogMistake((*path, "style"), "expected %, { or $")
    yield from _class(path, part)


def _handler(path: Path, part: Mapping[str, Any], names: Names) -> Iterator[LogMistake]:
    if names["handlers"] is not None and "class" not in part and FACTORY not in part:
        yield LogMistake(path, f"has no class, and no {FACTORY}")
    yield from _class(path, part)
    yield from _level(path, part)
    formatter = part.get("formatter")
    if formatter is not None:
        yield from _reference((*path, "formatter"), formatter, "formatters", names)
    yield from _references(path, part, "filters", names)


def _logger(path: Path, part: Mapping[str, Any], names: Names) -> Iterator[LogMistake]:
    yield from _unknown(path, part, OF_LOGGER)
    yield from _level(path, part)
    yield from _boolean(part, (*path, "propagate"))
    yield from _references(path, part, "handlers", names)
    yield from _references(path, part, "filters", names)


Check = Callable[[Path, Mapping[str, Any], Names], Iterator[LogMistake]]

_CHECKS: dict[str, Check] = {
    "formatters": _formatter,
    "handlers": _handler,
    "loggers": _logger,
}


def _class(path: Path, part: Mapping[str, Any]) -> Iterator[LogMistake]:
    for key in ("class", FACTORY):
        if key in part and not (isinstance(part[key], str) and part[key]):
            yield LogMistake((*path, key), "expected the name of a class, such as logging.FileHandler")


def _level(path: Path, part: Mapping[str, Any]) -> Iterator[LogMistake]:
    level = part.get("level")
    if level is None or (isinstance(level, int) and not isinstance(level, bool)) or level in LEVELS:
        return
    hint = did_you_mean(level.upper(), LEVELS) if isinstance(level, str) else ""
    words = "expected a level such as INFO, or its number"
    yield LogMistake((*path, "level"), f"{words}; {hint}" if hint else words)


def _boolean(part: Mapping[str, Any], path: Path) -> Iterator[LogMistake]:
    if not isinstance(part.get(str(path[-1])), bool | None):
        yield LogMistake(path, "expected true or false")


def _references(path: Path, part: Mapping[str, Any], section: str, names: Names) -> Iterator[LogMistake]:
    found = part.get(section)
    if found is None:
        return
    if not isinstance(found, list):
        yield LogMistake((*path, section), f"expected a list of {section}")
        return
    for number, name in enumerate(found):
        yield from _reference((*path, section, number), name, section, names)


def _reference(path: Path, name: object, section: str, names: Names) -> Iterator[LogMistake]:
    known = names[section]
    if not isinstance(name, str):
        yield LogMistake(path, f"expected the name of one of the {section}")
    elif known is not None and name not in known and not name.startswith(("ext://", "cfg://")):
        hint = did_you_mean(name, known, "none is defined" if not known else f"defined: {', '.join(known)}")
        yield LogMistake(path, f"{name} is not one of the {section}; {hint}")


def _unknown(path: Path, part: Mapping[str, Any], known: Collection[str]) -> Iterator[LogMistake]:
    for key in part:
        if key not in known:
            hint = did_you_mean(str(key), known, f"known keys: {', '.join(known)}", quoted=True)
            yield LogMistake((*path, key), f"unknown key; {hint}")

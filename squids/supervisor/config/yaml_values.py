"""Reads the YAML of one file to plain data with locations, and expands variables.

Reading never raises: each error becomes a Problem with a location, and reading continues.

Traps of YAML 1.1 are rejected, not guessed at: `yes` (a boolean), `010` (eight), `1_000`, `1:30` (ninety).
Values of the keys in `WRITTEN` are kept as written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from squids.supervisor.config.document import Location, Path, Problem

WRITTEN = frozenset({"umask", "socket_mode"})
"""Keys whose values are octal and kept as written."""

EXTENSION = "x-"
"""The prefix of keys of one's own, for anchors. Not where keys are names, such as those of queues."""

MAX_NODES = 100_000
"""More than this is not a configuration but an alias bomb."""


class YamlReader:
    """Reads one file's YAML. `environ` None: a file of others, without variables and keys of ours."""

    def __init__(self, file: str, environ: Mapping[str, str] | None) -> None:
        self._file = file
        self._environ = environ
        self._nodes = 0
        self.problems: list[Problem] = []
        self.broken = False
        """Whether the file is not valid YAML."""
        self.locations: dict[Path, Location] = {}
        self.keys: dict[Path, Location] = {}
        self.texts: dict[Path, str] = {}

    def read(self, source: str) -> Any:
        """Return the data; or None with a problem, if the file is not valid YAML."""
        self.broken = True
        try:
            node = yaml.compose(source, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            text = _unquoted(" ".join(part for part in (error.context, error.problem) if part))
            self._problem(self._mark(mark) if mark else Location(self._file), (), f"YAML: {text}")
            return None
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            text = str(error).splitlines()[0] if str(error) else "it nests too deeply"
            self._problem(Location(self._file), (), f"YAML: {text}")
            return None
        self.broken = False
        try:
            return None if node is None else self._value(node, (), ())
        except RecursionError:
            self._problem(Location(self._file), (), "it nests too deeply")
            return None

    def _mark(self, mark: Any) -> Location:
        return Location(self._file, mark.line + 1, mark.column + 1)

    def _problem(self, location: Location, path: Path, text: str) -> None:
        self.problems.append(Problem(location, path, text))

    def _value(self, node: Any, path: Path, around: tuple[int, ...]) -> Any:
        self.locations[path] = location = self._mark(node.start_mark)
        self._nodes += 1
        if id(node) in around:
            self._problem(location, path, "refers to itself")
            return None
        if self._nodes > MAX_NODES:
            if self._nodes == MAX_NODES + 1:
                self._problem(location, path, f"there are more than {MAX_NODES} values")
            return None
        around = (*around, id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, around)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, number), around) for number, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: Any, path: Path, around: tuple[int, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            location = self._mark(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(location, path, "a key is a plain word")
                continue
            key = key_node.value
            if key_node.tag == "tag:yaml.org,2002:merge":
                self._merged(value_node, path, around, merged)
                continue
            if key.startswith(EXTENSION) and self._environ is not None and _has_fixed_keys(path):
                continue
            if key in found:
                self._problem(location, (*path, key), f"is defined twice; first at {self.keys[(*path, key)]}")
                continue
            self.keys[(*path, key)] = location
            found[key] = self._value(value_node, (*path, key), around)
        return {**merged, **found}

    def _merged(self, node: Any, path: Path, around: tuple[int, ...], into: dict[str, Any]) -> None:
        """Apply YAML's merge key: the values of an anchor, which keys of this mapping override."""
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for other in nodes:
            if not isinstance(other, yaml.MappingNode) or id(other) in around:
                self._problem(self._mark(node.start_mark), path, "<< takes an anchor of a mapping")
                continue
            for key, value in self._mapping(other, path, (*around, id(other))).items():
                into.setdefault(key, value)

    def _scalar(self, node: Any, path: Path) -> Any:
        text = self._expand(node.value, path, self._mark(node.start_mark))
        if "\x00" in text:
            self._problem(self.locations[path], path, "contains a NUL character")
            text = text.replace("\x00", "")
        self.texts[path] = text
        plain = not node.style
        if plain and node.tag == "tag:yaml.org,2002:null":
            return None
        if path and path[-1] in WRITTEN:
            return text
        if plain and text == node.value:
            value = self._plain(text, node.tag, path)
            return text if _is_variable(path) else value
        if text != node.value and not _is_variable(path):
            return _expanded(text)
        return text

    def _plain(self, text: str, tag: str, path: Path) -> Any:
        location = self.locations[path]
        match tag.rpartition(":")[2]:
            case "null":
                return None
            case "bool":
                if text in ("true", "false"):
                    return text == "true"
                meant = "true" if text.lower() in ("yes", "on", "true") else "false"
                self._problem(location, path, f'YAML reads {text} as {meant}: write {meant}, or "{text}"')
                return meant == "true"
            case "int":
                if re.fullmatch(r"[-+]?(0|[1-9][0-9]*)", text):
                    return int(text) if len(text) < 20 else float(text)
                self._problem(
                    location, path, f'YAML reads {text} as another number: write it plainly, or "{text}"'
                )
                return None
            case "float":
                if re.fullmatch(r"[-+]?[0-9]+\.[0-9]*([eE][-+]?[0-9]+)?", text):
                    return float(text)
                self._problem(
                    location, path, f'YAML reads {text} as a number: write it in digits, or "{text}"'
                )
                return None
            case _:
                return text

    def _expand(self, text: str, path: Path, location: Location) -> str:
        environ = self._environ
        if environ is None:
            return text

        def value(match: re.Match[str]) -> str:
            if match.group() == "$$":
                return "$"
            name, default = match.group("name"), match.group("default")
            if name is None:
                shown = "${...}" if _is_variable(path) else match.group()  # It may be part of a secret.
                self._problem(location, path, f"{shown} is not a variable; write $$ for a $")
                return ""
            found = environ.get(name)
            if found:
                return found
            if default is not None:
                return default
            if found is None:
                self._problem(
                    location, path, f"the variable {name} is not set; ${{{name}:-default}} gives it a default"
                )
            return ""

        return _VARIABLE.sub(value, text)


def _has_fixed_keys(path: Path) -> bool:
    """Whether the keys of this mapping are ours, and not names of queues, variables, limits or loggers."""
    if is_in_logging(path):
        return False
    return path == () or path[-1] not in ("queues", "environment", "limits") or path[-2:-1] == ("queues",)


def is_in_logging(path: Path) -> bool:
    """Whether this is the value of `logging`, or below it."""
    depth = {"defaults": 1, "queues": 2}.get(str(path[0]), 0) if path else 0
    return path[depth : depth + 1] == ("logging",)


def _is_variable(path: Path) -> bool:
    """Whether this is the value of an environment variable, which is always a string."""
    return len(path) > 1 and path[-2] == "environment"


def _unquoted(text: str) -> str:
    """Remove quoted parts of the file from a message of the YAML parser; keep punctuation and tokens."""
    return re.sub(r"(?<!\S)'(?!<)[^']{2,}'", "...", text)


def _expanded(text: str) -> Any:
    """Convert an expanded variable to a number or boolean if it is written as one."""
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text):
        return int(text)
    if re.fullmatch(r"-?(0|[1-9][0-9]*)\.[0-9]+", text):
        return float(text)
    return text


_VARIABLE = re.compile(r"\$\$|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|[^}]*\}?)")

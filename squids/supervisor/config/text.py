"""A configuration file as text: YAML, its includes and variables, to plain data with places.

Reading never raises: whatever is wrong is a Problem with a place, and reading goes on. What the data
mean is not looked at here; that is `config`.

YAML 1.1 has traps, and this refuses them instead of guessing: `yes` (a boolean), `010` (eight), `1_000`,
`1:30` (ninety). Keys in `WRITTEN` are taken as they are written.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from squids.supervisor.plain_files import NotPlain, read_plain, steps_to
from squids.supervisor.trust import PathStep

Path = tuple[str | int, ...]

WRITTEN = frozenset({"umask", "socket_mode"})
"""Keys whose values are octal, as they are written."""

MOST_NODES = 100_000
"""More than this is no configuration, but an alias that multiplies itself."""

MOST_BYTES = 4 * 1024 * 1024
"""Of a file and all that it includes."""

IN_INCLUDES = ("queues", "include")
"""What an included file may hold."""

Distrusted = Callable[[Sequence[PathStep]], "str | None"]
"""Why a file with these folders and links on the way is not to be read, in words; None: it may be."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where something stands. Lines and columns count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake."""

    location: Location
    path: Path
    text: str

    def __str__(self) -> str:
        path = ".".join(str(part) for part in self.path)
        return f"{self.location}: {path}: {self.text}" if path else f"{self.location}: {self.text}"


@dataclass(slots=True)
class Document:
    """What one file, with its includes, says.

    `texts` holds each scalar as it was written, with variables expanded.
    """

    data: dict[str, Any] = field(default_factory=dict)
    locations: dict[Path, Location] = field(default_factory=dict)
    keys: dict[Path, Location] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    directories: list[str] = field(default_factory=list)
    """Of what is included by globs."""
    problems: list[Problem] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    """Each file's text, as it was read."""
    steps: dict[str, list[PathStep]] = field(default_factory=dict)
    """Each file's way: its folders and links, and the file as it was opened."""
    refused: set[str] = field(default_factory=set)
    """Why files were not read: said once, however many there are in one folder."""

    def location(self, path: Path, *, key: bool = False) -> Location:
        """The nearest place that is known: of the path, or of what is around it."""
        while path:
            found = (self.keys.get(path) if key else None) or self.locations.get(path) or self.keys.get(path)
            if found is not None:
                return found
            path = path[:-1]
        return self.locations.get((), Location(self.files[0] if self.files else "?"))


def read_text(path: str, environ: Mapping[str, str], distrusted: Distrusted = lambda steps: None) -> Document:
    """The file and all that it includes, but for those that are distrusted."""
    text = Document()
    _TextReader(text, environ, distrusted).read(os.path.abspath(path), (), None)
    return text


@dataclass(frozen=True, slots=True)
class _TextReader:
    """Reads files, one after the other, into one text."""

    into: Document
    environ: Mapping[str, str]
    distrusted: Distrusted

    def read(self, path: str, chain: tuple[str, ...], asked: Location | None) -> None:
        """One file, and what it includes. `chain`: those that led here, the last one at `asked`."""
        into = self.into
        here = Location(shown_path(path))
        if path in chain:
            cycle = " includes ".join(shown_path(file) for file in (*chain[chain.index(path) :], path))
            into.problems.append(Problem(asked or here, ("include",), f"include cycle: {cycle}"))
            return
        if path in into.files:
            return
        source = self._source(path, asked or here)
        if source is None:
            return
        into.files.append(path)
        into.sources[path] = source
        reader = _Reader(shown_path(path), self.environ)
        data = reader.read(source)
        if data is None and not reader.problems:
            data = {}
            reader.locations[()] = here
        if chain and not reader.broken and not _is_ours(data):
            into.problems.append(_not_ours(data, reader, here))
            return
        into.problems.extend(reader.problems)
        if not isinstance(data, dict):
            if not reader.problems:
                into.problems.append(Problem(here, (), "is not a mapping of keys to values"))
            return
        _merge(data, reader, into, main=not chain)
        self._include(path, data, reader, (*chain, path))

    def _source(self, path: str, location: Location) -> str | None:
        into, name = self.into, shown_path(path)
        words = None
        try:
            *way, _ = steps_to(path)
            if (why := self.distrusted(way)) is None:
                left = MOST_BYTES - sum(map(len, into.sources.values()))
                data, opened = read_plain(path, left)
                into.steps[path] = [*way, opened]
                why = self.distrusted(into.steps[path])
            if why is None:
                return data.decode("utf-8-sig")
            words = None if why in into.refused else why
            into.refused.add(why)
        except NotPlain as error:
            words = f"{name}: {error.strerror}"
        except OSError as error:
            words = f"cannot read {name}: {error.strerror}"
        except UnicodeDecodeError as error:
            words = f"{name} is not UTF-8: byte {error.start}"
        if words is not None:
            into.problems.append(Problem(location, (), words))
        return None

    def _include(self, path: str, data: dict[str, Any], reader: _Reader, chain: tuple[str, ...]) -> None:
        wanted = data.get("include")
        if wanted is None:
            return
        if isinstance(wanted, str):
            wanted = [wanted]
        if not isinstance(wanted, list) or not all(isinstance(item, str) for item in wanted):
            location = reader.locations.get(("include",), Location(shown_path(path)))
            self.into.problems.append(Problem(location, ("include",), "is not a list of files"))
            return
        for number, pattern in enumerate(wanted):
            location = reader.locations.get(("include", number)) or reader.locations[("include",)]
            full = os.path.join(os.path.dirname(path), pattern)
            found = sorted(glob.glob(full)) if glob.has_magic(pattern) else [full]
            if glob.has_magic(pattern) and not glob.has_magic(os.path.dirname(full)):
                self.into.directories.append(os.path.abspath(os.path.dirname(full)))
            for file in found:
                if glob.has_magic(pattern) and os.path.abspath(file) == path:
                    continue
                self.read(os.path.abspath(file), chain, location)


def _is_ours(data: Any) -> bool:
    return isinstance(data, dict) and all(key in IN_INCLUDES for key in data)


def _not_ours(data: Any, reader: _Reader, here: Location) -> Problem:
    """An included file that is no part of a configuration may hold anything, and who reads the error may not
    be allowed to read the file: its place is told, and nothing that it says."""
    if not isinstance(data, dict):
        return Problem(here, (), "is not a mapping of keys to values")
    key = next(key for key in data if key not in IN_INCLUDES)
    location = reader.keys.get((key,), here)
    return Problem(location, (), f"an included file may hold {' and '.join(IN_INCLUDES)}, and no other key")


def _merge(data: dict[str, Any], reader: _Reader, into: Document, *, main: bool) -> None:
    if main:
        into.data = dict(data)
        into.locations.update(reader.locations)
        into.keys.update(reader.keys)
        into.texts.update(reader.texts)
        queues = data.get("queues")
        into.data["queues"] = dict(queues) if isinstance(queues, dict) else queues
        if queues is None:
            into.data["queues"] = {}
        return
    queues = data.get("queues")
    if queues is None:
        return
    if not isinstance(queues, dict):
        into.problems.append(
            Problem(reader.locations[("queues",)], ("queues",), "is not a mapping of queues to their keys")
        )
        return
    known = into.data.get("queues")
    if not isinstance(known, dict):
        return
    for name, value in queues.items():
        if name in known:
            other = into.keys.get(("queues", name))
            text = f"is defined twice; first at {other}" if other is not None else "is there twice"
            into.problems.append(Problem(reader.keys[("queues", name)], ("queues", name), text))
            continue
        known[name] = value
        here = ("queues", name)
        into.locations.update(
            (path, location) for path, location in reader.locations.items() if path[:2] == here
        )
        into.keys.update((path, location) for path, location in reader.keys.items() if path[:2] == here)
        into.texts.update((path, text) for path, text in reader.texts.items() if path[:2] == here)


def shown_path(path: str) -> str:
    """As a person would name it: relative below the current directory, unless that is the root."""
    try:
        relative = os.path.relpath(path)
        here = os.getcwd()
    except (OSError, ValueError):
        return path
    return path if relative.startswith("..") or here == os.sep else relative


class _Reader:
    """One file's YAML to data."""

    def __init__(self, file: str, environ: Mapping[str, str]) -> None:
        self._file = file
        self._environ = environ
        self._nodes = 0
        self.problems: list[Problem] = []
        self.broken = False
        """Whether it is no YAML."""
        self.locations: dict[Path, Location] = {}
        self.keys: dict[Path, Location] = {}
        self.texts: dict[Path, str] = {}

    def read(self, source: str) -> Any:
        """The data; None, and one problem, where it is no YAML."""
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
        if self._nodes > MOST_NODES:
            if self._nodes == MOST_NODES + 1:
                self._problem(location, path, f"there are more than {MOST_NODES} values")
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
            if key in found:
                self._problem(location, (*path, key), f"is defined twice; first at {self.keys[(*path, key)]}")
                continue
            self.keys[(*path, key)] = location
            found[key] = self._value(value_node, (*path, key), around)
        return {**merged, **found}

    def _merged(self, node: Any, path: Path, around: tuple[int, ...], into: dict[str, Any]) -> None:
        """YAML's merge key: the values of an anchor, under those that stand here."""
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for other in nodes:
            if not isinstance(other, yaml.MappingNode) or id(other) in around:
                self._problem(self._mark(node.start_mark), path, "<< takes an anchor of a mapping")
                continue
            before = dict(self.locations)
            for key, value in self._mapping(other, path, (*around, id(other))).items():
                into.setdefault(key, value)
            self.locations[path] = before[path]

    def _scalar(self, node: Any, path: Path) -> Any:
        text = self._expand(node.value, path, self._mark(node.start_mark))
        if "\x00" in text:
            self._problem(self.locations[path], path, "holds a NUL character")
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
                self._problem(location, path, f'{text} is no number that is meant here; or write "{text}"')
                return None
            case _:
                return text

    def _expand(self, text: str, path: Path, location: Location) -> str:
        def value(match: re.Match[str]) -> str:
            if match.group() == "$$":
                return "$"
            name, default = match.group("name"), match.group("default")
            if name is None:
                shown = "${...}" if _is_variable(path) else match.group()  # It may be part of a secret.
                self._problem(location, path, f"{shown} is not a variable; write $$ for a $")
                return ""
            found = self._environ.get(name)
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


def _is_variable(path: Path) -> bool:
    """Whether the value of a variable stands there, which is a text whatever it looks like."""
    return len(path) > 1 and path[-2] == "environment"


def _unquoted(text: str) -> str:
    """What YAML's parser says, without the words of the file that it may quote."""
    return re.sub(r"'[^']{2,}'", "...", text)


def _expanded(text: str) -> Any:
    """A variable's value: a number or a boolean where it is written as one."""
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text):
        return int(text)
    if re.fullmatch(r"-?(0|[1-9][0-9]*)\.[0-9]+", text):
        return float(text)
    return text


_VARIABLE = re.compile(r"\$\$|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|[^}]*\}?)")

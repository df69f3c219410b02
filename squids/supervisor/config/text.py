"""Reads a configuration file and its includes as one document.

Reading never raises: each error becomes a Problem with a location, and reading continues. `build` interprets
the data.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from squids.supervisor.config.document import Document, Location, Problem
from squids.supervisor.config.trusted_text import Distrusted
from squids.supervisor.config.yaml_values import YamlReader
from squids.supervisor.plain_files import NotPlain, read_plain, steps_to

MAX_BYTES = 4 * 1024 * 1024
"""The limit of a file with all its includes."""

IN_INCLUDES = ("queues", "include")
"""Keys that an included file may have."""


def read_text(path: str, environ: Mapping[str, str], distrusted: Distrusted = lambda steps: None) -> Document:
    """Read a file and its includes, except those that are distrusted."""
    text = Document()
    _TextReader(text, environ, distrusted).read(os.path.abspath(path), (), None)
    return text


@dataclass(frozen=True, slots=True)
class _TextReader:
    """Reads files one after another into one document."""

    into: Document
    environ: Mapping[str, str]
    distrusted: Distrusted

    def read(self, path: str, chain: tuple[str, ...], asked: Location | None) -> None:
        """Read a file and its includes. `chain`: the files that led here, the last one at `asked`."""
        into = self.into
        here = Location(shown_path(path))
        if path in chain:
            cycle = " includes ".join(shown_path(file) for file in (*chain[chain.index(path) :], path))
            into.problems.append(Problem(asked or here, ("include",), f"include cycle: {cycle}"))
            return
        if path in into.files:
            return
        source = self._source(path, asked or (here if os.path.isfile(path) else Location(here.file, 0)))
        if source is None:
            return
        into.files.append(path)
        into.sources[path] = source
        reader = YamlReader(shown_path(path), self.environ)
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
                left = MAX_BYTES - sum(map(len, into.sources.values()))
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

    def _include(self, path: str, data: dict[str, Any], reader: YamlReader, chain: tuple[str, ...]) -> None:
        wanted = data.get("include")
        if wanted is None:
            return
        if isinstance(wanted, str):
            wanted = [wanted]
        if not isinstance(wanted, list) or not all(isinstance(item, str) for item in wanted):
            location = reader.locations.get(("include",), Location(shown_path(path)))
            self.into.problems.append(Problem(location, ("include",), "is not a list of files"))
            return
        wrong = {problem.path for problem in reader.problems}
        for number, pattern in enumerate(wanted):
            if ("include",) in wrong or ("include", number) in wrong:
                continue  # What is left of it names another file.
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


def _not_ours(data: Any, reader: YamlReader, here: Location) -> Problem:
    """Report that an included file does not belong to a configuration.

    Such a file may hold anything, and the reader of the error may have no access to it, so the problem has a
    location and nothing of the contents.
    """
    if not isinstance(data, dict):
        return Problem(here, (), "is not a mapping of keys to values")
    key = next(key for key in data if key not in IN_INCLUDES)
    location = reader.keys.get((key,), here)
    return Problem(location, (), f"an included file may hold {' and '.join(IN_INCLUDES)}, and no other key")


def _merge(data: dict[str, Any], reader: YamlReader, into: Document, *, main: bool) -> None:
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
    """Format a path for people: relative if it is below the current directory, unless that is the root."""
    try:
        relative = os.path.relpath(path)
        here = os.getcwd()
    except (OSError, ValueError):
        return path
    return path if relative.startswith("..") or here == os.sep else relative

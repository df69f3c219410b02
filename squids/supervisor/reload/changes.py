"""Decides which changed files count, when they are complete, and which apps they affect. Pure.

A file that is known to be imported affects the apps that import it. Any other file is new or imported lazily,
and affects each app in whose directory it is. Every change affects an app whose last import failed, because
its imports are unknown.

Paths are absolute, with symbolic links resolved.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from squids.supervisor.settings import AppSpec

NEVER = frozenset(
    (
        "__pycache__",
        "node_modules",
        "site-packages",
        "dist-packages",
        "venv",
        "env",
    )
)
"""Directories without code of the user's own. Hidden directories do not count either."""

YAML = (".yaml", ".yml")


def may_hold_code(directory: str) -> bool:
    """Whether a directory may hold the user's code, by its name."""
    return directory not in NEVER and not directory.startswith(".")


LONGEST = 20
"""Changes that continue are acted on after this many times `delay`."""


@dataclass(frozen=True, slots=True)
class FileFilter:
    """Decides which files count.

    `include` and `exclude` are globs: those with a slash match the path below `roots`, others a name. `files`
    always count, and so do YAML files in the directories `included`.
    """

    roots: tuple[str, ...]
    files: frozenset[str] = frozenset()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    included: frozenset[str] = frozenset()

    def passes(self, path: str) -> bool:
        """Whether a change of this file counts."""
        if path in self.roots:
            return True
        below = self._below(path)
        *directories, name = (below or path.lstrip("/")).split("/")
        if any(_matches(glob, below or path, (*directories, name)) for glob in self.exclude):
            return False
        if path in self.files or self.is_included(path):
            return True
        if below is None or not all(map(may_hold_code, directories)):
            return False
        if name.endswith(".py") and not name.startswith("."):
            return True
        return any(_matches(glob, below, (name,)) for glob in self.include)

    def held(self, path: str) -> set[str]:
        """Return the known files of this directory, which is gone."""
        return {file for file in self.files if file.startswith(f"{path}/")}

    def is_included(self, path: str) -> bool:
        """Whether it is or may become part of the configuration: globs of `include` find new files."""
        directory, _, name = path.rpartition("/")
        return name.endswith(YAML) and not name.startswith(".") and directory in self.included

    def _below(self, path: str) -> str | None:
        found = [path[len(root) + 1 :] for root in self.roots if path.startswith(root + "/")]
        return min(found, key=len, default=None)


def _matches(glob: str, below: str, parts: Iterable[str]) -> bool:
    if "/" in glob.rstrip("/"):
        return fnmatchcase(below, glob.strip("/")) or fnmatchcase(below, f"{glob.strip('/')}/*")
    return any(fnmatchcase(part, glob.rstrip("/")) for part in parts)


@dataclass(frozen=True, slots=True)
class AppFiles:
    """What is known of one app. `imported`: its files; empty if unknown."""

    app_spec: AppSpec
    directory: str
    imported: frozenset[str] = frozenset()
    failed: bool = False


def affected(changed: Iterable[str], known: Iterable[AppFiles]) -> list[AppSpec]:
    """Return the apps to import again, in the given order."""
    known = list(known)
    found: set[AppSpec] = set()
    for path in changed:
        importers = {one.app_spec for one in known if path in one.imported}
        # The imports of a failed app are unknown, wherever the file is.
        importers |= {one.app_spec for one in known if one.failed}
        if not any(path in one.imported for one in known):
            below = [one.app_spec for one in known if path == one.directory or _lies_in(path, one.directory)]
            importers |= set(below or (one.app_spec for one in known))
        found |= importers
    return [one.app_spec for one in known if one.app_spec in found]


def _lies_in(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip("/") + "/")


class Debounce:
    """Collects bursts of changes: many files at once, or one file in several steps.

    A burst is complete after `delay` seconds without a change, or when it lasts too long.
    """

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._first = 0.0
        self._last = 0.0

    def add(self, files: Iterable[str], now: float) -> None:
        """Add changed files."""
        if not self._files:
            self._first = now
        self._files.update(files)
        self._last = now

    def due(self, delay: float) -> float | None:
        """Return when to take them, or None if there are none."""
        if not self._files:
            return None
        return min(self._last + delay, self._first + LONGEST * delay)

    def take(self) -> set[str]:
        """Return all files and start a new burst."""
        files, self._files = self._files, set()
        return files


def failure_in_short(text: str, directory: str) -> str:
    """Return `SyntaxError in shop/tasks.py:12` for a traceback, or the first line of another text.

    The place is the innermost line of the user's own code, if there is one.
    """
    root = directory.rstrip("/") + "/"
    lines = [_GROUP.sub("", line) for line in text.strip().splitlines()]
    places = []
    behind = 0
    for index, text_line in enumerate(lines, 1):
        words = text_line.strip()
        if words.startswith('File "') and '", line ' in words:
            file, _, rest = words.removeprefix('File "').partition('", line ')
            places.append((file, rest.split(",")[0]))
            behind = index
    if not lines:
        return "it cannot be imported"
    if not places:
        return lines[0]
    # Messages and notes may have several lines: the first after the frames has the name.
    error = next((line for line in lines[behind:] if line and not line[0].isspace()), lines[-1])
    name = error.partition(":")[0]
    own = (place for place in reversed(places) if place[0].startswith(root))
    last = places[-1]
    file, line = last if name in _OF_SYNTAX and not last[0].startswith("<") else next(own, last)
    return f"{name} in {file.removeprefix(root)}:{line}"


_GROUP = re.compile(r"^ {2}[|+] ?")
"""The prefix of the outermost lines of an exception group."""

_OF_SYNTAX = ("SyntaxError", "IndentationError", "TabError")
"""Their last place is the mistake itself, which did not run."""

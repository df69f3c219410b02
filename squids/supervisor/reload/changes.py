"""Decides what changed files mean: which of them count, when they are all there, and whom they concern. Pure.

A file that is known to be imported concerns who imports it. Of any other nothing is known (it is imported
lazily, or new), so it concerns each app in whose directory it lies. Whose last import failed is concerned by
every change: nobody knows what it would have imported.

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
"""Directories whose files are nobody's own code. Those with a dot in front of their name are not, either."""

YAML = (".yaml", ".yml")


def may_hold_code(directory: str) -> bool:
    """By its name."""
    return directory not in NEVER and not directory.startswith(".")


LONGEST = 20
"""How many times `delay` changes may go on before they are acted on all the same."""


@dataclass(frozen=True, slots=True)
class FileFilter:
    """Which files count. `include` and `exclude` are globs: with a slash in it of the path below `roots`,
    else of a name. `files` count always, and so does any YAML file of `included`: directories."""

    roots: tuple[str, ...]
    files: frozenset[str] = frozenset()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    included: frozenset[str] = frozenset()

    def passes(self, path: str) -> bool:
        """Whether a change of this file is one of code."""
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
        """The files that lay in this directory, as far as they are known: it is gone, with all of them."""
        return {file for file in self.files if file.startswith(f"{path}/")}

    def is_included(self, path: str) -> bool:
        """Whether it is, or may become, a part of the configuration: a glob of `include` finds new files."""
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
    """What is known of one app. `imported`: its files; empty, if that is not known."""

    app_spec: AppSpec
    directory: str
    imported: frozenset[str] = frozenset()
    failed: bool = False


def affected(changed: Iterable[str], known: Iterable[AppFiles]) -> list[AppSpec]:
    """The apps that are to be imported anew, in the order in which they are given."""
    known = list(known)
    found: set[AppSpec] = set()
    for path in changed:
        importers = {one.app_spec for one in known if path in one.imported}
        # Of one that was never imported nothing is known, wherever the file lies.
        importers |= {one.app_spec for one in known if one.failed}
        if not any(path in one.imported for one in known):
            below = [one.app_spec for one in known if path == one.directory or _lies_in(path, one.directory)]
            importers |= set(below or (one.app_spec for one in known))
        found |= importers
    return [one.app_spec for one in known if one.app_spec in found]


def _lies_in(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip("/") + "/")


class Debounce:
    """Changes come in heaps: many files at once, or one file in several steps.

    A heap is whole when nothing was added to it for `delay` seconds; one that never ends is taken as it is.
    """

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._first = 0.0
        self._last = 0.0

    def add(self, files: Iterable[str], now: float) -> None:
        """These changed."""
        if not self._files:
            self._first = now
        self._files.update(files)
        self._last = now

    def due(self, delay: float) -> float | None:
        """When to take them; None if there are none."""
        if not self._files:
            return None
        return min(self._last + delay, self._first + LONGEST * delay)

    def take(self) -> set[str]:
        """All of them; a new heap begins."""
        files, self._files = self._files, set()
        return files


def failure_in_short(text: str, directory: str) -> str:
    """`SyntaxError in shop/tasks.py:12`, of a traceback: the innermost line of the user's own code, if there
    is one. The first line of what is no traceback."""
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
    # The messages of many errors, and notes, have several lines: the first behind the frames has its name.
    error = next((line for line in lines[behind:] if line and not line[0].isspace()), lines[-1])
    name = error.partition(":")[0]
    own = (place for place in reversed(places) if place[0].startswith(root))
    last = places[-1]
    file, line = last if name in _OF_SYNTAX and not last[0].startswith("<") else next(own, last)
    return f"{name} in {file.removeprefix(root)}:{line}"


_GROUP = re.compile(r"^ {2}[|+] ?")
"""What is in front of the outermost lines of an exception group."""

_OF_SYNTAX = ("SyntaxError", "IndentationError", "TabError")
"""Their last place is where the mistake is; it was not run."""

"""The contents of a configuration file as plain data, with locations and problems. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from squids.printable import printable
from squids.supervisor.trust import PathStep

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file. Lines and columns count from 1; a file that cannot be read has only line 0."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file.

    As a string it is one line, whatever characters the keys, values and paths in it have.
    """

    location: Location
    path: Path
    text: str

    def __str__(self) -> str:
        if self.location.line == 0:
            return printable(self.text)
        path = ".".join(str(part) for part in self.path)
        place = f"{self.location}: {path}" if path else str(self.location)
        return printable(f"{place}: {self.text}")


@dataclass(slots=True)
class Document:
    """The contents of a file and its includes.

    `texts` holds each scalar as written, with variables expanded.
    """

    data: dict[str, Any] = field(default_factory=dict)
    locations: dict[Path, Location] = field(default_factory=dict)
    keys: dict[Path, Location] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    directories: list[str] = field(default_factory=list)
    """The directories of include globs."""
    problems: list[Problem] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    """The text of each file."""
    steps: dict[str, list[PathStep]] = field(default_factory=dict)
    """The steps to each file: directories, links, and the file as it was opened."""
    refused: set[str] = field(default_factory=set)
    """Reasons for refused files, each reported once."""

    def location(self, path: Path, *, key: bool = False) -> Location:
        """Return the location of a path, or of its nearest known parent."""
        while path:
            found = (self.keys.get(path) if key else None) or self.locations.get(path) or self.keys.get(path)
            if found is not None:
                return found
            path = path[:-1]
        return self.locations.get((), Location(self.files[0] if self.files else "?"))

"""The configuration of logging that a file gives to the processes of each queue: `logging`.

It is a mapping, or names a file that has it, in YAML or JSON. Here its shape is checked; a process of the
queue applies it (`process.log_config`), because what it names may be the application's code.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from squids.process.log_rules import mistakes
from squids.supervisor.config.document import Document, Location, Path, Problem
from squids.supervisor.config.text import shown_path
from squids.supervisor.config.trusted_text import Distrusted, Unreadable, read_trusted
from squids.supervisor.config.yaml_values import EXTENSION, YamlReader

MAX_BYTES = 1024 * 1024


@dataclass(slots=True)
class LogConfig:
    """What a file contains: the configuration as JSON (None if something is wrong), and what is wrong."""

    config: str | None = None
    problems: list[Problem] = field(default_factory=list)


def read_log_config(path: str, distrusted: Distrusted) -> LogConfig:
    """Read a file, which may be another program's, too: variables in it are not expanded. Never raises."""
    name = shown_path(path)
    try:
        source = read_trusted(path, MAX_BYTES, distrusted)
    except Unreadable as error:
        return LogConfig(problems=[Problem(Location(name, 0), (), str(error))])
    reader = YamlReader(name, None)  # JSON is YAML.
    data = reader.read(source)
    problems = list(reader.problems)
    if not isinstance(data, dict):
        if not problems:
            problems.append(Problem(Location(name), (), "is not a mapping of keys to values"))
        return LogConfig(problems=problems)
    data = {key: value for key, value in data.items() if not key.startswith(EXTENSION)}
    document = Document(locations=reader.locations, keys=reader.keys)
    problems += _problems(data, document, ())
    return LogConfig(problems=problems) if problems else LogConfig(_as_json(data))


def _problems(config: dict[str, Any], document: Document, where: Path) -> list[Problem]:
    found = []
    for mistake in mistakes(config):
        path = (*where, *mistake.path)
        location = document.location(path, key=mistake.text.startswith("unknown key"))
        found.append(Problem(location, path, mistake.text))
    return found


def _as_json(config: dict[str, Any]) -> str:
    return json.dumps(config, sort_keys=True)  # In another order it is the same.


@dataclass(slots=True)
class LogConfigs:
    """Reads the configurations of queues. `full`: makes a path absolute."""

    text: Document
    distrusted: Distrusted
    full: Callable[[str, Path], str]
    problems: list[Problem]
    files: dict[str, LogConfig] = field(default_factory=dict)
    """The files that were read, by path."""

    def of(self, value: str | dict[str, Any] | None, path: Path) -> str | None:
        """Return a configuration as JSON; None if there is none, or if it is wrong, which is reported."""
        if value is None:
            return None
        if isinstance(value, dict):
            found = _problems(value, self.text, path)
            self._report(found)
            return None if found else _as_json(value)
        full = self.full(value, path)
        if full not in self.files:
            self.files[full] = read_log_config(full, self.distrusted)
        for problem in self.files[full].problems:
            if problem.location.line == 0:  # The file as a whole: it is wrong to name it.
                problem = Problem(self.text.location(path), path, problem.text)
            self._report([problem])
        return self.files[full].config

    def _report(self, found: list[Problem]) -> None:
        self.problems.extend(problem for problem in found if problem not in self.problems)

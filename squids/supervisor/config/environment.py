"""The variables that a file gives to the processes of each queue.

They come from `env_file`, `environment`, `queue_prefix`, and from queues whose key is not their name in SQS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from squids.errors import ConfigurationError
from squids.printable import printable
from squids.queue_names import PREFIX, TABLE, QueueNames
from squids.queues import QueueRef
from squids.supervisor.config.document import Document, Location, Path, Problem
from squids.supervisor.config.env_file import EnvFile, read_env_file
from squids.supervisor.config.rules import FileRules, GroundRules, QueueRules
from squids.supervisor.config.text import shown_path
from squids.supervisor.config.trusted_text import Distrusted

Variables = dict[str, str | None]
"""Variables by name; None unsets one."""


@dataclass(slots=True)
class Environments:
    """Merges the variables of queues. `environ`: the supervisor's own. `full`: makes a path absolute."""

    text: Document
    rules: FileRules
    environ: Mapping[str, str]
    distrusted: Distrusted
    full: Callable[[str, Path], str]
    problems: list[Problem]
    files: dict[str, EnvFile] = field(default_factory=dict)
    """The files of variables that were read, by path."""
    _names: Variables = field(init=False)

    def __post_init__(self) -> None:
        self._names = self._of_names()

    def of(self, queue: QueueRules, path: Path) -> Variables:
        """Return the variables of a queue. The later of these override the earlier ones."""
        sources: tuple[tuple[GroundRules, Path], ...] = (
            (self.rules, ()),
            (self.rules.defaults, ("defaults",)),
            (queue, path),
        )
        found: Variables = {}
        for source, where in sources:
            found |= self._of_files(source.env_file, (*where, "env_file"))
        for source, where in sources:
            self._check_names((*where, "environment"), source.environment)
            found |= source.environment
        return self._names | found

    def sqs_queue(self, queue: str, variables: Variables) -> str | None:
        """Return a queue's name, URL or ARN in SQS, or None if that is malformed, which is reported."""
        try:
            names = QueueNames.of(None, None, {**self.environ, **variables})
        except ConfigurationError as error:
            self._wrong(("queue_prefix",) if self.rules.queue_prefix is not None else (), str(error))
            return None
        return names.of_sqs(queue)

    def _of_files(self, names: list[str], path: Path) -> Variables:
        found: Variables = {}
        for number, name in enumerate(names):
            here = (*path, number)
            full = self.full(name, here)
            if full not in self.files:
                self.files[full] = read_env_file(full, self.environ, self.distrusted)
                for mistake in self.files[full].mistakes:
                    place = Location(shown_path(full), mistake.line) if mistake.line else None
                    self._wrong(here, mistake.text, place)
            found |= self.files[full].variables
        return found

    def _of_names(self) -> Variables:
        """Return the variables by which code finds the queues of this file.

        A key that is the name of another queue here stays a name of its own.
        """
        prefix = self.rules.queue_prefix
        found: Variables = {} if prefix is None else {PREFIX: prefix}
        try:
            names = QueueNames(prefix if prefix is not None else self.environ.get(PREFIX, ""))
            queues = {key: queue.queue or key for key, queue in self.rules.queues.items()}
            taken = {QueueRef.parse(queue).name for queue in queues.values()}
            table = {
                key: names.of_sqs(queue)
                for key, queue in queues.items()
                if key not in taken and QueueRef.parse(key).is_fifo == QueueRef.parse(queue).is_fifo
            }
        except ValueError:
            return found  # It is reported where the queue is checked.
        return {**found, TABLE: json.dumps(table, sort_keys=True)} if table else found

    def _check_names(self, path: Path, environment: Mapping[str, str | None]) -> None:
        for name in environment:
            if not name or "=" in name or printable(name) != name:
                words = 'is not the name of a variable: it is empty, or holds "=" or a control character'
                here = (*path, name)
                self._wrong(here, words, self.text.location(here, key=True))

    def _wrong(self, path: Path, words: str, location: Location | None = None) -> None:
        problem = Problem(location or self.text.location(path), path, words)
        if problem not in self.problems:
            self.problems.append(problem)

"""Decides which queue of SQS a name in the code means: by a prefix, or by a table. Pure.

Code names its queues once, such as "emails". Where several stages share an AWS account, the queues of each
have names of their own, such as "staging-emails".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from squids.errors import ConfigurationError
from squids.queues import QueueRef

PREFIX = "SQUIDS_QUEUE_PREFIX"
"""The environment variable with the prefix."""

TABLE = "SQUIDS_QUEUE_NAMES"
"""The environment variable with the table: a JSON object of names, URLs or ARNs by name."""


@dataclass(frozen=True, slots=True)
class QueueNames:
    """The queues of SQS behind the names in the code.

    `table`: a name, URL or ARN by name, taken as it is. A name that is not in it gets `prefix`, unless it has
    it already. URLs and ARNs in the code stay as they are.
    """

    prefix: str = ""
    table: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,79}", self.prefix):
            text = (
                f'"{self.prefix}" cannot begin the name of a queue: letters, digits, hyphens and underscores'
            )
            raise ValueError(text)
        for name, queue in self.table.items():
            target = QueueRef.parse(queue)
            if QueueRef.parse(name).is_fifo != target.is_fifo:
                fifo, other = (name, target.name) if not target.is_fifo else (target.name, name)
                raise ValueError(f'"{fifo}" is a FIFO queue, and "{other}" is not')

    def of_sqs(self, queue: str) -> str:
        """Return the name, URL or ARN in SQS of a queue that the code refers to."""
        if queue in self.table:
            return self.table[queue]
        is_name = "/" not in queue and ":" not in queue
        return self.prefix + queue if is_name and not queue.startswith(self.prefix) else queue

    def ref(self, queue: str) -> QueueRef:
        """Return the queue that the code means by a name, URL or ARN. Raises ValueError if malformed."""
        return QueueRef.parse(self.of_sqs(queue))

    @classmethod
    def of(
        cls, prefix: str | None, table: Mapping[str, str] | None, environ: Mapping[str, str | None]
    ) -> QueueNames:
        """Return the names by an app's arguments and the environment.

        An argument and a variable that contradict each other are a mistake, for one of them would send to the
        wrong queue: raises ConfigurationError then, and if one of them is malformed. Raises TypeError for an
        argument of another type, such as what `os.environ.get` returns for a variable that is not set.
        """
        _check(prefix, table)
        theirs, names = environ.get(PREFIX), _table(environ.get(TABLE))
        if prefix is not None and theirs is not None and prefix != theirs:
            raise ConfigurationError(f'queue_prefix is "{prefix}", but {PREFIX} is "{theirs}": remove one')
        for name, queue in (table or {}).items():
            theirs_too = names.get(name, queue)
            if theirs_too != queue and not _is_same(theirs_too, queue):
                raise ConfigurationError(
                    f'queue_names has "{queue}" for "{name}", but {TABLE} has "{theirs_too}": remove one'
                )
            names[name] = queue
        try:
            return cls(prefix if prefix is not None else theirs or "", names)
        except ValueError as error:
            where = "queue_names" if table else TABLE if names else "queue_prefix" if prefix else PREFIX
            raise ConfigurationError(f"{where}: {error}") from None


def _check(prefix: object, table: object) -> None:
    if prefix is not None and not isinstance(prefix, str):
        raise TypeError(f"queue_prefix is a string, not {prefix!r}")
    if table is not None and not isinstance(table, Mapping):
        raise TypeError(f"queue_names has a name, URL or ARN by name, as a dictionary: {table!r} is none")
    for name, queue in (table or {}).items():
        if not isinstance(name, str) or not isinstance(queue, str):
            raise TypeError(f"queue_names has a name, URL or ARN by name, not {queue!r} for {name!r}")


def _is_same(queue: str, other: str) -> bool:
    """Whether these may be one queue, one of them by its name alone."""
    try:
        refs = QueueRef.parse(queue), QueueRef.parse(other)
    except ValueError:
        return False
    return refs[0].name == refs[1].name and any(ref.url is None and ref.region is None for ref in refs)


def _table(text: str | None) -> dict[str, str]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(queue, str) for queue in found.values()):
        raise ConfigurationError(f'{TABLE} is not a JSON object such as {{"emails": "staging-emails"}}')
    return found

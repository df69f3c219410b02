"""Decides where a task of Django's `TASKS` is sent, and when it is due, by the backend's OPTIONS.

Knows no app and no clock. Queues are named here as in the code of the project: prefix and table of the app
are applied when it sends.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from squids.hints import did_you_mean
from squids.queues import QueueRef

SQS_QUEUES = "SQS_QUEUES"
PRIORITY_QUEUES = "PRIORITY_QUEUES"
MESSAGE_GROUP_ID = "MESSAGE_GROUP_ID"
KNOWN = (SQS_QUEUES, PRIORITY_QUEUES, MESSAGE_GROUP_ID)

MAX_DELAY = 900
"""Seconds that SQS delays a message at most.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""

PRIORITIES = range(-100, 101)
"""Django's. https://docs.djangoproject.com/en/6.0/ref/tasks/"""

GroupId = str | Callable[[Any, list[Any], dict[str, Any]], str]


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """The OPTIONS of a backend.

    `sqs_queues`: name, URL or ARN by Django's name of a queue. `steps`: lowest priority and name of each
    queue for priorities, in ascending order, where "{queue}" is the queue without priorities. `group_id`: the
    MessageGroupId on FIFO queues, or what returns it for a task, its args and kwargs.
    """

    sqs_queues: Mapping[str, str] = field(default_factory=dict)
    steps: Sequence[tuple[int, str]] = ()
    group_id: GroupId | None = None

    @classmethod
    def parse(cls, options: Mapping[str, Any]) -> Self:
        """Raises ValueError that says which option is wrong."""
        for name in options:
            if name not in KNOWN:
                hint = did_you_mean(str(name), KNOWN, f"known options: {', '.join(KNOWN)}", quoted=True)
                raise ValueError(f'unknown option "{name}"; {hint}')
        queues = options.get(SQS_QUEUES, {})
        if not isinstance(queues, Mapping) or not all(isinstance(queue, str) for queue in queues.values()):
            raise ValueError(f'{SQS_QUEUES} takes names, URLs or ARNs by name, as in {{"mail": "shop-mail"}}')
        for queue in queues.values():
            QueueRef.parse(queue)
        group_id = options.get(MESSAGE_GROUP_ID)
        if group_id is not None and not callable(group_id) and not (isinstance(group_id, str) and group_id):
            raise ValueError(f"{MESSAGE_GROUP_ID} takes a text, or a function of task, args and kwargs")
        return cls(queues, _steps(options.get(PRIORITY_QUEUES, {})), group_id)

    def queue(self, name: str, priority: int) -> str:
        """Return the queue of a task. Raises ValueError if SQS can have no such queue."""
        queue = self.sqs_queues.get(name, name)
        step = bisect_right([lowest for lowest, _ in self.steps], priority)
        if step:
            queue = _formatted(self.steps[step - 1][1], queue)
        try:
            QueueRef.parse(queue)
        except ValueError as error:
            raise ValueError(f"{error}; give it another name for SQS in {SQS_QUEUES}") from None
        return queue

    def queues(self, name: str) -> list[str]:
        """Return all queues for a queue of Django, whatever the priority. Raises ValueError as `queue`."""
        lowest = (PRIORITIES.start, *(lowest for lowest, _ in self.steps))
        return list(dict.fromkeys(self.queue(name, priority) for priority in lowest))

    def group_of(self, task: Any, args: list[Any], kwargs: dict[str, Any]) -> str | None:
        """Return the MessageGroupId of a call to a FIFO queue."""
        return self.group_id(task, args, kwargs) if callable(self.group_id) else self.group_id


def delay(due: float | None, now: float) -> int:
    """Return the DelaySeconds of a task that is due at a time, both in seconds since the epoch.

    Raises ValueError if SQS cannot wait for so long.
    """
    seconds = 0 if due is None else max(0, math.ceil(due - now))
    if seconds > MAX_DELAY:
        raise ValueError(
            f"run_after is {seconds} seconds from now, and SQS delays a message by at most {MAX_DELAY}: "
            "enqueue it later, from a schedule"
        )
    return seconds


def _steps(queues: Any) -> list[tuple[int, str]]:
    example = 'as in {50: "{queue}-urgent", 0: "{queue}", -100: "{queue}-bulk"}'
    if not isinstance(queues, Mapping):
        raise ValueError(f"{PRIORITY_QUEUES} takes queues by their lowest priority, {example}")
    for lowest, name in queues.items():
        if type(lowest) is not int or lowest not in PRIORITIES:
            raise ValueError(
                f"{PRIORITY_QUEUES}: {lowest!r} is not a priority, which is -100 to 100, {example}"
            )
        if not isinstance(name, str) or not name:
            raise ValueError(f"{PRIORITY_QUEUES}: {name!r} is not the name of a queue, {example}")
    return sorted(queues.items())


def _formatted(name: str, queue: str) -> str:
    """Put a queue into the name of one for a priority; ".fifo" stays at the end."""
    if "{queue}" in name and queue.endswith(".fifo"):
        stem = queue.removesuffix(".fifo")
        return name.removesuffix(".fifo").replace("{queue}", stem) + ".fifo"
    return name.replace("{queue}", queue)

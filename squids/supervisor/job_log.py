"""Which consumers log and report each of their jobs: those that a client follows. `log_jobs` logs all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from squids.process.protocol import Follow
from squids.supervisor.consumer_handle import ConsumerHandle

Follows = Callable[[str], bool]
"""Whether a client follows the consumers of this SQS queue.

Not those of a program: a reload may give it another queue, while a consumer of the old one drains.
"""

Take = Callable[[str, list[list[str]]], object]
"""Gets a program's name and what happened to its jobs, as in `JobsChanged`."""


class JobLog:
    """Tells consumers whether to log and report their jobs. `consumers`: a view of all, by number."""

    def __init__(self, consumers: Mapping[int, ConsumerHandle], *, log_all: bool) -> None:
        self._consumers = consumers
        self._log_all = log_all
        self._followers: list[tuple[Follows, Take]] = []

    @contextmanager
    def following(self, follows: Follows, take: Take) -> Iterator[None]:
        """Pass what happens to jobs of some queues to `take`, from now on. They are logged, too."""
        follower = (follows, take)
        self._followers.append(follower)
        self._update(follows)
        try:
            yield
        finally:
            self._followers.remove(follower)
            self._update(follows)

    def changed(self, consumer: ConsumerHandle, changes: list[list[str]]) -> None:
        """A consumer reported jobs."""
        for follows, take in self._followers:
            if follows(consumer.settings.queue):
                take(consumer.program, changes)

    def set_all(self, on: bool) -> None:
        """Log all jobs, or only those that are followed."""
        self._log_all = on
        self._tell(self._consumers.values())

    def on_start(self, consumer: ConsumerHandle) -> None:
        """Tell a consumer that was just requested: it hears this before it receives its first message."""
        order = self._order(consumer)
        if order.logs:
            consumer.send(order)

    def _update(self, follows: Follows) -> None:
        self._tell(one for one in self._consumers.values() if follows(one.settings.queue))

    def _tell(self, consumers: Iterable[ConsumerHandle]) -> None:
        for consumer in list(consumers):
            consumer.send(self._order(consumer))

    def _order(self, consumer: ConsumerHandle) -> Follow:
        """Return what a consumer is to log and to report. Followers get its jobs at any log level."""
        followed = any(follows(consumer.settings.queue) for follows, _ in self._followers)
        by_file = self._log_all and consumer.settings.log_level in ("DEBUG", "INFO")
        return Follow(logs=by_file or followed, reports=followed)

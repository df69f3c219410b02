"""Which consumers log each of their jobs: all, or those that a client follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from squids.process.protocol import Follow
from squids.supervisor.consumer_handle import ConsumerHandle


class JobLog:
    """Tells consumers whether to log their jobs. `consumers`: a view of all there are, by number."""

    def __init__(self, consumers: Mapping[int, ConsumerHandle], *, log_all: bool) -> None:
        self._consumers = consumers
        self._log_all = log_all
        self._followers: Counter[str] = Counter()

    def follow(self, program: str, on: bool) -> None:
        """Count a client that follows the jobs of a program; they are logged while there is one."""
        self._followers[program] += 1 if on else -1
        self._update(one for one in self._consumers.values() if one.program == program)

    def set_all(self, on: bool) -> None:
        """Log all jobs, or only those that are followed."""
        self._log_all = on
        self._update(self._consumers.values())

    def on_start(self, consumer: ConsumerHandle) -> None:
        """Tell a consumer that was just requested: it hears this before it receives its first message."""
        if self._includes(consumer):
            consumer.send(Follow(True))

    def _update(self, consumers: Iterable[ConsumerHandle]) -> None:
        for consumer in list(consumers):
            consumer.send(Follow(self._includes(consumer)))

    def _includes(self, consumer: ConsumerHandle) -> bool:
        """Whether its jobs are logged. Followers get them at any log level."""
        by_file = self._log_all and consumer.settings.log_level in ("DEBUG", "INFO")
        return by_file or bool(self._followers[consumer.program])

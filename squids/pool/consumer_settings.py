"""From a consumer's options to what its pool needs to know, and its client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from squids.options import ConsumerOptions
from squids.pool.settings import Limits, PoolSettings
from squids.process.cpus import usable_cpus
from squids.queues import QueueRef
from squids.retry import RetryPolicy

if TYPE_CHECKING:
    from squids.app import App
    from squids.sqs import QueueClient


def settings_of(options: ConsumerOptions, queue: QueueRef) -> PoolSettings:
    """The options, with what is worked out here."""
    workers = options.workers or usable_cpus()
    retry = RetryPolicy(
        first=options.retry_delay, maximum=options.retry_max_delay, enabled=not options.no_retry_delay
    )
    # Two empty long polls tell that a queue is empty; short ones tell nothing.
    wait = max(1, options.polling_wait_time) if options.exit_when_empty else options.polling_wait_time
    return PoolSettings(
        queue=queue,
        limits=Limits(
            workers=workers,
            budget=options.prefetch or 2 * workers,
            visibility=options.visibility_timeout,
            shutdown_timeout=options.shutdown_timeout,
            exit_when_empty=options.exit_when_empty,
            wait=wait,
        ),
        retry=retry,
    )


def client_of(app: App, settings: PoolSettings) -> QueueClient:
    """The consumer's client: its main process's own."""
    return app.sqs.queue_client(
        settings.queue,
        wait_seconds=settings.limits.wait,
        connections=settings.limits.budget // 10 + 5,
    )

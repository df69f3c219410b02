"""The in-process consumer: one receive, whose messages run one after another.

It has no heartbeat and no workers: tasks must finish within the visibility timeout of the receive. The
`squids` command has both.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

from squids.delivery import Delivery
from squids.execute import execute
from squids.hooks import Hooks
from squids.job import JobAction, JobEnd
from squids.queues import QueueRef
from squids.registry import no_task_for
from squids.reports import log
from squids.sqs import RECEIVE_ATTRIBUTES_FIFO, SQS, classify
from squids.sqs_answers import read_messages
from squids.task import Task
from squids.wire import JSON


@dataclass(frozen=True, slots=True)
class ConsumeResult:
    """Message counts of one `consume`.

    `failed` includes messages that could not be run or deleted. `returned`: not run, because an earlier
    message of their FIFO group failed.
    """

    received: int = 0
    done: int = 0
    failed: int = 0
    returned: int = 0


class Consumer:
    """Receives from one queue and runs the messages. Created by `App.create_consumer`.

    As a context manager, it is consumer and worker in one process: `with` runs the hooks `consumer_start` and
    `worker_start`, whose exceptions propagate, and at its end `worker_stop` and `consumer_stop`. Without
    `with`, none of the four runs.
    """

    def __init__(
        self,
        sqs: SQS,
        tasks: Mapping[str, Task[..., Any]],
        hooks: Hooks,
        queue: QueueRef,
        json: JSON | None = None,
    ) -> None:
        self._sqs = sqs
        self._tasks = tasks
        self._hooks = hooks
        self._json = json
        self.queue = queue
        self._started = ExitStack()
        self._checked_tasks = False

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._hooks.run_consumer_start()
            stack.callback(self._hooks.run_consumer_stop)
            self._hooks.run_worker_start()
            stack.callback(self._hooks.run_worker_stop)
            self._started = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._started.close()

    def consume(self, options: Mapping[str, Any] | None = None) -> ConsumeResult:
        """Receive once and run each message: delete it if its task returned, keep it if it failed.

        `options` takes the arguments of SQS.Queue.receive_messages. A failed message is logged and left
        alone: SQS delivers it again when its visibility timeout runs out. The other messages still run.

        Raises botocore's exceptions if the receive fails, and SquidsError if the response is malformed.

        Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
        """
        if not self._checked_tasks:
            self._checked_tasks = True
            self._warn_if_no_task()
        messages = self._receive(dict(options or {}))
        counts = {"done": 0, "failed": 0, "returned": 0}
        failed_groups: set[str] = set()
        for message in messages:
            if message.group is not None and message.group in failed_groups:
                self._give_back(message)
                counts["returned"] += 1
            elif self._run(message):
                counts["done"] += 1
            else:
                counts["failed"] += 1
                if self.queue.is_fifo and message.group is not None:
                    failed_groups.add(message.group)
        return ConsumeResult(received=len(messages), **counts)

    def _warn_if_no_task(self) -> None:
        warning = no_task_for(self.queue.name, self._tasks)
        if warning is not None:
            log.warning(warning, extra={"action": "no_task", "queue": self.queue.name})

    def _receive(self, options: dict[str, Any]) -> list[Delivery]:
        names = [*options.pop("MessageSystemAttributeNames", ()), *RECEIVE_ATTRIBUTES_FIFO]
        if "All" in names:
            names = ["All"]
        answer = self._sqs.client(self.queue).receive_message(
            QueueUrl=self._sqs.queue_url(self.queue),
            MessageSystemAttributeNames=list(dict.fromkeys(names)),
            **options,
        )
        return read_messages(answer)

    def _run(self, message: Delivery) -> bool:
        outcome = execute(message, self.queue.name, self._tasks, self._hooks, self._json)
        if outcome.end is JobEnd.DONE:
            return self._delete(message)
        bad = outcome.end is JobEnd.BAD_MESSAGE
        log.error(
            "message cannot be run: %s" if bad else "task failed: %s",
            outcome.error,
            extra={
                "action": JobAction.BAD_MESSAGE.value if bad else JobAction.FAILED.value,
                "queue": self.queue.name,
                "message_id": message.message_id,
                "receive_count": message.receive_count,
                "task": outcome.task,
                "traceback": outcome.traceback,
            },
        )
        return False

    def _delete(self, message: Delivery) -> bool:
        try:
            self._sqs.client(self.queue).delete_message(
                QueueUrl=self._sqs.queue_url(self.queue), ReceiptHandle=message.receipt
            )
        except Exception as error:
            log.error(
                "its task is done, but it could not be deleted, so it will run again: %s",
                classify(error).text,
                extra={
                    "action": "settle_failed",
                    "queue": self.queue.name,
                    "message_id": message.message_id,
                },
            )
            return False
        return True

    def _give_back(self, message: Delivery) -> None:
        try:
            self._sqs.client(self.queue).change_message_visibility(
                QueueUrl=self._sqs.queue_url(self.queue),
                ReceiptHandle=message.receipt,
                VisibilityTimeout=0,
            )
        except Exception as error:
            # SQS delivers it anyway, once its visibility timeout runs out.
            log.warning(
                "could not be given back: %s",
                classify(error).text,
                extra={
                    "action": "settle_failed",
                    "queue": self.queue.name,
                    "message_id": message.message_id,
                },
            )

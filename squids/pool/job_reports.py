"""Reports what happens to jobs to those that follow them: in the log, for people; in frames, for programs.

Both only as long as they are asked for: otherwise a job costs nothing here. Failures are logged in any case,
by `log_events`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from squids.job import JobEnd
from squids.pool import log_events
from squids.pool.actions import Notice, Report
from squids.pool.batches import Batch, Operation
from squids.pool.message import HeldMessage
from squids.pool.roster import JobResult
from squids.process.protocol import JobChange, JobsChanged

FAILURES = {
    Notice.TASK_FAILED: JobChange.FAILED,
    Notice.BAD_MESSAGE: JobChange.BAD_MESSAGE,
    Notice.WORKER_LOST: JobChange.WORKER_LOST,
}
"""The reports of `inflight` that end a job."""


class JobReports:
    """The followers of one consumer's jobs."""

    def __init__(self) -> None:
        self._logs = False
        self._send: Callable[[JobsChanged], object] | None = None

    def follow(self, logs: bool, send: Callable[[JobsChanged], object] | None) -> None:
        """Log jobs from now on, or not; send what happens to them, or not."""
        self._logs, self._send = logs, send

    def handed(self, messages: Sequence[HeldMessage], slot: int) -> None:
        """These messages are handed to a worker."""
        if self._logs:
            log_events.handed(messages, slot)
        if self._send is not None:
            self._report(JobChange.STARTED, [message.message_id for message in messages])

    def ended(self, results: Sequence[JobResult], message_of: Callable[[int], HeldMessage | None]) -> None:
        """A worker reported jobs. `message_of`: the message of a job, by its number."""
        if not self._logs and self._send is None:
            return
        done = [
            (result, message)
            for result in results
            if result.end is JobEnd.DONE and (message := message_of(result.number)) is not None
        ]
        if self._logs:
            for result, message in done:
                log_events.done(result, message)
        self._report(JobChange.DONE, [message.message_id for _, message in done])

    def reported(self, report: Report) -> None:
        """The log has this report of `inflight`."""
        change = FAILURES.get(report.notice)
        if change is not None and report.message is not None:
            self._report(change, [report.message.message_id])

    def returning(self, batch: Batch) -> None:
        """SQS is about to get this batch. Not later: another consumer could report the message first."""
        if batch.operation is Operation.RETURN:
            self._report(JobChange.GIVEN_BACK, [entry.message_id for entry in batch.entries])

    def _report(self, change: JobChange, message_ids: list[str]) -> None:
        if self._send is not None and message_ids:
            self._send(JobsChanged([[message_id, change.value] for message_id in message_ids]))

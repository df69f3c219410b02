"""All texts that a pooled consumer logs. Each `action` is stable, for tests and alerts; the texts are not."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterable, Sequence

from squids.exit_codes import ExitCode
from squids.hints import count
from squids.job import JobAction
from squids.pool.actions import Action, Notice, Report
from squids.pool.inflight import InFlight, Phase
from squids.pool.message import HeldMessage
from squids.pool.roster import JobResult
from squids.pool.settings import PoolSettings
from squids.pool.worker_handle import WorkerHandle
from squids.process.signals import signal_name
from squids.process.stops import FORCES, StopBy
from squids.queues import QueueRef
from squids.reports import log

NOTICES: dict[Notice, tuple[int, str]] = {
    Notice.DEGRADED: (logging.WARNING, "cannot receive: {text}; trying again, at least once a minute"),
    Notice.HEALED: (logging.INFO, "receiving again {text}"),
    Notice.TASK_FAILED: (logging.ERROR, "task failed: {error}"),
    Notice.BAD_MESSAGE: (logging.ERROR, "message cannot be run: {error}"),
    Notice.WORKER_LOST: (logging.ERROR, "task lost, its worker {how}"),
    Notice.SETTLE_TROUBLE: (logging.WARNING, "cannot {operation} messages: {text}; trying again"),
    Notice.SETTLE_HEALED: (logging.INFO, "deletes and visibility changes are answered again"),
    Notice.TOO_LATE: (
        logging.ERROR,
        "its task is done, but it could not be deleted ({text}): it may run again",
    ),
    Notice.VISIBILITY_LOST: (
        logging.WARNING,
        "its visibility was lost while it runs ({text}): it may run elsewhere",
    ),
    Notice.VISIBILITY_BOUND: (
        logging.WARNING,
        "held for the twelve hours that SQS allows: it may run elsewhere from now on",
    ),
    Notice.GAVE_BACK: (logging.INFO, "giving back {text}"),
    Notice.KILLING: (logging.WARNING, "killing {text}"),
}
"""The level and the text of each report. In braces: the report's text, or one of its details."""


def _say(level: int, action: str, text: str, **details: object) -> None:
    extra = {"action": action, **{key: value for key, value in details.items() if value is not None}}
    log.log(level, text, extra=extra)


def started(settings: PoolSettings) -> None:
    limits = settings.limits
    _say(
        logging.INFO,
        "started",
        "starting",
        queue=settings.queue.name,
        workers=limits.workers,
        workers_from=settings.workers_from or None,
        prefetch=limits.prefetch,
        visibility_timeout=limits.visibility,
    )


def ready(queue: QueueRef, workers: int) -> None:
    _say(logging.INFO, "ready", "receiving", queue=queue.name, workers_ready=workers)


def no_task(text: str) -> None:
    _say(logging.WARNING, "no_task", text)


def stopping(reason: str, inflight: InFlight, wait_seconds: int, by: StopBy) -> None:
    waits = []
    if inflight.running:
        waits.append(count(inflight.running, "running task"))
    if inflight.ready:
        waits.append(f"{count(inflight.ready, 'unstarted message')} to be given back")
    if len(inflight.polls):
        waits.append(f"the receive under way (up to {wait_seconds} s)")
    text = f"{reason}: draining; waits for {', '.join(waits)}" if waits else f"{reason}: draining"
    if waits and by is StopBy.SIGNAL:
        text += f"; {FORCES}"
    _say(logging.INFO, "stopping", text, running=inflight.running, held=inflight.held)


def forcing(reason: str) -> None:
    _say(logging.WARNING, "killing", f"{reason} again: killing running tasks and giving all messages back")


def stopped(inflight: InFlight, code: ExitCode) -> None:
    left = f"; {count(inflight.held, 'message')} left to the visibility timeout" if inflight.held else ""
    _say(
        logging.INFO, "stopped", f"stopped{left}", done=inflight.done, failed=inflight.failed, exit=int(code)
    )


def state(inflight: InFlight, ready: int, workers: int, running: Sequence[tuple[int, float]]) -> None:
    jobs = ", ".join(f"worker {slot} for {seconds:.1f} s" for slot, seconds in running) or "nothing"
    _say(
        logging.INFO,
        "state",
        f"{inflight.phase.value}; running: {jobs}",
        workers=f"{ready}/{workers}",
        held=inflight.held,
        buffered=inflight.ready,
        receives=len(inflight.polls),
        done=inflight.done,
        failed=inflight.failed,
        trouble=inflight.polls.trouble,
    )


def spawn_failed(slot: int, reason: str, seconds: float) -> None:
    _say(
        logging.WARNING,
        "spawn_failed",
        f"worker {slot} could not be started: {reason}; again in {seconds:g} s",
    )


def worker_ended(handle: WorkerHandle, how: str, status: int | None, busy: bool, phase: Phase) -> None:
    if phase is not Phase.RUNNING and (status == 0 or not busy):
        return
    level = logging.INFO if phase is Phase.FORCED else logging.WARNING
    hint = " (out of memory, perhaps)" if status == -signal.SIGKILL and phase is Phase.RUNNING else ""
    _say(
        level,
        "worker_exited",
        f"worker {handle.slot} {how}{hint}",
        pid=handle.pid,
        signal=_signal_name(status),
    )


def exit_overdue(slots: Sequence[int], seconds: float) -> None:
    names = ", ".join(map(str, slots))
    _say(
        logging.WARNING,
        "killing",
        f"killing {'worker' if len(slots) == 1 else 'workers'} {names}: still exiting after {seconds:.0f} s",
    )


def cannot_start(handle: WorkerHandle, reason: str) -> None:
    """Once for each reason: the worker is tried again, with growing pauses."""
    _say(
        logging.ERROR,
        "worker_cannot_start",
        f"worker {handle.slot} cannot start: {reason}; trying again, less and less often",
        pid=handle.pid,
    )


def paused(on: bool) -> None:
    if on:
        _say(logging.INFO, "paused", "receiving nothing")
    else:
        _say(logging.INFO, "resumed", "receiving again")


def scaled(workers: int) -> None:
    _say(logging.INFO, "scaled", f"{count(workers, 'worker')} from now on")


def replacing(slot: int, seconds: float) -> None:
    when = f" in {seconds:.1f} s" if seconds > 0.05 else ""
    _say(logging.INFO, "worker_restarted", f"worker {slot} is replaced{when}")


def gave_up(deaths: int) -> None:
    _say(
        logging.ERROR,
        "gave_up",
        f"workers died {deaths} times in a row and finished nothing in between: giving up",
    )


def hopeless(queue: QueueRef, reason: str) -> None:
    _say(logging.ERROR, Notice.DEGRADED.value, f"cannot receive: {reason}", queue=queue.name)


def zygote_died(status: int | None) -> None:
    how = how_it_ended(status) if status is not None else "ended"
    _say(
        logging.ERROR,
        "zygote_died",
        f"the process that forks workers {how}: no worker can be replaced, draining",
    )


def action_failed(action: Action, error: Exception) -> None:
    """An internal error, or one of the machine. The action is retried."""
    text = f"{type(action).__name__.lower()} failed: {type(error).__name__}: {error}"
    log.error(text, exc_info=error, extra={"action": "internal_error"})


def zygote_hangs(reason: str) -> None:
    _say(logging.ERROR, "zygote_hangs", f"the process that forks workers {reason}: it is not waited for")


def pid_refused(handle: WorkerHandle, why: str) -> None:
    text = f"the process that forks workers reported pid {handle.pid} as worker {handle.slot}, but {why}"
    _say(logging.WARNING, "pid_refused", f"{text}: that process gets no signal")


def handed(messages: Iterable[HeldMessage], slot: int) -> None:
    """For followers of jobs."""
    for message in messages:
        task, ident = message.task, message.message_id
        text = f"{task} starts in worker {slot}"
        _say(logging.INFO, JobAction.STARTED.value, text, task=task, message_id=ident)


def done(result: JobResult, message: HeldMessage) -> None:
    """For followers of jobs. Failures are logged separately."""
    text = f"{message.task} is done after {result.seconds:.2f} s"
    _say(logging.INFO, JobAction.DONE.value, text, task=message.task, message_id=message.message_id)


def how_it_ended(status: int) -> str:
    """Return "exited with 3" or "was killed by SIGKILL"."""
    name = _signal_name(status)
    return f"was killed by {name}" if name else f"exited with {status}"


def report(report: Report, queue: QueueRef, start_trouble: bool) -> None:
    """Log a report of `inflight`. `start_trouble`: no receive was ever answered."""
    details: dict[str, object] = {"queue": queue.name, **report.details}
    message = report.message
    if message is not None:
        details["message_id"] = message.message_id
        details["receive_count"] = message.receive_count
    text = NOTICES[report.notice][1].format(text=report.text, **report.details)
    if report.notice is Notice.WORKER_LOST and message is not None:
        details["task"] = message.task
    traceback = details.pop("traceback", None)
    details.pop("error", None)
    details.pop("how", None)
    level = level_of(report.notice, start_trouble=start_trouble)
    _say(level, report.notice.value, text, **details, traceback=traceback or None)


def level_of(notice: Notice, *, start_trouble: bool) -> int:
    """Return a report's level. An outage is an error only if it never worked: an operator must act."""
    return logging.ERROR if start_trouble and notice is Notice.DEGRADED else NOTICES[notice][0]


def _signal_name(status: int | None) -> str | None:
    if status is None or status >= 0:
        return None
    return signal_name(-status)

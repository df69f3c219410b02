"""Runs one message: finds its task, runs the hooks and the task, and reports the outcome.

Whatever a task does becomes an outcome, not an exception: a bad message, `sys.exit()` in a task, a hook that
raises. Settling the message is up to the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from squids.bounds import ERROR, NAME, cut
from squids.delivery import Delivery
from squids.errors import BadMessage, UnknownTask
from squids.hints import as_word
from squids.hooks import Hooks
from squids.job import CURRENT, Job, JobEnd
from squids.registry import hint_for
from squids.task import Task, signature_text
from squids.tracebacks import error_line, traceback_of
from squids.unfinished import check_returned
from squids.wire import Call, decode


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended. A failure has its error as one line, the task's frames, and the exception."""

    end: JobEnd
    task: str | None = None
    error: str | None = None
    traceback: str | None = None
    exception: BaseException | None = None


def execute(delivery: Delivery, queue: str, tasks: Mapping[str, Task[Any, Any]], hooks: Hooks) -> Outcome:
    """Run one message of a queue. Raises only KeyboardInterrupt."""
    try:
        call = decode(delivery.body)
        task = find(call, tasks)
    except BadMessage as error:
        return Outcome(JobEnd.BAD_MESSAGE, None, cut(str(error), ERROR))
    job = Job(
        delivery.message_id,
        queue,
        task.name,
        delivery.receive_count,
        _time(delivery.sent_at),
        tuple(call.args),
        call.kwargs,
    )
    token = CURRENT.set(job)
    try:
        return _run(call, task, hooks)
    finally:
        CURRENT.reset(token)


def interrupted(delivery: Delivery, tasks: Mapping[str, Task[Any, Any]], error: KeyboardInterrupt) -> Outcome:
    """Return the outcome of a job that `execute` left with this exception."""
    try:
        name = find(decode(delivery.body), tasks).name
    except BadMessage:
        name = None
    return _failure(name, error)


def _time(seconds: float | None) -> datetime | None:
    """Convert a timestamp. None also if it is out of a datetime's range, as a server may send it."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def find(call: Call, tasks: Mapping[str, Task[Any, Any]]) -> Task[Any, Any]:
    """Return the task that a call names. Raises UnknownTask if the app has none."""
    task = tasks.get(call.task)
    if task is None:
        hint = hint_for(call.task, tasks)
        raise UnknownTask(f"the app has no task {cut(as_word(call.task), NAME)}{f'; {hint}' if hint else ''}")
    return task


def _run(call: Call, task: Task[Any, Any], hooks: Hooks) -> Outcome:
    if hooks.pre_task:
        bad = _unbindable(call, task)
        if bad is not None:
            return bad
        try:
            hooks.run_pre_task(task)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return _failure(task.name, error, "in a pre_task hook: ")
    try:
        returned = task.target(*call.args, **call.kwargs)
        if returned is not None:
            check_returned(returned, task.name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # Binding costs more than a short task, so it is checked only if it can be the reason.
        bad = _unbindable(call, task) if isinstance(error, TypeError) else None
        if bad is not None:
            return bad
        outcome = _failure(task.name, error)
    else:
        outcome = Outcome(JobEnd.DONE, task.name)
    if hooks.post_task:
        hooks.run_post_task(task)
    return outcome


def _unbindable(call: Call, task: Task[Any, Any]) -> Outcome | None:
    try:
        task.signature.bind(*call.args, **call.kwargs)
    except TypeError as error:
        text = f"the arguments do not fit {task.name}{signature_text(task.signature)}: {error}"
        return Outcome(JobEnd.BAD_MESSAGE, task.name, cut(text, ERROR))
    return None


def _failure(task: str | None, error: BaseException, where: str = "") -> Outcome:
    text = traceback_of(error, _users_frames(error.__traceback__))
    return Outcome(JobEnd.FAILED, task, where + error_line(error), text, error)


def _users_frames(frames: TracebackType | None) -> TracebackType | None:
    """Skip the leading frames of squids."""
    while frames is not None and str(frames.tb_frame.f_globals.get("__name__")).startswith("squids."):
        frames = frames.tb_next
    return frames

"""Runs one message: finds its task, runs the hooks and the task, and reports the outcome.

Whatever a task does becomes an outcome, not an exception: a bad message, `sys.exit()` in a task, a hook that
raises. Settling the message is up to the caller.

The order: the contexts of `around_task` are entered, the first registered one first; `pre_task`; the task;
`post_task`; the contexts are left in reverse. Only then is it certain how the job ended, since a commit may
fail, and `on_success` or `on_failure` runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from squids.arguments import Converter
from squids.bounds import ERROR, NAME, cut
from squids.delivery import Delivery
from squids.errors import ArgumentMismatch, BadMessage, UnknownTask
from squids.hints import as_word
from squids.hooks import AroundTask, Hooks, name_of
from squids.job import CURRENT, Job, JobEnd
from squids.registry import hint_for
from squids.task import Task, signature_text
from squids.tracebacks import error_line, traceback_of, users_frames
from squids.unfinished import check_returned
from squids.wire import JSON, Call, decode


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended.

    A failure has its error as one line, the task's frames, and the exception; that of a bad message is a
    BadMessage, without frames.
    """

    end: JobEnd
    task: str | None = None
    error: str | None = None
    traceback: str | None = None
    exception: BaseException | None = None


def execute(
    delivery: Delivery,
    queue: str,
    tasks: Mapping[str, Task[Any, Any]],
    hooks: Hooks,
    json: JSON | None = None,
) -> Outcome:
    """Run one message of a queue. `json`: the app's own codec. Raises only KeyboardInterrupt."""
    bad = None
    try:
        task, call = _found(delivery.body, tasks, json)
        job = _job(delivery, queue, task.name, call)
    except BadMessage as error:
        bad = error
        call = _call_in(delivery.body, json)
        job = _job(delivery, queue, call.task, call)
    token = CURRENT.set(job)
    try:
        if bad is not None:
            outcome = _bad(None, bad)
        elif hooks.around_task:
            outcome = _run_within(call, task, job, hooks)
        else:
            outcome = _run(call, task, hooks)
        if outcome.exception is None:
            if hooks.on_success:
                hooks.run_on_success(job)
        elif hooks.on_failure:
            hooks.run_on_failure(job, outcome.exception)
        return outcome
    finally:
        CURRENT.reset(token)


def interrupted(
    delivery: Delivery,
    queue: str,
    tasks: Mapping[str, Task[Any, Any]],
    hooks: Hooks,
    json: JSON | None,
    error: KeyboardInterrupt,
) -> Outcome:
    """Return the outcome of a job that `execute` left with this exception. It counts as a failure here.

    Runs `on_failure`, unless the exception came before the task was known.
    """
    try:
        task, call = _found(delivery.body, tasks, json)
    except BadMessage:
        return _failure(None, error)
    job = _job(delivery, queue, task.name, call)
    token = CURRENT.set(job)
    try:
        hooks.run_on_failure(job, error)
    finally:
        CURRENT.reset(token)
    return _failure(task.name, error)


def _found(body: str, tasks: Mapping[str, Task[Any, Any]], json: JSON | None) -> tuple[Task[Any, Any], Call]:
    """Return the task of a body, and the call with its arguments as annotated. Raises BadMessage."""
    call = decode(body, json)
    task = find(call, tasks)
    return task, call if task.converter is None else _converted(call, task, task.converter)


def _job(delivery: Delivery, queue: str, task: str, call: Call) -> Job:
    return Job(
        delivery.message_id,
        queue,
        task,
        delivery.receive_count,
        _time(delivery.sent_at),
        tuple(call.args),
        call.kwargs,
    )


def _call_in(body: str, json: JSON | None) -> Call:
    """Return the call in a body that cannot be run; without a task if there is none."""
    try:
        return decode(body, json)
    except BadMessage:
        return Call("")


def _time(seconds: float | None) -> datetime | None:
    """Convert a timestamp. None also if it is out of a datetime's range, as a server may send it."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def find(call: Call, tasks: Mapping[str, Task[Any, Any]]) -> Task[Any, Any]:
    """Return the task that a call names. Raises UnknownTask if the app has none."""
    try:
        return tasks[call.task]
    except KeyError:
        pass
    hint = hint_for(call.task, tasks)
    raise UnknownTask(f"the app has no task {cut(as_word(call.task), NAME)}{f'; {hint}' if hint else ''}")


def _converted(call: Call, task: Task[Any, Any], converter: Converter) -> Call:
    """Return the call with the arguments as annotated. Raises ArgumentMismatch."""
    try:
        bound = converter.from_json(call.args, call.kwargs)
    except ArgumentMismatch as error:
        raise ArgumentMismatch(f"{task.name}: {error}") from None
    except TypeError:
        return call  # They do not fit the signature, which is reported when it runs.
    return Call(call.task, list(bound.args), bound.kwargs)


def _run_within(call: Call, task: Task[Any, Any], job: Job, hooks: Hooks) -> Outcome:
    """Run a job within the contexts of `around_task`."""
    bad = _unbindable(call, task)
    if bad is not None:
        return bad  # Before any context: there is nothing to run in it.
    outcome = None
    try:
        with ExitStack() as stack:
            for factory in hooks.around_task:
                stack.push(_entered(factory, job))
            outcome = _run(call, task, hooks)
            if outcome.exception is not None:
                raise outcome.exception
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if outcome is None or error is not outcome.exception:
            return _failure(task.name, error, "in an around_task hook: ")
    assert outcome is not None
    return outcome


def _entered(factory: AroundTask, job: Job) -> Callable[..., None]:
    """Enter a context. Returns its exit, which cannot hide that the job has failed."""
    context = factory(job)
    kind = type(context)
    if not (hasattr(kind, "__enter__") and hasattr(kind, "__exit__")):
        raise TypeError(f"{name_of(factory)} returned {context!r}, which is not a context manager")
    context.__enter__()

    def exit_context(*error: Any) -> None:
        context.__exit__(*error)

    return exit_context


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
        return _bad(task.name, BadMessage(cut(text, ERROR)))
    return None


def _bad(task: str | None, error: BadMessage) -> Outcome:
    return Outcome(JobEnd.BAD_MESSAGE, task, cut(str(error), ERROR), None, error)


def _failure(task: str | None, error: BaseException, where: str = "") -> Outcome:
    text = traceback_of(error, users_frames(error.__traceback__))
    return Outcome(JobEnd.FAILED, task, where + error_line(error), text, error)

"""The supervisor's events: what an operator should know, and all their texts. Pure.

An event is a line of the supervisor's log and an entry of the `events` verb. Its kind is stable: alerts and
parts of the supervisor rely on it. Its text is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from squids.bounds import NAME, cut
from squids.hints import count
from squids.process.stops import FORCES, StopBy
from squids.supervisor.program.events import ProgramState
from squids.tracebacks import error_line, traceback_of


class EventKind(Enum):
    """The value is the log's `action`, and the `event` that the `events` verb shows."""

    # The supervisor, or a program, which the event then names.
    STARTED = "started"
    STOPPING = "stopping"

    # The supervisor.
    FORCING = "forcing"
    GAVE_UP = "gave_up"
    WARNING = "warning"
    VERB = "order"
    STATE = "state"
    INTERNAL_ERROR = "internal_error"
    NO_CONTROL_SOCKET = "no_control_socket"
    OUTPUT_TROUBLE = "output_trouble"

    # A program.
    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"
    STOPPED = "stopped"
    EXITED = "exited"
    FATAL = "fatal"
    DIED = "died"
    HANDED_OVER = "hand_over"
    HAND_OVER_FAILED = "hand_over_failed"
    DEBUGGER_GONE = "debugger_gone"
    DEGRADED = "degraded"
    HEALED = "healed"
    GARBAGE = "garbage"

    # A fork server, and what it imports.
    IMPORTED = "imported"
    IMPORT_FAILED = "import_failed"
    NOT_FORKABLE = "not_forkable"
    OUTPUT_LOST = "output_lost"
    FORK_SERVER_HANGS = "zygote_hangs"
    FORK_SERVER_BROKEN = "zygote_broken"
    FORK_SERVER_DIED = "zygote_died"

    # Reloads.
    CODE_CHANGED = "code_changed"
    STALE = "stale"
    RELOAD = "reload"
    RELOAD_FAILED = "reload_failed"
    ROLLED_OUT = "rolled_out"
    WATCH_TROUBLE = "watch_trouble"

    # The local SQS.
    LOCAL_SQS = "local_sqs"
    LOCAL_SQS_DIED = "local_sqs_died"


KIND_OF_STATE = {state: EventKind(state.value) for state in ProgramState}
"""Each change of a program's state is an event of that name."""

PLAIN_REASONS = ("", "started", "stopped", "restarted", "receiving")
"""Reasons that add nothing to the state."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event for operators. `level`: of its log record; `program`: the one it is about, if any."""

    kind: EventKind
    level: str
    text: str
    program: str = ""
    traceback: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


# The supervisor.


def started(title: str, programs: int, **details: Any) -> Event:
    return Event(EventKind.STARTED, "INFO", f"{title}: {count(programs, 'program')}", details=details)


def stopping(reason: str, up: int, by: StopBy) -> Event:
    text = f"{reason}: draining {count(up, 'program')}"
    return Event(EventKind.STOPPING, "INFO", f"{text}; {FORCES}" if up and by is StopBy.SIGNAL else text)


def forcing(reason: str) -> Event:
    text = f"{reason} again: killing running tasks and giving all messages back"
    return Event(EventKind.FORCING, "WARNING", text)


def gave_up(reason: str) -> Event:
    return Event(EventKind.GAVE_UP, "ERROR", f"{reason}: exiting, as exit_on says")


def warning(text: str) -> Event:
    return Event(EventKind.WARNING, "WARNING", text)


def verb(
    name: str, queues: list[str], options: Mapping[str, Any], uid: int | None, refused: str = ""
) -> Event:
    """What was asked for, as one would type it. `refused`: why nothing was changed."""
    flags = [f"--{key}" if value is True else f"--{key}={value}" for key, value in options.items()]
    text = " ".join(cut(word, NAME) for word in (name, *flags, *queues))
    return Event(
        EventKind.VERB, "INFO", f"{text}: refused: {refused}" if refused else text, details={"uid": uid}
    )


def state(program: str, text: str, **details: Any) -> Event:
    """The state of one program, as SIGUSR1 requests it."""
    return Event(EventKind.STATE, "INFO", text, program, details=details)


def internal_error(what: str, error: BaseException) -> Event:
    """A bug of squids. `what`: the work that failed."""
    text = f"{what} failed: an error inside the supervisor: {error_line(error)}"
    return Event(EventKind.INTERNAL_ERROR, "ERROR", text, traceback=traceback_of(error, error.__traceback__))


def no_control_socket(text: str) -> Event:
    return Event(EventKind.NO_CONTROL_SOCKET, "WARNING", text)


def output_trouble(text: str) -> Event:
    return Event(EventKind.OUTPUT_TROUBLE, "WARNING", text)


# A program.


def state_changed(program: str, new: ProgramState, reason: str, retry_in: float | None) -> Event:
    """`retry_in`: seconds until the next start; None if none is planned."""
    level = {ProgramState.BACKOFF: "WARNING", ProgramState.FATAL: "ERROR"}.get(new, "INFO")
    text = new.value
    if reason not in PLAIN_REASONS:
        text += f": {reason.splitlines()[-1]}"
    if new is ProgramState.BACKOFF and retry_in is not None:
        text += f"; again in {retry_in:.1f} s"
    return Event(KIND_OF_STATE[new], level, text, program)


def died(program: str, cause: str, uptime: float, tasks: int) -> Event:
    """A process died without being told to exit. `uptime`: in seconds; `tasks`: how many it was running."""
    jobs = f"; it was running {tasks} tasks" if tasks else ""
    return Event(EventKind.DIED, "WARNING", f"{cause} after {uptime:.1f} s{jobs}", program)


def handed_over(program: str, failure: str | None) -> Event:
    if failure is None:
        return Event(EventKind.HANDED_OVER, "INFO", "handed over to a new process", program)
    return Event(EventKind.HAND_OVER_FAILED, "WARNING", failure, program)


def debugger_gone(program: str) -> Event:
    text = "its debugger was killed: receiving again"
    return Event(EventKind.DEBUGGER_GONE, "WARNING", text, program)


def degraded(program: str, reason: str | None) -> Event:
    """`reason` is None if it recovered. The consumer logs this itself."""
    if reason is None:
        return Event(EventKind.HEALED, "INFO", "recovered", program)
    return Event(EventKind.DEGRADED, "WARNING", reason, program)


def garbage(program: str, error: Exception) -> Event:
    return Event(EventKind.GARBAGE, "ERROR", f"sent an invalid frame: {error}", program)


# A fork server, and what it imports. `app` is `module:name`.


def imported(app: str) -> Event:
    return Event(EventKind.IMPORTED, "INFO", f"{app} was imported")


def import_failed(text: str) -> Event:
    """`text`: its first line names the app; a traceback may follow."""
    first, _, traceback = text.partition("\n")
    return Event(EventKind.IMPORT_FAILED, "ERROR", first, traceback=traceback)


def import_failed_as_before(event: Event) -> Event:
    """The same failure again, without the traceback."""
    return Event(event.kind, event.level, f"{event.text}, as before")


def not_forkable(app: str, why: str) -> Event:
    text = (
        f"importing {app} started {why}, which does not survive a fork: "
        "each process of its queues starts in a fresh interpreter instead"
    )
    return Event(EventKind.NOT_FORKABLE, "WARNING", text)


def output_lost(label: str, why: str) -> Event:
    return Event(EventKind.OUTPUT_LOST, "WARNING", f"the output of {label} is not read: {why}")


def fork_server_hangs(app: str, why: str) -> Event:
    return Event(EventKind.FORK_SERVER_HANGS, "ERROR", f"the fork server of {app} {why}; killing it")


def fork_server_broken(app: str, what: str) -> Event:
    return Event(EventKind.FORK_SERVER_BROKEN, "ERROR", f"the fork server of {app} {what}; killing it")


def fork_server_died(app: str, how: str) -> Event:
    return Event(EventKind.FORK_SERVER_DIED, "ERROR", f"the fork server of {app} died: {how}")


# Reloads.


def code_changed(files: str, app: str) -> Event:
    return Event(EventKind.CODE_CHANGED, "INFO", f"{files} changed: importing {app} again")


def stale(failure: str) -> Event:
    return Event(EventKind.STALE, "WARNING", f"{failure}: running processes keep the old code")


def reload(text: str) -> Event:
    return Event(EventKind.RELOAD, "INFO", text)


def reload_failed(text: str) -> Event:
    return Event(EventKind.RELOAD_FAILED, "ERROR", text)


def rolled_out(program: str, text: str, *, ok: bool, still_draining: bool = False) -> Event:
    """`still_draining`: it is not done yet, and no one has to act."""
    if still_draining:
        return Event(EventKind.ROLLED_OUT, "WARNING", text, program)
    return Event(EventKind.ROLLED_OUT, "INFO" if ok else "ERROR", text, program)


def watch_trouble(text: str) -> Event:
    return Event(EventKind.WATCH_TROUBLE, "WARNING", text)


# The local SQS.


def local_sqs(url: str) -> Event:
    return Event(EventKind.LOCAL_SQS, "INFO", f"a new local SQS listens at {url}")


def local_sqs_died(text: str) -> Event:
    return Event(EventKind.LOCAL_SQS_DIED, "ERROR", text)

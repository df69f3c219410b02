"""`squids-supervisor send`: sends one call of a task from the command line.

If the file's supervisor has a local SQS, the call goes there.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from squids.cli import client
from squids.cli.apps import ask_app, error_text, local_environment, read_or_report
from squids.exit_codes import FAILED, OK, TIMED_OUT, UNREACHABLE, USAGE, ExitCode
from squids.hints import as_word, did_you_mean
from squids.job import JobAction
from squids.printable import printable
from squids.supervisor.control.place import Untrusted
from squids.supervisor.settings import AppSpec, ProgramSettings, Settings

MAX_PENDING = 1000
"""The limit of answers that were read and not shown yet."""

DRAIN_SECONDS = 0.5
QUIET_SECONDS = 0.2
"""How long lines are shown after the task has ended: in total, and without a new one."""

EXIT_CODES: dict[str, int] = {
    JobAction.DONE: OK,
    JobAction.FAILED: FAILED,
    JobAction.BAD_MESSAGE: FAILED,
    JobAction.WORKER_LOST: FAILED,
}
"""The log actions that end a job, and the exit code that each means."""

HALTED_UNTIL = {
    "paused": "resumed",
    "stopping": "started",
    "stopped": "started",
    "exited": "started",
    "fatal": "reset",
}
"""States in which a queue receives nothing until an operator acts, and what it then has to be.

One that is stopping may also start again by itself: what is wanted decides.
"""

STATES = ("starting", "running", "backoff", "stopped", "exited", "fatal")
"""The log actions of the supervisor that name a queue's new state.

"stopping" is not one of them: the log does not say whether it will start again.
"""

ASK_SECONDS = 60.0
"""How long an app, or the first answer of the supervisor, may take."""


class CannotSend(Exception):
    """The call cannot be sent or waited for, for this reason. `code`: the exit code."""

    def __init__(self, text: str, code: int = FAILED) -> None:
        super().__init__(text)
        self.code = code


def send(config: str, arguments: argparse.Namespace) -> int:
    """Send a call and, with `--wait`, show the log until it has run; return the exit code."""
    settings = read_or_report(config, trusting=arguments.trust_files)
    if settings is None:
        return ExitCode.CONFIG
    try:
        question = {
            "do": "send",
            "task": arguments.task,
            "kwargs": _json(arguments.kwargs, dict, "the arguments by name", '{"to": "ada@example.com"}'),
            "args": _json(arguments.args, list, "--args", '["ada@example.com"]'),
            "options": _json(arguments.options, dict, "--options", '{"DelaySeconds": 5}'),
            "queue": arguments.queue,
        }
        environment = local_environment(config)
        app_spec, name, queues = _find_task(settings, arguments.task, environment)
        question["task"] = name
        if arguments.queue is not None:
            queues = (_name_of(arguments.queue),)
        if arguments.wait:
            followed = programs_of(settings, queues) or queues
            return _send_and_wait(config, app_spec, question, environment, followed, arguments.timeout)
        sent = _checked_sent(ask_app(app_spec, question, ASK_SECONDS, environment))
        print(_sent_text(sent))
        if not programs_of(settings, (sent["queue"], *queues)):
            text = f"the file has no queue {sent['queue']}: nothing here will run it"
            print(printable(text), file=sys.stderr)
        return OK
    except CannotSend as error:
        text = printable(str(error), keep="\n\t")
        print(f"squids-supervisor: {text}", file=sys.stderr)
        return error.code


def _json(text: str | None, kind: type, name: str, example: str) -> Any:
    if text is None:
        return kind()
    try:
        value = json.loads(text)
    except ValueError as error:
        raise CannotSend(f"{name}: not valid JSON: {error}; write it like '{example}'", USAGE) from None
    if not isinstance(value, kind):
        noun = "a JSON object" if kind is dict else "a JSON array"
        raise CannotSend(f"{name}: expected {noun}, like '{example}', not {text}", USAGE)
    return value


def programs_of(settings: Settings, queues: Sequence[str]) -> list[str]:
    """Return the file's names of the first of these queues that it has; empty if it has none.

    `queues`: the names of one queue, in SQS and in the code.
    """
    for name in queues:
        found = {_name_of(program.queue) for program in settings.programs if name in _names_of(program)}
        if found:
            return sorted(found)
    return []


def _names_of(program: ProgramSettings) -> set[str]:
    """Return the names of a program's queue: in its file and, if it is another, in SQS."""
    return {_name_of(queue) for queue in (program.option("queue"), program.sqs_queue) if queue}


def _find_task(
    settings: Settings, name: str, environment: dict[str, str] | None
) -> tuple[AppSpec, str, tuple[str, ...]]:
    """Return the app that has the task, the task's full name, and its queue's, in SQS and in the code."""
    known: dict[str, tuple[AppSpec, str, tuple[str, ...]]] = {}
    errors = []
    for app_spec in settings.app_specs:
        answer = ask_app(app_spec, {"do": "tasks"}, ASK_SECONDS, environment)
        if "error" in answer:
            errors.append(error_text(app_spec, answer["error"]))
        for task in answer.get("tasks", ()):
            queues = task["queue"], task["queue_in_code"]
            for called in (task["name"], *task.get("aliases", ())):
                known.setdefault(called, (app_spec, task["name"], queues))
    matches = [name] if name in known else [full for full in known if full.endswith(f".{name}")]
    found = list(dict.fromkeys(known[full][1] for full in matches))
    if len(found) == 1:
        return known[matches[0]]
    if found:
        raise CannotSend(f"several tasks end in {as_word(name)}: {', '.join(found)}")
    if errors:
        raise CannotSend("\n".join(errors), ExitCode.CONFIG)
    hint = did_you_mean(name, known, f"known tasks: {', '.join(known) or 'none'}", cutoff=0.5)
    raise CannotSend(f"unknown task {as_word(name)}; {hint}")


def _checked_sent(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of an app that has sent the call. Raises CannotSend if it has not."""
    if "error" in answer or "refused" in answer:
        raise CannotSend(answer.get("refused") or answer["error"])
    return answer


def _name_of(queue: str) -> str:
    """Return the name of a queue that is given by name, URL or ARN."""
    return queue.rpartition("/")[2].rpartition(":")[2]


def _sent_text(sent: dict[str, Any]) -> str:
    return printable(f"sent {sent['task']} to {sent['url']}: message {sent['message_id']}")


def _send_and_wait(
    config: str,
    app_spec: AppSpec,
    question: dict[str, Any],
    environment: dict[str, str] | None,
    queues: Sequence[str],
    timeout: float | None,
) -> int:
    deadline = None if timeout is None else time.monotonic() + timeout
    answers = _Answers(client.ask(config, "follow", list(queues)))
    first = answers.next(ASK_SECONDS)
    if first is None or first["type"] != "text":
        code = first.get("code") if first is not None else None
        raise CannotSend(
            f"nothing was sent: {_failure_text(first)}",
            code if isinstance(code, int) and code else UNREACHABLE,
        )
    sent = _checked_sent(ask_app(app_spec, question, ASK_SECONDS, environment))
    print(_sent_text(sent), flush=True)
    outlook = Outlook(first, timeout)
    _print_halt(outlook.text)
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        answer = answers.next(left) if left is None or left > 0 else None
        if answer is None:
            raise CannotSend(
                f"the task did not finish within {timeout:g} s; its message stays in the queue until it does",
                TIMED_OUT,
            )
        if answer["type"] != "line":
            raise CannotSend(_failure_text(answer), UNREACHABLE)
        details = answer["details"]
        action, is_own = str(details.get("action")), details.get("message_id") == sent["message_id"]
        if is_own or action not in (JobAction.STARTED, JobAction.DONE):
            print(printable(str(answer["text"]), keep="\n\t"), flush=True)
        _print_halt(outlook.halts_with(answer))
        if is_own and action in EXIT_CODES:
            answers.drain()
            return EXIT_CODES[action]


def _print_halt(text: str | None) -> None:
    if text is not None:
        print(f"squids-supervisor: {printable(text)}", file=sys.stderr, flush=True)


def halted(states: Any, timeout: float | None, wanted: Any = None) -> str | None:
    """Return why the message may have to wait long, from the states of its queues.

    None if one of them receives, or will without help. `wanted`: what each is to be.
    """
    known = {name: str(state) for name, state in states.items()} if isinstance(states, dict) else {}
    down = {name for name, what in wanted.items() if what == "down"} if isinstance(wanted, dict) else set()
    halts = [state in HALTED_UNTIL and (state != "stopping" or name in down) for name, state in known.items()]
    if not known or not all(halts):
        return None
    queues = ", ".join(f"queue {name} is {state}" for name, state in sorted(known.items()))
    verbs = " or ".join(dict.fromkeys(HALTED_UNTIL[state] for _, state in sorted(known.items())))
    limit = "" if timeout is None else f", for at most {timeout:g} s"
    return f"{queues}: waiting until {'it is' if len(known) == 1 else 'one is'} {verbs}{limit}"


class Outlook:
    """Whether the queues of a message receive: as the supervisor said at first, and as its log continues."""

    def __init__(self, first: dict[str, Any], timeout: float | None) -> None:
        states = first.get("states")
        self._states = dict(states) if isinstance(states, dict) else {}
        self._wanted = first.get("wanted")
        self.text = halted(self._states, timeout, self._wanted)
        """Why the message may have to wait long, or None."""

    def halts_with(self, line: dict[str, Any]) -> str | None:
        """Return why the message may have to wait long from now on, if this line of the log says so."""
        name, _, origin = str(line.get("source")).rpartition(" ")
        action = line["details"].get("action")
        if origin != "supervisor" or name not in self._states or action not in STATES:
            return None
        self._states[name] = action
        before, self.text = self.text, halted(self._states, None, self._wanted)
        return self.text if before is None else None


def _failure_text(answer: dict[str, Any] | None) -> str:
    """Return why this answer, instead of the expected one, ends the wait."""
    if answer is not None and answer["type"] != "end":
        return client.unexpected(answer)
    return str((answer or {}).get("error") or "the supervisor does not answer")


class _Answers:
    """Answers from the socket, read in a thread so that waits can time out."""

    def __init__(self, answers: Iterator[dict[str, Any]]) -> None:
        self._queue: queue.Queue[dict[str, Any]] = queue.Queue(MAX_PENDING)
        threading.Thread(target=self._read, args=(answers,), daemon=True).start()

    def _read(self, answers: Iterator[dict[str, Any]]) -> None:
        try:
            for answer in answers:
                self._queue.put(answer)
        except (client.Unreachable, Untrusted) as error:
            self._queue.put({"type": "end", "error": str(error)})

    def next(self, seconds: float | None) -> dict[str, Any] | None:
        """Return the next answer, or None after `seconds`."""
        try:
            return self._queue.get(timeout=seconds)
        except queue.Empty:
            return None

    def drain(self) -> None:
        """Print the worker's output, which may come shortly after the consumer's, until it is quiet."""
        until = time.monotonic() + DRAIN_SECONDS
        while (left := until - time.monotonic()) > 0:
            answer = self.next(min(left, QUIET_SECONDS))
            if answer is None or answer["type"] != "line":
                return
            print(printable(str(answer["text"]), keep="\n\t"), flush=True)

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
from squids.cli.awaited import Awaited
from squids.exit_codes import FAILED, OK, TIMED_OUT, UNREACHABLE, USAGE, ExitCode
from squids.hints import as_word, did_you_mean
from squids.printable import printable
from squids.supervisor.control.place import Untrusted
from squids.supervisor.settings import AppSpec, ProgramSettings, Settings

MAX_LINES = 1000
"""Answers that may wait to be shown before lines are left out."""

MAX_PENDING = 100_000
"""Answers that may wait before no more are read: the rest waits in the supervisor, within its limits."""

DRAIN_SECONDS = 0.5
QUIET_SECONDS = 0.2
"""How long lines are shown after the task has ended: in total, and without a new one."""

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
    if first is None or first["type"] != "states":
        code = first.get("code") if first is not None else None
        raise CannotSend(
            f"nothing was sent: {_failure_text(first)}",
            code if isinstance(code, int) and code else UNREACHABLE,
        )
    sent = _checked_sent(ask_app(app_spec, question, ASK_SECONDS, environment))
    print(_sent_text(sent), flush=True)
    awaited = Awaited(sent["message_id"], first, timeout)
    _print_halt(awaited.halt)
    while awaited.exit_code is None:
        left = None if deadline is None else deadline - time.monotonic()
        answer = answers.next(left) if left is None or left > 0 else None
        if answer is None:
            raise CannotSend(
                f"the task did not finish within {timeout:g} s; its message stays in the queue until it does",
                TIMED_OUT,
            )
        match answer["type"]:
            case "line":
                _print_line(awaited, answer)
            case "jobs" | "states":
                _print_halt(awaited.hear(answer))
            case _:
                raise CannotSend(f"{_failure_text(answer)}; the message was sent", UNREACHABLE)
    for line in answers.last_lines():
        _print_line(awaited, line)
    return awaited.exit_code


def _print_line(awaited: Awaited, line: dict[str, Any]) -> None:
    if awaited.shows(line):
        print(printable(str(line["text"]), keep="\n\t"), flush=True)


def _print_halt(text: str | None) -> None:
    if text is not None:
        print(f"squids-supervisor: {printable(text)}", file=sys.stderr, flush=True)


def _failure_text(answer: dict[str, Any] | None) -> str:
    """Return why this answer, instead of the expected one, ends the wait."""
    if answer is not None and answer["type"] != "end":
        return client.unexpected(answer)
    return str((answer or {}).get("error") or "the supervisor does not answer")


class _Answers:
    """Answers from the socket, read in a thread: so waits can time out, and no answer waits in the socket."""

    def __init__(self, answers: Iterator[dict[str, Any]]) -> None:
        self._queue: queue.Queue[dict[str, Any]] = queue.Queue(MAX_PENDING)
        threading.Thread(target=self._read, args=(answers,), daemon=True).start()

    def _read(self, answers: Iterator[dict[str, Any]]) -> None:
        try:
            for answer in answers:
                if answer["type"] != "line" or self._queue.qsize() < MAX_LINES:
                    self._queue.put(answer)
        except (client.Unreachable, Untrusted) as error:
            self._queue.put({"type": "end", "error": str(error)})

    def next(self, seconds: float | None) -> dict[str, Any] | None:
        """Return the next answer, or None after `seconds`."""
        try:
            return self._queue.get(timeout=seconds)
        except queue.Empty:
            return None

    def last_lines(self) -> Iterator[dict[str, Any]]:
        """Yield the lines that come shortly after the end of the job, until it is quiet."""
        until = time.monotonic() + DRAIN_SECONDS
        while (left := until - time.monotonic()) > 0:
            answer = self.next(min(left, QUIET_SECONDS))
            if answer is None or answer["type"] == "end":
                return
            if answer["type"] == "line":
                yield answer

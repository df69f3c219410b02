"""`squids-supervisor tasks`: lists the tasks that can be sent."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from typing import Any

from squids.cli.apps import ask_app, error_text, local_environment, report_mistakes
from squids.cli.render import document, width
from squids.exit_codes import ExitCode
from squids.hints import count
from squids.printable import printable
from squids.supervisor.config.build import read


def show_tasks(config: str, *, as_json: bool, trusting: bool = False) -> int:
    """Print every app's tasks; return the exit code."""
    settings = read(config, os.environ, trusting=trusting)
    if isinstance(settings, list):
        mistakes = [str(problem) for problem in settings]
        report_mistakes(config, mistakes)
        if as_json:
            _print_document([], mistakes)
        return ExitCode.CONFIG
    environment = local_environment(config)
    asked: set[tuple[str, str]] = set()
    rows: list[dict[str, Any]] = []
    errors: list[str] = []
    for app_spec in settings.app_specs:
        if (app_spec.app, app_spec.directory) in asked:
            continue  # The same app in another environment.
        asked.add((app_spec.app, app_spec.directory))
        timeout = max(program.start_timeout for program in settings.programs if program.app_spec == app_spec)
        answer = ask_app(app_spec, {"do": "tasks"}, timeout, environment)
        if "error" in answer:
            errors.append(error_text(app_spec, answer["error"]))
            print(printable(errors[-1], keep="\n\t"), file=sys.stderr)
        elif as_json:
            rows += [{**task, "type": "task", "app": app_spec.app} for task in answer["tasks"]]
        else:
            print(printable(_text(app_spec.app, answer["tasks"]), keep="\n"))
    if as_json:
        _print_document(rows, errors)
    return ExitCode.CONFIG if errors else ExitCode.OK


def _print_document(rows: list[dict[str, Any]], errors: list[str]) -> None:
    """Print the JSON document."""
    end = {"code": int(ExitCode.CONFIG if errors else ExitCode.OK), "error": "\n".join(errors) or None}
    print(json.dumps(document("tasks", rows, end)))


def _text(app: str, tasks: list[dict[str, Any]]) -> str:
    columns = min(width(), 200)
    lines = [f"{app}: {count(len(tasks), 'task')}"]
    for task in tasks:
        call = f"{task['name']}{task['signature']}"
        lines += textwrap.wrap(call, columns - 2, initial_indent="  ", subsequent_indent="      ")
        in_code = f", {task['queue_in_code']} in the code" if task["queue_in_code"] != task["queue"] else ""
        about = f"queue {task['queue']}{in_code}, {task['place']}"
        if task.get("aliases"):
            about += f", also {', '.join(task['aliases'])}"
        if task["doc"]:
            about += f": {task['doc']}"
        lines += textwrap.wrap(about, columns - 2, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)

"""`squids-supervisor tasks`: what there is to be sent."""

from __future__ import annotations

import json
import sys
import textwrap
from typing import Any

from squids.cli.apps import ask_app, local_environment, read_or_tell, told_error
from squids.cli.render import width
from squids.exit_codes import ExitCode
from squids.hints import count
from squids.printable import printable


def show_tasks(config: str, *, as_json: bool, trusting: bool = False) -> int:
    """Print every app's tasks; the exit code."""
    settings = read_or_tell(config, trusting=trusting)
    if settings is None:
        return ExitCode.CONFIG
    code = ExitCode.OK
    environment = local_environment(config)
    told: set[tuple[str, str]] = set()
    rows: list[dict[str, Any]] = []
    for app_spec in settings.app_specs:
        if (app_spec.app, app_spec.directory) in told:
            continue  # The same app in another environment.
        told.add((app_spec.app, app_spec.directory))
        timeout = max(program.start_timeout for program in settings.programs if program.app_spec == app_spec)
        answer = ask_app(app_spec, {"do": "tasks"}, timeout, environment)
        if "error" in answer:
            print(printable(told_error(app_spec, answer["error"]), keep="\n\t"), file=sys.stderr)
            code = ExitCode.CONFIG
        elif as_json:
            rows += [{"app": app_spec.app, **task} for task in answer["tasks"]]
        else:
            print(printable(_text(app_spec.app, answer["tasks"]), keep="\n"))
    if as_json:
        print(json.dumps(rows))
    return code


def _text(app: str, tasks: list[dict[str, Any]]) -> str:
    columns = min(width(), 200)
    lines = [f"{app}: {count(len(tasks), 'task')}"]
    for task in tasks:
        call = f"{task['name']}{task['signature']}"
        lines += textwrap.wrap(call, columns - 2, initial_indent="  ", subsequent_indent="      ")
        about = f"queue {task['queue']}, {task['place']}"
        if task["doc"]:
            about += f": {task['doc']}"
        lines += textwrap.wrap(about, columns - 2, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)

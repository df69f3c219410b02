"""`squids-supervisor check`: the file, each app, and with `--aws` each queue. Exit code 0 or 78."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from squids.exit_codes import ExitCode
from squids.process.interpreter import interpreter_of
from squids.queues import QueueRef
from squids.supervisor.config import read
from squids.supervisor.settings import Ground, ProgramSettings, Settings
from squids.supervisor.zygotes import environment_of, groups_of


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    ok: bool
    text: str


def check(config: str, *, aws: bool, as_json: bool) -> int:
    """Print the table; the exit code."""
    settings = read(config, os.environ)
    if isinstance(settings, list):
        if as_json:
            print(json.dumps({"file": config, "ok": False, "mistakes": [str(p) for p in settings]}))
        else:
            for problem in settings:
                print(problem, file=sys.stderr)
            noun = "mistake" if len(settings) == 1 else "mistakes"
            print(f"{config}: {len(settings)} {noun}", file=sys.stderr)
        return ExitCode.CONFIG
    rows = [row for ground in grounds_of(settings) for row in check_ground(settings, ground, aws=aws)]
    ok = all(row.ok for row in rows)
    if as_json:
        found = [{"name": row.name, "ok": row.ok, "text": row.text} for row in rows]
        print(json.dumps({"file": config, "ok": ok, "warnings": settings.warnings, "checks": found}))
        return ExitCode.OK if ok else ExitCode.CONFIG
    for warning in settings.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(_table(rows))
    failed = sum(not row.ok for row in rows)
    print(f"{config}: {'all is well' if ok else f'{failed} of {len(rows)} checks failed'}")
    return ExitCode.OK if ok else ExitCode.CONFIG


def grounds_of(settings: Settings) -> list[Ground]:
    """Each app to import, once."""
    return list(dict.fromkeys(program.ground for program in settings.programs))


def check_ground(settings: Settings, ground: Ground, *, aws: bool) -> list[Row]:
    """Whether an app imports, has tasks for its queues, and, with `aws`, may use them."""
    programs = list(
        {program.key: program for program in settings.programs if program.ground == ground}.values()
    )
    answer = _ask(ground, programs, aws=aws)
    error = answer.get("error")
    if error is not None:
        return [Row(program.name, False, f"{ground.app}: {error}") for program in programs]
    rows = []
    for program in programs:
        name = QueueRef.parse(program.queue).name
        tasks = answer["tasks"].get(name, [])
        troubles = list(answer.get("queues", {}).get(program.queue, []))
        if not tasks:
            queues = ", ".join(sorted(answer["tasks"])) or "none"
            troubles.insert(0, f"{ground.app} has no task for the queue {name}; it has tasks for: {queues}")
        noun = "task" if len(tasks) == 1 else "tasks"
        asked = ", and SQS agrees" if aws else ""
        rows.append(Row(program.name, not troubles, "; ".join(troubles) or f"{len(tasks)} {noun}{asked}"))
    return rows


def _ask(ground: Ground, programs: list[ProgramSettings], *, aws: bool) -> dict[str, Any]:
    mark = secrets.token_hex(8)
    spec = {
        "app": ground.app,
        "queues": [program.queue for program in programs],
        "aws": aws,
        "mark": mark,
    }
    timeout = max(program.start_timeout for program in programs) + (60 if aws else 0)
    try:
        done = subprocess.run(
            interpreter_of("squids.cli.check_child", spec, ground.python),
            cwd=ground.directory,
            env=environment_of(ground),
            user=ground.user,
            group=ground.group,
            extra_groups=None if ground.user is None else groups_of(ground),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"its import took over {timeout:g} s"}
    except OSError as error:
        return {"error": f"cannot start {error.filename or ground.python}: {error.strerror}"}
    for line in done.stdout.splitlines():
        if line.startswith(mark):
            answer: dict[str, Any] = json.loads(line.removeprefix(mark))
            return answer
    said = (done.stderr or done.stdout).strip()
    return {"error": f"importing it ended the process with {done.returncode}:\n{said}"}


def _table(rows: list[Row]) -> str:
    width = max(len(row.name) for row in rows)
    shown = []
    told: set[str] = set()
    for row in rows:
        first, _, rest = row.text.partition("\n")
        shown.append(f"{row.name.ljust(width)}  {'ok    ' if row.ok else 'FAILED'}  {first}")
        if rest and row.text not in told:
            told.add(row.text)  # A traceback once, not for each queue of its app.
            shown.extend(f"    {line}" for line in rest.splitlines())
    return "\n".join(shown)

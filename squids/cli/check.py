"""`squids-supervisor check`: checks the file, the apps and, with `--aws`, the queues. Exits 0 or 78."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass

from squids.cli.apps import ask_app, error_text, report_mistakes
from squids.cli.systemd.effective import limit_warnings, stop_warning
from squids.exit_codes import ExitCode
from squids.hints import count
from squids.printable import printable
from squids.process.cpus import find_cpus
from squids.supervisor.config.build import read
from squids.supervisor.settings import AppSpec, ProgramSettings, Settings, SupervisorSettings


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    name: str
    ok: bool
    text: str


def check(config: str, *, aws: bool, as_json: bool, trusting: bool = False) -> int:
    """Print the table; return the exit code."""
    settings = read(config, os.environ, trusting=trusting)
    if isinstance(settings, list):
        mistakes = [str(problem) for problem in settings]
        if as_json:
            error = count(len(mistakes), "mistake") if os.path.isfile(config) else mistakes[0]
            return _print_document(config, ExitCode.CONFIG, error, mistakes=mistakes)
        report_mistakes(config, mistakes)
        return ExitCode.CONFIG
    rows = [row for app_spec in settings.app_specs for row in check_app_spec(settings, app_spec, aws=aws)]
    failed = sum(not row.ok for row in rows)
    failure = f"{failed} of {len(rows)} checks failed" if failed else None
    code = ExitCode.CONFIG if failed else ExitCode.OK
    warnings = list(settings.warnings)
    if (warning := stop_warning(config, settings.longest_drain)) is not None:
        warnings.append(warning)
    warnings += limit_warnings(config, settings.programs)
    cpus = find_cpus()
    if as_json:
        checks = [{"name": row.name, "ok": row.ok, "text": row.text} for row in rows]
        workers = {"count": cpus.count, "source": cpus.source}
        return _print_document(
            config, code, failure, warnings=warnings, checks=checks, default_workers=workers
        )
    for warning in warnings:
        print(f"warning: {printable(warning)}", file=sys.stderr)
    print(printable(_table(rows), keep="\n\t"))
    if not failed and any(not program.option("workers") for program in settings.programs):
        print(f"a queue without `workers` has {count(cpus.count, 'worker')} here ({cpus.source})")
    print(printable(f"{config}: {failure or 'all checks passed'}"))
    return code


def _print_document(config: str, code: ExitCode, error: str | None, **found: object) -> int:
    """Print the JSON document; return the exit code."""
    ok = code is ExitCode.OK
    print(json.dumps({"type": "check", "file": config, "ok": ok, **found, "code": int(code), "error": error}))
    return code


def check_app(app_spec: AppSpec, queue: str | None, *, aws: bool, timeout: float) -> tuple[str, bool]:
    """Check an app that no file names, for one queue or all those of its tasks.

    Returns the table, or why there is none, and whether all is well.
    """
    answer = ask_app(app_spec, {"do": "tasks"}, timeout)
    if "error" in answer:
        return error_text(app_spec, answer["error"]), False
    queues = [queue] if queue is not None else sorted({task["queue_in_code"] for task in answer["tasks"]})
    if not queues:
        return f"{app_spec.app} has no tasks: the modules that define them may not be imported", False
    programs = tuple(ProgramSettings(name, name, app_spec, (("queue", name),)) for name in queues)
    rows = check_app_spec(Settings(SupervisorSettings(), programs), app_spec, aws=aws)
    return printable(_table(rows), keep="\n\t"), all(row.ok for row in rows)


def check_app_spec(settings: Settings, app_spec: AppSpec, *, aws: bool) -> list[Row]:
    """Check that an app imports, has tasks for its queues and, with `aws`, may use them."""
    programs = list(
        {program.key: program for program in settings.programs if program.app_spec == app_spec}.values()
    )
    timeout = max(program.start_timeout for program in programs) + (60 if aws else 0)
    question = {"do": "check", "queues": [program.option("queue") for program in programs], "aws": aws}
    answer = ask_app(app_spec, question, timeout)
    error = answer.get("error")
    if error is not None:
        return [Row(program.name, False, error_text(app_spec, error)) for program in programs]
    rows = []
    for program in programs:
        name = next(iter(answer["names"].get(program.option("queue"), ())), program.queue)
        tasks = answer["tasks"].get(name, [])
        problems = list(answer.get("queues", {}).get(program.option("queue"), []))
        if not tasks:
            queues = ", ".join(sorted(answer["tasks"])) or "none"
            problems.insert(0, f"{app_spec.app} has no task for the queue {name}; it has tasks for: {queues}")
        passed = count(len(tasks), "task") + (f" of {name}" if name != program.key else "")
        passed += ", and SQS agrees" if aws else ""
        rows.append(Row(program.name, not problems, "; ".join(problems) or passed))
    return rows


def _table(rows: list[Row]) -> str:
    width = max(len(row.name) for row in rows)
    lines = []
    expanded: dict[str, str] = {}  # A traceback is shown once, not for each queue of its app.
    for row in rows:
        first, _, rest = row.text.partition("\n")
        if rest and row.text in expanded:
            first = f"{first.removesuffix(':')}: the same as {expanded[row.text]}"
        lines.append(f"{row.name.ljust(width)}  {'ok    ' if row.ok else 'FAILED'}  {first}")
        if rest and row.text not in expanded:
            expanded[row.text] = row.name
            lines.extend(f"    {line}" for line in rest.splitlines())
    return "\n".join(lines)

"""Shows answers of the supervisor to people, or to programs (`--json`)."""

from __future__ import annotations

import math
import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from squids.cli.client import unexpected
from squids.exit_codes import OK, UNREACHABLE
from squids.printable import printable
from squids.process.log_values import json_line
from squids.supervisor.control.verbs import Verb

Answer = dict[str, Any]

MALFORMED = (LookupError, ArithmeticError, TypeError, ValueError, AttributeError, RecursionError)
"""Errors from showing a malformed answer: the supervisor is of another version, or not one at all."""


def show_all(answers: Iterable[Answer], verb: Verb, *, as_json: bool) -> int:
    """Print the answers to a verb as they come; return the exit code in the last one.

    With `as_json`, print one object per answer of a stream, otherwise a single document. For people, an
    answer of an unknown type is an error, but does not stop the verb: to close the connection would cancel
    the request.
    """
    collected: list[Answer] = []
    unknown: set[str] = set()
    for answer in answers:
        last = answer["type"] == "end"
        if as_json and verb.stream:
            print(json_line(answer), flush=True)
        elif as_json and not last:
            collected.append(answer)
        elif not last and not show(answer) and answer["type"] not in unknown:
            unknown.add(answer["type"])
            print(f"squids-supervisor: {unexpected(answer)}", file=sys.stderr, flush=True)
        if last:
            if as_json and not verb.stream:
                print(json_line(document(verb.name, collected, answer)), flush=True)
            elif answer.get("error") and not as_json:
                print(f"squids-supervisor: {printable(answer['error'])}", file=sys.stderr)
            return UNREACHABLE if unknown and answer["code"] == OK else int(answer["code"])
    return UNREACHABLE


def print_failure(verb: Verb, code: int, error: str) -> None:
    """Print a JSON end for a verb whose end no supervisor reported."""
    end = {"type": "end", "code": int(code), "error": error}
    print(json_line(end if verb.stream else document(verb.name, [], end)), flush=True)


def document(verb: str, answers: list[Answer], end: Answer) -> Answer:
    """Return the JSON document of a verb: the status, or the answers for all queues."""
    outcome = {"code": end["code"], "error": end["error"]}
    if verb == "status" and answers:
        return {**answers[0], **outcome}
    return {"type": verb, "answers": answers, **outcome}


def show(answer: Answer) -> bool:
    """Print one answer for people; return whether its type is known. The caller handles the end."""
    stream, text = sys.stdout, ""
    match answer["type"]:
        case "status":
            text = status(answer, width())
        case "result":
            stream = sys.stdout if answer["ok"] else sys.stderr
            text = f"{answer['queue']}: {_on_own_lines(answer['text'])}"
        case "text":
            stream = sys.stderr if answer.get("error") else sys.stdout
            text = answer["text"]
        case "line":
            text = answer["text"]
        case "event":
            text = event(answer)
        case "why":
            text = why(answer)
        case _:
            return False
    print(printable(text, keep="\n\t"), file=stream, flush=True)
    return True


def _on_own_lines(text: str) -> str:
    """Start a text of several lines, such as a traceback, on a line of its own."""
    return text if "\n" not in text else f"\n{text}"


def width() -> int:
    """Return the usable columns: $COLUMNS, or the terminal's; unlimited if the output is not a terminal."""
    if os.environ.get("COLUMNS", "").isdigit():
        return max(20, int(os.environ["COLUMNS"]))
    if not sys.stdout.isatty():
        return 10_000
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        return 80


def event(answer: Answer) -> str:
    """Format an event as one line."""
    program = f" {answer['program']}" if answer["program"] else ""
    text = answer["text"].splitlines()[0] if answer["text"] else ""
    return f"{answer['at']}{program} {answer['event']}: {text}"


def why(answer: Answer) -> str:
    """Format the last deaths of a program, newest last."""
    reason = answer["reason"]
    lines = [f"{answer['queue']} is {answer['state']}{': ' if reason else ''}{_last_line(reason)}"]
    if "\n" in reason:
        lines.extend(f"  | {line}" for line in reason.splitlines())
    if answer.get("degraded"):
        lines.append(f"  it is degraded: {answer['degraded']}")
    if answer.get("stale"):
        lines.append(f"  its newest code does not import; the old code keeps running: {answer['stale']}")
    lines.extend(f"  warning: {text}" for text in answer.get("warnings", ()))
    if not answer["deaths"]:
        lines.append("  no consumer of it has died since the supervisor started")
    for death in answer["deaths"]:
        asked = " (requested)" if death["asked"] else ""
        lines.append(
            f"  {death['at']}  pid {death['pid']}  {death['cause']} after {seconds(death['uptime'])}{asked}"
        )
        lines.extend(
            f"    was running {job['task']}, message {job['message_id']}, in worker {job['worker']}"
            for job in death["running"]
        )
        if not death["asked"]:
            lines.extend(f"    | {line}" for line in death["lines"])
    return "\n".join(lines)


# The table of `status`.

Column = tuple[str, Callable[[Answer], str], int]
"""Title, function for the text, and rank. If there is no room, higher ranks are dropped first; 0 is kept."""


def _workers(entry: Answer) -> str:
    if entry["workers"] is None:
        return "-"
    return f"{entry['busy'] or 0}/{entry['workers']}"


def _state(entry: Answer) -> str:
    state: str = entry["state"].upper()
    return f"{state}*" if _is_stale(entry) else state


def _why(entry: Answer) -> str:
    if entry["degraded"]:
        return str(entry["degraded"])
    if entry["retry_in"] is not None:
        return f"again in {math.ceil(entry['retry_in'])} s: {_last_line(entry['reason'])}"
    if entry["stale"] is not None:
        return f"stale: {entry['stale']}"
    if entry["replacement"] is not None:
        return "being replaced"
    if draining := entry["leaving"]:
        return f"draining: pid {', '.join(map(str, draining))}"
    if entry["state"] in ("running", "paused", "stopped"):
        return "; ".join(entry.get("warnings", ()))
    return _last_line(entry["reason"])


def _last_line(text: str) -> str:
    return text.splitlines()[-1] if text else ""


def _oldest(entry: Answer) -> str:
    job = entry["oldest_task"]
    if job is None:
        return "-"
    return f"{(job['task'] or '?').rpartition('.')[2]} {seconds(job['seconds'])}"


def _last_exit(entry: Answer) -> str:
    last = entry["last_exit"]
    return "-" if last is None else str(last["cause"]).splitlines()[0][:40]


COLUMNS: tuple[Column, ...] = (
    ("NAME", lambda entry: entry["name"], 0),
    ("STATE", _state, 0),
    ("FOR", lambda entry: seconds(entry["seconds"]), 3),
    ("PID", lambda entry: _or_dash(entry["pid"]), 2),
    ("UPTIME", lambda entry: seconds(entry["uptime"]), 8),
    ("RESTARTS", lambda entry: str(entry["restarts"]), 4),
    ("WORKERS", _workers, 1),
    ("HELD", lambda entry: _or_dash(entry["held"]), 6),
    ("DONE/s", lambda entry: _rate(entry["done_per_second"]), 5),
    ("FAILED", lambda entry: _or_dash(entry["failed"]), 5),
    ("p50", lambda entry: seconds(entry["p50"]), 9),
    ("p95", lambda entry: seconds(entry["p95"]), 7),
    ("OLDEST", _oldest, 10),
    ("CPU", lambda entry: "-" if entry["cpu"] is None else f"{entry['cpu'] * 100:.0f}%", 7),
    ("MEM", lambda entry: _memory(entry["memory"]), 6),
    ("LAST EXIT", _last_exit, 11),
    ("WHY", _why, 0),
)


def status(answer: Answer, columns: int) -> str:
    """Format the table for the given width; less important columns are dropped first."""
    entries = answer["programs"]
    supervisor = answer["supervisor"]
    table = _table(entries, columns) if entries else "no programs"
    lines, rows = [table], table.splitlines()
    stale = [entry["name"] for entry in entries if _is_stale(entry)]
    if stale:
        note = "* the code has changed on disk since it was imported: restart to run the new code"
        lines += _wrapped(note, columns)
    for entry in entries:
        text = _why(entry)
        if not any(row.endswith(text) for row in rows):
            lines += _wrapped(f"{entry['name']}: {text}", columns)  # It was cut above.
    if supervisor["reload_failed"]:
        lines += _wrapped(f"the last reload failed: {supervisor['reload_failed']}", columns)
    if supervisor["stopping"]:
        lines.append("the supervisor is shutting down")
    return "\n".join(lines)


def _wrapped(text: str, columns: int) -> list[str]:
    return textwrap.wrap(text, columns, subsequent_indent="  ", break_on_hyphens=False)


def _is_stale(entry: Answer) -> bool:
    """Whether a restart would run other code. False if that code is known not to import."""
    return bool((entry["code"] or {}).get("stale")) and entry["stale"] is None


def _table(entries: list[Answer], columns: int) -> str:
    cells = {title: [title, *(text(entry) for entry in entries)] for title, text, _ in COLUMNS}
    widths = {title: max(map(len, texts)) for title, texts in cells.items()}
    if not any(cells["WHY"][1:]):
        del widths["WHY"]
    kept = [column for column in COLUMNS if column[0] in widths]
    while len(kept) > 2 and _width(kept, widths) > columns:
        least_important = max(kept, key=lambda column: column[2])
        if least_important[2] == 0:
            break
        kept.remove(least_important)
    rows = zip(*(cells[title] for title, _, _ in kept), strict=True)
    return "\n".join(_row(row, [widths[title] for title, _, _ in kept])[:columns].rstrip() for row in rows)


def _width(kept: Sequence[Column], widths: dict[str, int]) -> int:
    # The reason may be cut, but not completely.
    gaps = 2 * (len(kept) - 1)
    return gaps + sum(min(widths[title], 24) if title == "WHY" else widths[title] for title, _, _ in kept)


def _row(texts: Iterable[str], widths: list[int]) -> str:
    return "  ".join(text.ljust(width) for text, width in zip(texts, widths, strict=True))


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _memory(value: int | None) -> str:
    if value is None:
        return "-"
    mebibytes = value / 1024**2
    return f"{mebibytes:.0f}M" if mebibytes < 1000 else f"{mebibytes / 1024:.1f}G"


def seconds(value: float | None) -> str:
    """Format a duration in a few characters."""
    if value is None:
        return "-"
    if value < 1:
        return f"{value * 1000:.0f}ms"
    if value < 10:
        return f"{value:.1f}s"
    if value < 120:
        return f"{value:.0f}s"
    if value < 7200:
        return f"{value / 60:.0f}m"
    if value < 172_800:
        return f"{value / 3600:.0f}h"
    return f"{value / 86400:.0f}d"

"""What children say, as lines: bytes to lines, lines to what is shown. Pure.

A consumer's and a worker's log records come over a socket of their own, so that they are written once, in the
supervisor's format. What they print is a line of text, whatever it looks like.

Lines are kept as they came, but bounded. Control characters are escaped where a line becomes text for people.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from squids.bounds import MESSAGE, NAME, TRACEBACK, cut
from squids.printable import printable
from squids.process.record import bounded, json_line, shown, with_priority

MAX_LINE = 256 * 1024
"""Bytes of a line that is printed. A longer one is cut into several."""

MAX_RECORD = 1024 * 1024
"""Bytes of a record: more than one of ours can have, with its text, traceback and details at their bounds."""

LAST_SECOND = 32_503_680_000.0
"""The year 3000: what cannot be shown in any time zone is far beyond."""

TAB = "\t"
"""The control character that harms nobody."""

ROUTINE = frozenset({"starting", "started", "ready", "stopped"})
"""Actions of programs that a developer need not read: others say the same."""


class LineReader:
    """Puts lines of at most so many bytes together from pieces of bytes. Never holds more than a line."""

    def __init__(self, most: int = MAX_LINE) -> None:
        self._most = most
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are whole now."""
        *lines, rest = (self._rest + data).split(b"\n")
        while len(rest) > self._most:
            lines.append(rest[: self._most])
            rest = rest[self._most :]
        self._rest = rest
        return [_text(line) for line in lines]

    def end(self) -> list[str]:
        """What is left when no more comes."""
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "replace").replace("\x00", "\ufffd")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a child, or of the supervisor. `at` is in seconds since 1970; `level` "" for what was
    printed."""

    at: float
    source: str
    level: str
    text: str
    logger: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    traceback: str = ""

    @property
    def characters(self) -> int:
        """About how much memory it takes."""
        return len(self.text) + len(self.traceback) + sum(len(str(value)) for value in self.details.values())


def program_and_worker(label: str) -> tuple[str, str]:
    """Of what a process's output is called: "emails", or "emails/2" of its worker 2. A program may be called
    by a URL."""
    program, _, worker = label.rpartition("/")
    return (program, worker) if program and worker.isdigit() else (label, "")


def program_of(line: Line) -> str:
    """The program that a line is about: its source is "emails", "emails/2" or "emails supervisor"."""
    if line.source.startswith("zygote "):
        return "zygote"
    return program_and_worker(line.source.removesuffix(" supervisor"))[0]


def printed(text: str, source: str, now: float) -> Line:
    """A line that the child called `source` printed."""
    return Line(now, source, "", text)


def parse_record(text: str, source: str, now: float) -> Line:
    """A line that came over the socket for records of the child called `source`."""
    try:
        record = json.loads(text)
        if "\\u" in text:
            record = _encodable(record)
        at = datetime.fromisoformat(record.pop("time")).timestamp()
        if not 0 <= at < LAST_SECOND:
            raise ValueError("not a time of ours")
        level, logger = str(record.pop("level")), str(record.pop("logger", ""))
        message, traceback = str(record.pop("message")), str(record.pop("traceback", ""))
        return Line(
            at,
            source,
            cut(level, NAME),
            cut(message, MESSAGE),
            cut(logger, NAME),
            bounded(record),
            cut(traceback, TRACEBACK),
        )
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError, OverflowError):
        return printed(cut(text, MESSAGE), source, now)  # Somebody else writes there.


def _encodable(value: Any) -> Any:
    """The same without lone surrogates, which JSON can escape and no encoding takes: they are shown."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case list():
            return [_encodable(item) for item in value]
        case dict():
            return {_encodable(key): _encodable(item) for key, item in value.items()}
    return value


def as_text(line: Line, *, colour: bool = False) -> str:
    """For people: each physical line with time, level and source."""
    at = datetime.fromtimestamp(line.at)
    head = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} {printable(line.level):<7}"
    source = f"{line.source}:"
    if colour:
        code = {"WARNING": "33", "ERROR": "31", "CRITICAL": "31"}.get(line.level)
        head = f"\x1b[{code}m{head}\x1b[0m" if code else f"\x1b[2m{head}\x1b[0m"
        source = f"\x1b[{31 + sum(program_of(line).encode()) % 6}m{source}\x1b[0m"
    return "\n".join(f"{head} {source} {part}" for part in _parts(line))


def as_brief(line: Line, *, colour: bool = False) -> str:
    """For a developer's terminal: the time of day, the level if it is a bad one, and no more details than a
    trouble needs. Empty for what is routine."""
    if line.details.get("action") in ROUTINE and line.level == "INFO" and line.source != "supervisor":
        return ""
    at = datetime.fromtimestamp(line.at)
    head, source = f"{at:%H:%M:%S}", f"{line.source}:"
    bad = line.level not in ("", "DEBUG", "INFO")
    level = f" {printable(line.level)}" if bad else ""
    if colour:
        head = f"\x1b[2m{head}\x1b[0m"
        source = f"\x1b[{31 + sum(program_of(line).encode()) % 6}m{source}\x1b[0m"
        level = f" \x1b[{'33' if line.level == 'WARNING' else '31'}m{line.level}\x1b[0m" if bad else ""
    return "\n".join(f"{head} {source}{level} {part}" for part in _parts(line, brief=not bad))


def as_journal(line: Line) -> str:
    """For the journal: a priority before each physical line, and no second time stamp."""
    return with_priority(line.level, "\n".join(f"{line.source}: {part}" for part in _parts(line)))


def as_json(line: Line) -> str:
    """For programs: one object."""
    event: dict[str, Any] = {
        "time": iso(line.at),
        "level": line.level or "INFO",
        "program": program_of(line),
        "message": line.text,
    }
    _, worker = program_and_worker(line.source)
    if worker:
        event["worker"] = int(worker)
    if line.level:
        event["logger"] = line.logger
    else:
        event["printed"] = True
    event |= {key: value for key, value in line.details.items() if key not in event}
    if line.traceback:
        event["traceback"] = line.traceback
    return json_line(event)


def iso(at: float) -> str:
    """A time for programs."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _parts(line: Line, *, brief: bool = False) -> list[str]:
    logger = f"{line.logger}: " if line.logger not in ("", "squids", "root") else ""
    details = "".join(f" {printable(key)}={shown(value)}" for key, value in line.details.items() if not brief)
    first = f"{printable(logger + line.text, TAB)}{details}" if line.level else printable(line.text, TAB)
    return [first, *printable(line.traceback, TAB + "\n").splitlines()]

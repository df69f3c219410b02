"""Log lines: their source, their contents, and the formats. Pure.

A process of squids writes its own lines in these formats (`log_setup`). Log records of consumers and workers
go to their supervisor over a socket, one JSON object per line, and are written once, in the supervisor's
format. What a child prints is a line of text, whatever it looks like.

The text of a line is kept as received, but bounded. Control characters are escaped when it is formatted for
people, so that foreign data can neither forge a line nor move the cursor.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from squids.bounds import MESSAGE, NAME, TRACEBACK, cut
from squids.printable import printable
from squids.process.json_objects import merged
from squids.process.log_values import bounded, json_line, shown

MAX_LINE = 256 * 1024
"""Maximum bytes of a printed line. A longer one is split."""

MAX_RECORD = 1024 * 1024
"""Maximum bytes of a record: more than one of ours needs with text, traceback and fields at their limits."""

LAST_SECOND = 32_503_680_000.0
"""The year 3000. Times that some time zone cannot display are much later."""

TAB = "\t"
"""The only harmless control character."""

ROUTINE = frozenset({"starting", "started", "ready", "stopped"})
"""Actions that the brief format omits, because other lines say the same."""

SUBJECT_COLOURS = (32, 34, 35, 36)
"""ANSI colours of names. Red and yellow are those of levels."""

PRIORITIES = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
"""syslog(3) priorities of levels: https://www.freedesktop.org/software/systemd/man/latest/sd-daemon.html"""


class LineReader:
    """Assembles lines of at most `most` bytes from pieces. Never buffers more than a line."""

    def __init__(self, most: int = MAX_LINE) -> None:
        self._most = most
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Add a piece; return the lines that are now complete."""
        *lines, rest = (self._rest + data).split(b"\n")
        while len(rest) > self._most:
            most = _whole_characters(rest, self._most)
            lines.append(rest[:most])
            rest = rest[most:]
        self._rest = rest
        return [_text(line) for line in lines]

    def end(self) -> list[str]:
        """Return the rest at the end of the input."""
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def _whole_characters(data: bytes, most: int) -> int:
    """Return where to split: at `most`, or up to three bytes before, where a character of UTF-8 begins."""
    for end in range(most, max(most - 4, 0), -1):
        if data[end] & 0xC0 != 0x80:
            return end
    return most


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "replace").replace("\x00", "\ufffd")


class Origin(Enum):
    """The kind of process that a line comes from. The value names processes without a program."""

    SUPERVISOR = "supervisor"
    FORK_SERVER = "zygote"
    CONSUMER = "consumer"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a line. `program`: the program it is about, if any; `worker`: its number.

    `app`: what a fork server imports.
    """

    origin: Origin
    program: str = ""
    worker: int | None = None
    app: str = ""

    @classmethod
    def of_child(cls, program: str, worker: int | None) -> Source:
        """A process of a program: its consumer, or one of its workers."""
        return cls(Origin.CONSUMER if worker is None else Origin.WORKER, program, worker)

    @property
    def subject(self) -> str:
        """The program, or else the kind of process."""
        return self.program or self.origin.value

    def __str__(self) -> str:
        match self.origin:
            case Origin.SUPERVISOR:
                return f"{self.program} supervisor" if self.program else "supervisor"
            case Origin.FORK_SERVER:
                return f"zygote {self.app}"
            case Origin.CONSUMER:
                return self.program
            case Origin.WORKER:
                return f"{self.program}/{self.worker}"


SUPERVISOR = Source(Origin.SUPERVISOR)


@dataclass(frozen=True, slots=True)
class Line:
    """One log line. `at`: seconds since the epoch; `level` "": it was printed.

    `source` None: the process that writes it, which is not named.
    """

    at: float
    source: Source | None
    level: str
    text: str
    logger: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    traceback: str = ""

    @property
    def program(self) -> str:
        """The program it is about, or ""."""
        return self.source.program if self.source is not None else ""

    @property
    def characters(self) -> int:
        """Its approximate size in memory."""
        return len(self.text) + len(self.traceback) + sum(len(str(value)) for value in self.details.values())


def printed(text: str, source: Source, now: float) -> Line:
    """A line that a child printed."""
    return Line(now, source, "", text)


def parse_record(text: str, source: Source, now: float) -> Line:
    """Parse a line from a child's record socket."""
    try:
        record = json.loads(text)
        if "\\u" in text:
            record = _encodable(record)
        at = datetime.fromisoformat(record.pop("time")).timestamp()
        if not 0 <= at < LAST_SECOND:
            raise ValueError("not a time of ours")
        level, logger = str(record.pop("level")), str(record.pop("logger", ""))
        message, traceback = str(record.pop("message")), str(record.pop("traceback", ""))
        return bounded_line(at, source, level, message, logger, record, traceback)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError, OverflowError):
        return printed(cut(text, MESSAGE), source, now)  # Not ours: the app can write there.


def bounded_line(
    at: float,
    source: Source | None,
    level: str,
    text: str,
    logger: str,
    details: dict[str, Any],
    traceback: str,
) -> Line:
    """Make a line whose parts are cut to their limits."""
    return Line(
        at,
        source,
        cut(level, NAME),
        cut(text, MESSAGE),
        cut(logger, NAME),
        bounded(details),
        cut(traceback, TRACEBACK),
    )


def _encodable(value: Any) -> Any:
    """Escape lone surrogates, which JSON can represent and no encoding accepts."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case list():
            return [_encodable(item) for item in value]
        case dict():
            return {_encodable(key): _encodable(item) for key, item in value.items()}
    return value


def as_text(line: Line, *, colour: bool = False) -> str:
    """Format for people: time, level and text.

    Each physical line starts with these, and with the source if there is one. Without a source, a traceback
    follows as it is.
    """
    at = datetime.fromtimestamp(line.at)
    head = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} {printable(line.level):<7}"
    if line.source is None:
        first, *traceback = _parts(line)
        return "\n".join([f"{head} {first}", *traceback])
    if colour:
        code = {"WARNING": "33", "ERROR": "31", "CRITICAL": "31"}.get(line.level)
        head = f"\x1b[{code}m{head}\x1b[0m" if code else f"\x1b[2m{head}\x1b[0m"
    source = _named(line.source, colour)
    return "\n".join(f"{head} {source} {part}" for part in _parts(line))


def as_brief(line: Line, *, colour: bool = False) -> str:
    """Format for a developer's terminal: time of day, level from WARNING, and fields only then.

    Returns "" for routine lines.
    """
    action = line.details.get("action")  # In an application's record it may be anything.
    if isinstance(action, str) and action in ROUTINE and line.level == "INFO" and line.source != SUPERVISOR:
        return ""
    at = datetime.fromtimestamp(line.at)
    head = f"{at:%H:%M:%S}"
    bad = line.level not in ("", "DEBUG", "INFO")
    level = f" {printable(line.level)}" if bad else ""
    if colour:
        head = f"\x1b[2m{head}\x1b[0m"
        level = f" \x1b[{'33' if line.level == 'WARNING' else '31'}m{line.level}\x1b[0m" if bad else ""
    source = f" {_named(line.source, colour)}" if line.source is not None else ""
    return "\n".join(f"{head}{source}{level} {part}" for part in _parts(line, brief=not bad))


def _named(source: Source, colour: bool) -> str:
    name = f"{source}:"
    if not colour:
        return name
    number = SUBJECT_COLOURS[sum(source.subject.encode()) % len(SUBJECT_COLOURS)]
    return f"\x1b[{number}m{name}\x1b[0m"


def as_journal(line: Line) -> str:
    """Format for the journal: a priority before each physical line, and no timestamp."""
    head = f"<{PRIORITIES.get(line.level, 6)}>"
    if line.source is not None:
        head += f"{line.source}: "
    return "\n".join(head + part for part in _parts(line))


def as_json(line: Line) -> str:
    """Format for programs: one object, with stable names and ISO times.

    A text that is a JSON object is merged into it, unless it is ours.
    """
    event = _event(line)
    if line.text.startswith("{") and line.logger != "squids":
        found = merged(line.text, {key: value for key, value in event.items() if key != "message"})
        if found is not None:
            return json_line(found)
    return json_line(event)


def as_record(line: Line) -> str:
    """Format for a supervisor, which reads it with `parse_record`."""
    return json_line(_event(line))


def _event(line: Line) -> dict[str, Any]:
    event: dict[str, Any] = {"time": iso(line.at), "level": line.level or "INFO"}
    if line.source is None:
        event |= {"logger": line.logger, "message": line.text}
    else:
        event |= {"program": line.source.subject, "message": line.text}
        if line.source.worker is not None:
            event["worker"] = line.source.worker
        event |= {"logger": line.logger} if line.level else {"printed": True}
    event |= {key: value for key, value in line.details.items() if key not in event}
    if line.traceback:
        event["traceback"] = line.traceback
    return event


def iso(at: float) -> str:
    """Format a time for programs."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _parts(line: Line, *, brief: bool = False) -> list[str]:
    """Return the physical lines without their prefix."""
    logger = f"{printable(line.logger)}: " if line.logger not in ("", "squids", "root") else ""
    details = "".join(f" {printable(key)}={shown(value)}" for key, value in line.details.items() if not brief)
    first = f"{logger}{printable(line.text, TAB)}{details}" if line.level else printable(line.text, TAB)
    return [first, *printable(line.traceback, TAB + "\n").splitlines()]

"""Log lines: one event a line, for people or for programs.

Text: `2026-01-31 12:00:00,000 INFO  receiving action=ready queue=emails`. JSON: one object a line,
with the same fields. A traceback follows its line, or is a field of its object.

What is written is bounded, and has no control characters: data of others forges no line, and moves no cursor.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from squids.bounds import MESSAGE, NAME, TRACEBACK, cut
from squids.printable import printable
from squids.process.journal import is_journal
from squids.process.outlet import RecordStream, record_stream
from squids.process.record import bounded, json_line, shown, with_priority
from squids.tracebacks import traceback_of

_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {
    "message",
    "asctime",
    "taskName",
}


def configure(level: str, style: str, stream: TextIO | None = None) -> None:
    """Send the lines of all loggers to `stream` (standard error), in `style` "text", "json" or "record".

    Text that goes to the journal has a priority before it, and no time. "record" is what a supervisor reads,
    from a socket of its own: it writes the lines that people see.
    """
    stream_or_stderr: TextIO | RecordStream = stream or sys.stderr
    if style == "record" and stream is None:
        stream_or_stderr = record_stream() or sys.stderr
    if style == "text" and stream is None and is_journal():
        style = "journal"
    root = logging.getLogger()
    if not _writes(root, stream_or_stderr, _FORMATTERS[style]):
        handler = logging.StreamHandler(stream_or_stderr)
        handler.setFormatter(_FORMATTERS[style]())
        for old in list(root.handlers):
            root.removeHandler(old)
        root.addHandler(handler)
    levels = logging.getLevelNamesMapping()
    for logger, wanted in ((root, level), *((logging.getLogger(name), "WARNING") for name in CHATTY)):
        if logger.level != levels[wanted]:
            logger.setLevel(wanted)


CHATTY = ("boto3", "botocore", "urllib3", "s3transfer")
"""Loggers of others, of which only warnings are wanted."""


def _writes(root: logging.Logger, stream: TextIO | RecordStream, formatter: type[logging.Formatter]) -> bool:
    """Whether this is so already. Then nothing is touched: a level that is set empties the caches of all
    loggers, and a forked process would have its own copy of each."""
    if len(root.handlers) != 1:
        return False
    (handler,) = root.handlers
    return (
        type(handler) is logging.StreamHandler
        and handler.stream is stream
        and type(handler.formatter) is formatter
        and not handler.filters
        and handler.level == logging.NOTSET
    )


class _Formatter(logging.Formatter):
    """What all have in common: bounds."""

    def formatException(self, ei: Any) -> str:
        return traceback_of(ei[1], ei[2]).rstrip("\n") if ei[1] is not None else ""


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _traceback(record: logging.LogRecord, extras: dict[str, Any], formatter: logging.Formatter) -> str:
    given = extras.pop("traceback", None)
    if record.exc_info and not record.exc_text:
        record.exc_text = formatter.formatException(record.exc_info)
    stack = formatter.formatStack(record.stack_info) if record.stack_info else ""
    parts = (cut(str(part), TRACEBACK).rstrip("\n") for part in (given, record.exc_text, stack) if part)
    return cut("\n".join(parts), TRACEBACK)


class TextFormatter(_Formatter):
    """For people. Values with spaces are quoted; control characters are escaped."""

    timed = True

    def format(self, record: logging.LogRecord) -> str:
        extras = _extras(record)
        traceback = printable(_traceback(record, extras, self), "\n\t")
        parts = [self.formatTime(record), f"{printable(record.levelname):<7}"] if self.timed else []
        if record.name not in ("squids", "root"):
            parts.append(f"{printable(cut(record.name, NAME))}:")
        parts.append(printable(cut(record.getMessage(), MESSAGE), "\t"))
        parts.extend(f"{printable(key)}={shown(value)}" for key, value in bounded(extras).items())
        line = " ".join(parts)
        return f"{line}\n{traceback}" if traceback else line


class JournalFormatter(TextFormatter):
    """For the journal, which has the time, and wants the priority."""

    timed = False

    def format(self, record: logging.LogRecord) -> str:
        return with_priority(record.levelname, super().format(record))


class JsonFormatter(_Formatter):
    """For programs: ISO times in UTC, stable names."""

    def format(self, record: logging.LogRecord) -> str:
        extras = _extras(record)
        traceback = _traceback(record, extras, self)
        event: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": cut(record.name, NAME),
            "message": cut(record.getMessage(), MESSAGE),
        }
        event |= {key: value for key, value in bounded(extras).items() if key not in event}
        if traceback:
            event["traceback"] = traceback
        return json_line(event)


_FORMATTERS: dict[str, type[logging.Formatter]] = {
    "text": TextFormatter,
    "journal": JournalFormatter,
    "json": JsonFormatter,
    "record": JsonFormatter,
}

"""Sets up logging in a process of squids. `log_lines` has the formats.

Text: `2026-01-31 12:00:00,000 INFO  receiving action=ready queue=emails`. JSON: one object per line, with the
same fields. A traceback follows its line, or is a field of its object.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from squids.bounds import TRACEBACK, cut
from squids.process.log_lines import Line, Source, as_journal, as_json, as_text, bounded_line
from squids.process.outlet import RecordStream, record_stream
from squids.tracebacks import traceback_of

Render = Callable[[Line], str]

_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {
    "message",
    "asctime",
    "taskName",
}


def configure(level: str, style: str, stream: TextIO | None = None) -> None:
    """Send all log records to `stream` (standard error), in `style` "text", "json" or "record".

    Text to the journal has a priority instead of the time. "record" is for a supervisor, on a separate
    socket; the supervisor writes the lines.
    """
    stream_or_stderr: TextIO | RecordStream = stream or sys.stderr
    if style == "record" and stream is None:
        stream_or_stderr = record_stream() or sys.stderr
    if style == "text" and stream is None and is_journal():
        style = "journal"
    root = logging.getLogger()
    if not _writes(root, stream_or_stderr, STYLES[style]):
        handler = logging.StreamHandler(stream_or_stderr)
        handler.setFormatter(LineFormatter(STYLES[style]))
        for old in list(root.handlers):
            root.removeHandler(old)
        root.addHandler(handler)
    levels = logging.getLevelNamesMapping()
    for logger, wanted in ((root, level), *((logging.getLogger(name), "WARNING") for name in CHATTY)):
        if logger.level != levels[wanted]:
            logger.setLevel(wanted)


CHATTY = ("boto3", "botocore", "urllib3", "s3transfer")
"""Loggers of libraries that are limited to warnings."""


def _writes(root: logging.Logger, stream: TextIO | RecordStream, render: Render) -> bool:
    """Whether logging is already set up like this.

    Then nothing changes: setting a level clears the caches of all loggers, and a forked process would get its
    own copy of each.
    """
    if len(root.handlers) != 1:
        return False
    (handler,) = root.handlers
    return (
        type(handler) is logging.StreamHandler
        and handler.stream is stream
        and isinstance(handler.formatter, LineFormatter)
        and handler.formatter.render is render
        and not handler.filters
        and handler.level == logging.NOTSET
    )


class LineFormatter(logging.Formatter):
    """Formats log records as lines."""

    def __init__(self, render: Render) -> None:
        super().__init__()
        self.render = render

    def format(self, record: logging.LogRecord) -> str:
        return self.render(line_of(record))


def line_of(record: logging.LogRecord, source: Source | None = None) -> Line:
    """Convert a log record to a line."""
    extras = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    traceback = _traceback(record, extras.pop("traceback", None))
    return bounded_line(
        record.created, source, record.levelname, record.getMessage(), record.name, extras, traceback
    )


def _traceback(record: logging.LogRecord, given: Any) -> str:
    """Join the given traceback, the exception's, and the stack, as far as present."""
    if record.exc_info and not record.exc_text:
        _, error, where = record.exc_info
        record.exc_text = traceback_of(error, where).rstrip("\n") if error is not None else ""
    parts = (
        cut(str(part), TRACEBACK).rstrip("\n") for part in (given, record.exc_text, record.stack_info) if part
    )
    return "\n".join(parts)


STYLES: dict[str, Render] = {"text": as_text, "journal": as_journal, "json": as_json, "record": as_json}


def is_journal() -> bool:
    """Whether standard error goes to the journal: systemd.exec(5), $JOURNAL_STREAM."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return (str(status.st_dev), str(status.st_ino)) == (device, inode)

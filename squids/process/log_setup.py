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
from squids.process.log_lines import Line, Source, as_journal, as_json, as_record, as_text, bounded_line
from squids.process.outlet import RecordStream, record_stream
from squids.reports import is_not_a_report, log
from squids.tracebacks import traceback_of

Render = Callable[[Line], str]

_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {
    "message",
    "asctime",
    "taskName",
}


def configure(level: str, style: str, stream: TextIO | None = None) -> None:
    """Write reports from `level` on to `stream` (standard error), in `style` "text", "json" or "record".

    Records of the application go there, too, unless it has handlers of its own. Call this before the import
    of the application, and `adopt_application` after it.

    Text to the journal has a priority instead of the time. "record" is for a supervisor, on a separate
    socket; the supervisor writes the lines.
    """
    stream_or_stderr: TextIO | RecordStream = stream or sys.stderr
    if style == "record" and stream is None:
        stream_or_stderr = record_stream() or sys.stderr
    if style == "text" and stream is None and is_journal():
        style = "journal"
    if not _handlers or not _handlers[0].writes(stream_or_stderr, STYLES[style]):
        _replace(LineHandler(stream_or_stderr, STYLES[style]))
    # What no handler takes. On the root logger, ours would keep logging.basicConfig() from its work.
    logging.lastResort = _handlers[0]
    log.write_to(_handlers[0].emit, logging.getLevelNamesMapping()[level])


def adopt_application(level: str) -> None:
    """Write records of the application from `level` on, if it has put no handler on the root logger.

    A level that it has set, it keeps.
    """
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(_handlers[0])
    if root.handlers != _handlers:
        return
    levels = logging.getLevelNamesMapping()
    # Setting a level clears the caches of all loggers, and a forked process would get its own copy of each.
    untouched = root.level == logging.WARNING and not isinstance(root.level, StatedLevel)
    if root.level != levels[level] and (untouched or isinstance(root.level, _OurLevel)):
        root.setLevel(_OurLevel(levels[level]))
    for name in CHATTY:
        if logging.getLogger(name).level == logging.NOTSET:
            logging.getLogger(name).setLevel(logging.WARNING)


CHATTY = ("boto3", "botocore", "urllib3", "s3transfer")
"""Loggers of libraries that are limited to warnings."""


class _OurLevel(int):
    """A level that was set here, and not by the application."""


class StatedLevel(int):
    """A level that is meant, even if it is the one that Python begins with."""


class LineHandler(logging.StreamHandler[Any]):
    """Writes lines."""

    def __init__(self, stream: TextIO | RecordStream, render: Render) -> None:
        super().__init__(stream)
        self.addFilter(is_not_a_report)
        self.setFormatter(LineFormatter(render))
        self._render = render

    def writes(self, stream: TextIO | RecordStream, render: Render) -> bool:
        """Whether it writes there, in this format."""
        return self.stream is stream and self._render is render


_handlers: list[LineHandler] = []
"""This process's own handler, once there is one."""


def _replace(handler: LineHandler) -> None:
    root = logging.getLogger()
    for old in _handlers:
        if old in root.handlers:
            root.removeHandler(old)
            root.addHandler(handler)
    _handlers[:] = [handler]


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


STYLES: dict[str, Render] = {"text": as_text, "journal": as_journal, "json": as_json, "record": as_record}


def is_journal() -> bool:
    """Whether standard error goes to the journal: systemd.exec(5), $JOURNAL_STREAM."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return (str(status.st_dev), str(status.st_ino)) == (device, inode)

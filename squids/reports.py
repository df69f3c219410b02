"""squids' own reports, which an application's configuration of logging cannot switch off.

In a process of squids (`process.log_setup`) they are written directly, with a level of their own. Only then
do they go to the application's handlers, as far as its configuration lets them: to files, syslog, Sentry.
What writes to standard output or standard error is left out, because the line is there already.

In an application's own process they are records of the logger "squids", like those of any library.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

NAME = "squids"


class OwnRecord(logging.LogRecord):
    """A record that squids writes itself."""


PassOn = Callable[[logging.LogRecord], object]
"""Lets the application's handlers have a report. It must not raise."""


class Reports:
    """Logs reports: `log.info(text, extra={...})`, as with a logger."""

    def __init__(self) -> None:
        self._write: Callable[[logging.LogRecord], object] | None = None
        self._level = logging.NOTSET
        self._following = False
        self._pass_on: PassOn = pass_on

    def write_to(self, write: Callable[[logging.LogRecord], object], level: int) -> None:
        """Write reports from this level on with `write`, which must not raise."""
        self._write, self._level = write, level

    def follow(self, on: bool) -> None:
        """Write reports from INFO on, even if the level hides them."""
        self._following = on

    def pass_on_by(self, call: PassOn) -> None:
        """Let the application's handlers have reports by this call, which ends in `pass_on`."""
        self._pass_on = call

    def forget(self) -> None:
        """Be a logger like any other again."""
        self._write = None
        self._pass_on = pass_on

    @property
    def level(self) -> int:
        """The lowest level that is written."""
        return min(self._level, logging.INFO) if self._following else self._level

    def log(
        self,
        level: int,
        text: str,
        *args: object,
        exc_info: BaseException | bool | None = None,
        extra: Mapping[str, Any] | None = None,
        stacklevel: int = 1,
    ) -> None:
        """Log a report. `exc_info`: its exception, or True for the current one. The rest as of a logger."""
        if self._write is None:
            logger = logging.getLogger(NAME)
            logger.log(level, text, *args, exc_info=exc_info, extra=extra, stacklevel=stacklevel + 1)
            return
        if level < self.level:
            return
        error = sys.exception() if exc_info is True else exc_info or None
        found = (type(error), error, error.__traceback__) if error is not None else None
        # Not by the application's LogRecord factory, which may fail, or make something else.
        record = OwnRecord(NAME, level, __file__, 0, text, args, found)
        record.__dict__.update(extra or {})
        self._write(record)
        self._pass_on(record)

    def info(self, text: str, *args: object, extra: Mapping[str, Any] | None = None) -> None:
        self.log(logging.INFO, text, *args, extra=extra, stacklevel=2)

    def warning(self, text: str, *args: object, extra: Mapping[str, Any] | None = None) -> None:
        self.log(logging.WARNING, text, *args, extra=extra, stacklevel=2)

    def error(
        self,
        text: str,
        *args: object,
        exc_info: BaseException | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.log(logging.ERROR, text, *args, exc_info=exc_info, extra=extra, stacklevel=2)

    def exception(self, text: str, *args: object, extra: Mapping[str, Any] | None = None) -> None:
        self.log(logging.ERROR, text, *args, exc_info=True, extra=extra, stacklevel=2)


def pass_on(record: logging.LogRecord) -> None:
    """Let the application's handlers have a report. Whatever they raise, it was written."""
    try:
        logger = logging.getLogger(NAME)
        if logger.isEnabledFor(record.levelno):
            for handler in _handlers_of(logger):
                if is_not_a_report not in handler.filters and _writes_to_standard_stream(handler):
                    handler.addFilter(is_not_a_report)
            logger.handle(_as_the_application_makes_it(record))
    except Exception:  # noqa: S110 # the application's, and logging it might fail likewise
        pass


def takes_time(record: logging.LogRecord) -> bool:
    """Whether a handler of the application, which may block, gets this report."""
    try:
        logger = logging.getLogger(NAME)
        return logger.isEnabledFor(record.levelno) and any(
            is_not_a_report not in handler.filters
            and record.levelno >= handler.level
            and not _writes_to_standard_stream(handler)
            for handler in _handlers_of(logger)
        )
    except Exception:
        return False


def _handlers_of(logger: logging.Logger | None) -> Iterator[logging.Handler]:
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


def _as_the_application_makes_it(record: logging.LogRecord) -> logging.LogRecord:
    """Return a report as the application's factory makes records: its formats may need what that adds."""
    factory = logging.getLogRecordFactory()
    if factory is logging.LogRecord:
        return record
    try:
        given = record.levelno, record.pathname, 0, record.msg, record.args, record.exc_info
        made: Any = factory(NAME, *given)
        added = {key: value for key, value in vars(record).items() if key not in vars(made)}
        made.__dict__.update(added)
        made.__class__ = _marked(type(made))  # With all that it has.
    except Exception:
        return record
    return cast("logging.LogRecord", made)


def _marked(kind: type) -> type:
    """Return this class of records, as one of reports."""
    if kind not in _marked_kinds:
        _marked_kinds[kind] = type(kind.__name__, (kind, OwnRecord), {})
    return _marked_kinds[kind]


_marked_kinds: dict[type, type] = {logging.LogRecord: OwnRecord}


def is_not_a_report(record: logging.LogRecord) -> bool:
    """A filter of handlers."""
    return not isinstance(record, OwnRecord)


def _writes_to_standard_stream(handler: logging.Handler) -> bool:
    stream = getattr(handler, "stream", None) or getattr(getattr(handler, "console", None), "file", None)
    return stream is not None and stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)


log = Reports()
"""The reports of this process."""

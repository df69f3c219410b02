"""Logging as a process of squids has it, for one test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from _pytest.logging import LogCaptureHandler

from squids.process import log_setup
from squids.reports import log


def without_handlers_of_pytest() -> None:
    """It adds its own for each phase of a test."""
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if not isinstance(handler, LogCaptureHandler)]


@contextmanager
def configured_logging() -> Iterator[None]:
    """Begin as a fresh interpreter, without pytest's handlers; put all back at the end."""
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, ("squids", *log_setup.CHATTY))]
    before = [
        (logger, logger.handlers[:], logger.filters[:], logger.level, logger.propagate) for logger in loggers
    ]
    last_resort, handlers = logging.lastResort, log_setup._handlers[:]
    root.handlers[:], log_setup._handlers[:] = [], []
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.forget()
        log.follow(False)
        logging.lastResort, log_setup._handlers[:] = last_resort, handlers
        logging.disable(logging.NOTSET)
        for logger in logging.Logger.manager.loggerDict.values():
            if isinstance(logger, logging.Logger):
                logger.disabled = False
        for logger, its_handlers, its_filters, level, propagate in before:
            logger.handlers[:], logger.filters[:] = its_handlers, its_filters
            logger.setLevel(level)
            logger.propagate, logger.disabled = propagate, False

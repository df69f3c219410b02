"""Keeps botocore's warnings about credentials out of a consumer's log, or makes each one line.

botocore logs a traceback whenever it cannot refresh credentials, also at each receive of a consumer that
waits for them. If the refresh was needed, the consumer says so itself. If the credentials are still valid for
a while, one line says what is to come, and it is repeated only now and then.
"""

from __future__ import annotations

import logging
import time

from squids.sqs import classify

LOGGERS = ("botocore.credentials", "botocore.tokens")

AGAIN_AFTER = 600.0
"""Seconds after which the same line is logged again."""


class OneLine(logging.Filter):
    """A filter of one of botocore's loggers."""

    def __init__(self) -> None:
        super().__init__()
        self._said = ""
        self._said_at = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or record.levelno != logging.WARNING:
            return True
        if "advisory" not in record.getMessage():
            return False  # It is raised, too.
        text = f"AWS credentials cannot be renewed; they still serve for a while: {classify(error).text}"
        now = time.monotonic()
        if text == self._said and now - self._said_at < AGAIN_AFTER:
            return False
        self._said, self._said_at = text, now
        record.msg, record.args, record.exc_info = text, (), None
        return True


def shorten() -> None:
    """Filter botocore's loggers from now on, in this process."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(one, OneLine) for one in logger.filters):
            logger.addFilter(OneLine())

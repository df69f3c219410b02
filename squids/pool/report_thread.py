"""Passes reports to the application's handlers in a thread of their own.

A handler may block: one that sends mail, or to a server that does not answer. In a consumer's main process
that would delay receives, and the extension of messages that run. Reports were written before they come here.
If the handlers are slower than the reports, the rest is dropped.
"""

from __future__ import annotations

import logging
import queue
import threading

from squids.reports import log, pass_on, takes_time

MOST = 1000
"""Reports that may wait for the handlers."""

FLUSH_SECONDS = 2.0
"""How long `close` waits for the handlers."""


class ReportThread:
    """The thread. It is started by the first report that a handler of the application gets."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[logging.LogRecord | threading.Event] = queue.Queue(MOST)
        self._thread: threading.Thread | None = None

    def take_over(self) -> None:
        """Pass on the reports of this process from now on. Call it when this process forks no more."""
        log.pass_on_by(self._put)

    def close(self) -> bool:
        """Wait, for a limited time, until all was passed on; return whether it was."""
        if self._thread is None:
            return True
        end = threading.Event()
        try:
            self._waiting.put(end, timeout=FLUSH_SECONDS)
        except queue.Full:
            return False
        return end.wait(FLUSH_SECONDS)

    def _put(self, record: logging.LogRecord) -> None:
        if not takes_time(record):
            pass_on(record)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="squids-reports", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(record)
        except queue.Full:
            pass

    def _run(self) -> None:
        while True:
            match self._waiting.get():
                case threading.Event() as end:
                    end.set()
                case record:
                    pass_on(record)

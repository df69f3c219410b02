"""The meaning of signals to a command, and Python's default signal dispositions.

Dispositions are inherited. A program started in the background of a plain shell ignores SIGINT, and so would
its children, which could then not be stopped by signals.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from enum import Enum

STOPS = (signal.SIGTERM, signal.SIGINT)
"""Signals that stop a process."""

REQUESTS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that request something from a daemon; their default is to end it."""


def restore_defaults(*, but: Collection[int] = ()) -> None:
    """Restore Python's dispositions for all signals except `but`, and an empty mask."""
    keep = {signal.SIGKILL, signal.SIGSTOP, *but}
    changed = [
        number
        for number in signal.valid_signals() - keep
        if signal.getsignal(number) not in (signal.SIG_DFL, None)
    ]
    restore(*changed, signal.SIGINT, signal.SIGPIPE)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


class Hangup(Enum):
    """What SIGHUP means to a command."""

    STOP = "its terminal was closed: drain and exit"
    REQUEST = "a request; it has no terminal that could be closed"
    NOTHING = "its terminal may be closed: it was started so (nohup)"


def meaning_of_hangup() -> Hangup:
    """Return what SIGHUP means to this process. Call before changing any disposition.

    What counts is a controlling terminal, not the standard streams: the shell sends SIGHUP to all its jobs,
    including those that write to a file.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return Hangup.REQUEST
    return Hangup.NOTHING if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else Hangup.STOP


def ignore_requests() -> Hangup:
    """Ignore requests until they can be handled; return what SIGHUP means.

    If it means a stop, it ends the process even now, like SIGTERM.
    """
    hangup = meaning_of_hangup()
    for number in REQUESTS:
        if number != signal.SIGHUP or hangup is not Hangup.STOP:
            signal.signal(number, signal.SIG_IGN)
    return hangup


def restore(*numbers: int) -> None:
    """Restore Python's initial dispositions of these signals."""
    for number in numbers:
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
        elif number in (signal.SIGPIPE, getattr(signal, "SIGXFSZ", None)):
            signal.signal(number, signal.SIG_IGN)  # As Python does at start: an error instead of a death.
        else:
            signal.signal(number, signal.SIG_DFL)


def signal_name(number: int) -> str:
    """Return "SIGKILL", or "signal 35" for a real-time signal, which has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

"""What signals mean to a command at the top, and the dispositions of children: what Python has by default,
whatever was inherited.

A program started in the background of a plain shell has SIGINT ignored, and so would its
children; a child that ignores signals cannot be stopped by them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from enum import Enum

REQUESTS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""By which a daemon is asked for something; by default they would end it."""


def restore_defaults(*, but: Collection[int] = ()) -> None:
    """Python's own dispositions at start for all signals `but` those, and an empty mask."""
    keep = {signal.SIGKILL, signal.SIGSTOP, *but}
    changed = [
        number
        for number in signal.valid_signals() - keep
        if signal.getsignal(number) not in (signal.SIG_DFL, None)
    ]
    restore(*changed, signal.SIGINT, signal.SIGPIPE)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


class Hangup(Enum):
    """What SIGHUP says to a command."""

    STOP = "its terminal was closed: drain and exit"
    REQUEST = "somebody asks for something; it has no terminal that could be closed"
    NOTHING = "its terminal may be closed: it was started so (nohup)"


def meaning_of_hangup() -> Hangup:
    """What it means to this process. To be asked before any disposition is changed.

    A controlling terminal counts, and not what the standard streams are: the shell sends the signal to all of
    its jobs, those that write to a file, too.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return Hangup.REQUEST
    return Hangup.NOTHING if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else Hangup.STOP


def ignore_requests() -> Hangup:
    """Until they can be obeyed; what SIGHUP means then. Where that is a stop, it ends the process already
    now, as SIGTERM does."""
    hangup = meaning_of_hangup()
    for number in REQUESTS:
        if number != signal.SIGHUP or hangup is not Hangup.STOP:
            signal.signal(number, signal.SIG_IGN)
    return hangup


def restore(*numbers: int) -> None:
    """Python's own dispositions at start for these signals."""
    for number in numbers:
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
        elif number in (signal.SIGPIPE, getattr(signal, "SIGXFSZ", None)):
            signal.signal(number, signal.SIG_IGN)  # As Python does at start: an error, not a death.
        else:
            signal.signal(number, signal.SIG_DFL)


def signal_name(number: int) -> str:
    """ "SIGKILL"; "signal 35" for one of the real-time signals, which have no names."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

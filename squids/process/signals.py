"""Signal dispositions of children: what Python has by default, whatever was inherited.

A program started in the background of a plain shell has SIGINT ignored, and so would its
children; a child that ignores signals cannot be stopped by them.
"""

from __future__ import annotations

import signal
from collections.abc import Collection

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


def ignore_requests() -> None:
    """Until they can be obeyed."""
    for number in REQUESTS:
        signal.signal(number, signal.SIG_IGN)


def restore(*numbers: int) -> None:
    """Python's own dispositions at start for these signals."""
    for number in numbers:
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
        elif number in (signal.SIGPIPE, getattr(signal, "SIGXFSZ", None)):
            signal.signal(number, signal.SIG_IGN)  # As Python does at start: an error, not a death.
        else:
            signal.signal(number, signal.SIG_DFL)

"""Where both commands begin: Ctrl-C ends them with 130, and never with a traceback.

Python turns SIGINT into an exception at whatever instruction it has reached. In the middle of an import this
shows a traceback, or is taken for a failure of the import, or is lost. So the imports of a command happen
below, and until it is ready to be interrupted (`interruptible`), SIGINT ends the process at once.

This module imports nothing that Python has not imported itself, and neither do the packages around it. What
happens before its first line cannot be guarded: Python's own start, and the lines of the console script, of
which the `import re` that pip writes there takes longest. With Python 3.11 this was measured as the time from
5 to 20 ms after the start of the process, and up to 35 ms on a busy machine.
"""

from __future__ import annotations

import os

INTERRUPTED = 130
"""The exit code: what shells report for a program that SIGINT ended."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def squids() -> int:
    """The `squids` command; its exit code."""

    def command() -> int:
        from squids.cli.consume import main

        return main()

    return guarded(command)


def supervisor() -> int:
    """The `squids-supervisor` command; its exit code."""

    def command() -> int:
        from squids.cli.supervise import main

        return main()

    return guarded(command)


def guarded(command: Callable[[], int]) -> int:
    """The exit code of a command that SIGINT may end at any moment, its imports and the exit included."""
    try:
        try:
            import signal
        except BaseException:  # It makes enumerations, and Python 3.11 hides an interrupt in a RuntimeError.
            os._exit(INTERRUPTED)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # Not where nohup or & ignores it.
            signal.signal(signal.SIGINT, _leave)
        try:
            return command()
        finally:
            if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
                signal.signal(signal.SIGINT, _leave)  # While the interpreter ends.
    except KeyboardInterrupt:
        return INTERRUPTED


def interruptible() -> None:
    """All is imported: from now on SIGINT is a KeyboardInterrupt, after which the command can tidy up."""
    import signal

    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(number: int, frame: object) -> None:
    """Without a way back: nothing was begun that needs an end, or all of it was ended."""
    os._exit(INTERRUPTED)

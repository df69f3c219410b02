"""The start of both commands: Ctrl-C exits with 130, and never with a traceback.

Python turns SIGINT into an exception at an arbitrary instruction. During an import, it shows a traceback,
looks like a failed import, or is lost. So a command is imported below, and until it can be interrupted
(`interruptible`), SIGINT exits the process at once.

This module, and its packages, import nothing that Python has not already imported, not even `__future__`.
What happens before its first line cannot be guarded: Python's own start, and the console script, whose
`import re` from pip takes longest. With Python 3.11 this was measured as 5 to 20 ms after the start of the
process, and up to 100 ms on a busy machine.
"""

import os

INTERRUPTED = 130
"""The exit code that shells report for a program that SIGINT ended."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def squids() -> int:
    """Run the `squids` command; return its exit code."""

    def command() -> int:
        from squids.cli.consume import main

        return main()

    return guarded(command)


def supervisor() -> int:
    """Run the `squids-supervisor` command; return its exit code."""

    def command() -> int:
        from squids.cli.supervise import main

        return main()

    return guarded(command)


def guarded(command: "Callable[[], int]") -> int:
    """Run a command that SIGINT may end at any time, including imports and exit; return its exit code."""
    try:
        try:
            import signal
        except BaseException:  # It creates enums, in which Python 3.11 hides an interrupt in a RuntimeError.
            os._exit(INTERRUPTED)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # Not if nohup or & ignores it.
            signal.signal(signal.SIGINT, _exit_now)
        try:
            return command()
        finally:
            if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
                signal.signal(signal.SIGINT, _exit_now)  # Until the interpreter has exited.
    except KeyboardInterrupt:
        return INTERRUPTED


def interruptible() -> None:
    """Let SIGINT raise KeyboardInterrupt from now on, so that the command can clean up.

    Called when everything is imported.
    """
    import signal

    if signal.getsignal(signal.SIGINT) is _exit_now:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _exit_now(number: int, frame: object) -> None:
    """Exit without clean-up, for which it is too early or too late."""
    os._exit(INTERRUPTED)

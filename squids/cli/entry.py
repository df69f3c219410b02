"""The entry to both commands: a failed write is one line and an exit code, never a traceback.

Standard output and error may be files on a full disk, or pipes without a reader, and a command may write to a
full or read-only file system.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

from squids.cli.start import INTERRUPTED
from squids.exit_codes import ExitCode

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors that a restart may cure, because there is room again."""

UNWRITABLE = NO_ROOM | {errno.EIO, errno.EROFS, errno.EBADF}


def run_command(name: str, command: Callable[[], int]) -> int:
    """Run a command; return its exit code once its output is flushed."""
    try:
        try:
            return command()
        finally:  # Also after argparse has printed, and exits.
            if sys.stdout is not None and not sys.stdout.closed:  # An application may have closed it.
                sys.stdout.flush()
            _flush_errors()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough.
        _redirect_to_devnull(1)
        return ExitCode.OK
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        _redirect_to_devnull(1)
        print_error(f"{name}: cannot write {error.filename or 'its output'}: {error.strerror}")
        return ExitCode.FAILURE


def show_version(command: str) -> int:
    """Print the version of a command; return the exit code."""
    from importlib.metadata import PackageNotFoundError, version  # It takes megabytes, and is rarely needed.

    try:
        print(f"{command} {version('squids')}")
    except PackageNotFoundError:
        print(f"{command}, not installed as a package")
    return ExitCode.OK


def print_error(text: str) -> None:
    """Print to standard error if possible, safe for a terminal.

    If it is not possible, the exit code still says that it failed.
    """
    from squids.printable import printable  # Not needed at a start without errors.

    try:
        print(printable(text, keep="\n\t"), file=sys.stderr)
    except (OSError, ValueError):  # Or it is closed.
        pass
    _flush_errors()


def _flush_errors() -> None:
    try:
        if sys.stderr is not None and not sys.stderr.closed:
            sys.stderr.flush()
    except OSError:
        _redirect_to_devnull(2)


def exit_code_of(error: OSError) -> ExitCode:
    """Return the exit code for a file or socket that cannot be created.

    A full disk may have room again after a restart.
    """
    return ExitCode.FAILURE if error.errno in NO_ROOM else ExitCode.CONFIG


def _redirect_to_devnull(descriptor: int) -> None:
    """Keep the interpreter from failing at its final flush."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, descriptor)
    os.close(devnull)

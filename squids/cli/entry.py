"""The way into both commands: what cannot be written is one line and an exit code, never a traceback.

Standard output and error may be files on a full disk, or pipes that nobody reads, and what a command writes
may lie in a place that is full or read-only.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

from squids.cli.start import INTERRUPTED
from squids.exit_codes import ExitCode

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors that end when somebody makes room: a restart may heal what fails so."""

UNWRITABLE = NO_ROOM | {errno.EIO, errno.EROFS, errno.EBADF}


def run_command(name: str, command: Callable[[], int]) -> int:
    """The command's exit code, once all that it printed is written."""
    try:
        try:
            return command()
        finally:  # Also of argparse, which has printed, and leaves.
            if sys.stdout is not None:
                sys.stdout.flush()
            _flush_errors()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough.
        _write_no_more(1)
        return ExitCode.OK
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        _write_no_more(1)
        tell(f"{name}: cannot write {error.filename or 'its output'}: {error.strerror}")
        return ExitCode.FAILURE


def show_version(command: str) -> int:
    """Print which version a command is; the exit code."""
    from importlib.metadata import PackageNotFoundError, version  # Megabytes, and seldom asked for.

    try:
        print(f"{command} {version('squids')}")
    except PackageNotFoundError:
        print(f"{command}, not installed as a package")
    return ExitCode.OK


def tell(text: str) -> None:
    """Say it on standard error, if that can be written to; the exit code says the most of it anyway."""
    try:
        print(text, file=sys.stderr)
    except OSError:
        pass
    _flush_errors()


def _flush_errors() -> None:
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        _write_no_more(2)


def code_of(error: OSError) -> ExitCode:
    """The exit code of a file or socket that cannot be made: a full disk may have room after a restart."""
    return ExitCode.FAILURE if error.errno in NO_ROOM else ExitCode.CONFIG


def _write_no_more(descriptor: int) -> None:
    """Or the interpreter would try again at its end, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)

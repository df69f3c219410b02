"""The start and end of a child of a fork server, forked or in a fresh interpreter.

It starts with a title, with faulthandler enabled and with random numbers of its own, and exits without
unwinding its parent's stack.
"""

from __future__ import annotations

import faulthandler
import io
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from squids.process import exit_handlers
from squids.process.output import open_streams
from squids.process.random_state import reseed

Entry = Callable[[Any, socket.socket, list[int], dict[str, Any]], int]
"""What a child runs: (preloaded objects, its socket, further descriptors, arguments) -> exit code."""


def run_and_exit(
    entry: Entry, preloaded: Any, descriptors: list[int], args: dict[str, Any], title: str
) -> NoReturn:
    """Run a child to its end."""
    code = 1
    try:
        set_title(title)
        if not faulthandler.is_enabled():
            faulthandler.enable(2)
        print_lines_at_once()
        faulthandler.register(signal.SIGUSR2, 2)  # Writes the stacks of all threads to standard error.
        reseed()
        channel = socket.socket(fileno=descriptors[0])
        code = entry(preloaded, channel, descriptors[1:], args)
    except SystemExit as request:
        code = request.code if isinstance(request.code, int) else int(request.code is not None)
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        traceback.print_exc()
    finally:
        exit_now(code)
    raise AssertionError("not reached")


def print_lines_at_once() -> None:
    """Make output line-buffered, so that logs are current. A fork server does so for all its children."""
    for stream in open_streams():
        if isinstance(stream, io.TextIOWrapper) and not stream.line_buffering:
            stream.reconfigure(line_buffering=True)


def print_to(descriptor: int) -> None:
    """Redirect standard output and standard error."""
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def open_standard_streams() -> None:
    """Make sure that descriptors 0, 1 and 2 are open, so that no other file gets these numbers."""
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)  # Gets the lowest free number, which is this one.


LIMITS = ("as", "core", "cpu", "data", "fsize", "memlock", "nofile", "nproc", "rss", "stack")
"""The resource limits that can be set, by their names in getrlimit(2)."""


def apply_limits(nice: int, limits: Mapping[str, int | None]) -> None:
    """Set this process's priority and soft limits. Raises OSError or ValueError if the system refuses."""
    if nice:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    for name, soft in limits.items():
        kind = getattr(resource, f"RLIMIT_{name.upper()}")
        hard = resource.getrlimit(kind)[1]
        wanted = resource.RLIM_INFINITY if soft is None else soft
        if hard != resource.RLIM_INFINITY and (wanted == resource.RLIM_INFINITY or wanted > hard):
            wanted = hard
        resource.setrlimit(kind, (wanted, hard))


def exit_now(code: int) -> NoReturn:
    """Run the exit handlers that are this process's own, flush, and exit."""

    def end() -> NoReturn:
        status = code
        try:
            for stream in open_streams():
                stream.flush()
        except (Exception, SystemExit):
            status = status or 1
        finally:
            os._exit(status & 0xFF)

    try:
        exit_handlers.run_own(end)
    finally:
        end()


def set_title(title: str) -> None:
    """Set the title in `ps`. Linux only: it is too expensive elsewhere."""
    if sys.platform == "linux":
        import setproctitle

        setproctitle.setproctitle(title)

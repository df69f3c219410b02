"""Runs as PID 1 of a container: init's two duties, in a process that does nothing else.

The kernel gives PID 1 orphans to reap, and no default signal actions. So PID 1 forks at once: the child is
the program, and PID 1 forwards signals, reaps, and exits with the child's status. The program itself never
reaps a foreign process, so it never takes another waiter's status.
"""

from __future__ import annotations

import os
import signal

KEEP = frozenset({signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD})


def run_as_init_if_pid1() -> None:
    """If this is PID 1, fork; return in the child."""
    if os.getpid() == 1:
        run_as_init()


def run_as_init() -> None:
    """Fork, and return in the child only.

    The parent forwards signals, reaps, and exits with the child's status.
    """
    signals = signal.valid_signals() - KEEP
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals | {signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        _lead_the_foreground()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    while True:
        number = signal.sigwait(signals | {signal.SIGCHLD})
        if number != signal.SIGCHLD:
            try:
                os.kill(child, number)
            except ProcessLookupError:
                pass  # Dead: its SIGCHLD will follow.
            continue
        status = _reap(child)
        if status is not None:
            os._exit(status if status >= 0 else 128 - status)


def _lead_the_foreground() -> None:
    """Lead a process group of its own, so that Ctrl-C arrives once: directly, or from init, never both.

    With a terminal (`docker run -it`), it is the foreground group: a debugger may read. Signals are blocked
    here, else SIGTTOU would stop this process.
    """
    before = os.getpgrp()
    os.setpgid(0, 0)
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return
    try:
        if os.tcgetpgrp(terminal) == before:
            os.tcsetpgrp(terminal, os.getpid())
    except OSError:
        pass  # It was closed.
    finally:
        os.close(terminal)


def _reap(child: int) -> int | None:
    """Reap all dead processes; return the child's status if it is among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            found = os.waitstatus_to_exitcode(status)

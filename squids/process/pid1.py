"""Being PID 1 of a container: init's two duties, in a process that does nothing else.

The kernel gives PID 1 orphans to reap, and no default signal actions. So the process that is
PID 1 forks at once: the child is the program, and PID 1 passes signals on, reaps, and ends with
the child's status. The program itself never reaps a stranger, and so never steals a status.
"""

from __future__ import annotations

import os
import signal

KEEP = frozenset({signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD})


def run_as_init_if_pid1() -> None:
    """Return in the process that is to be the program; stay init in the other."""
    if os.getpid() == 1:
        run_as_init()


def run_as_init() -> None:
    """Fork; return in the child only. This process passes signals on, reaps, and ends as the child ends."""
    signals = signal.valid_signals() - KEEP
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals | {signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)  # Ctrl-C reaches init alone, and from there the child once.
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    while True:
        number = signal.sigwait(signals | {signal.SIGCHLD})
        if number != signal.SIGCHLD:
            try:
                os.kill(child, number)
            except ProcessLookupError:
                pass  # Dead: its SIGCHLD is on the way.
            continue
        status = _reap(child)
        if status is not None:
            os._exit(status if status >= 0 else 128 - status)


def _reap(child: int) -> int | None:
    """Reap all that is dead; the child's status if it is among them."""
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

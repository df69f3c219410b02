"""Holds a reported process by a pidfd, after checking it once.

A pid may be reused once its process was reaped; a pidfd never refers to another process. So signals go
through it, and it becomes readable when the process ends, whatever its parent.

Less is known without pidfds (macOS, Linux before 5.3), or without visible processes (a `/proc` mounted with
hidepid). Then, on Linux only children of this process are signalled; elsewhere the reported pid is used as
is.
"""

from __future__ import annotations

import os
import select
import signal
import sys

from squids.process.descent import Claim, Seen, is_pid, why_not

PIDFD_SIGNAL_PROCESS_GROUP = 4
"""pidfd_send_signal(2), since Linux 6.9."""

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Untrue(Exception):
    """The pid is not what was reported. The text says why."""


class Held:
    """A process by its pid. `descriptor`: its pidfd, readable once it has ended, or None."""

    def __init__(self, pid: int, descriptor: int | None, *, gone: bool = False) -> None:
        self.pid = pid
        self.descriptor = descriptor
        self._gone = gone

    @property
    def ended(self) -> bool:
        """Whether it is certainly dead. Without a pidfd, only a reaped process counts."""
        if not self._gone:
            self._gone = _is_over(self.descriptor) if self.descriptor is not None else not _exists(self.pid)
        return self._gone

    def signal(self, number: int) -> bool:
        """Send a signal. Returns False if the process is dead or must not be signalled."""
        try:
            if self.descriptor is not None:
                signal.pidfd_send_signal(self.descriptor, number)
            elif self._gone or not _may_be_named(self.pid):
                return False
            else:
                os.kill(self.pid, number)
        except OSError:
            return False
        return True

    def signal_group(self, number: int) -> None:
        """Send a signal to the process and to the process group that it leads."""
        if self.descriptor is not None:
            try:
                signal.pidfd_send_signal(self.descriptor, number, None, PIDFD_SIGNAL_PROCESS_GROUP)
            except OSError:
                pass  # An older kernel, or the group is empty.
            else:
                return
        # The leader's pid is not reused while it is alive, or not reaped by this process.
        if is_child(self.pid) or not self.ended:
            kill_group(self.pid, number, own_child=sys.platform == "linux" and self.descriptor is None)
        self.signal(number)

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None
            self._gone = True


def hold(pid: int, server: int, uid: int, asked: float | None) -> Held:
    """Hold the process that the fork server `server` reported. `uid` and `asked`: as in `Claim`.

    Raises Untrue if it does not descend from the fork server, or from this process, which adopts orphans.
    """
    if not is_pid(pid) or pid == os.getpid():
        raise Untrue("no child can have it")
    claim = Claim(frozenset((server, os.getpid())), uid, asked)
    if look(server) is None:
        return Held(pid, None)  # The system shows no processes.
    try:
        descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    except ProcessLookupError:
        return Held(pid, None, gone=True)
    except OSError:  # Not supported, or no free descriptor.
        descriptor = None
    why = why_not(pid, claim, look)
    held = Held(pid, descriptor)
    if descriptor is not None and not _is_there(descriptor):
        held.close()  # It ended and was reaped: the checked process may be another one.
    elif why is not None:
        held.close()
        raise Untrue(why)
    return held


def look(pid: int) -> Seen | None:
    """Return what the system knows of a process, or None if it is gone or hidden."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        with open(f"/proc/{pid}/status", "rb") as file:
            uid = next(int(line.split()[1]) for line in file if line.startswith(b"Uid:"))
    except (OSError, StopIteration):
        return None
    return Seen(int(fields[1]), uid, int(fields[19]) / TICKS)


def since_boot() -> float | None:
    """Return the seconds since boot, on the clock of process starts, or None if unknown."""
    try:
        with open("/proc/uptime", "rb") as file:
            return float(file.read().split()[0])
    except (OSError, ValueError):
        return None


def is_child(pid: int) -> bool:
    """Whether it is an unreaped child of this process, dead or alive, so that its pid cannot be reused."""
    if not hasattr(os, "waitid"):
        return False
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except OSError:
        return False
    return True


def kill_group(pid: int, number: int, *, own_child: bool = True) -> None:
    """Signal a process group. `own_child`: only if its leader is a child of this process."""
    if pid <= 1 or (own_child and not is_child(pid)):
        return
    try:
        os.killpg(pid, number)
    except OSError:
        pass  # The group is empty.


def _may_be_named(pid: int) -> bool:
    return sys.platform != "linux" or is_child(pid)


def _is_over(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _is_there(descriptor: int) -> bool:
    """Whether it is not reaped yet."""
    try:
        signal.pidfd_send_signal(descriptor, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # It exists, but belongs to another user.
    return True


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # It belongs to another user.
    return True

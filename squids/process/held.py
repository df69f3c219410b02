"""A process that another one reported: looked at once, and from then on held by a pidfd.

A number means another process once its own has been reaped; a pidfd never does. So signals go through it, and
it becomes readable when the process ends, whoever is the parent and whether or not anybody tells.

Where the system has no pidfds (macOS, Linux before 5.3), or shows no processes (a `/proc` mounted with
hidepid), less is known: on Linux only children of this process are signalled then, elsewhere the number is
used as it was told.
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
    """A pid that is not what it was said to be, and why."""


class Held:
    """A process by its pid. `descriptor`: its pidfd, readable from its end on; None: there is none."""

    def __init__(self, pid: int, descriptor: int | None, *, gone: bool = False) -> None:
        self.pid = pid
        self.descriptor = descriptor
        self._gone = gone

    @property
    def ended(self) -> bool:
        """Whether it is dead for sure. Without a pidfd that is seen only once somebody has reaped it."""
        if not self._gone:
            self._gone = _is_over(self.descriptor) if self.descriptor is not None else not _exists(self.pid)
        return self._gone

    def signal(self, number: int) -> bool:
        """Send it a signal. False: it was dead, or may not be signalled by this process."""
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
        """Send a signal to it and to its process group, which it leads."""
        if self.descriptor is not None:
            try:
                signal.pidfd_send_signal(self.descriptor, number, None, PIDFD_SIGNAL_PROCESS_GROUP)
            except OSError:
                pass  # An older kernel, or nobody is left.
            else:
                return
        # The leader's number is its own while it lives, or is not reaped by this process.
        if is_child(self.pid) or not self.ended:
            kill_group(self.pid, number, own_child=sys.platform == "linux" and self.descriptor is None)
        self.signal(number)

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None
            self._gone = True


def hold(pid: int, server: int, uid: int, asked: float | None) -> Held:
    """The process of this pid, as the fork server `server` reports it. `uid` and `asked`: as in `Claim`.

    Untrue if it is no descendant of the fork server, or of this process, which adopts orphans.
    """
    if not is_pid(pid) or pid == os.getpid():
        raise Untrue("no child can have it")
    claim = Claim(frozenset((server, os.getpid())), uid, asked)
    if look(server) is None:
        return Held(pid, None)  # The system shows no processes here.
    try:
        descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    except ProcessLookupError:
        return Held(pid, None, gone=True)
    except OSError:  # No such call, or no descriptor is free.
        descriptor = None
    why = why_not(pid, claim, look)
    held = Held(pid, descriptor)
    if descriptor is not None and not _is_there(descriptor):
        held.close()  # It ended and was reaped: what was looked at may be another process.
    elif why is not None:
        held.close()
        raise Untrue(why)
    return held


def look(pid: int) -> Seen | None:
    """What the system says of a process. None: it is not there, or is not shown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        with open(f"/proc/{pid}/status", "rb") as file:
            uid = next(int(line.split()[1]) for line in file if line.startswith(b"Uid:"))
    except (OSError, StopIteration):
        return None
    return Seen(int(fields[1]), uid, int(fields[19]) / TICKS)


def since_boot() -> float | None:
    """Seconds since boot, by the same clock as the starts of processes. None: the system does not say."""
    try:
        with open("/proc/uptime", "rb") as file:
            return float(file.read().split()[0])
    except (OSError, ValueError):
        return None


def is_child(pid: int) -> bool:
    """Whether it is a child of this process, dead or alive, that was not reaped: its number is its own."""
    if not hasattr(os, "waitid"):
        return False
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except OSError:
        return False
    return True


def kill_group(pid: int, number: int, *, own_child: bool = True) -> None:
    """Signal the process group of this pid. `own_child`: only if its leader is a child of this process."""
    if pid <= 1 or (own_child and not is_child(pid)):
        return
    try:
        os.killpg(pid, number)
    except OSError:
        pass  # Nobody is left in it.


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
        pass  # Another user's: it is there.
    return True


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # Another user's.
    return True

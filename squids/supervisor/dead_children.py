"""Children of this process whose fork server died: reaps them, and kills the rest of their process groups.

Linux makes them children of the supervisor, which is a subreaper. A child's pid stays taken until it is
reaped, so what is killed in between is what it seems to be.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping

from squids.process.held import is_child, kill_group, look
from squids.supervisor.consumer_handle import ConsumerHandle
from squids.supervisor.fork_servers import ForkServers


class DeadChildren:
    """Looks for dead children among all consumers (a view) and their workers."""

    def __init__(self, consumers: Mapping[int, ConsumerHandle], fork_servers: ForkServers) -> None:
        self._consumers = consumers
        self._fork_servers = fork_servers

    def reap(self) -> Iterator[tuple[ConsumerHandle, int]]:
        """Reap each dead child by its pid, so that no other waiter loses a status.

        Yields consumers with their exit codes (negative: a signal). On macOS before Python 3.13 there is
        nothing to do: this process adopts no orphans there, and a dead fork server is noticed by its socket.
        """
        if not hasattr(os, "waitid"):
            return
        while True:
            try:
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if dead is None:
                return
            if self._fork_servers.reap(dead.si_pid):
                continue
            consumer = self._consumer_of(dead.si_pid)
            try:
                pid, status = os.waitpid(dead.si_pid, os.WNOHANG)
            except ChildProcessError:
                continue
            if consumer is not None and pid:
                yield consumer, os.waitstatus_to_exitcode(status)

    def kill_workers(self, consumer: ConsumerHandle) -> None:
        """Kill the workers of a consumer whose fork server is dead."""
        for pid in consumer.worker_pids:
            if self._is_worker(consumer, pid):
                kill_group(pid, signal.SIGKILL)

    def _consumer_of(self, pid: int) -> ConsumerHandle | None:
        """Return the consumer that this dead child is.

        If it is a consumer or a worker, the rest of its process group is killed before the pid can be reused.
        """
        consumers = list(self._consumers.values())
        for consumer in consumers:
            if consumer.process is None and consumer.asked:  # Its pid may not be read yet.
                self._fork_servers.hear(consumer.generation)
        found = next((one for one in self._consumers.values() if one.pid == pid), None)
        if found is not None or any(self._is_worker(one, pid) for one in self._consumers.values()):
            kill_group(pid, signal.SIGKILL)
        return found

    def _is_worker(self, consumer: ConsumerHandle, pid: int) -> bool:
        """Whether a child of this process is a worker of this consumer, with the expected user."""
        if pid not in consumer.worker_pids or not is_child(pid):
            return False
        if pid in self._fork_servers.pids() or any(pid == other.pid for other in self._consumers.values()):
            return False
        seen = look(pid)
        return seen is not None and consumer.generation.uid in (0, seen.uid)

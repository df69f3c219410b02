"""Detects a fork server that hangs: it does not start a worker, or report an end, in time.

Its consumer decides what follows.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from squids.pool.worker_handle import WorkerHandle
from squids.process.patience import after
from squids.process.zygote_handle import FORK_SECONDS, REPORT_SECONDS


class Pool(Protocol):
    """The owner of the workers."""

    def has(self, handle: WorkerHandle) -> bool:
        """Whether the fork server has not yet reported the end of this worker."""

    def ends(self, handle: WorkerHandle) -> None:
        """There is a sign that a worker is dead: its socket or its process ended."""

    def kill(self, handle: WorkerHandle) -> None:
        """Send SIGKILL to a worker."""

    def fork_server_hangs(self, reason: str) -> None:
        """Stop waiting for the fork server."""


class ServerWatch:
    """Times each request, and each sign of an end."""

    def __init__(self, pool: Pool, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop

    def asked(self, handle: WorkerHandle) -> None:
        """The fork server was asked for this worker."""
        after(self._loop, FORK_SECONDS, self._look_for_answer, handle)

    def came(self, handle: WorkerHandle) -> None:
        """The fork server reported the worker's pid: watch the process itself from now on."""
        assert handle.process is not None
        if handle.process.descriptor is not None:
            self._loop.add_reader(handle.process.descriptor, self._process_ended, handle)
        elif handle.process.ended:
            self._pool.ends(handle)

    def ends(self, handle: WorkerHandle) -> None:
        """The fork server must report the end of this worker."""
        after(self._loop, REPORT_SECONDS, self._look_for_end, handle, False)

    def forget(self, handle: WorkerHandle) -> None:
        """The worker is known to be dead."""
        if handle.process is not None and handle.process.descriptor is not None:
            self._loop.remove_reader(handle.process.descriptor)

    def _process_ended(self, handle: WorkerHandle) -> None:
        self.forget(handle)
        self._pool.ends(handle)

    def _look_for_answer(self, handle: WorkerHandle) -> None:
        if self._pool.has(handle) and handle.process is None:
            self._pool.fork_server_hangs(f"did not start worker {handle.slot}")

    def _look_for_end(self, handle: WorkerHandle, killed: bool) -> None:
        if not self._pool.has(handle):
            return
        if killed or handle.ended:
            self._pool.fork_server_hangs(f"did not report the end of worker {handle.slot}")
        else:  # It closed its socket but is alive: it is useless.
            self._pool.kill(handle)
            after(self._loop, REPORT_SECONDS, self._look_for_end, handle, True)

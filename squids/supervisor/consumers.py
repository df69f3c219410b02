"""The consumer processes: requests, starts, hears, signals and reaps them.

What becomes of a program is decided elsewhere; what happens to a process is passed to it as an event.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from collections.abc import Callable
from typing import Any

from squids.process import protocol
from squids.process.cpus import usable_cpus
from squids.process.exit_status import exit_text
from squids.process.held import Untrue, hold, since_boot
from squids.process.loop_channel import LoopChannel
from squids.process.patience import after
from squids.process.zygote_handle import FORK_SECONDS, REPORT_SECONDS, ZygoteHandle
from squids.supervisor import events
from squids.supervisor.boot_queue import BootQueue
from squids.supervisor.capacity import descriptors_of_consumer
from squids.supervisor.consumer_handle import ConsumerHandle
from squids.supervisor.dead_children import DeadChildren
from squids.supervisor.events import Event
from squids.supervisor.fork_servers import ForkServers
from squids.supervisor.generation import Failure, Generation
from squids.supervisor.job_log import JobLog
from squids.supervisor.procfs import check_free_descriptors, out_of_memory_kills
from squids.supervisor.program import events as ev
from squids.supervisor.program.process import Process
from squids.supervisor.settings import ProgramSettings

CONSUMER_ENTRY = "squids.pool.consumer_main:run_supervised"

SPARE_DESCRIPTORS = 8
"""Kept free for the control socket, and for workers that are replaced."""

ADOPTED_CHECK_SECONDS = 1.0
"""Seconds between checks whether an adopted consumer has ended, on systems without pidfds."""

ORPHAN_MARGIN = 15.0
"""Seconds beyond its shutdown timeout that a consumer may live without a supervisor."""


class ConsumerProcesses:
    """All consumer processes, by number. `soft_nofile`: their limit of descriptors."""

    def __init__(
        self,
        fork_servers: ForkServers,
        *,
        on_event: Callable[[ConsumerHandle, ev.Event], None],
        say: Callable[[Event], None],
        note: Callable[[Event], None],
        on_gone: Callable[[], None],
        soft_nofile: int | None,
        log_jobs: bool,
    ) -> None:
        self.all: dict[int, ConsumerHandle] = {}
        self.job_log = JobLog(self.all, log_all=log_jobs)
        self.fork_servers = fork_servers
        self._dead_children = DeadChildren(self.all, fork_servers)
        self._on_event = on_event
        self._say = say
        self._note = note
        self._on_gone = on_gone
        self._soft_nofile = soft_nofile
        self._boot_queue = BootQueue(usable_cpus())
        self._memory_kills = out_of_memory_kills()

    def start(self) -> None:
        """Attach to the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(signal.SIGCHLD, self.reap)
        self.reap()

    def of(self, process: Process | None) -> ConsumerHandle | None:
        """Return the consumer of a program's process."""
        return self.all.get(process.child) if process is not None else None

    def want(self, child: int, generation: Generation, settings: ProgramSettings) -> None:
        """Request a process. It starts once its generation is ready and the boot queue permits."""
        self.all[child] = ConsumerHandle(child, settings.name, settings, generation)
        # Deferred, because the caller is still deciding.
        self._loop.call_soon(
            self.fork_servers.when_ready,
            generation,
            lambda failure: self._generation_ready(child, failure),
            settings.start_timeout,
        )

    def _generation_ready(self, child: int, failure: Failure | None) -> None:
        consumer = self.all.get(child)
        if consumer is None:
            return
        if failure is not None:
            self._forget(child)
            event = ev.CodeUnavailable(child, failure.text, failure.retry_at, failure.refused)
            self._on_event(consumer, event)
            return
        self._boot_queue.want(child, consumer.settings.priority)
        self._begin_boots()

    def _begin_boots(self) -> None:
        for child in self._boot_queue.next():
            consumer = self.all.get(child)
            if consumer is not None:
                self._spawn(consumer)
            else:
                self._boot_queue.over(child)
                self._loop.call_soon(self._begin_boots)

    def _spawn(self, consumer: ConsumerHandle) -> None:
        child, settings = consumer.child, consumer.settings
        handle = consumer.generation.handle
        if handle is None:  # It died while this consumer was queued.
            self._forget(child)
            self._on_event(consumer, ev.ProcessCancelled(child))
            return
        try:
            needed = descriptors_of_consumer(settings.option("workers") or usable_cpus())
            check_free_descriptors(needed + SPARE_DESCRIPTORS)
            ours, theirs = socket.socketpair()
        except OSError as error:
            self._forget(child)
            self._on_event(consumer, ev.ProcessRefused(child, os.strerror(error.errno or 0)))
            return
        consumer.channel = LoopChannel(ours)
        consumer.asked = True
        limits: dict[str, int | None] = {}
        if self._soft_nofile is not None:
            limits["nofile"] = self._soft_nofile
        consumer.asked_at = since_boot()
        handle.spawn(
            child,
            CONSUMER_ENTRY,
            {
                "name": settings.name,
                "options": {**dict(settings.options), "app": settings.app_spec.app},
                "log_level": settings.log_level,
                "fresh": not consumer.generation.shares,
                "unforkable": bool(consumer.generation.unforkable),
            },
            title=f"squids: {settings.name} main",
            orphan_grace=settings.shutdown_timeout + ORPHAN_MARGIN,
            descriptors=[theirs.fileno()],
            owns_children=True,
            program=settings.name,
            nice=settings.nice,
            limits={**limits, **dict(settings.limits)},
        )
        after(self._loop, FORK_SECONDS, self._look_for_answer, consumer, handle)
        theirs.close()  # Ours is read once the fork server has reported the process.
        self.job_log.on_start(consumer)

    def _look_for_answer(self, consumer: ConsumerHandle, handle: ZygoteHandle) -> None:
        if consumer.pid is None and self.all.get(consumer.child) is consumer:
            self._give_up(consumer.generation, handle, "does not answer")

    def _look_for_end(self, consumer: ConsumerHandle, handle: ZygoteHandle | None) -> None:
        if self.all.get(consumer.child) is not consumer or consumer.adopted:
            return
        process = consumer.process
        if process is not None and process.descriptor is not None and not process.ended:
            return  # It closed its socket but is alive: its program decides.
        if handle is not None and consumer.generation.handle is handle:
            self._give_up(consumer.generation, handle, "did not report the end of a consumer")
        elif process is not None and process.ended:
            self._exited(consumer, None)

    def _give_up(self, generation: Generation, handle: ZygoteHandle, why: str) -> None:
        """Kill a fork server that hangs or was stopped; the rest follows from its death."""
        if generation.handle is handle:
            self._say(events.fork_server_hangs(generation.app_spec.app, why))
            handle.kill_server()

    def distrust(self, generation: Generation, what: str) -> None:
        """Ignore and kill a fork server that reported something impossible."""
        self._say(events.fork_server_broken(generation.app_spec.app, what))
        if generation.handle is not None:
            generation.handle.distrust()

    def cancel(self, child: int) -> None:
        """Cancel a process that has not been started yet."""
        consumer = self.all.get(child)
        if consumer is not None and not consumer.asked:
            self._forget(child)
            # Deferred, because the caller is still deciding.
            self._loop.call_soon(self._on_event, consumer, ev.ProcessCancelled(child))

    def _forget(self, child: int) -> None:
        consumer = self.all.pop(child, None)
        if consumer is not None:
            self._unwatch_process(consumer)
            consumer.close()
        self._on_gone()
        self._boot_queue.over(child)
        self._loop.call_soon(self._begin_boots)

    def _unwatch_process(self, consumer: ConsumerHandle) -> None:
        if consumer.process is not None and consumer.process.descriptor is not None:
            self._loop.remove_reader(consumer.process.descriptor)

    def send(self, child: int, frame: protocol.Frame) -> None:
        """Send a frame to a process, if it has a socket."""
        consumer = self.all.get(child)
        if consumer is not None:
            consumer.send(frame)

    def _hear(self, consumer: ConsumerHandle) -> None:
        assert consumer.channel is not None
        frames: list[Any] = []
        try:
            frames = consumer.hear()
        except Exception as error:  # Not a frame, so not from a consumer of ours.
            self._say(events.garbage(consumer.program, error))
            consumer.channel.unwatch()
            self.kill(consumer.child)
            return
        for frame in frames:
            self._heard(consumer, frame)
        if consumer.channel.closed:
            consumer.channel.unwatch()  # The fork server knows whether it is dead.
            handle = consumer.fork_server
            if handle is not None:
                after(self._loop, REPORT_SECONDS, self._look_for_end, consumer, handle)

    def _heard(self, consumer: ConsumerHandle, frame: protocol.Frame) -> None:
        child = consumer.child
        match frame:
            case protocol.Booted():
                self._boot_queue.over(child)
                self._begin_boots()
                self._on_event(consumer, ev.ProcessBooted(child))
            case protocol.Ready():
                self._on_event(consumer, ev.ProcessReady(child))
            case protocol.Stopping(reason):
                self._on_event(consumer, ev.ProcessDraining(child, reason))
            case protocol.ForkServerHangs(reason):
                if consumer.fork_server is not None:
                    self._give_up(consumer.generation, consumer.fork_server, reason)
            case protocol.JobsChanged(changes):
                self.job_log.changed(consumer.program, changes)
            case protocol.Degraded(reason):
                self._note(events.degraded(consumer.program, reason))
                self._on_event(consumer, ev.ProcessBeat(child))
            case _:
                self._on_event(consumer, ev.ProcessBeat(child))

    def signal(self, child: int, number: int) -> None:
        """Send a signal to a consumer's main process."""
        consumer = self.all.get(child)
        if consumer is not None:
            self._signal(consumer, number)

    def ask_for_stacks(self, name: str) -> bool:
        """Make a program's processes write the stacks of all threads. Returns False if there are none."""
        mine = [one for one in self.all.values() if one.program == name and one.process is not None]
        for consumer in mine:
            self._signal(consumer, signal.SIGUSR2, workers=True)
        return bool(mine)

    def _signal(self, consumer: ConsumerHandle, number: int, *, workers: bool = False) -> None:
        """Signal its main process; with `workers`, also its workers if its fork server is alive."""
        server, process = consumer.fork_server, consumer.process
        if process is None:
            return
        if server is not None and (workers or process.descriptor is None):
            server.kill(consumer.child, number, group=False, tree=workers)
        else:
            process.signal(number)

    def kill(self, child: int) -> None:
        """Send SIGKILL to a consumer and all its descendants."""
        consumer = self.all.get(child)
        if consumer is None or consumer.process is None:
            return
        server = consumer.fork_server
        if server is None:
            self._dead_children.kill_workers(consumer)
            consumer.process.signal_group(signal.SIGKILL)
            return
        server.kill(child, signal.SIGKILL, tree=True)
        consumer.kills += 1
        if consumer.kills > 1:  # The first had no effect, so the fork server hangs too.
            self._give_up(consumer.generation, server, "did not kill")

    # What fork servers report.

    def on_report(self, generation: Generation, frame: protocol.FromZygote) -> None:
        """Handle a fork server's report on its children."""
        match frame:
            case protocol.Spawned(child, pid):
                self._spawned(generation, child, pid)
            case protocol.SpawnFailed(child, _, reason):
                consumer = self._named_by(generation, child)
                if consumer is not None:
                    self._forget(child)
                    self._on_event(consumer, ev.ProcessRefused(child, reason))
            case protocol.Exited(child, pid, status):
                consumer = self._named_by(generation, child)
                if consumer is not None and consumer.pid == pid:
                    self._exited(consumer, status)

    def _named_by(self, generation: Generation, child: int) -> ConsumerHandle | None:
        """Return the consumer that a fork server reports on, if it belongs to it."""
        consumer = self.all.get(child)
        if consumer is not None and consumer.generation is not generation:
            self.distrust(generation, f"reported on {consumer.program}, which is not its own")
            return None
        return consumer

    def _spawned(self, generation: Generation, child: int, pid: int) -> None:
        consumer = self._named_by(generation, child)
        handle = generation.handle
        if consumer is None or consumer.process is not None or handle is None:
            return
        try:
            consumer.process = hold(pid, handle.pid, generation.uid, consumer.asked_at)
        except Untrue as error:
            self.distrust(generation, f"reported pid {pid} as that of {consumer.program}, but {error}")
            return
        if consumer.process.descriptor is not None:
            self._loop.add_reader(consumer.process.descriptor, self._ended, consumer)
        elif consumer.process.ended:
            self._loop.call_soon(self._ended, consumer)
        if consumer.channel is not None:
            # Not before: a consumer can report that it receives while its fork server still waits for a CPU.
            consumer.channel.watch(self._loop, self._hear, consumer)
        self._on_event(consumer, ev.ProcessSpawned(child, pid))

    def _ended(self, consumer: ConsumerHandle) -> None:
        """Its pidfd became readable: it is dead. Its fork server or this process may know its exit status."""
        self._unwatch_process(consumer)
        self.reap()
        if self.all.get(consumer.child) is not consumer:
            return
        if consumer.adopted:
            self._exited(consumer, None)
        else:
            after(self._loop, REPORT_SECONDS, self._look_for_end, consumer, consumer.generation.handle)

    def _exited(self, consumer: ConsumerHandle, status: int | None) -> None:
        """Handle its death. `status` is None if its exit status is unknown."""
        if consumer.adopted:
            self._dead_children.kill_workers(consumer)
        if consumer.channel is not None and not consumer.channel.closed:
            self._hear(consumer)
        killed = status == -signal.SIGKILL and self._memory_ran_out()
        event = ev.ProcessExited(
            consumer.child, status, random.random(), out_of_memory=killed, failure=consumer.failure
        )
        self._on_event(consumer, event)
        self._forget(consumer.child)

    def _memory_ran_out(self) -> bool:
        """Whether the kernel's OOM killer has killed since the last check."""
        before, self._memory_kills = self._memory_kills, out_of_memory_kills()
        return before is not None and self._memory_kills is not None and self._memory_kills > before

    def on_fork_server_lost(self, generation: Generation, status: int | None) -> None:
        """A fork server died, so this process is now the parent of its children."""
        how = "ended" if status is None else exit_text(status)
        self._say(events.fork_server_died(generation.app_spec.app, how))
        for consumer in list(self.all.values()):
            if consumer.generation is not generation:
                continue
            if consumer.pid is None and consumer.asked:
                self._forget(consumer.child)
                self._on_event(consumer, ev.ProcessCancelled(consumer.child))
            elif consumer.pid is not None:
                consumer.adopted = True
                self._on_event(consumer, ev.ForkServerLost(consumer.child))
        self.reap()
        for consumer in list(self.all.values()):
            if consumer.generation is generation and consumer.adopted:
                self._check_adopted(consumer)

    def _check_adopted(self, consumer: ConsumerHandle) -> None:
        """Its fork server may have reaped it and died before it could report that."""
        process = consumer.process
        if self.all.get(consumer.child) is not consumer or process is None:
            return
        if process.ended:
            self._ended(consumer)
        elif process.descriptor is None:
            self._loop.call_later(ADOPTED_CHECK_SECONDS, self._check_adopted, consumer)

    def reap(self) -> None:
        """Reap dead children, and handle the death of those that are consumers."""
        for consumer, status in self._dead_children.reap():
            consumer.adopted = True  # Otherwise its fork server would have reaped it.
            self._exited(consumer, status)

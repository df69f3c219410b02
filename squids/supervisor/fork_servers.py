"""Fork servers, one per import of each app spec: starts, watches and restarts them.

An import of an app is a `Generation`, which programs refer to by number, so that a restart after a crash runs
the same code as before. A new generation imports what is on disk now. The fork server of a generation that no
program uses is closed, and exits when its children have exited.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

from squids.bounds import NAME, cut
from squids.process.channel import close_all
from squids.process.exit_status import exit_text
from squids.process.frames import FrameError
from squids.process.log_lines import Origin, Source
from squids.process.outlet import Outlet
from squids.process.protocol import FromZygote, Output, Preloaded, PreloadFailed
from squids.process.restarts import StartAt
from squids.process.zygote_handle import ZygoteHandle
from squids.supervisor import events
from squids.supervisor.app_spec import environment_of, group_of, groups_of, resolved, uid_of, user_of
from squids.supervisor.events import Event
from squids.supervisor.generation import Failure, Generation, GenerationState
from squids.supervisor.generations import Generations
from squids.supervisor.history import LastLines
from squids.supervisor.reload.changes import failure_in_short

SHARED_ENTRY = "squids.pool.preload:load_shared"
FRESH_ENTRY = "squids.pool.preload:load"


EXIT_SECONDS = 1.0
"""How long a fork server may live after it closed its socket."""

EMFILE = os.strerror(errno.EMFILE)

REFUSALS = frozenset((errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE))
"""Errors of the system that runs out of a resource."""

FAILED_EXIT_SECONDS = 3.0
"""How long a failed fork server may take to write its stacks and exit."""

HEALTHY_AFTER = 60.0
"""Seconds after which the death of a fork server does not count as one of a series."""


class ForkServers:
    """All fork servers.

    Reports on their children go to `on_report`, their output to `on_output`, invalid frames to `on_lie`.
    """

    def __init__(
        self,
        *,
        on_report: Callable[[Generation, FromZygote], None],
        on_output: Callable[[Generation, Source, int, list[int]], None],
        has_program: Callable[[Generation, str], bool],
        on_lost: Callable[[Generation, int | None], None],
        on_lie: Callable[[Generation, str], None],
        on_event: Callable[[Generation, Event], None],
        consumers_of: Callable[[Generation], list[dict[str, Any]]],
        log_level: Callable[[], str],
    ) -> None:
        self._on_report = on_report
        self._on_output = on_output
        self._has_program = has_program
        self._on_lost = on_lost
        self._on_lie = on_lie
        self._on_event = on_event
        self._consumers_of = consumers_of
        self._log_level = log_level
        self.generations = Generations()
        self._dying: list[ZygoteHandle] = []

    write_bytecode = True
    """Whether apps write bytecode of what they import."""

    def when_ready(
        self, generation: Generation, call: Callable[[Failure | None], None], timeout: float
    ) -> None:
        """Call once the generation is ready, or with its failure. Starts the import if necessary."""
        if generation.state is GenerationState.READY:
            call(None)
            return
        now = time.monotonic()
        if generation.failure is not None and (
            generation.failure.retry_at is None or now < generation.failure.retry_at
        ):
            call(generation.failure)
            return
        generation.waiting.append(call)
        if generation.state is not GenerationState.IMPORTING:
            self._start(generation, timeout)
        elif timeout > generation.timeout and generation.timer is not None:
            # One import serves all callers: the longest timeout applies.
            at = generation.timer.when() + timeout - generation.timeout
            generation.timer.cancel()
            self._time_out(generation, at, timeout)

    def forget_failure(self, generation: Generation) -> None:
        """An operator asks for a retry: forget the failures."""
        generation.failure = None
        generation.restarts.forget()

    def release(self, used: set[int]) -> None:
        """Close the fork servers of all generations but these."""
        for generation in self.generations.keep_only(used):
            if generation.timer is not None:
                generation.timer.cancel()
            text = "it is no longer needed"
            self._answer(generation, Failure(text, None, text))
            if generation.handle is not None:
                handle, generation.handle = generation.handle, None
                if generation.state is GenerationState.IMPORTING:
                    _kill(handle)
                handle.close()
                self._dying.append(handle)

    def reap(self, pid: int) -> bool:
        """Reap a dead child if it is a fork server; return whether it is."""
        for handle in self._dying:
            if handle.pid == pid:
                handle.reap()
                self._dying.remove(handle)
                return True
        for generation in self.generations:
            if generation.handle is not None and generation.handle.pid == pid:
                self._hear(generation)  # What it sent before it died.
                self._ended(generation)
                return True
        return False

    def hear(self, generation: Generation) -> None:
        """Read what a fork server has sent so far."""
        self._hear(generation)

    def pids(self) -> set[int]:
        """Return the pids of all fork servers that were not reaped."""
        alive = {generation.handle.pid for generation in self.generations if generation.handle is not None}
        return alive | {handle.pid for handle in self._dying}

    # The life of a fork server.

    def _start(self, generation: Generation, timeout: float) -> None:
        app_spec = generation.app_spec
        directory, python, generation.places = resolved(app_spec)
        generation.state = GenerationState.IMPORTING
        generation.imports += 1
        generation.failure = None
        arguments = {
            "app": app_spec.app,
            "directory": directory,
            "logging": app_spec.logging,
            "log_level": self._log_level(),
            "consumers": self._consumers_of(generation),
            "write_bytecode": self.write_bytecode,
            "shares_ports": self.generations.share_ports(generation),
        }
        shared = generation.shares or generation.on_trial
        try:
            outlet = Outlet.make()
        except OSError as error:
            self._fail(
                generation, f"the system refused a pipe: {error.strerror}", hopeless=False, refused=True
            )
            return
        try:
            generation.handle = ZygoteHandle.start(
                SHARED_ENTRY if shared else FRESH_ENTRY,
                arguments,
                f"squids: zygote {app_spec.app}",
                preload=shared,
                python=python,
                outlet=outlet,
                cwd=directory,
                env=environment_of(app_spec),
                user=user_of(app_spec),
                group=group_of(app_spec),
                extra_groups=None if app_spec.user is None else groups_of(app_spec),
                umask=-1 if app_spec.umask is None else app_spec.umask,
            )
        except (OSError, ValueError) as error:
            outlet.close_readers()
            refused = isinstance(error, OSError) and error.errno in REFUSALS
            text = f"its fork server could not be started: {error}"
            self._fail(generation, text, hopeless=False, refused=refused)
            return
        finally:
            outlet.given()
        source = Source(Origin.FORK_SERVER, app=app_spec.app)
        self._on_output(generation, source, generation.handle.pid, [outlet.prints, outlet.records])
        loop = asyncio.get_running_loop()
        generation.uid = uid_of(app_spec)
        generation.handle.channel.watch(loop, self._hear, generation)
        self._time_out(generation, loop.time() + timeout, timeout)

    def _time_out(self, generation: Generation, at: float, timeout: float) -> None:
        generation.timeout = timeout
        generation.timer = asyncio.get_running_loop().call_at(at, self._too_slow, generation, timeout)

    def _hear(self, generation: Generation) -> None:
        handle = generation.handle
        while handle is not None and generation.handle is handle and not handle.gone:
            try:
                reports = handle.receive_with_outputs()
            except (FrameError, ValueError) as error:
                self._on_lie(generation, f"sent an invalid frame ({error})")
                break
            if not reports and not handle.gone:
                return
            for frame, descriptors in reports:
                if handle.distrusted:
                    close_all(descriptors)
                    continue
                match frame:
                    case Preloaded():
                        self._preloaded(generation, frame)
                    case PreloadFailed(hopeless, text, files):
                        self._fail(generation, text, hopeless=hopeless, files=tuple(files))
                    case Output():
                        self._output(generation, frame, descriptors)
                    case _:
                        self._on_report(generation, frame)
        if handle is not None and generation.handle is handle and handle.gone:
            handle.channel.unwatch()
            if handle.reap() is not None:
                self._ended(generation)
            else:  # Its exit status is available soon, unless it closed its socket and lives on.
                asyncio.get_running_loop().call_later(EXIT_SECONDS, self._ended_if, generation, handle)

    def _output(self, generation: Generation, frame: Output, descriptors: list[int]) -> None:
        source = Source.of_child(frame.program, frame.worker)
        if not self._has_program(generation, frame.program):
            close_all(descriptors)
            self._on_lie(generation, f"sent what {cut(str(source), NAME)} prints, which is not its own")
            return
        if descriptors:
            self._on_output(generation, source, frame.pid, descriptors)
        if len(descriptors) < 2:
            self._on_event(generation, events.output_lost(str(source), EMFILE))

    def _ended_if(self, generation: Generation, handle: ZygoteHandle) -> None:
        if generation.handle is handle:
            self._ended(generation)

    def _preloaded(self, generation: Generation, frame: Preloaded) -> None:
        if frame.unforkable:
            self._on_event(generation, events.not_forkable(generation.app_spec.app, frame.unforkable))
            generation.unforkable = frame.unforkable
        if frame.unforkable or generation.on_trial:
            generation.shares = generation.on_trial = False
            generation.facts = frame.facts
            self._drop(generation)
            self._start(generation, timeout=30.0)
            return
        if generation.timer is not None:
            generation.timer.cancel()
        generation.state = GenerationState.READY
        generation.ready_since = time.monotonic()
        generation.facts = frame.facts or generation.facts  # None if its children import.
        if generation.shares:
            self._on_event(generation, events.imported(generation.app_spec.app))
        self._answer(generation, None)

    def _too_slow(self, generation: Generation, timeout: float) -> None:
        if generation.state is GenerationState.IMPORTING:
            if generation.handle is not None:
                _abort(generation.handle)
            self._fail(
                generation, f"the import of {generation.app_spec.app} took over {timeout:g} s", hopeless=False
            )

    def _fail(
        self,
        generation: Generation,
        text: str,
        *,
        hopeless: bool,
        refused: bool = False,
        files: tuple[str, ...] = (),
    ) -> None:
        generation.state = GenerationState.FAILED
        self._drop(generation)
        kept = LastLines()  # An exception's text is unbounded, and many programs may repeat it.
        for line in text.splitlines():
            kept.add(line)
        text = "\n".join(kept)
        short = failure_in_short(text, os.path.realpath(generation.app_spec.directory))
        retry_at = None if hopeless else _next_try(generation, healthy=False)
        generation.failure = Failure(text, retry_at, short, refused, files)
        first = text.partition("\n")[0]
        named = text if generation.app_spec.app in first else f"{generation.app_spec.app}: {text}"
        if text.startswith((" ", "Traceback")):
            named = f"importing {generation.app_spec.app} failed: {short}\n{text}"
        self._on_event(generation, events.import_failed(named))
        self._answer(generation, generation.failure)

    def _ended(self, generation: Generation) -> None:
        """It is dead, or considered dead."""
        handle = generation.handle
        if handle is None:
            return
        was = generation.state
        status = handle.reap()
        self._drop(generation)
        if was is GenerationState.IMPORTING:
            text = f"the import of {generation.app_spec.app} ended its process: {exit_text(status)}"
            self._fail(generation, text, hopeless=False)
            return
        generation.state = GenerationState.LOST
        healthy = time.monotonic() - generation.ready_since >= HEALTHY_AFTER
        retry_at = _next_try(generation, healthy=healthy)
        if generation.restarts.deaths > 1:  # After the first, it restarts at once.
            text = "its fork server keeps dying"
            generation.failure = Failure(text, retry_at, text)
        self._on_lost(generation, status)

    def _drop(self, generation: Generation) -> None:
        handle, generation.handle = generation.handle, None
        if generation.timer is not None:
            generation.timer.cancel()
        if handle is None:
            return
        handle.close()
        if handle.reap() is None:
            self._dying.append(handle)
            asyncio.get_running_loop().call_later(FAILED_EXIT_SECONDS, self._kill_if_dying, handle)

    def kill_dying(self) -> None:
        """Kill the fork servers that should have exited."""
        for handle in self._dying:
            _kill(handle)

    def _kill_if_dying(self, handle: ZygoteHandle) -> None:
        if handle in self._dying:
            _kill(handle)

    def _answer(self, generation: Generation, failure: Failure | None) -> None:
        waiting, generation.waiting = generation.waiting, []
        for call in waiting:
            call(failure)


def _next_try(generation: Generation, *, healthy: bool) -> float:
    """Count a failed import or a dead fork server; return the monotonic time of the next attempt."""
    now = time.monotonic()
    answer = generation.restarts.died(now, random.random(), healthy=healthy)
    return answer.at if isinstance(answer, StartAt) else now  # Its policy never gives up.


def _kill(handle: ZygoteHandle) -> None:
    try:
        os.killpg(handle.pid, signal.SIGKILL)
    except OSError:
        pass
    handle.kill_server()  # The app may have moved it to another process group.


def _abort(handle: ZygoteHandle) -> None:
    """Make it write its stacks, if faulthandler is on, and abort."""
    try:
        os.killpg(handle.pid, signal.SIGCONT)
        os.kill(handle.pid, signal.SIGABRT)
    except OSError:
        pass

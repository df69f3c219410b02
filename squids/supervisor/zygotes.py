"""Fork servers, one for each import of each ground: started, watched, and started anew when they die.

An import of an app is a `Code`: a number that programs hold on to, so that what is started again after a
crash runs the code that it ran before. A new Code imports what is on disk now. Whose last program has let
it go is closed, and leaves when its children have left.
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

from squids.backoff import exponential
from squids.bounds import NAME, cut
from squids.process.channel import close_all
from squids.process.frames import FrameError
from squids.process.outlet import Outlet
from squids.process.protocol import FromZygote, Output, Preloaded, PreloadFailed
from squids.process.zygote_handle import ZygoteHandle
from squids.supervisor.changes import failure_in_short
from squids.supervisor.codes import Code, CodeState, Failure
from squids.supervisor.ground_system import environment_of, group_of, groups_of, resolved, uid_of, user_of
from squids.supervisor.history import LastLines
from squids.supervisor.settings import Ground

SHARED_ENTRY = "squids.pool.preload:load_shared"
FRESH_ENTRY = "squids.pool.preload:load"

RETRY_FIRST, RETRY_MAX = 1.0, 60.0
"""Seconds before an import that failed is tried again."""

EXIT_SECONDS = 1.0
"""How long after the end of its socket one may take to be dead."""

EMFILE = os.strerror(errno.EMFILE)

REFUSALS = frozenset((errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE))
"""What the system says when it has no more of something."""

LEAVE_SECONDS = 3.0
"""How long one that failed may write its stacks and leave."""

HEALTHY_AFTER = 60.0
"""Seconds after which the death of a fork server is nothing that happens again and again."""


class Zygotes:
    """All of them. What they report of their children goes to `on_report`; what they print to `on_output`;
    what is no frame, to `on_lie`."""

    def __init__(
        self,
        *,
        on_report: Callable[[Code, FromZygote], None],
        on_output: Callable[[Code, str, int, list[int]], None],
        has_program: Callable[[Code, str], bool],
        on_lost: Callable[[Code, int | None], None],
        on_lie: Callable[[Code, str], None],
        on_news: Callable[[Code, str, str], None],
        consumers_of: Callable[[Code], list[dict[str, Any]]],
        log_level: Callable[[], str],
    ) -> None:
        self._on_report = on_report
        self._on_output = on_output
        self._has_program = has_program
        self._on_lost = on_lost
        self._on_lie = on_lie
        self._on_news = on_news
        self._consumers_of = consumers_of
        self._log_level = log_level
        self._next = 1
        self.codes: dict[int, Code] = {}
        self._dying: list[ZygoteHandle] = []

    write_bytecode = True
    """Whether apps leave caches of what they import."""

    def new(self, ground: Ground, *, on_trial: bool = False) -> Code:
        """A new import of this ground. It begins when it is first waited for.

        `on_trial`: import it once even where each process of it is a fresh interpreter.
        """
        code = Code(self._next, ground, shares=ground.preload, on_trial=on_trial and not ground.preload)
        self._next += 1
        self.codes[code.number] = code
        return code

    def newest(self, ground: Ground) -> Code | None:
        """The newest of this ground that did not fail."""
        found = [code for code in self.codes.values() if code.ground == ground]
        return found[-1] if found else None

    def when_ready(self, code: Code, call: Callable[[Failure | None], None], timeout: float) -> None:
        """Call once there is code to run, or why not. Starts the import where that is needed."""
        if code.state is CodeState.READY:
            call(None)
            return
        now = time.monotonic()
        if code.failure is not None and (code.failure.retry_at is None or now < code.failure.retry_at):
            call(code.failure)
            return
        code.waiting.append(call)
        if code.state is not CodeState.IMPORTING:
            self._start(code, timeout)
        elif timeout > code.timeout and code.timer is not None:
            # One import for all: the most patient counts.
            at = code.timer.when() + timeout - code.timeout
            code.timer.cancel()
            self._time_out(code, at, timeout)

    def forget_failure(self, code: Code) -> None:
        """Somebody says that it is mended: try now."""
        code.failure = None
        code.failures = 0

    def release(self, used: set[int]) -> None:
        """Close those that no program holds on to."""
        for number in [number for number in self.codes if number not in used]:
            code = self.codes.pop(number)
            if code.timer is not None:
                code.timer.cancel()
            text = "nobody wants it any more"
            self._answer(code, Failure(text, None, text))
            if code.handle is not None:
                handle, code.handle = code.handle, None
                self._unwatch(handle)
                if code.state is CodeState.IMPORTING:
                    _kill(handle)
                handle.close()
                self._dying.append(handle)

    def reap(self, pid: int) -> bool:
        """A child of this process died: whether it is one of these. Reaps it then."""
        for handle in self._dying:
            if handle.pid == pid:
                handle.reap()
                self._dying.remove(handle)
                return True
        for code in list(self.codes.values()):
            if code.handle is not None and code.handle.pid == pid:
                self._hear(code)  # What it said before.
                self._ended(code)
                return True
        return False

    def hear(self, code: Code) -> None:
        """What a fork server has said until now."""
        self._hear(code)

    def pids(self) -> set[int]:
        """Those of all fork servers that were not reaped."""
        alive = {code.handle.pid for code in self.codes.values() if code.handle is not None}
        return alive | {handle.pid for handle in self._dying}

    def watch_writable(self, code: Code) -> None:
        """Its socket did not take all: flush when it does."""
        handle = code.handle
        if handle is not None and handle.channel.wants_write:
            asyncio.get_running_loop().add_writer(handle.channel.fileno(), self._flush, handle)

    def _flush(self, handle: ZygoteHandle) -> None:
        handle.channel.flush()
        if not handle.channel.wants_write or handle.gone:
            asyncio.get_running_loop().remove_writer(handle.channel.fileno())

    # The life of one.

    def _start(self, code: Code, timeout: float) -> None:
        ground = code.ground
        directory, python, code.places = resolved(ground)
        code.state = CodeState.IMPORTING
        code.imports += 1
        code.failure = None
        arguments = {
            "app": ground.app,
            "directory": directory,
            "log_level": self._log_level(),
            "consumers": self._consumers_of(code),
            "write_bytecode": self.write_bytecode,
        }
        shared = code.shares or code.on_trial
        try:
            outlet = Outlet.make()
        except OSError as error:
            self._fail(code, f"the system refused a pipe: {error.strerror}", hopeless=False, refused=True)
            return
        try:
            code.handle = ZygoteHandle.start(
                SHARED_ENTRY if shared else FRESH_ENTRY,
                arguments,
                f"squids: {code.title}",
                preload=shared,
                python=python,
                outlet=outlet,
                cwd=directory,
                env=environment_of(ground),
                user=user_of(ground),
                group=group_of(ground),
                extra_groups=None if ground.user is None else groups_of(ground),
                umask=-1 if ground.umask is None else ground.umask,
            )
        except (OSError, ValueError) as error:
            outlet.close_readers()
            refused = isinstance(error, OSError) and error.errno in REFUSALS
            text = f"its fork server could not be started: {error}"
            self._fail(code, text, hopeless=False, refused=refused)
            return
        finally:
            outlet.given()
        self._on_output(code, code.title, code.handle.pid, [outlet.prints, outlet.records])
        loop = asyncio.get_running_loop()
        code.uid = uid_of(ground)
        loop.add_reader(code.handle.channel.fileno(), self._hear, code)
        self._time_out(code, loop.time() + timeout, timeout)

    def _time_out(self, code: Code, at: float, timeout: float) -> None:
        code.timeout = timeout
        code.timer = asyncio.get_running_loop().call_at(at, self._too_slow, code, timeout)

    def _hear(self, code: Code) -> None:
        handle = code.handle
        while handle is not None and code.handle is handle and not handle.gone:
            try:
                reports = handle.receive_with_outputs()
            except (FrameError, ValueError) as error:
                self._on_lie(code, f"sent an invalid frame ({error})")
                break
            if not reports and not handle.gone:
                return
            for frame, descriptors in reports:
                if handle.distrusted:
                    close_all(descriptors)
                    continue
                match frame:
                    case Preloaded():
                        self._preloaded(code, frame)
                    case PreloadFailed(hopeless, text, files):
                        self._fail(code, text, hopeless=hopeless, files=tuple(files))
                    case Output(label, pid):
                        if not self._has_program(code, label):
                            close_all(descriptors)
                            self._on_lie(code, f"sent what {cut(label, NAME)} prints, which is not its own")
                            continue
                        if descriptors:
                            self._on_output(code, label, pid, descriptors)
                        if len(descriptors) < 2:
                            self._on_news(code, "output_lost", f"what {label} says cannot be read: {EMFILE}")
                    case _:
                        self._on_report(code, frame)
        if handle is not None and code.handle is handle and handle.gone:
            self._unwatch(handle)
            if handle.reap() is not None:
                self._ended(code)
            else:  # How it ended is known in a moment; but it may have closed its socket and live on.
                asyncio.get_running_loop().call_later(EXIT_SECONDS, self._ended_if, code, handle)

    def _ended_if(self, code: Code, handle: ZygoteHandle) -> None:
        if code.handle is handle:
            self._ended(code)

    def _preloaded(self, code: Code, frame: Preloaded) -> None:
        if frame.unforkable:
            self._on_news(
                code,
                "not_forkable",
                f"importing {code.ground.app} started {frame.unforkable}, which no fork may cross: "
                "each process of its queues starts in a fresh interpreter instead",
            )
            code.unforkable = frame.unforkable
        if frame.unforkable or code.on_trial:
            code.shares = code.on_trial = False
            code.take_facts(frame)
            self._drop(code)
            self._start(code, timeout=30.0)
            return
        if code.timer is not None:
            code.timer.cancel()
        code.state = CodeState.READY
        code.ready_since = time.monotonic()
        code.take_facts(frame)
        self._on_news(code, "imported", f"{code.ground.app} was imported" if code.shares else "")
        self._answer(code, None)

    def _too_slow(self, code: Code, timeout: float) -> None:
        if code.state is CodeState.IMPORTING:
            if code.handle is not None:
                _abort(code.handle)
            self._fail(code, f"the import of {code.ground.app} took over {timeout:g} s", hopeless=False)

    def _fail(
        self,
        code: Code,
        text: str,
        *,
        hopeless: bool,
        refused: bool = False,
        files: tuple[str, ...] = (),
    ) -> None:
        code.state = CodeState.FAILED
        self._drop(code)
        kept = LastLines()  # An exception may say anything, and all that fails with it says it, too.
        for line in text.splitlines():
            kept.add(line)
        text = "\n".join(kept)
        short = failure_in_short(text, os.path.realpath(code.ground.directory))
        code.failure = Failure(text, None if hopeless else self._next_try(code), short, refused, files)
        first = text.partition("\n")[0]
        named = text if code.ground.app in first else f"{code.ground.app}: {text}"
        if text.startswith((" ", "Traceback")):
            named = f"importing {code.ground.app} failed: {short}\n{text}"
        self._on_news(code, "import_failed", named)
        self._answer(code, code.failure)

    def _next_try(self, code: Code) -> float:
        code.failures += 1
        return time.monotonic() + exponential(
            code.failures, first=RETRY_FIRST, maximum=RETRY_MAX, jitter=random.random()
        )

    def _ended(self, code: Code) -> None:
        """It is dead, or as good as dead."""
        handle = code.handle
        if handle is None:
            return
        was = code.state
        status = handle.reap()
        self._drop(code)
        if was is CodeState.IMPORTING:
            how = f"signal {-status}" if status is not None and status < 0 else f"exit {status}"
            self._fail(code, f"the import of {code.ground.app} ended its process: {how}", hopeless=False)
            return
        code.state = CodeState.LOST
        if time.monotonic() - code.ready_since >= HEALTHY_AFTER:
            code.failures = 0
        if code.failures:
            text = "its fork server dies again and again"
            code.failure = Failure(text, self._next_try(code), text)
        else:
            code.failures = 1
        self._on_lost(code, status)

    def _drop(self, code: Code) -> None:
        handle, code.handle = code.handle, None
        if code.timer is not None:
            code.timer.cancel()
        if handle is None:
            return
        self._unwatch(handle)
        handle.close()
        if handle.reap() is None:
            self._dying.append(handle)
            asyncio.get_running_loop().call_later(LEAVE_SECONDS, self._kill_if_dying, handle)

    def kill_dying(self) -> None:
        """Wait no longer for those that are to leave."""
        for handle in self._dying:
            _kill(handle)

    def _kill_if_dying(self, handle: ZygoteHandle) -> None:
        if handle in self._dying:
            _kill(handle)

    def _unwatch(self, handle: ZygoteHandle) -> None:
        if not handle.channel.closed or handle.channel.fileno() >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(handle.channel.fileno())
            loop.remove_writer(handle.channel.fileno())

    def _answer(self, code: Code, failure: Failure | None) -> None:
        waiting, code.waiting = code.waiting, []
        for call in waiting:
            call(failure)


def _kill(handle: ZygoteHandle) -> None:
    try:
        os.killpg(handle.pid, signal.SIGKILL)
    except OSError:
        pass
    handle.kill_server()  # The app may have moved it to another group.


def _abort(handle: ZygoteHandle) -> None:
    """Have it write its stack, if faulthandler is on, and die of it."""
    try:
        os.killpg(handle.pid, signal.SIGCONT)
        os.kill(handle.pid, signal.SIGABRT)
    except OSError:
        pass

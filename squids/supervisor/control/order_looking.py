"""Verbs that look: status, pid, why, logs, events, wait, dump."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from squids.queues import QueueRef
from squids.supervisor.control import protocol as say
from squids.supervisor.control.order_base import (
    Answers,
    OrderBase,
    OrderError,
    end_of,
    event_answer,
    is_of,
    line_answer,
    number_of,
    result_of,
)
from squids.supervisor.control.status import pids_of, status_of, zygotes_of
from squids.supervisor.generation import changed_files
from squids.supervisor.history import NotedEvent
from squids.supervisor.output.lines import Line, iso, program_of
from squids.supervisor.procfs import Meter
from squids.supervisor.program.events import State
from squids.supervisor.program.machine import Program
from squids.supervisor.rollout import Rollout
from squids.supervisor.supervisor import Supervisor
from squids.supervisor.threads import NoThread, in_thread

QUIET_SECONDS = 0.5
"""How long nothing is printed before a dump counts as written."""

DUMP_SECONDS = 5.0


LOOK_SECONDS = 30.0
"""How long `status` looks at processes and files, before it answers without."""

T = TypeVar("T")


async def _in_time(call: Callable[[], T]) -> T | None:
    """What a look comes to; None if that takes too long: `status` answers also when a file system is away."""
    try:
        return await asyncio.wait_for(in_thread(call), LOOK_SECONDS)
    except (TimeoutError, NoThread):
        return None


def _queue_name(program: Program) -> str:
    return QueueRef.parse(program.settings.queue).name


class Looking(OrderBase):
    """Nothing is changed by these."""

    def __init__(self, supervisor: Supervisor, rollout: Rollout) -> None:
        super().__init__(supervisor)
        self._rollout = rollout
        self._meter = Meter()

    async def status(self, queues: list[str], options: dict[str, Any]) -> Answers:
        names = self._select(queues)
        pids = pids_of(self._supervisor, names)
        usage = await _in_time(lambda: self._meter.measure(pids)) or {}
        generations = list(self._supervisor.fork_servers.generations.values())
        imports = {
            child: one.facts["files"] for child, one in self._supervisor.consumers.all.items() if one.facts
        }

        def look() -> tuple[dict[int, list[str]], dict[int, list[str]]]:
            of_generations = {generation.number: generation.stale_files() for generation in generations}
            return of_generations, {child: changed_files(files) for child, files in imports.items()}

        stale, stale_alone = await _in_time(look) or ({}, {})
        entries = status_of(self._supervisor, names, usage, stale, stale_alone)
        yield {
            "type": "status",
            "supervisor": {
                "pid": os.getpid(),
                "started_at": iso(self._supervisor.started_at),
                "uptime": round(time.time() - self._supervisor.started_at, 1),
                "stopping": self._supervisor.stopping,
                "config": next(iter(self._supervisor.settings.files), None),
                "reload_failed": self._rollout.last_error,
            },
            "zygotes": zygotes_of(self._supervisor, stale),
            "programs": entries,
        }
        yield end_of(say.OK if all(entry["as_wanted"] for entry in entries) else say.NOT_ALL)

    async def local(self, queues: list[str], options: dict[str, Any]) -> Answers:
        """Where the embedded SQS listens, if there is one: for `tasks` and `send`."""
        yield {"type": "local", "endpoint": self._supervisor.local_endpoint}
        yield end_of(say.OK)

    async def pid(self, queues: list[str], options: dict[str, Any]) -> Answers:
        if not queues:
            yield {"type": "text", "text": str(os.getpid())}
            yield end_of(say.OK)
            return
        code = say.OK
        for name in self._select(queues):
            process = self._supervisor.programs[name].current
            if process is None or process.pid is None:
                code = say.FAILED
                yield result_of(name, False, "no process")
            else:
                yield {"type": "text", "text": str(process.pid), "queue": name}
        yield end_of(code)

    async def why(self, queues: list[str], options: dict[str, Any]) -> Answers:
        for name in self._select(queues):
            program = self._supervisor.programs[name]
            deaths = self._supervisor.history.deaths(name)
            yield {
                "type": "why",
                "queue": name,
                "state": program.state.value,
                "reason": program.reason,
                "stale": self._supervisor.stale.get(program.settings.app_spec),
                "deaths": [{**death.as_dict(), "at": iso(death.at)} for death in deaths],
            }
        yield end_of(say.OK)

    async def logs(self, queues: list[str], options: dict[str, Any]) -> Answers:
        names = set(self._select(queues)) if queues else None
        found = [line for line in self._supervisor.output.kept if is_of(line, names)]
        for line in found[-number_of(options, "lines", 50) :]:
            yield line_answer(line)
        if options.get("follow"):
            async for line in self._follow(self._supervisor.output.followers, lambda x: is_of(x, names)):
                yield line_answer(line)
        yield end_of(say.OK)

    async def follow(self, queues: list[str], options: dict[str, Any]) -> Answers:
        """The lines of the programs of an SQS queue, with the start and the end of each job among them. The
        first answer says that they come."""
        programs = self._supervisor.programs.values()
        names = {program.settings.name for program in programs if _queue_name(program) in queues}
        if not names:
            raise OrderError(f"its file has no queue {', '.join(queues)}", say.NO_SUCH_NAME)
        for name in names:
            self._supervisor.consumers.follow(name, True)
        lines = self._follow(self._supervisor.output.followers, lambda line: is_of(line, names))
        try:
            yield {"type": "text", "text": "", "queues": sorted(names)}
            async for line in lines:
                yield line_answer(line)
        finally:
            for name in names:
                self._supervisor.consumers.follow(name, False)

    async def events(self, queues: list[str], options: dict[str, Any]) -> Answers:
        names = set(self._select(queues)) if queues else None
        for event in self._supervisor.history.events(names)[-number_of(options, "lines", 50) :]:
            yield event_answer(event)
        if options.get("follow"):

            def wanted(event: NotedEvent) -> bool:
                return names is None or event.program in names

            async for event in self._follow(self._supervisor.watchers, wanted):
                yield event_answer(event)
        yield end_of(say.OK)

    async def _follow(self, followers: set[Any], wanted: Callable[[Any], bool]) -> AsyncIterator[Any]:
        """What comes from now on; a client that is too slow loses some."""
        queue: asyncio.Queue[Any] = asyncio.Queue(maxsize=1000)

        def follow(item: Any) -> None:
            if wanted(item) and not queue.full():
                queue.put_nowait(item)

        followers.add(follow)
        try:
            while True:
                yield await queue.get()
        finally:
            followers.discard(follow)

    async def wait(self, queues: list[str], options: dict[str, Any]) -> Answers:
        what = options.get("for", "running")
        if what not in ("running", "stopped"):
            raise OrderError("wait --for takes running or stopped", say.USAGE)

        def outcome(program: Program) -> tuple[bool, str] | None:
            if what == "running" and program.state is State.FATAL:
                return False, f"fatal: {program.reason}"  # Nothing but a person can help.
            if what == "running":
                return (True, "running") if program.state is State.RUNNING else None
            down = program.gone and program.state in (State.STOPPED, State.EXITED, State.FATAL)
            return (True, program.state.value) if down else None

        async for answer in self._each(self._select(queues), outcome, options, wait=True):
            yield answer

    async def dump(self, queues: list[str], options: dict[str, Any]) -> Answers:
        names = self._select(queues)
        lines: list[Line] = []

        def take(line: Line) -> None:
            if not line.level and program_of(line) in names:
                lines.append(line)

        self._supervisor.output.followers.add(take)
        try:
            code = say.OK
            for name in names:
                if not self._supervisor.consumers.ask_for_stacks(name):
                    code = say.FAILED
                    yield result_of(name, False, "no process")
            told, quiet_since, deadline = 0, time.monotonic(), time.monotonic() + DUMP_SECONDS
            while time.monotonic() < min(deadline, quiet_since + QUIET_SECONDS) or not (lines or code):
                if time.monotonic() > deadline:
                    break
                await asyncio.sleep(0.05)
                if len(lines) > told:
                    quiet_since = time.monotonic()
                for line in lines[told:]:
                    yield line_answer(line)
                told = len(lines)
        finally:
            self._supervisor.output.followers.discard(take)
        yield end_of(code)

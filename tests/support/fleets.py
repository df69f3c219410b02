"""A supervisor in the loop of a test, with real processes below it that do what the test says.

Its fork servers and consumers are processes that sleep. What they would say of themselves is said for them,
over their sockets, as soon as they are asked; the test names the ones that fail, or take their time.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from squids.process.channel import Channel
from squids.process.figures import ImportedFile, ImportFacts
from squids.process.outlet import Outlet
from squids.process.protocol import (
    Booted,
    Drain,
    Exited,
    Frame,
    Preloaded,
    PreloadFailed,
    Ready,
    Spawn,
    Spawned,
    Stopping,
)
from squids.process.zygote_handle import ZygoteHandle
from squids.supervisor import supervisor as module
from squids.supervisor.events import Event, EventKind
from squids.supervisor.history import NotedEvent
from squids.supervisor.program.events import ProgramState
from squids.supervisor.program.machine import Program
from squids.supervisor.settings import AppSpec, ProgramSettings, Settings, SupervisorSettings
from squids.supervisor.supervisor import Supervisor
from tests.support.loops import run, until
from tests.support.spoken import SpokenForkServer

SHOP = AppSpec("shop:app", "/srv")
BANK = AppSpec("bank:app", "/srv")


def program(name: str, app_spec: AppSpec = SHOP, **changes: Any) -> ProgramSettings:
    """A program as the file gives it."""
    return replace(ProgramSettings(name, name, app_spec, (("queue", name), ("workers", 1))), **changes)


def settings_of(*programs: ProgramSettings, **changes: Any) -> Settings:
    return replace(Settings(SupervisorSettings(), programs), **changes)


@dataclass
class Consumer:
    """One that was asked for."""

    spawn: Spawn
    pid: int
    end: Channel
    receives: bool = False
    over: bool = False
    heard: list[Frame] = field(default_factory=list)


class FleetServer(SpokenForkServer):
    """A fork server of the fleet: its app, and what was asked of it."""

    def __init__(self, app: str) -> None:
        super().__init__()
        self.app = app
        self.answered = False
        self.consumers: list[Consumer] = []


class Fleet:
    """The whole. `broken`: apps whose import fails for good, and how; `importing`: apps whose import goes on; `silent`:
    programs whose new consumers do not receive; `busy`: those that drain, and do not end; `files`: what apps
    import."""

    def __init__(self, settings: Settings) -> None:
        self.supervisor = Supervisor(settings)
        self.broken: dict[str, str] = {}
        self.importing: set[str] = set()
        self.silent: set[str] = set()
        self.busy: set[str] = set()
        self.files: dict[str, tuple[str, ...]] = {}
        self.servers: list[FleetServer] = []
        self.noted: list[NotedEvent] = []
        self.supervisor.watchers.add(self.noted.append)

    def start_server(
        self, entry: str, args: dict[str, Any], title: str, *, outlet: Outlet, **_: Any
    ) -> ZygoteHandle:
        """In the place of `ZygoteHandle.start`."""
        self.servers.append(FleetServer(str(args["app"])))
        return self.servers[-1].handle

    async def running(self, *names: str) -> None:
        """All of these receive."""
        await until(lambda: all(self[name].state is ProgramState.RUNNING for name in names))

    def __getitem__(self, name: str) -> Program:
        return self.supervisor.programs[name]

    def pid_of(self, name: str) -> int | None:
        process = self[name].current
        return process.pid if process is not None else None

    def consumers(self, name: str) -> list[Consumer]:
        """Those that were ever forked for a program, the oldest first."""
        return [one for server in self.servers for one in server.consumers if one.spawn.program == name]

    def kinds(self) -> list[EventKind]:
        return [noted.kind for noted in self.noted]

    def of_kind(self, kind: EventKind) -> list[Event]:
        return [noted.event for noted in self.noted if noted.kind is kind]

    async def drive(self) -> None:
        """Let all of them say what is due."""
        while True:
            for server in self.servers:
                self._step(server)
            await asyncio.sleep(0.002)

    def _step(self, server: FleetServer) -> None:
        server.listen()
        if server.channel.closed:
            if server.process.poll() is None:
                server.process.kill()
            return
        if not server.answered and server.app not in self.importing:
            server.answered = True
            broken = self.broken.get(server.app)
            if broken is not None:
                server.say(PreloadFailed(True, broken, list(self.files.get(server.app, ()))))
            else:
                server.say(Preloaded("", ImportFacts(1.0, self._imported(server.app))))
        for spawn in server.all_of(Spawn)[len(server.consumers) :]:
            one = Consumer(spawn, server.fork(), server.ends[len(server.consumers)])
            server.consumers.append(one)
            server.say(Spawned(spawn.child, one.pid))
            one.end.send(Booted(None))
        for one in server.consumers:
            if not one.over:
                self._step_of(server, one)

    def _step_of(self, server: FleetServer, one: Consumer) -> None:
        name = one.spawn.program
        one.heard += one.end.receive()
        if any(isinstance(frame, Drain) for frame in one.heard):
            one.end.send(Stopping("asked"))
            if name not in self.busy:
                self.end(server, one, 0)
        elif not one.receives and name not in self.silent:
            one.receives = True
            one.end.send(Ready())

    def end(self, server: FleetServer, one: Consumer, status: int) -> None:
        """A consumer exits."""
        one.over = True
        os.kill(one.pid, signal.SIGKILL)
        server.say(Exited(one.spawn.child, one.pid, status))

    def dies(self, name: str, status: int) -> None:
        """The newest consumer of a program exits so."""
        for server in reversed(self.servers):
            for one in reversed(server.consumers):
                if one.spawn.program == name and not one.over:
                    self.end(server, one, status)
                    return
        raise AssertionError(f"{name} has no consumer")

    def _imported(self, app: str) -> tuple[ImportedFile, ...]:
        statuses = ((path, os.stat(path)) for path in self.files.get(app, ()))
        return tuple(ImportedFile(path, one.st_mtime_ns, one.st_size) for path, one in statuses)

    def close(self) -> None:
        for consumer in self.supervisor.consumers.all.values():
            consumer.close()
        self.supervisor.fork_servers.release(set())
        self.supervisor.fork_servers.kill_dying()
        for server in self.servers:
            server.close()
        self.supervisor.output.close()


def steer(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    work: Callable[[Fleet], Coroutine[Any, Any, None]],
) -> Fleet:
    """Do something with a fleet of these settings, which was started."""

    async def whole() -> Fleet:
        fleet = Fleet(settings)
        monkeypatch.setattr(ZygoteHandle, "start", fleet.start_server)
        monkeypatch.setattr(module, "become_subreaper", lambda: None)  # The tests' own process is none.
        fleet.supervisor.start()
        working = asyncio.create_task(work(fleet))
        driver = asyncio.create_task(fleet.drive())  # Behind the first steps of the work.
        tasks = (working, driver)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if driver.done():
                driver.result()
            await working
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            fleet.close()
        return fleet

    return run(whole())

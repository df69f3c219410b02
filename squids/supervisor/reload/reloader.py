"""Development mode: runs changed code and reloads a changed file. The shell of `watch`, `changes`, `rollout`.

There is one import per changed app; a newer change abandons it and starts another. Code that cannot be
imported only changes `status`.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from squids.process.imported_files import own_files
from squids.supervisor import events
from squids.supervisor.events import EventKind
from squids.supervisor.file_reload import RELOAD, FileReload, Plan
from squids.supervisor.generation import GenerationState
from squids.supervisor.history import NotedEvent
from squids.supervisor.reload.changes import AppFiles, Debounce, FileFilter, affected
from squids.supervisor.rollout import Rollout
from squids.supervisor.settings import AppSpec
from squids.supervisor.supervisor import Supervisor

if TYPE_CHECKING:
    from squids.supervisor.reload.watch import Watch


CHANGE_WHAT_IS_WATCHED = frozenset(
    {
        EventKind.IMPORTED,
        EventKind.IMPORT_FAILED,
        EventKind.NOT_FORKABLE,
        EventKind.RELOAD,
        EventKind.ROLLED_OUT,
    }
)


class Reloader:
    """Watches while the settings enable it; a reload may change them."""

    def __init__(self, supervisor: Supervisor, rollout: Rollout, file_reload: FileReload) -> None:
        self._supervisor = supervisor
        self._rollout = rollout
        self._file_reload = file_reload
        self._loop = asyncio.get_running_loop()
        self._watch: Watch | None = None
        self._gathering = Debounce()
        self._timer: asyncio.TimerHandle | None = None
        self._imports: dict[AppSpec, asyncio.Task[None]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._config_files: frozenset[str] = frozenset()
        self._config_directories: frozenset[str] = frozenset()
        self._sieve = FileFilter(())
        self._met: dict[AppSpec, frozenset[str]] = {}

    async def start(self) -> None:
        """Start watching, and wait until files are watched.

        Called before the supervisor starts, so that changes during the first import count.
        """
        self._supervisor.watchers.add(self._on_event)
        self.refresh()
        if self._watch is not None:
            await self._watch.ready()

    def close(self) -> None:
        """Stop watching."""
        self._supervisor.watchers.discard(self._on_event)
        if self._watch is not None:
            self._watch.close()
        for task in [*self._imports.values(), *([self._reading] if self._reading else [])]:
            task.cancel()

    def refresh(self) -> None:
        """Update what is watched."""
        settings = self._supervisor.settings
        self._supervisor.fork_servers.write_bytecode = not settings.reload.enabled
        if not settings.reload.enabled:
            if self._watch is not None:
                self._watch.close()
            return
        if self._watch is None:
            from squids.supervisor.reload.watch import Watch  # Rarely needed.

            self._watch = Watch(self._on_change, self._on_trouble)
        files = {os.path.realpath(path) for path in settings.files}
        self._config_files = frozenset(files)
        self._config_directories = frozenset(
            os.path.realpath(path) for path in (*settings.directories, *map(os.path.dirname, settings.files))
        )
        directories = {app_spec.directory for app_spec in settings.app_specs}
        paths = {path for path in settings.reload.paths if os.path.isdir(path)}
        trees = directories | paths
        single = {path for path in settings.reload.paths if path not in paths}
        imported = {path for files in self._imported().values() for path in files}
        roots = tuple(os.path.realpath(path) for path in trees)
        outside = {path for path in imported if not path.startswith(tuple(f"{root}/" for root in roots))}
        self._sieve = FileFilter(
            roots,
            frozenset(os.path.realpath(path) for path in files | imported | single),
            settings.reload.include,
            settings.reload.exclude,
            self._config_directories,
        )
        flat = {os.path.dirname(path) for path in outside | single} | set(self._config_directories)
        self._watch.use(trees, flat, self._sieve, settings.reload.polling)

    def _imported(self) -> dict[AppSpec, frozenset[str]]:
        """Return the imported files of each app, without installed packages.

        These are the files of its newest successful import, and those that a later failed import reached.
        """
        found: dict[AppSpec, frozenset[str]] = {}
        for generation in self._supervisor.fork_servers.generations:
            if generation.facts is not None and generation.facts.files:
                paths = (file.path for file in generation.facts.files)
                found[generation.app_spec] = own_files(paths)
            elif generation.failure is not None:
                found[generation.app_spec] = own_files(generation.failure.files)
        for app_spec, files in self._met.items():
            found[app_spec] = found.get(app_spec, frozenset()) | files
        return found

    # Changes.

    def _on_event(self, event: NotedEvent) -> None:
        if event.kind in CHANGE_WHAT_IS_WATCHED:
            self._loop.call_soon(self.refresh)

    def _on_trouble(self, text: str) -> None:
        self._supervisor.say(events.watch_trouble(text))

    def _on_change(self, files: set[str]) -> None:
        if self._supervisor.settings.reload.enabled and not self._supervisor.stopping:
            self._gathering.add(files, time.monotonic())
            self._set_timer()

    def _set_timer(self) -> None:
        due = self._gathering.due(self._supervisor.settings.reload.delay)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due is None else self._loop.call_at(due, self._act)

    def _act(self) -> None:
        files = self._gathering.take()
        config = {path for path in files if self._is_config(path)}
        came = files & self._config_directories  # A directory that reappears may bring files with it.
        if config or came:
            self._read_config()
        imported, fork_servers = self._imported(), self._supervisor.fork_servers
        known = []
        for app_spec in self._supervisor.settings.app_specs:
            newest = fork_servers.generations.newest(app_spec)
            failed = app_spec in self._supervisor.stale or (
                newest is not None and newest.state is GenerationState.FAILED
            )
            directory = os.path.realpath(app_spec.directory)
            known.append(AppFiles(app_spec, directory, imported.get(app_spec, frozenset()), failed))
        changed = files - config - (came - set(self._sieve.roots))
        if changed:
            for app_spec in affected(changed, known):
                self._import(app_spec, changed)

    def _is_config(self, path: str) -> bool:
        return path in self._config_files or self._sieve.is_included(path)

    def _import(self, app_spec: AppSpec, changed: set[str]) -> None:
        running = self._imports.get(app_spec)
        if running is not None:
            running.cancel()
        self._supervisor.say(events.code_changed(_named(changed, app_spec.directory), app_spec.app))
        name = f"the import of {app_spec.app}"
        task = self._supervisor.background.start(name, self._take_new_code(app_spec))
        self._imports[app_spec] = task
        task.add_done_callback(lambda task: self._over(app_spec, task))

    async def _take_new_code(self, app_spec: AppSpec) -> None:
        failure = await self._rollout.take_new_code(app_spec, self._supervisor.settings.reload.kill_after)
        if failure is not None and not self._supervisor.stopping:
            self._supervisor.say(events.stale(failure.short))
        self._met.pop(app_spec, None)
        if failure is not None:
            self._met[app_spec] = own_files(failure.files)
        self.refresh()

    def _over(self, app_spec: AppSpec, task: asyncio.Task[None]) -> None:
        if self._imports.get(app_spec) is task:
            del self._imports[app_spec]

    def _read_config(self) -> None:
        """Read the configuration, one read at a time; later changes are read afterwards."""
        before = self._reading

        async def read() -> None:
            if before is not None:
                await asyncio.wait([before])
            plan = await self._file_reload.plan()
            if not isinstance(plan, Plan) or self._supervisor.stopping:
                pass
            elif self._file_reload.in_progress or not plan.changes.empty:
                self._file_reload.begin(plan, timeout=None)
            else:
                self._supervisor.settings = plan.settings
            self.refresh()

        self._reading = self._supervisor.background.start(RELOAD, read())


def _named(changed: set[str], directory: str) -> str:
    names = sorted(os.path.relpath(path, os.path.realpath(directory)) for path in changed)
    more = len(names) - 2
    return ", ".join(names[:2]) + (f" and {more} more" if more > 0 else "")

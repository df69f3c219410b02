"""Threads that watch files and report changes. Only this module uses watchfiles.

A directory that disappears, reappears, or is replaced under its name (a symbolic link that a deployment
moved) counts as changed and is watched again.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import PurePath

from watchfiles import Change, watch
from watchfiles._rust_notify import WatchfilesRustInternalError

from squids.process.imported_files import drop_bytecode
from squids.process.mountinfo import read_mounts
from squids.supervisor.reload.changes import FileFilter, may_hold_code
from squids.supervisor.reload.mounts import Mount, force_polling, mount_of

STEP_MS = 50
"""How often a thread checks for changes that the system reported."""

LOOK_MS = 1000
"""How often it checks whether its directories still exist."""

OVERLAP_SECONDS = 1.0
"""How long old threads continue after new ones started, to see earlier changes."""


class _Stop:
    """Ends a thread. watchfiles first checks it once the system watches, which calls `on_watching`."""

    def __init__(self, on_watching: Callable[[], None]) -> None:
        self._ended = threading.Event()
        self.at_once = False
        """Whether to drop even changes that were seen and not reported yet."""
        self._when_watching = [on_watching]

    def is_set(self) -> bool:
        """For watchfiles only: the first call means that it watches. True makes it drop what it has seen."""
        self.call_back()
        return self.at_once

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def when_watching(self, call: Callable[[], None]) -> None:
        """Call this in the thread once the system watches again, or it is known that it never will."""
        self._when_watching.append(call)

    def call_back(self) -> None:
        """It watches, or never will."""
        calls, self._when_watching = self._when_watching, []
        for call in calls:
            call()

    def after_report(self) -> None:
        """End the thread once it has reported the changes that it has seen, if any."""
        self._ended.set()

    def now(self) -> None:
        """End the thread."""
        self.at_once = True
        self._ended.set()

    def wait(self, seconds: float) -> None:
        self.call_back()
        self._ended.wait(seconds)


class Watch:
    """Watches directories. Calls `on_change` and `on_trouble` in the loop."""

    def __init__(self, on_change: Callable[[set[str]], None], on_trouble: Callable[[str], None]) -> None:
        self._on_change = on_change
        self._on_trouble = on_trouble
        self._loop = asyncio.get_running_loop()
        self._trees: frozenset[str] = frozenset()
        self._flat: frozenset[str] = frozenset()
        self._stops: list[_Stop] = []
        self._old: list[_Stop] = []
        self._settling = 0
        self._unsettled = 0
        self._ready = asyncio.Event()
        self._sieve = FileFilter(())
        self._parents: frozenset[str] = frozenset()
        self._polling: bool | None = None
        self._said: set[Mount] = set()

    def use(
        self, trees: Iterable[str], flat: Iterable[str], sieve: FileFilter, polling: bool | None = None
    ) -> None:
        """Watch whole trees, and directories without subdirectories; files that pass the filter count.

        `polling`: whether to look at the files instead of waiting for events; None: where it is needed.
        """
        self._sieve = sieve
        self._parents = frozenset(str(parent) for file in sieve.files for parent in PurePath(file).parents)
        trees, flat = frozenset(trees), frozenset(flat)
        if (trees, flat, polling) == (self._trees, self._flat, self._polling):
            return
        self._trees, self._flat, self._polling = trees, flat, polling
        self._old += self._stops
        self._stops = []
        self._ready.clear()
        self._settling += 1
        number = self._settling
        groups = [
            (sorted(group), deep, polls)
            for paths, deep in ((trees, True), (flat - trees, False))
            for polls, group in self._by_polling(paths).items()
        ]
        self._unsettled = len(groups)
        for group in groups:
            stop = _Stop(lambda: self._call_in_loop(self._on_watching, number))
            self._stops.append(stop)
            threading.Thread(target=self._follow, args=(*group, stop), name="watch", daemon=True).start()

    def _by_polling(self, paths: Iterable[str]) -> dict[bool | None, set[str]]:
        """Return the paths by how they are to be watched. Says, once, where that is not by events."""
        found: dict[bool | None, set[str]] = {}
        chosen, mounts = bool(os.environ.get("WATCHFILES_FORCE_POLLING")), read_mounts()
        for path in paths:
            mount = mount_of(os.path.realpath(path), mounts)
            found.setdefault(force_polling(self._polling, chosen=chosen, mount=mount), set()).add(path)
            if self._polling is not None or chosen or mount is None or mount in self._said:
                continue
            self._said.add(mount)
            if mount.trouble is not None:
                self._loop.call_soon(self._on_trouble, mount.trouble)
        return found

    async def ready(self) -> None:
        """Wait until everything is watched."""
        await self._ready.wait()

    def _on_watching(self, number: int) -> None:
        if number != self._settling:
            return  # There was another `use` meanwhile.
        self._unsettled -= 1
        if self._unsettled == 0:
            self._ready.set()
            old, self._old = self._old, []
            if old:
                self._loop.call_later(OVERLAP_SECONDS, _end_after_report, old)

    def close(self) -> None:
        """Stop watching."""
        for stop in (*self._stops, *self._old):
            stop.now()
        self._stops, self._old = [], []
        self._trees = self._flat = frozenset()

    # In a thread.

    def _follow(self, paths: list[str], deep: bool, polling: bool | None, stop: _Stop) -> None:
        try:
            self._follow_until(paths, deep, polling, stop)
        finally:
            stop.call_back()

    def _follow_until(self, paths: list[str], deep: bool, polling: bool | None, stop: _Stop) -> None:
        there = {path: _identity(path) for path in paths}
        while not stop.ended:
            present = [path for path in paths if there[path] is not None]
            if not present:
                stop.wait(LOOK_MS / 1000)
            else:
                try:
                    self._follow_present(present, there, deep, stop, polling)
                except FileNotFoundError:
                    pass  # It just disappeared.
                except (OSError, WatchfilesRustInternalError) as error:
                    if polling:
                        self._call_in_loop(self._on_trouble, f"cannot watch {', '.join(present)}: {error}")
                        return
                    polling = True
                    text = f"inotify watch limit reached ({error}); falling back to polling"
                    self._call_in_loop(self._on_trouble, text)
            now = {path: _identity(path) for path in paths}
            moved = {path for path in paths if now[path] != there[path] and now[path] is not None}
            there = now
            if moved:  # Reported once it is watched: what is written in between must not be missed.
                real = {os.path.realpath(path) for path in moved}
                stop.when_watching(lambda real=real: self._call_in_loop(self._on_change, real))  # type: ignore[misc]

    def _follow_present(
        self,
        present: list[str],
        there: dict[str, tuple[int, int] | None],
        deep: bool,
        stop: _Stop,
        polling: bool | None,
    ) -> None:
        for changes in watch(
            *present,
            watch_filter=None,
            debounce=4 * STEP_MS,
            step=STEP_MS,
            stop_event=stop,
            rust_timeout=LOOK_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=polling,
            recursive=deep,
            ignore_permission_denied=True,
        ):
            if changes:
                real = {os.path.realpath(path) for _, path in changes}
                real |= self._below_moved(changes, real)
                counted = {path for path in real if self._sieve.passes(path)}
                for path in counted:
                    drop_bytecode(path)
                if counted and not stop.at_once:
                    self._call_in_loop(self._on_change, counted)
            if stop.ended or any(_identity(path) != there[path] for path in there):
                return

    def _below_moved(self, changes: Iterable[tuple[Change, str]], real: set[str]) -> set[str]:
        """Return the files of directories that were moved: the system reports only the directory's name."""
        found: set[str] = set()
        for change, path in changes:
            real_path = os.path.realpath(path)
            if change is Change.deleted and real_path in self._parents:
                found |= self._sieve.held(real_path)
            elif change is Change.added and os.path.isdir(path) and self._sieve.passes(f"{real_path}/x.py"):
                for directory, directories, names in os.walk(real_path):
                    directories[:] = filter(may_hold_code, directories)
                    found.update(os.path.join(directory, name) for name in names)
        return found - real

    def _call_in_loop(self, call: Callable[..., None], what: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, what)
        except RuntimeError:
            pass  # The loop is closed.


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _end_after_report(stops: Iterable[_Stop]) -> None:
    for stop in stops:
        stop.after_report()

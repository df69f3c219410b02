"""Threads that watch real files."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import watchfiles.main

from squids.process.mountinfo import Mounted
from squids.supervisor.reload import watch
from squids.supervisor.reload.changes import FileFilter
from squids.supervisor.reload.watch import Watch
from tests.support.loops import run, until


class Told:
    """What a watch tells, in the loop."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.changes: set[str] = set()
        self.troubles: list[str] = []
        self.watch = Watch(self.changes.update, self.troubles.append)

    def use(
        self,
        *trees: str,
        flat: tuple[str, ...] = (),
        files: tuple[str, ...] = (),
        polling: bool | None = None,
    ) -> None:
        self.watch.use(
            [self.path(name) for name in trees],
            [self.path(name) for name in flat],
            FileFilter(
                tuple(os.path.realpath(self.path(name)) for name in trees),
                frozenset(self.path(name) for name in files),
            ),
            polling,
        )

    def path(self, name: str) -> str:
        return str(self.root / name)

    async def of(self, *names: str) -> None:
        """All of these, at least."""
        await until(lambda: self.changes >= {self.path(name) for name in names})

    def others(self, *names: str) -> set[str]:
        return self.changes - {self.path(name) for name in names}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(watch, "STEP_MS", 10)
    monkeypatch.setattr(watch, "LOOK_MS", 30)
    root = tmp_path.resolve()
    (root / "app/shop").mkdir(parents=True)
    (root / "lib").mkdir()
    return root


def carry_out(root: Path, work: Callable[[Told], Coroutine[Any, Any, None]]) -> None:
    """With a watch; its threads end with it."""

    async def whole() -> None:
        told = Told(root)
        before = set(threading.enumerate())
        try:
            await work(told)
        finally:
            told.watch.close()
        await until(lambda: not {one for one in threading.enumerate() if one.name == "watch"} - before)

    run(whole())


def test_code_that_changes_in_a_tree_is_told_and_its_old_cache_is_removed(root: Path) -> None:
    """Two versions of the same second and size would be taken for one."""
    cached = root / "app/__pycache__/shop.cpython-311.pyc"
    cached.parent.mkdir()
    cached.write_bytes(b"old")

    async def work(told: Told) -> None:
        told.use("app")
        await told.watch.ready()
        (root / "app/notes.txt").write_text("not code")
        (root / "lib/other.py").write_text("elsewhere")
        (root / "app/shop/tasks.py").write_text("1")
        (root / "app/shop.py").write_text("1")
        await told.of("app/shop.py", "app/shop/tasks.py")
        assert told.others("app/shop.py", "app/shop/tasks.py") == set()
        assert not cached.exists()

    carry_out(root, work)


def test_of_a_flat_directory_only_the_files_that_count_are_told(root: Path) -> None:
    """It may be anything: /etc, or a home."""
    (root / "lib/below").mkdir()

    async def work(told: Told) -> None:
        told.use(flat=("lib",), files=("lib/money.py", "lib/below/money.py"))
        await told.watch.ready()
        for name in ("lib/other.py", "lib/below/money.py", "lib/money.py"):
            (root / name).write_text("1")
        await told.of("lib/money.py")
        assert told.others("lib/money.py") == set()

    carry_out(root, work)


def test_a_directory_that_comes_back_counts_as_changed_and_is_watched_anew(root: Path) -> None:
    """A deployment may remove it and write another one."""

    async def work(told: Told) -> None:
        told.use("app", "later")
        await told.watch.ready()
        (root / "app").rename(root / "old")
        (root / "app").mkdir()
        await told.of("app")
        told.changes.clear()
        (root / "app/new.py").write_text("1")
        # The first report may be that the old one is gone. The second is that the new one is watched.
        await until(lambda: told.changes & {told.path("app"), told.path("app/new.py")})
        (root / "app/newer.py").write_text("1")
        await told.of("app/newer.py")
        (root / "later").mkdir()
        await told.of("later")
        (root / "later/new.py").write_text("1")
        await told.of("later/new.py")

    carry_out(root, work)


def test_a_link_that_is_moved_counts_as_changed(root: Path) -> None:
    for release in ("r1", "r2"):
        (root / release).mkdir()
    (root / "current").symlink_to("r1")

    async def work(told: Told) -> None:
        told.use("current")
        await told.watch.ready()
        (root / "next").symlink_to("r2")
        (root / "next").rename(root / "current")
        await told.of("r2")

    carry_out(root, work)


def test_a_directory_that_is_moved_is_all_that_lies_in_it(root: Path) -> None:
    """The system tells nothing but its name."""
    (root / "made/deep/.git").mkdir(parents=True)
    for name in ("made/a.py", "made/deep/b.py", "made/deep/.git/c.py"):
        (root / name).write_text("1")

    async def work(told: Told) -> None:
        told.use("app", files=("app/made/a.py",))
        await told.watch.ready()
        (root / "made").rename(root / "app/made")
        await told.of("app/made/a.py", "app/made/deep/b.py")
        assert not any(".git" in path for path in told.changes)
        told.changes.clear()
        (root / "app/made").rename(root / "away")
        await told.of("app/made/a.py")

    carry_out(root, work)


def test_when_other_directories_are_watched_no_change_falls_in_between(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that watched before continue for a while, and end when they have reported what they saw, which takes
    them longer. Asked for the same, nothing is done."""

    async def work(told: Told) -> None:
        told.use("app")
        await told.watch.ready()
        threads = {one for one in threading.enumerate() if one.name == "watch"}
        told.use("app")
        assert {one for one in threading.enumerate() if one.name == "watch"} == threads
        (root / "app/now.py").write_text("1")
        told.use("app", "lib")
        await told.of("app/now.py")
        await told.watch.ready()
        (root / "lib/then.py").write_text("1")
        await told.of("lib/then.py")
        await until(lambda: not any(one.is_alive() for one in threads))

    monkeypatch.setattr(watch, "OVERLAP_SECONDS", 0)
    monkeypatch.setattr(watch, "STEP_MS", 100)  # The old one reports later than the new one watches.
    monkeypatch.setattr(watch, "LOOK_MS", 1000)
    carry_out(root, work)


def test_where_the_system_has_no_more_watches_files_are_looked_at_instead(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = watch.watch

    def limited(*paths: str, force_polling: bool, **options: Any) -> Any:
        if not force_polling:
            raise OSError(28, "OS file watch limit reached")
        return real(*paths, force_polling=True, poll_delay_ms=10, **options)

    monkeypatch.setattr(watch, "watch", limited)

    async def work(told: Told) -> None:
        told.use("app")
        await told.watch.ready()
        (trouble,) = await until(lambda: told.troubles)
        assert trouble.startswith("inotify watch limit reached (")
        assert trouble.endswith("falling back to polling")
        (root / "app/shop.py").write_text("1")
        await told.of("app/shop.py")

    carry_out(root, work)


@pytest.fixture
def polls(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Whether watchfiles polls each path that it was told to watch. Polls are short."""
    found: dict[str, bool] = {}
    real = watchfiles.main.RustNotify

    def recorded(paths: list[str], debug: bool, polling: bool, delay: int, *rest: Any) -> Any:
        found.update((os.path.basename(path), polling) for path in paths)
        return real(paths, debug, polling, 10, *rest)

    monkeypatch.setattr(watchfiles.main, "RustNotify", recorded)
    monkeypatch.setattr(watchfiles.main, "_auto_force_polling", lambda: False)
    monkeypatch.delenv("WATCHFILES_FORCE_POLLING", raising=False)
    return found


def test_a_folder_that_a_host_shares_is_polled_and_said_once(
    root: Path, polls: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside one that is not, which is watched by events."""
    mounts = Mounted("/", "/", "ext4"), Mounted("/", f"{root}/app", "9p")
    monkeypatch.setattr(watch, "read_mounts", lambda: mounts)

    async def work(told: Told) -> None:
        told.use("app", "lib")
        await told.watch.ready()
        (root / "app/shop.py").write_text("1")
        (root / "lib/more.py").write_text("1")
        await told.of("app/shop.py", "lib/more.py")
        told.use("app")
        await told.watch.ready()
        (trouble,) = told.troubles
        assert trouble.startswith(f"{root}/app is shared by a host (9p)")

    carry_out(root, work)
    assert polls == {"app": True, "lib": False}


@pytest.mark.parametrize(
    ("setting", "variable", "polled"),
    [(None, "1", True), (None, "false", False), (True, "", True), (True, "false", True), (False, "1", False)],
)
def test_the_file_decides_whether_to_poll_then_watchfiles_variable(
    root: Path,
    polls: dict[str, bool],
    monkeypatch: pytest.MonkeyPatch,
    setting: bool | None,
    variable: str,
    polled: bool,
) -> None:
    """Nothing is said of what somebody decided."""
    monkeypatch.setattr(watch, "read_mounts", lambda: [Mounted("/", "/", "9p")])
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", variable)

    async def work(told: Told) -> None:
        told.use("app", polling=setting)
        await told.watch.ready()
        assert not told.troubles

    carry_out(root, work)
    assert polls == {"app": polled}


def test_where_watchfiles_finds_wsl_it_polls(
    root: Path, polls: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchfiles.main, "_auto_force_polling", lambda: True)

    async def work(told: Told) -> None:
        told.use("app")
        await told.watch.ready()

    carry_out(root, work)
    assert polls == {"app": True}


def test_what_cannot_be_watched_at_all_is_said_once_and_nobody_waits_for_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*paths: str, **options: Any) -> Any:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(watch, "watch", none)

    async def work(told: Told) -> None:
        told.use("app")
        await told.watch.ready()
        await until(lambda: len(told.troubles) == 2)
        assert told.troubles[1] == f"cannot watch {root}/app: [Errno 5] Input/output error"

    carry_out(root, work)

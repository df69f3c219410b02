"""What follows when files change, with a test in the place of the threads that watch them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from squids.supervisor.events import EventKind
from squids.supervisor.file_reload import FileReload
from squids.supervisor.generation import GenerationState
from squids.supervisor.reload import watch
from squids.supervisor.reload.changes import FileFilter
from squids.supervisor.reload.reloader import Reloader
from squids.supervisor.rollout import Rollout
from squids.supervisor.settings import AppSpec, ReloadSettings, Settings
from tests.support.fleets import Fleet, program, settings_of, steer
from tests.support.loops import until

Changes = Callable[[set[str]], None]


class Watched:
    """In the place of `Watch`: what it was told to watch, and how it tells of changes."""

    last: Watched

    def __init__(self, on_change: Changes, on_trouble: Callable[[str], None]) -> None:
        self.change, self.trouble = on_change, on_trouble
        self.trees: set[str] = set()
        self.flat: set[str] = set()
        self.sieve = FileFilter(())
        self.waited_for = self.closed = False
        Watched.last = self

    def use(self, trees: Iterable[str], flat: Iterable[str], sieve: FileFilter, polling: bool | None) -> None:
        self.trees, self.flat, self.sieve = set(trees), set(flat), sieve

    async def ready(self) -> None:
        self.waited_for = True

    def close(self) -> None:
        self.closed = True


class Project:
    """Two apps in folders of their own, a module that both import, and a configuration file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.shop, self.bank = str(root / "shop"), str(root / "bank")
        for name in ("shop/shop.py", "bank/bank.py", "lib/money.py", "conf/squids.yaml"):
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text("")
        self.emails = program("emails", AppSpec("shop:app", self.shop))
        self.payments = program("payments", AppSpec("bank:app", self.bank))

    def path(self, name: str) -> str:
        return str(self.root / name)

    def settings(self, *programs: Any, **reload: Any) -> Settings:
        return settings_of(
            *(programs or (self.emails, self.payments)),
            files=(self.path("conf/squids.yaml"),),
            directories=(self.path("conf/more"),),
            reload=ReloadSettings(**{"enabled": True, "delay": 0.0, **reload}),
        )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(watch, "Watch", Watched)
    return Project(tmp_path.resolve())


def reloader_of(fleet: Fleet, read: Callable[[], Settings | list[str]] = list) -> Reloader:
    rollout = Rollout(fleet.supervisor)
    return Reloader(fleet.supervisor, rollout, FileReload(fleet.supervisor, rollout, read))


async def reloading(
    fleet: Fleet, project: Project, read: Callable[[], Settings | list[str]] = list
) -> Reloader:
    """A reloader of a fleet, whose programs all run."""
    fleet.files = {
        "shop:app": (project.path("shop/shop.py"), project.path("lib/money.py")),
        "bank:app": (project.path("bank/bank.py"), project.path("lib/money.py")),
    }
    reloader = reloader_of(fleet, read)
    await reloader.start()
    assert Watched.last.waited_for
    await fleet.running(*fleet.supervisor.programs)
    await until(lambda: project.path("lib") in Watched.last.flat)
    return reloader


# What is watched.


def test_the_folders_of_apps_are_watched_and_what_they_import_from_elsewhere(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the configuration's folders, for files that may come. No caches are written: they could be taken
    for those of newer files."""
    (project.root / "templates").mkdir()

    async def work(fleet: Fleet) -> None:
        reloader = await reloading(fleet, project)
        watched = Watched.last
        assert watched.trees == {project.shop, project.bank, project.path("templates")}
        assert watched.flat == {project.path(name) for name in ("lib", "conf", "conf/more", "data")}
        passes = ("shop/new.py", "lib/money.py", "conf/squids.yaml", "conf/more/a.yaml", "data/prices.csv")
        fails = ("lib/other.py", "conf/other.txt", "data/other.csv", "shop/a.txt", "shop/old.py")
        assert [name for name in passes + fails if watched.sieve.passes(project.path(name))] == [*passes]
        assert not fleet.supervisor.fork_servers.write_bytecode
        reloader.close()
        assert watched.closed

    paths = (project.path("templates"), project.path("data/prices.csv"))
    steer(monkeypatch, project.settings(paths=paths, exclude=("old.py",)), work)


def test_nothing_is_watched_where_it_is_not_wanted_and_less_when_it_is_no_longer(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(fleet: Fleet) -> None:
        reloader = await reloading(fleet, project)
        fleet.supervisor.settings = project.settings(enabled=False)
        reloader.refresh()
        assert Watched.last.closed
        assert fleet.supervisor.fork_servers.write_bytecode
        Watched.last.change({project.path("shop/shop.py")})
        assert reloader._timer is None
        reloader.close()

    steer(monkeypatch, project.settings(), work)


def test_trouble_with_watching_is_said(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(fleet: Fleet) -> None:
        reloader = await reloading(fleet, project)
        Watched.last.trouble("inotify watch limit reached")
        (trouble,) = fleet.of_kind(EventKind.WATCH_TROUBLE)
        assert (trouble.level, trouble.text) == ("WARNING", "inotify watch limit reached")
        reloader.close()

    steer(monkeypatch, project.settings(), work)


# Code.


def test_changed_code_replaces_the_processes_of_its_app_and_of_no_other(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A heap of changes is one import, and its first names are said."""

    async def work(fleet: Fleet) -> None:
        reloader = await reloading(fleet, project)
        before = {name: fleet.pid_of(name) for name in ("emails", "payments")}
        names = ("shop/shop.py", "shop/b.py", "shop/a.py", "shop/c.py")
        for name in names:
            Watched.last.change({project.path(name)})
        await until(lambda: fleet.pid_of("emails") not in (None, before["emails"]))
        assert fleet.pid_of("payments") == before["payments"]
        (changed,) = fleet.of_kind(EventKind.CODE_CHANGED)
        assert changed.text == "a.py, b.py and 2 more changed: importing shop:app again"
        assert [server.app for server in fleet.servers] == ["shop:app", "bank:app", "shop:app"]
        reloader.close()

    steer(monkeypatch, project.settings(), work)


def test_a_file_that_both_import_concerns_both(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(fleet: Fleet) -> None:
        reloader = await reloading(fleet, project)
        Watched.last.change({project.path("lib/money.py")})
        await until(lambda: len(fleet.servers) == 4)
        texts = [event.text for event in fleet.of_kind(EventKind.CODE_CHANGED)]
        assert texts == [f"../lib/money.py changed: importing {app}:app again" for app in ("shop", "bank")]
        reloader.close()

    steer(monkeypatch, project.settings(), work)


def test_a_newer_change_gives_up_the_import_in_progress(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was half imported is ended, and its code never runs."""

    async def work(fleet: Fleet) -> None:
        reloader = await reloading(fleet, project)
        before = fleet.pid_of("emails")
        fleet.importing = {"shop:app"}
        Watched.last.change({project.path("shop/shop.py")})
        await until(lambda: len(fleet.servers) == 3)
        Watched.last.change({project.path("shop/shop.py")})
        await until(lambda: len(fleet.servers) == 4)
        await until(lambda: fleet.servers[2].process.poll() is not None)
        assert fleet.pid_of("emails") == before
        fleet.importing = set()
        await until(lambda: fleet.pid_of("emails") not in (None, before))
        assert fleet["emails"].generation == 4
        reloader.close()

    steer(monkeypatch, project.settings(), work)


def test_code_that_does_not_import_changes_nothing_but_status(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From then on each change may mend it, wherever it is: nobody knows what it would have imported; and the
    file that it failed in is watched."""

    async def work(fleet: Fleet) -> None:
        reloader = await reloading(fleet, project)
        before = fleet.pid_of("emails")
        fleet.broken["shop:app"] = "ModuleNotFoundError: no module named tax"
        fleet.files["shop:app"] = (project.path("broken/tax.py"),)
        Watched.last.change({project.path("shop/shop.py")})
        await until(lambda: fleet.of_kind(EventKind.STALE))
        (stale,) = fleet.of_kind(EventKind.STALE)
        assert stale.text == "ModuleNotFoundError: no module named tax: running processes keep the old code"
        assert fleet.supervisor.stale
        assert fleet.pid_of("emails") == before
        await until(lambda: project.path("broken") in Watched.last.flat)
        fleet.broken.clear()
        fleet.files["shop:app"] = (project.path("shop/shop.py"),)
        Watched.last.change({project.path("bank/bank.py")})
        await until(lambda: fleet.pid_of("emails") not in (None, before))
        assert not fleet.supervisor.stale
        await until(lambda: project.path("broken") not in Watched.last.flat)
        reloader.close()

    steer(monkeypatch, project.settings(), work)


def test_an_app_that_never_imported_is_tried_again_at_each_change(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(fleet: Fleet) -> None:
        fleet.broken["bank:app"] = "SyntaxError"
        fleet.files["bank:app"] = (project.path("broken/tax.py"),)
        reloader = reloader_of(fleet)
        await reloader.start()
        newest = fleet.supervisor.fork_servers.generations.newest
        await until(lambda: newest(project.payments.app_spec).state is GenerationState.FAILED)
        await until(lambda: project.path("broken") in Watched.last.flat)
        fleet.broken.clear()
        fleet.files.clear()
        Watched.last.change({project.path("shop/shop.py")})
        await fleet.running("emails", "payments")
        reloader.close()

    steer(monkeypatch, project.settings(), work)


def test_what_is_being_imported_at_the_end_is_given_up(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(fleet: Fleet) -> None:
        reloader = await reloading(fleet, project)
        fleet.importing = {"shop:app"}
        Watched.last.change({project.path("shop/shop.py")})
        await until(lambda: len(fleet.servers) == 3)
        reloader.close()
        await until(lambda: fleet.servers[2].process.poll() is not None)
        assert Watched.last.closed
        assert reloader._on_event not in fleet.supervisor.watchers

    steer(monkeypatch, project.settings(), work)


def test_once_it_stops_no_change_counts(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(fleet: Fleet) -> None:
        reloader = await reloading(fleet, project)
        fleet.busy = {"emails"}
        fleet.supervisor.shut_down("SIGTERM")
        Watched.last.change({project.path("shop/shop.py")})
        assert reloader._timer is None
        reloader.close()

    steer(monkeypatch, project.settings(), work)


# The configuration.


@pytest.mark.parametrize("name", ["conf/squids.yaml", "conf/more/new.yaml", "conf/more"])
def test_a_changed_file_is_carried_out(name: str, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that is new in a folder of `include`, and a folder that came back: no app is imported for it."""
    (project.root / "conf/more").mkdir()

    async def work(fleet: Fleet) -> None:
        changed = project.settings(replace(project.emails, nice=5), project.payments)
        reloader = await reloading(fleet, project, lambda: changed)
        before = {name: fleet.pid_of(name) for name in ("emails", "payments")}
        Watched.last.change({project.path(name)})
        await until(lambda: fleet.pid_of("emails") not in (None, before["emails"]))
        assert fleet.pid_of("payments") == before["payments"]
        assert fleet.supervisor.settings == changed
        assert not fleet.of_kind(EventKind.CODE_CHANGED)
        reloader.close()

    steer(monkeypatch, project.settings(), work)


def test_a_file_whose_programs_are_the_same_is_taken_without_a_rollout(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is watched may be different all the same."""

    async def work(fleet: Fleet) -> None:
        (project.root / "templates").mkdir()
        new = project.settings(paths=(project.path("templates"),))
        reloader = await reloading(fleet, project, lambda: new)
        Watched.last.change({project.path("conf/squids.yaml")})
        await until(lambda: project.path("templates") in Watched.last.trees)
        assert fleet.supervisor.settings == new
        reloader.close()

    steer(monkeypatch, project.settings(), work)


def test_an_edit_that_is_undone_while_a_reload_applies_it_is_undone_there_too(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was compared with what ran before the reload, and dropped: nothing had changed."""
    before = project.settings()
    programs = (replace(before.programs[0], nice=5), *before.programs[1:])
    files = [replace(before, programs=programs), before]
    name = before.programs[0].name

    async def work(fleet: Fleet) -> None:
        reloader = await reloading(fleet, project, lambda: files.pop(0))
        fleet.silent = {name}
        Watched.last.change({project.path("conf/squids.yaml")})
        await until(lambda: len(fleet.consumers(name)) == 2)
        Watched.last.change({project.path("conf/squids.yaml")})
        await until(lambda: not files and reloader._reading is not None and reloader._reading.done())
        fleet.silent = set()
        await until(lambda: len(fleet.consumers(name)) == 3)
        await until(lambda: fleet[name].settings == before.programs[0])
        reloader.close()

    steer(monkeypatch, before, work)


def test_a_file_that_is_wrong_leaves_what_is_there(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(fleet: Fleet) -> None:
        reloader = await reloading(fleet, project, lambda: ["squids.yaml:1:1: is empty"])
        before = fleet.supervisor.settings
        Watched.last.change({project.path("conf/squids.yaml")})
        await until(lambda: fleet.of_kind(EventKind.RELOAD_FAILED))
        await until(lambda: reloader._reading is not None and reloader._reading.done())
        await asyncio.sleep(0)  # Callbacks of a task run in the loop's next turn.
        assert fleet.supervisor.settings is before
        assert EventKind.INTERNAL_ERROR not in fleet.kinds()
        reloader.close()

    steer(monkeypatch, project.settings(), work)


def test_files_that_change_while_they_are_read_are_read_again_after_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other: the last read counts."""
    reading: list[str] = []

    async def work(fleet: Fleet) -> None:
        reloader = await reloading(fleet, project)
        go_on = asyncio.Event()

        async def plan() -> list[str]:
            reading.append("begins")
            await go_on.wait()
            reading.append("ends")
            return ["wrong"]

        monkeypatch.setattr(reloader._file_reload, "plan", plan)
        Watched.last.change({project.path("conf/squids.yaml")})
        await until(lambda: reading)
        first = reloader._reading
        Watched.last.change({project.path("conf/squids.yaml")})
        await until(lambda: reloader._reading is not first)
        go_on.set()
        await until(lambda: len(reading) == 4)
        assert reading == ["begins", "ends", "begins", "ends"]
        reloader.close()

    steer(monkeypatch, project.settings(), work)

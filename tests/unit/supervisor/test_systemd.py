"""What a service tells systemd, read from the socket that systemd would listen to."""

from __future__ import annotations

import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from squids.process.sd_notify import Notifier
from squids.supervisor import systemd
from squids.supervisor.file_reload import FileReload
from squids.supervisor.program import events as ev
from squids.supervisor.rollout import Rollout
from squids.supervisor.systemd import Unit
from tests.support.fleets import BANK, Fleet, program, settings_of, steer
from tests.support.loops import until

EMAILS, PAYMENTS = program("emails"), program("payments", BANK)


class Systemd:
    """Its end of the socket: the words that came, each as the lines of one datagram."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self._words: list[list[str]] = []

    @property
    def words(self) -> list[list[str]]:
        """All until now."""
        while True:
            try:
                self._words.append(self.socket.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return self._words

    def said(self, line: str) -> bool:
        return any(line in word for word in self.words)

    def firsts(self) -> list[str]:
        """The first line of each."""
        return [word[0] for word in self.words]


@pytest.fixture
def as_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Do something with a fleet that is a service of systemd's."""

    def carry_out(
        work: Callable[[Fleet, Systemd, FileReload], Coroutine[Any, Any, None]],
        watchdog: float | None = None,
    ) -> None:
        listening = Systemd(tmp_path / "notify")

        async def whole(fleet: Fleet) -> None:
            file_reload = FileReload(fleet.supervisor, Rollout(fleet.supervisor), list)
            unit = Unit(fleet.supervisor, file_reload, Notifier(listening.path, watchdog))
            unit.start()
            try:
                await work(fleet, listening, file_reload)
            finally:
                unit.close()
            assert listening.words[-1] == ["STATUS=stopped"]
            assert file_reload.on_reload is None
            assert len(fleet.supervisor.watchers) == 1

        with listening.socket:
            steer(monkeypatch, settings_of(EMAILS, PAYMENTS), whole)

    return carry_out


def test_it_is_up_once_each_program_runs_and_asks_for_time_until_then(as_service) -> None:
    async def work(fleet: Fleet, systemd: Systemd, file_reload: FileReload) -> None:
        fleet.silent = {"payments"}
        await fleet.running("emails")
        await until(lambda: systemd.said("STATUS=1/2 queues running; payments: starting"))
        assert systemd.firsts()[0] == "EXTEND_TIMEOUT_USEC=15000000"
        assert "READY=1" not in systemd.firsts()
        fleet.silent = set()
        await until(lambda: ["READY=1", "STATUS=2/2 queues running"] in systemd.words)

    as_service(work)


def test_one_queue_that_fails_does_not_keep_the_unit_from_starting(as_service) -> None:
    async def work(fleet: Fleet, systemd: Systemd, file_reload: FileReload) -> None:
        fleet.broken = {"bank:app": "no module named bank"}
        await until(lambda: "READY=1" in systemd.firsts())
        ready = next(word for word in systemd.words if word[0] == "READY=1")
        assert ready[1].startswith("STATUS=1/2 queues running; payments: ")
        assert "no module named bank" in ready[1]

    as_service(work)


def test_one_that_failed_once_counts_as_tried_while_it_starts_again(as_service) -> None:
    """Else a queue that crashes at its start kept the unit from being up for ever."""

    async def work(fleet: Fleet, systemd: Systemd, file_reload: FileReload) -> None:
        fleet.silent = {"payments"}
        await fleet.running("emails")
        await until(lambda: fleet.consumers("payments"))
        assert fleet["payments"].current is not None
        for event in (ev.ProcessExited(fleet["payments"].current.child, 1), ev.ResetProgram()):
            fleet.supervisor.feed(fleet["payments"], event)  # With no look in between.
        await until(lambda: "READY=1" in systemd.firsts())
        ready = next(word for word in systemd.words if word[0] == "READY=1")
        assert ready[1] == "STATUS=1/2 queues running; payments: starting"

    as_service(work)


def test_what_changes_later_is_a_status_and_the_same_is_not_said_twice(as_service) -> None:
    async def work(fleet: Fleet, systemd: Systemd, file_reload: FileReload) -> None:
        await until(lambda: "READY=1" in systemd.firsts())
        fleet.supervisor.feed(fleet["emails"], ev.StopProgram())
        await until(lambda: systemd.said("STATUS=1/1 queue running; 1 stopped"))
        looks = systemd.firsts().count("WATCHDOG=1")
        await until(lambda: systemd.firsts().count("WATCHDOG=1") >= looks + 3)
        assert systemd.words.count(["STATUS=1/1 queue running; 1 stopped"]) == 1
        assert systemd.words.count(["STATUS=2/2 queues running"]) == 0, "READY=1 brought it"
        assert systemd.firsts().count("READY=1") == 1

    as_service(work, watchdog=0.03)


def test_a_reload_begins_and_ends_in_the_words_that_systemd_waits_for(as_service) -> None:
    """`systemctl reload` returns when READY=1 comes again: the line says what the reload came to."""

    async def work(fleet: Fleet, systemd: Systemd, file_reload: FileReload) -> None:
        assert file_reload.on_reload is not None
        file_reload.on_reload(True)
        file_reload.on_reload(False)
        assert "RELOADING=1" not in systemd.firsts(), "it is not up yet: it starts"
        await until(lambda: "READY=1" in systemd.firsts())
        count = len(systemd.words)
        file_reload.on_reload(True)
        file_reload.last_error = "squids.yaml:3: unknown key"
        file_reload.on_reload(False)
        reloading, ready = systemd.words[count : count + 2]
        assert (reloading[0], reloading[2]) == ("RELOADING=1", "STATUS=reading its configuration again")
        assert reloading[1].startswith("MONOTONIC_USEC=")
        text = "2/2 queues running; the last reload failed: squids.yaml:3: unknown key"
        assert ready == ["READY=1", f"STATUS={text}"]

    as_service(work)


def test_a_stop_is_said_once_with_what_still_drains(as_service) -> None:
    async def work(fleet: Fleet, systemd: Systemd, file_reload: FileReload) -> None:
        await until(lambda: "READY=1" in systemd.firsts())
        fleet.busy = {"payments"}
        fleet.supervisor.shut_down("SIGTERM")
        await until(lambda: systemd.said("STATUS=draining 1 queue: payments"))
        file_reload.on_reload(True)
        await until(lambda: systemd.firsts().count("EXTEND_TIMEOUT_USEC=15000000") >= 2)
        fleet.busy = set()
        await until(lambda: all(fleet[name].gone for name in ("emails", "payments")))
        assert systemd.firsts().count("STOPPING=1") == 1
        assert "RELOADING=1" not in systemd.firsts()

    as_service(work)


def test_the_watchdog_hears_of_it_while_the_programs_advance_and_not_longer(
    as_service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that turns is not enough: what was due must have been done."""

    async def work(fleet: Fleet, notified: Systemd, file_reload: FileReload) -> None:
        await until(lambda: notified.firsts().count("WATCHDOG=1") >= 3)
        looks: list[int] = []
        monkeypatch.setattr(systemd, "advances", lambda *_: looks.append(1) and False)
        count = notified.firsts().count("WATCHDOG=1")
        await until(lambda: len(looks) >= 3)
        assert notified.firsts().count("WATCHDOG=1") == count

    as_service(work, watchdog=0.03)


def test_without_a_watchdog_there_is_no_sign_of_life(as_service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "TICK", 0.005)

    async def work(fleet: Fleet, notified: Systemd, file_reload: FileReload) -> None:
        fleet.silent = {"payments"}
        await until(lambda: notified.firsts().count("EXTEND_TIMEOUT_USEC=15000000") >= 3)
        fleet.silent = set()
        await until(lambda: "READY=1" in notified.firsts())
        assert "WATCHDOG=1" not in notified.firsts()

    as_service(work)

"""Verbs that change something, with a supervisor whose processes do what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from squids.exit_codes import FAILED
from squids.supervisor.control.answers import Answer
from squids.supervisor.control.context import Context
from squids.supervisor.control.dispatch import Dispatch
from squids.supervisor.file_reload import FileReload
from squids.supervisor.rollout import Rollout
from squids.supervisor.settings import Settings
from tests.support.fleets import Fleet, program, settings_of, steer
from tests.support.loops import until

EMAILS, REPORTS = program("emails"), program("reports")


class Operator:
    """Who asks a fleet's supervisor, whose file is what `read` returns."""

    def __init__(self, fleet: Fleet, read: Callable[[], Settings | list[str]] = list) -> None:
        rollout = Rollout(fleet.supervisor)
        self.file_reload = FileReload(fleet.supervisor, rollout, read)
        self._dispatch = Dispatch(Context(fleet.supervisor, rollout, self.file_reload))

    async def ask(self, verb: str, *queues: str, **options: Any) -> list[Answer]:
        return [answer async for answer in self._dispatch.run(verb, list(queues), options, None)]


def test_a_scale_that_a_shutdown_cancels_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was said to start with that many."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails", "reports")
        fleet.busy = {"reports"}
        asking = asyncio.create_task(Operator(fleet).ask("scale", "emails=3"))
        await until(lambda: fleet["emails"].settings.option("workers") == 3)
        fleet.supervisor.shut_down("SIGTERM")
        scaled, end = await asking
        assert (scaled["ok"], scaled["text"]) == (False, "the supervisor is stopping")
        assert end["code"] == FAILED

    steer(monkeypatch, settings_of(EMAILS, REPORTS), work)

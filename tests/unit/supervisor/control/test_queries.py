"""Verbs that only look, and what happens while they answer."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from squids.process.log_lines import Line, Origin, Source
from squids.supervisor.control import queries
from squids.supervisor.control.context import Context
from squids.supervisor.control.selection import Request
from squids.supervisor.events import Event, EventKind
from squids.supervisor.history import History, NotedEvent
from tests.support.loops import run


class Supervisor:
    """One whose log and history the test writes."""

    def __init__(self) -> None:
        self.programs: dict[str, Any] = {}
        self.history = History()
        self.watchers: set[Callable[[NotedEvent], None]] = set()
        self.consumers = SimpleNamespace(all={})
        self.output = SimpleNamespace(kept=deque(), followers=set())

    def prints(self, program: str, worker: int | None, text: str) -> None:
        line = Line(time.time(), Source.of_child(program, worker), "", text)
        for follower in self.output.followers:
            follower(line)

    def logs(self, text: str) -> None:
        line = Line(time.time(), Source(Origin.SUPERVISOR, None), "INFO", text)
        self.output.kept.append(line)
        for follower in self.output.followers:
            follower(line)

    def events(self, text: str) -> None:
        noted = self.history.note(time.time(), Event(EventKind.STARTED, "INFO", text))
        for watcher in self.watchers:
            watcher(noted)


@pytest.mark.parametrize("verb", ["logs", "events"])
def test_what_happens_while_the_past_is_sent_is_not_lost(verb: str) -> None:
    """A client takes its time to read, and meanwhile the loop does other things."""
    supervisor = Supervisor()
    happens = getattr(supervisor, verb)
    request = Request(verb, [], {"follow": True})
    happens("first")
    happens("second")

    async def follow() -> list[str]:
        context = Context(supervisor, None, None)
        answered = getattr(queries, verb)(context, request)
        texts = [(await anext(answered))["text"].split()[-1]]
        happens("third")
        texts += [(await anext(answered))["text"].split()[-1] for _ in range(2)]
        happens("fourth")
        texts.append((await anext(answered))["text"].split()[-1])
        await answered.aclose()
        return texts

    assert run(follow()) == ["first", "second", "third", "fourth"]
    assert not supervisor.output.followers | supervisor.watchers


def test_a_dump_waits_for_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that gets no CPU for a while has something to show, too."""
    monkeypatch.setattr(queries, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(queries, "DUMP_SECONDS", 60.0)
    supervisor = Supervisor()
    supervisor.programs["emails"] = None
    consumer = SimpleNamespace(program="emails", pid=7, worker_pids=[8])
    supervisor.consumers = SimpleNamespace(
        all={1: consumer}, ask_for_stacks=lambda name: supervisor.prints(name, None, "main") or True
    )

    async def dump() -> list[Any]:
        answered = queries.dump(Context(supervisor, None, None), Request("dump", [], {}))
        texts = [(await anext(answered))["text"].split()[-1]]
        supervisor.prints("emails", 1, "worker")
        texts += [answer["text"].split()[-1] async for answer in answered if answer["type"] != "end"]
        return texts

    assert run(dump()) == ["main", "worker"]

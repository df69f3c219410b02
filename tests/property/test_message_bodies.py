"""Whatever a message's body is, a worker answers with one outcome, and lines that any destination takes."""

from __future__ import annotations

import json
import mmap
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import squids
from squids.pool import worker_main
from squids.pool.worker_handle import _said
from squids.process.channel import BlockingChannel, Channel
from squids.process.frames import encode
from squids.process.protocol import Assign

app = squids.App("fuzzed")


@app.task("tests")
def echo(*args: Any, **kwargs: Any) -> None:
    """Fails with what it was given."""
    if kwargs.get("quit"):
        raise SystemExit(kwargs["quit"])
    if args or kwargs:
        raise ValueError(args[0] if args else kwargs)


@app.task("tests")
def strict(number: int, *, name: str = "") -> None:
    """Arguments that must fit."""


TASKS = [*app.tasks, "strict", "a" * 1_000_000, "\ud800", "\x1b[2J", "line\nend\u2028\x9b", ""]


class Worker:
    """A worker's own code in a thread, and its consumer's end of the socket."""

    def __init__(self) -> None:
        ours, self._theirs = socket.socketpair()
        self.channel = Channel(ours)
        page = mmap.mmap(-1, mmap.PAGESIZE)
        worker = worker_main._Worker(app, BlockingChannel(self._theirs), page, "tests")
        self.thread = threading.Thread(target=worker.run)
        self.thread.start()
        self.number = 0

    def run(self, body: str) -> Any:
        """The one result of a message."""
        self.number += 1
        # As SQS may have it: the time and the count are the server's word.
        self.channel.send(Assign([[self.number, "id", body, 1, 1e18, None]]))
        results: list[Any] = []
        while not results:
            select.select([self.channel], [self.channel] if self.channel.wants_write else [], [], 60)
            assert self.thread.is_alive(), "the worker died"
            self.channel.flush()
            results = _said(self.channel.receive())[1]
        (result,) = results
        assert result.number == self.number
        return result

    def close(self) -> None:
        self.channel.close()
        self.thread.join(10)
        assert not self.thread.is_alive()
        self._theirs.close()


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


texts = st.text(st.characters(exclude_categories=()), max_size=40)
"""Of all code points: lone surrogates and control characters, too."""

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.sampled_from([10**4000, 1e400]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def body_of(call: Any) -> str:
    return json.dumps(call, ensure_ascii=False)


calls = st.fixed_dictionaries(
    {},
    optional={
        "task": st.sampled_from(TASKS) | values,
        "args": st.lists(values, max_size=3) | values,
        "kwargs": st.dictionaries(
            st.sampled_from(["number", "name", "quit", "self"]) | texts, values, max_size=3
        )
        | values,
    },
).map(body_of)

nasty = st.sampled_from(
    [
        "",
        "\x00",
        "\ufeff{}",
        "[" * 100_000,
        '{"task":' * 50_000,
        '{"task": "echo", "args": [' + "9" * 100_000 + "]}",
        '{"task": NaN, "args": [Infinity]}',
        '{"task": "a", "task": "b", "args": [], "args": {}}',
        '{"task": "\\ud800"}',
        '{"task": "\ud800"}',
        json.dumps({"task": next(iter(app.tasks)), "args": ["x" * 1_000_000]}),
    ]
)

bodies = calls | nasty | texts | st.tuples(calls, st.integers(0, 60)).map(lambda cut: cut[0][: cut[1]])


@given(bodies)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_body_has_one_outcome(worker: Worker, body: str):
    """The worker lives, and what it reports is bounded: it fits a frame of the supervisor's, too."""
    result = worker.run(body)
    assert len(result.error) < 8192
    assert len(result.traceback) < 65536
    assert len(encode([result.task, result.error, result.traceback])) < 1024 * 1024

"""What children print and log, read from real pipes and sockets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Coroutine
from typing import Any

from squids.process.log_lines import Line, Origin, Source
from squids.supervisor.output.relay import Relay
from tests.support.loops import run, until

EMAILS = Source(Origin.WORKER, "emails", 1)


class Child:
    """The writing ends of one."""

    def __init__(self, relay: Relay, take: Callable[[Line], None], owner: int = 1, *more: int) -> None:
        reading, self.prints = os.pipe()
        ours, self.records = socket.socketpair()
        self.readers = [reading, ours.detach()]
        relay.add([*self.readers, *more], EMAILS, take, owner)

    def print(self, text: str) -> None:
        os.write(self.prints, text.encode())

    def log(self, message: str) -> None:
        record = {"time": "2026-01-01T00:00:00+00:00", "level": "INFO", "message": message}
        self.records.sendall(json.dumps(record).encode() + b"\n")

    def close(self) -> None:
        os.close(self.prints)
        self.records.close()


def carry_out(work: Callable[[Relay, list[Line], list[int]], Coroutine[Any, Any, None]]) -> None:
    """With a relay, the lines that come, and a word for each end."""

    async def whole() -> None:
        ends: list[int] = []
        await work(Relay(lambda: ends.append(1)), [], ends)

    run(whole())


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_lines_come_whole_with_whose_they_are() -> None:
    """A line in two pieces is one; what is left at the end is one, too."""

    async def work(relay: Relay, lines: list[Line], ends: list[int]) -> None:
        child = Child(relay, lines.append)
        child.print("one\ntw")
        await until(lambda: lines)
        child.print("o\nthree")
        child.close()
        await until(lambda: not relay.reading)
        assert [line.text for line in lines] == ["one", "two", "three"]
        assert {line.source for line in lines} == {EMAILS}
        assert {line.level for line in lines} == {""}

    carry_out(work)


def test_what_was_printed_before_a_record_comes_before_it() -> None:
    """Also where the socket was readable first."""

    async def work(relay: Relay, lines: list[Line], ends: list[int]) -> None:
        child = Child(relay, lines.append)
        for number in range(3):
            child.log(f"first {number}")
            child.print(f"printed {number}\n")
            child.log(f"second {number}")
            await until(lambda number=number: len(lines) == 3 * number + 3)
            texts = [line.text for line in lines]
            assert texts.index(f"printed {number}") < texts.index(f"second {number}")
            assert texts.index(f"first {number}") < texts.index(f"second {number}")
        child.close()
        await until(lambda: not relay.reading)

    carry_out(work)


def test_a_record_has_its_level_and_what_looks_like_one_on_the_pipe_has_none() -> None:
    """A task prints what messages say: that must not pass for a log record."""

    async def work(relay: Relay, lines: list[Line], ends: list[int]) -> None:
        child = Child(relay, lines.append)
        child.log("done")
        await until(lambda: len(lines) == 1)
        forged = '{"time": "2026-01-01T00:00:00+00:00", "level": "ERROR", "message": "paid"}'
        child.print(f"{forged}\n")
        await until(lambda: len(lines) == 2)
        assert [(line.level, line.text) for line in lines] == [("INFO", "done"), ("", forged)]
        child.close()
        await until(lambda: not relay.reading)

    carry_out(work)


def test_each_end_is_told_closed_and_not_counted_any_more() -> None:
    """How many an owner has open bounds what it may open: what has ended must not count."""

    async def work(relay: Relay, lines: list[Line], ends: list[int]) -> None:
        first, second = Child(relay, lines.append), Child(relay, lines.append, 2)
        assert (relay.open_of(1), relay.open_of(2), relay.open_of(3)) == (2, 2, 0)
        os.close(first.prints)
        await until(lambda: relay.open_of(1) == 1)
        assert [is_open(one) for one in first.readers] == [False, True]
        first.log("still heard")
        await until(lambda: [line.text for line in lines] == ["still heard"])
        first.records.close()
        await until(lambda: len(ends) == 2)
        assert (relay.open_of(1), relay.open_of(2), relay.reading) == (0, 2, True)
        second.close()
        await until(lambda: not relay.reading)

    carry_out(work)


def test_one_that_came_without_its_socket_is_read_and_what_came_besides_is_closed() -> None:
    """A child's fork server may be out of descriptors, or give too many."""

    async def work(relay: Relay, lines: list[Line], ends: list[int]) -> None:
        reading, writing = os.pipe()
        relay.add([reading], EMAILS, lines.append, 1)
        os.write(writing, b"alone\n")
        await until(lambda: lines)
        os.close(writing)
        more = os.open(os.devnull, os.O_RDONLY)
        child = Child(relay, lines.append, 1, more)
        assert not is_open(more)
        child.close()
        await until(lambda: not relay.reading)

    carry_out(work)


def test_one_that_prints_without_end_does_not_keep_the_others_waiting() -> None:
    """The loop turns between two reads of it."""

    async def work(relay: Relay, lines: list[Line], ends: list[int]) -> None:
        noisy: list[Line] = []
        flood, quiet = Child(relay, noisy.append), Child(relay, lines.append, 2)
        with subprocess.Popen(["yes", "x" * 20], stdout=flood.prints) as process:
            try:
                await until(lambda: noisy)
                quiet.print("hello\n")
                await until(lambda: lines)
            finally:
                process.kill()
        flood.close()
        quiet.close()
        await until(lambda: not relay.reading)

    carry_out(work)

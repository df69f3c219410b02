"""The control socket's server, with a client that takes its time."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading

import pytest

from squids.cli import client
from squids.supervisor.control import server as control_server
from squids.supervisor.control.protocol import holder_path
from squids.supervisor.control.server import ControlServer
from squids.supervisor.events import Event, EventKind
from tests.support.loops import run, until

LONG = "x" * 50_000


async def ten_long_answers(verb, queues, options, peer):
    for _ in range(10):
        yield {"type": "text", "text": LONG}
    yield {"type": "end", "code": 0, "error": None}


def test_a_client_that_reads_late_has_every_answer(tmp_path):
    """What waits for it is less than it may be, but more than the system holds for a socket."""
    path = str(tmp_path / "s")
    all_written = threading.Event()

    async def then_note(verb, queues, options, peer):
        async for answer in ten_long_answers(verb, queues, options, peer):
            yield answer
        all_written.set()

    def read_late() -> list[bytes]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            connection.sendall(b'{"verb": "logs"}\n')
            assert all_written.wait(30)
            with connection.makefile("rb") as lines:
                return list(lines)

    async def serve_one() -> list[bytes]:
        server = ControlServer(path, 0o600, None, then_note, pytest.fail, lambda: None)
        await server.start()
        try:
            return await asyncio.to_thread(read_late)
        finally:
            await server.close()

    lines = asyncio.run(serve_one())
    assert len(lines) == 11
    assert json.loads(lines[-1])["type"] == "end"


def test_a_request_that_an_internal_error_ends_is_reported_as_one(tmp_path):
    """To the client, and in the log with its traceback: the socket itself is in order."""
    path = str(tmp_path / "s")
    said: list[Event] = []

    async def fail(verb, queues, options, peer):
        raise ZeroDivisionError("a bug")
        yield {}

    def ask() -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            connection.sendall(b'{"verb": "status"}\n')
            with connection.makefile("rb") as lines:
                return lines.readline()

    async def serve_one() -> bytes:
        server = ControlServer(path, 0o600, None, fail, said.append, lambda: None)
        await server.start()
        try:
            return await asyncio.to_thread(ask)
        finally:
            await server.close()

    assert json.loads(run(serve_one())) == {"type": "end", "code": 1, "error": "the request failed: a bug"}
    (event,) = said
    assert event.kind is EventKind.INTERNAL_ERROR
    assert "ZeroDivisionError: a bug" in event.text
    assert "Traceback" in event.traceback


def test_a_socket_that_cannot_be_made_again_is_told_once_and_heals(tmp_path, monkeypatch):
    """Somebody removed its directory, and something else is in its place for a while."""
    monkeypatch.setattr(control_server, "LOOK_EVERY", 0.02)
    directory = tmp_path / "run"
    directory.mkdir()

    async def lose_and_find() -> list[str]:
        told: list[str] = []
        path = directory / "s"
        server = ControlServer(str(path), 0o600, None, ten_long_answers, told.append, lambda: None)
        await server.start()
        path.unlink()
        directory.rmdir()
        directory.write_text("")
        await until(lambda: told)
        directory.unlink()
        await until(path.exists)
        await server.close()
        return told

    (event,) = run(lose_and_find())
    assert event.kind is EventKind.NO_CONTROL_SOCKET
    assert "vanished, and cannot be made again: " in event.text


def test_an_answer_that_ends_in_its_midst_is_no_traceback(tmp_path, monkeypatch):
    """The supervisor was killed while it answered."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    config = str(tmp_path / "squids.yaml")
    path = tmp_path / "s"
    holder = holder_path(config)
    os.makedirs(os.path.dirname(holder), mode=0o700)
    with open(holder, "w") as file:
        json.dump({"socket": str(path)}, file)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def half_an_answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b'{"type": "text", "te')

        thread = threading.Thread(target=half_an_answer)
        thread.start()
        with pytest.raises(client.Unreachable, match="ended before it answered"):
            list(client.ask(config, "pid", []))
        thread.join()

"""Ports that an import opens: found, named, and shared where they may be."""

from __future__ import annotations

import errno
import os
import socket
import threading

import pytest

from squids.process import ports
from squids.process.ports import Port, in_use, shared, watched

HERE = os.path.relpath(__file__)


@pytest.fixture
def sock():
    with socket.socket() as one:
        yield one


@pytest.fixture
def port():
    """A port that nobody uses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def opens(port):
    """What an import does that serves a port."""
    one = socket.socket()
    try:
        one.bind(("127.0.0.1", port))
    except OSError:
        one.close()
        raise
    one.listen()
    return one


def test_a_port_is_named_with_the_line_that_opened_it(port):
    with watched(share=False) as binds, opens(port):
        (found,) = binds.still_open()
    assert found.address == f"port {port} of 127.0.0.1"
    assert found.line.startswith(f"{HERE}:")


def test_what_was_closed_again_or_has_no_number_is_none(sock, port):
    with watched(share=False) as binds:
        opens(port).close()
        sock.bind(("127.0.0.1", 0))
        assert binds.still_open() == ()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no unix sockets")
def test_a_unix_socket_is_none(tmp_path):
    with watched(share=False) as binds, socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "socket"))
        assert binds.still_open() == ()


def test_afterwards_sockets_are_as_before():
    with watched(share=False):
        assert "bind" in vars(socket.socket)
    assert "bind" not in vars(socket.socket)


def test_an_import_may_change_the_class_of_sockets(monkeypatch):
    """As gevent does."""
    with watched(share=False):
        monkeypatch.setattr(socket, "socket", type("Other", (), {"bind": print}))
    assert socket.socket.bind is print
    monkeypatch.undo()
    assert "bind" not in vars(socket.socket)


def test_what_is_no_address_fails_as_ever(sock):
    with watched(share=False), pytest.raises(TypeError, match="AF_INET address must be tuple"):
        sock.bind(None)


def test_a_second_import_shares_the_port_of_the_first(port):
    """Once that is over: before, it may be another program's."""
    with watched(share=False) as first:
        server = opens(port)
    with server:
        with watched(share=True), pytest.raises(OSError, match="in use"):
            opens(port)
        first.still_open()
        with watched(share=True), opens(port):
            pass


def test_what_another_program_has_open_is_not_shared(port):
    with opens(port), watched(share=True) as binds:
        with pytest.raises(OSError, match="in use") as error, socket.socket() as other:
            other.bind(("127.0.0.1", port))
        text = binds.why_in_use(error.value)
    assert text is not None
    assert text.startswith(f"{HERE}:")
    assert f"opens port {port} of 127.0.0.1 at import, but another process has it open" in text


def test_a_thread_of_the_import_may_open_its_port_later(port):
    """It is shared, and what other threads open is not."""
    go, opened = threading.Event(), []

    def serve():
        go.wait(60)
        opened.append(opens(port))

    with watched(share=False):
        thread = threading.Thread(target=serve)
        thread.start()
    try:
        go.set()
        thread.join(60)
        (mine,) = opened
        assert mine.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
        mine.close()
        with opens(port) as other:
            assert not other.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
    finally:
        del socket.socket.bind


def test_a_failure_of_compiled_code_is_recognized_by_its_text():
    """Its address is not known; the line is where the app called it."""
    try:
        try:
            raise RuntimeError("Failed to bind to 0.0.0.0:50051: Address already in use (os error 98)")
        except RuntimeError as cause:
            raise ValueError("the server did not start") from cause
    except ValueError as error:
        with watched(share=True) as binds:
            text = binds.why_in_use(error)
    assert text is not None
    assert text.startswith(f"{HERE}:")
    assert "opens a port (Failed to bind to 0.0.0.0:50051" in text


@pytest.mark.parametrize("error", [None, ValueError("a bug"), OSError(errno.EACCES, "denied")])
def test_other_failures_are_none_of_ports(error):
    with watched(share=True) as binds:
        assert binds.why_in_use(error) is None


def test_what_to_do_is_said_where_the_line_is_not_known_too():
    unknown = Port("port 80 of all addresses", "")
    for text in (shared(unknown), in_use(unknown, OSError())):
        assert text.startswith("the app opens port 80 of all addresses at import")
        assert text.endswith(ports.REMEDY)
    assert str(unknown) == "port 80 of all addresses"
    assert str(Port("port 80 of ::", "tasks.py:3")) == "port 80 of ::, opened in tasks.py:3"

"""What a client reads of a supervisor that may be hung, or none."""

import os
import socket
import threading

import pytest

from squids.cli import client


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_lines_come_whole_and_a_part_of_one_does_not(ends):
    ours, theirs = ends
    theirs.sendall(b'{"a": 1}\n{"b"')
    theirs.sendall(b": 2}\n\npart")
    theirs.close()
    assert list(client._lines(ours, None)) == [b'{"a": 1}', b'{"b": 2}', b""]


def test_a_line_beyond_the_bound_is_no_answer(ends, monkeypatch):
    ours, theirs = ends
    monkeypatch.setattr(client, "MAX_ANSWER", 10)
    theirs.sendall(b"0123456789\n0123456789a")
    lines = client._lines(ours, 5)
    assert next(lines) == b"0123456789"
    with pytest.raises(ValueError, match="too long"):
        next(lines)


def test_patience_ends_for_who_says_nothing(ends):
    with pytest.raises(TimeoutError):
        next(client._lines(ends[0], 0.01))


def test_patience_ends_for_who_says_a_byte_now_and_then(ends):
    ours, theirs = ends
    enough = threading.Event()

    def trickle() -> None:
        while not enough.wait(0.001):
            theirs.send(b" ")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        with pytest.raises(TimeoutError):
            next(client._lines(ours, 0.05))
    finally:
        enough.set()
        thread.join()


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Return what a client reads of a supervisor that sends these bytes, and closes."""
    path = str(tmp_path / "control.sock")
    monkeypatch.setattr(client, "_verified_socket", lambda config: (path, {os.getuid()}))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def ask(sent, **options):
            def serve():
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(sent)

            thread = threading.Thread(target=serve)
            thread.start()
            try:
                return list(client.ask("squids.yaml", "events", [], **options))
            finally:
                thread.join()

        yield ask


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize(
    "sent", [b"[]\n", b'{"type": 5}\n', b'{"type": "text"}\n', b"no JSON\n", b"[" * 9999 + b"\n"]
)
def test_an_answer_that_cannot_be_understood_is_not_taken_for_an_exit(asked, sent, follow):
    with pytest.raises(client.Unreachable) as raised:
        asked(sent, follow=follow)
    assert str(raised.value).startswith("an answer of the supervisor of squids.yaml cannot be understood (")
    assert str(raised.value).endswith("; the versions of the supervisor and of this command may differ")


def test_an_exit_ends_the_following_and_is_an_error_elsewhere(asked):
    assert asked(b'{"type": "te', follow=True) == [{"type": "end", "code": 0, "error": None}]
    with pytest.raises(client.Unreachable, match="ended before it answered"):
        asked(b'{"type": "te')


def test_what_is_answered_at_once_and_what_has_a_timeout_is_not_waited_for_for_ever():
    assert client._time_limit("status", {}) == client.PROMPT_SECONDS
    assert client._time_limit("logs", {"follow": True}) is None
    assert client._time_limit("stop", {}) is None
    assert client._time_limit("stop", {"timeout": 5.0}) == 5.0 + client.TIMEOUT_MARGIN

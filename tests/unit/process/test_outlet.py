"""The stream of a child's log records: it reaches its supervisor or nobody, and never somebody else's file."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys

import pytest

from squids.process.outlet import Outlet, RecordStream


@pytest.fixture
def pair():
    """The supervisor's end, and the stream."""
    ours, theirs = socket.socketpair()
    stream = RecordStream(theirs.detach())
    yield ours, stream
    ours.close()
    if stream._is_ours():
        stream._socket.close()
    else:
        stream._socket.detach()


def test_what_is_written_arrives_whole_whatever_is_in_it(pair):
    """Also what no encoding takes, and more than the kernel takes at once."""
    ours, stream = pair
    stream.write("é \ud800\n")
    assert ours.recv(100) == "é \\ud800\n".encode()
    reader = subprocess.Popen(
        [sys.executable, "-c", "import sys; print(len(sys.stdin.buffer.read()))"],
        stdin=ours,
        stdout=subprocess.PIPE,
    )
    stream.write("x" * 3_000_000 + "\n")
    stream._socket.shutdown(socket.SHUT_WR)
    assert reader.communicate(timeout=60)[0] == b"3000001\n"


def test_without_a_supervisor_records_go_nowhere(pair):
    """No exception, and no signal, though the application has its default."""
    ours, stream = pair
    ours.close()
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        stream.write("x\n")
    finally:
        signal.signal(signal.SIGPIPE, before)


@pytest.mark.parametrize("reopen", [False, True])
def test_an_application_may_close_what_it_does_not_know(pair, tmp_path, capsys, reopen):
    """The next file has the number then: no record goes there."""
    _, stream = pair
    number = stream._socket.fileno()
    os.close(number)
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    if reopen and file != number:
        os.dup2(file, number)
    if not reopen:
        os.close(file)
    stream.write("a record\n")
    assert (tmp_path / "file").read_bytes() == b""
    assert capsys.readouterr().err == "a record\n"
    if reopen:
        os.close(file)
        if file != number:
            os.close(number)


def test_a_fork_moves_the_stream_and_not_the_handler(pair):
    """The log handler need not be touched, so its pages stay shared."""
    ours, stream = pair
    handler = logging.StreamHandler(stream)
    other, theirs = socket.socketpair()
    stream.move_to(theirs.detach())
    assert ours.recv(1) == b""  # The old one is closed.
    handler.emit(logging.makeLogRecord({"msg": "m"}))
    assert other.recv(10) == b"m\n"
    other.close()


def test_no_end_of_an_outlet_is_inherited_by_programs():
    """A task's subprocesses can write no records."""
    outlet = Outlet.make()
    ends = (outlet.prints, outlet.records, outlet.child_prints, outlet.child_records)
    assert not any(os.get_inheritable(descriptor) for descriptor in ends)
    outlet.close_readers()
    outlet.given()

"""What no fork may cross is found, and named."""

from __future__ import annotations

import select
import socket
import sys
import threading

import pytest

from squids.process.forkable import Unforkable, sockets_open, unforkable_since
from squids.process.native_threads import NativeThread
from squids.process.ports import Port


def test_a_thread_of_pythons_is_named():
    before = sockets_open()
    assert "metrics" not in unforkable_since(before).threads
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="metrics")
    thread.start()
    try:
        found = unforkable_since(before)
    finally:
        end.set()
        thread.join()
    assert found
    assert "metrics" in found.threads


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the sockets of a process")
def test_sockets_that_were_open_before_do_not_count():
    with socket.socket():
        before = sockets_open()
        with socket.socket():
            assert unforkable_since(before).sockets == 1
        assert unforkable_since(before).sockets == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists them")
def test_an_event_loop_is_none_of_the_sockets():
    """All forked processes would wait on one."""
    before = sockets_open()
    with select.epoll():
        found = unforkable_since(before)
    assert (found.loops, found.sockets) == (1, 0)


def test_all_of_it_is_in_one_sentence():
    assert not Unforkable((), 0)
    found = Unforkable(("a", "b"), 2)
    assert str(found) == "threads (a, b) and 2 open sockets"
    native = Unforkable((), 0, (NativeThread("x"),), ("lib.so",))
    assert str(native) == "1 thread of compiled code (x; compiled code is loaded from: lib.so)"
    several = (
        NativeThread("polars-0", "polars"),
        NativeThread("python", "grpc"),
        NativeThread("python", "grpc"),
    )
    assert (
        str(Unforkable((), 0, several)) == "3 threads of compiled code (polars-0 of polars; python of grpc)"
    )
    ports = (Port("port 80 of ::", "tasks.py:3"),)
    assert str(Unforkable((), 1, ports=ports)) == "1 open socket (port 80 of ::, opened in tasks.py:3)"
    assert str(Unforkable((), 0, loops=1)) == "1 event loop"

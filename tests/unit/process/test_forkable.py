"""What no fork may cross is found, and named."""

from __future__ import annotations

import socket
import sys
import threading

import pytest

from squids.process.forkable import Unforkable, sockets_open, unforkable_since


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


def test_all_of_it_is_in_one_sentence():
    assert not Unforkable((), 0)
    found = Unforkable(("a", "b"), 2)
    assert str(found) == "threads (a, b) and 2 open sockets"
    native = Unforkable((), 0, ("x",), ("lib.so",))
    assert str(native) == "1 thread of compiled code (x; compiled code is loaded from: lib.so)"

"""Who is at the other end of a real socket."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from squids.supervisor.control import peer as module
from squids.supervisor.control.peer import Peer, groups_of, peer_of

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")

CONNECTS = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.recv(1)"


@linux
def test_the_kernel_names_the_process_that_connected(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        with subprocess.Popen([sys.executable, "-S", "-c", CONNECTS, str(tmp_path / "s")]) as process:
            connection, _ = listening.accept()
            with connection:
                assert peer_of(connection) == Peer(process.pid, os.getuid(), os.getgid())


@linux
def test_its_groups_are_those_of_its_process() -> None:
    """They may be more than its user has: `sg` and `newgrp` give others."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        found = peer_of(ours)
        assert found is not None
        assert groups_of(ours, found) == {os.getgid(), *os.getgroups()}


def test_where_the_kernel_does_not_tell_groups_the_systems_lists_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom they do not know has the group that it came with."""
    monkeypatch.setattr(module, "SO_PEERGROUPS", 9999)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        mine = os.getgrouplist(pwd.getpwuid(0).pw_name, 54321)
        assert groups_of(ours, Peer(1, 0, 54321)) == {54321, *mine}
        assert groups_of(ours, Peer(1, 54321, 54322)) == {54322}
        assert groups_of(ours, Peer(1, 2**32 - 2, 7)) == {7}


def test_where_the_system_does_not_tell_nobody_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_PEERCRED", raising=False)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_of(ours) is None

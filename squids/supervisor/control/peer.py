"""Who is at the other end of a unix socket, by the kernel's word: SO_PEERCRED and SO_PEERGROUPS, unix(7).

Imports next to nothing: the client starts fast.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

SO_PEERGROUPS = 59
"""socket(7), Linux 4.13: the peer's supplementary groups. Python's socket module has no name for it."""

MOST_BYTES = 1024
"""Of an option, as Python's getsockopt allows."""


class Peer(NamedTuple):
    """A process, its user and its group when it connected or began to listen."""

    pid: int
    uid: int
    gid: int


def peer_of(connection: socket.socket) -> Peer | None:
    """The other end; None where the system does not tell (macOS)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    size = struct.calcsize("3i")
    return Peer(*struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)))


def groups_of(connection: socket.socket, peer: Peer) -> set[int]:
    """All groups of the other end."""
    try:
        data = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, MOST_BYTES)
        return {peer.gid, *struct.unpack(f"{len(data) // 4}I", data)}
    except OSError:  # An older kernel, or more than 256 groups: by the system's lists.
        import pwd

        try:
            return {peer.gid, *os.getgrouplist(pwd.getpwuid(peer.uid).pw_name, peer.gid)}
        except (KeyError, OverflowError):
            return {peer.gid}

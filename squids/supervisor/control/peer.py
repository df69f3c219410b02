"""Identifies the peer of a unix socket by SO_PEERCRED and SO_PEERGROUPS, unix(7).

Imports little, so that the client starts fast.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

SO_PEERGROUPS = 59
"""socket(7), Linux 4.13: the peer's supplementary groups. Missing in Python's socket module."""

MAX_BYTES = 1024
"""The limit of Python's getsockopt."""


class Peer(NamedTuple):
    """A process, with its user and group when it connected or listened."""

    pid: int
    uid: int
    gid: int


def peer_of(connection: socket.socket) -> Peer | None:
    """Return the peer, or None if the system cannot tell (macOS)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    size = struct.calcsize("3i")
    return Peer(*struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)))


def groups_of(connection: socket.socket, peer: Peer) -> set[int]:
    """Return all groups of the peer."""
    try:
        data = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, MAX_BYTES)
        return {peer.gid, *struct.unpack(f"{len(data) // 4}I", data)}
    except OSError:  # An older kernel, or more than 256 groups: look them up.
        import pwd

        try:
            return {peer.gid, *os.getgrouplist(pwd.getpwuid(peer.uid).pw_name, peer.gid)}
        except (KeyError, OverflowError):
            return {peer.gid}

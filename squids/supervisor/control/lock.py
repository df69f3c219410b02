"""One supervisor for each configuration file and for each control socket.

flock(2) of a file beside the socket decides, not a pid that may be another process's. Only its owner can open
that file, or any user could lock it first. Another file, for all who may use the socket, says who holds the
lock and where the socket is. Their place follows from the configuration's path as it was written. That a link
leads to the same configuration, that another one names the same socket, or that a sweeper took the lock's
folder away, is seen by more locks, named after the real paths of both and the configuration's inode, in a
folder of this user's own. All are looked at again and again: what was swept is taken once more, and who finds
that another was faster leaves."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

from squids.supervisor.control.place import Untrusted, owner_of_place
from squids.supervisor.control.protocol import (
    SYSTEM_RUN,
    holder_path,
    is_service,
    lock_path,
    private_directory,
    read_holder,
)

TRIES = 100
"""How often a file is opened that others remove meanwhile, one supervisor after the other at their ends."""


class Locked(Exception):
    """Somebody else holds it."""

    def __init__(self, what: str, holder: dict[str, Any]) -> None:
        pid, since = holder.get("pid", "unknown"), holder.get("started_at")
        started = f", started at {since}" if since else ""
        super().__init__(f"another supervisor of this {what} runs: pid {pid}{started}")


@dataclass(slots=True)
class _Claim:
    """A file that one process of this user can have locked, in a folder of its own. Where there is no such
    folder, the lock beside the socket decides alone."""

    what: str
    key: bytes
    _descriptor: int | None = None

    def keep(self) -> None:
        """Take it, or again if it was taken away. Locked."""
        path = self._path()
        if self._descriptor is not None and _is_there(path, self._descriptor):
            return
        try:
            descriptor, is_mine = _take(path)
        except (OSError, Untrusted):
            return
        if not is_mine:
            told = os.pread(descriptor, 20, 0)
            os.close(descriptor)
            raise Locked(self.what, {"pid": int(told)} if told.isdigit() else {})
        with contextlib.suppress(OSError):  # The disk may be full: then it is locked all the same.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give it up, and remove its file."""
        if self._descriptor is not None:
            _remove(self._path(), self._descriptor)
            self._descriptor = None

    def _path(self) -> str:
        digest = hashlib.sha256(self.key).hexdigest()[:32]
        return os.path.join(_claims_directory(), f"{self.what}-{digest}")


@dataclass(slots=True)
class Lock:
    """Held until it is released, or the process ends. No child inherits it."""

    path: str
    descriptor: int
    _told: str
    """The path of the file that says who holds it."""
    _is_service: bool
    """Whether its folder is that of a service."""
    _claims: list[_Claim] = field(default_factory=list)
    _config: int | None = None
    """The configuration, open: so long nobody else's file has its inode."""
    _holder: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def take(cls, config: str, socket_path: str) -> Lock:
        """Locked if another supervisor holds it; Untrusted if its place is not safe; OSError if the system
        refuses it."""
        path = lock_path(config)
        descriptor, is_mine = _take(path)
        if not is_mine:
            os.close(descriptor)
            raise Locked("file", read_holder(config))
        lock = cls(path, descriptor, holder_path(config), is_service(config))
        try:
            for what, key in lock._keys(config, socket_path):
                claim = _Claim(what, key)
                lock._claims.append(claim)
                claim.keep()
        except BaseException:
            lock.release()
            raise
        with contextlib.suppress(FileNotFoundError):
            os.unlink(lock._told)  # It speaks of one that is gone.
        return lock

    def _keys(self, config: str, socket_path: str) -> list[tuple[str, bytes]]:
        """What no two supervisors may have in common. A hard link has another path, an edited file another
        inode."""
        keys = [("file", os.fsencode(os.path.realpath(config)))]
        with contextlib.suppress(OSError):
            self._config = os.open(config, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            status = os.fstat(self._config)
            keys.append(("file", f"inode {status.st_dev} {status.st_ino}".encode()))
        return [*keys, ("socket", os.fsencode(os.path.realpath(socket_path)))]

    def tell(self, **holder: Any) -> None:
        """Say who holds it. OSError, with the path, if it cannot be written."""
        self._holder = holder
        data = json.dumps(holder).encode()
        new = f"{self._told}.new"
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            try:
                if os.write(descriptor, data) < len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            finally:
                os.close(descriptor)
            os.rename(new, self._told)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._told) from None

    def keep(self) -> None:
        """Make the files again, if they were taken away. OSError, Untrusted; Locked if another was faster."""
        for claim in self._claims:
            claim.keep()
        if _is_there(self.path, self.descriptor):
            if not os.path.lexists(self._told):
                self.tell(**self._holder)
            return
        descriptor, is_mine = _take(self.path)
        if not is_mine:
            os.close(descriptor)
            raise Locked("file", {})
        os.close(self.descriptor)
        self.descriptor = descriptor
        self.tell(**self._holder)

    def release(self) -> None:
        """Give it up, and remove the files and empty folders that it made. Not to be used after this.

        The lock goes last: until then no other supervisor of this file writes here. What is of one that took
        over after a sweep stays. So do `/run/squids/NAME`, which systemd or root made for a service's
        user, and this user's own folder: in /tmp its name would be free for others to take.
        """
        with contextlib.suppress(OSError):
            if _is_there(self.path, self.descriptor):
                os.unlink(self._told)
        for claim in self._claims:
            claim.release()
        _remove(self.path, self.descriptor)
        if self._config is not None:
            os.close(self._config)
            self._config = None
        with contextlib.suppress(OSError):
            os.rmdir(_claims_directory())
        if not self._is_service:
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(self.path))


def _claims_directory() -> str:
    return os.path.join(private_directory(), "claims")


def _take(path: str) -> tuple[int, bool]:
    """Open a file and lock it: its descriptor, and whether it was free. Untrusted, OSError.

    Only its holder removes it. So whoever has locked the file that is at this path has it alone; whoever has
    locked one that was removed meanwhile takes the next one.
    """
    for _ in range(TRIES):
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return descriptor, False
        if _is_there(path, descriptor):
            return descriptor, True
        os.close(descriptor)
    raise OSError(errno.EAGAIN, "it is removed again and again", path)


def _remove(path: str, descriptor: int) -> None:
    """Remove a file that is locked, and give up the lock."""
    with contextlib.suppress(OSError):
        if _is_there(path, descriptor):
            os.unlink(path)
    os.close(descriptor)


def _is_there(path: str, descriptor: int) -> bool:
    """Whether the file that is open is the one at this path."""
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def _open(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    for left in reversed(range(TRIES)):
        try:
            _make_private(os.path.dirname(path))
            descriptor = os.open(path, flags, 0o600)
            break
        except FileNotFoundError:  # Another supervisor ended just now, and removed the folder.
            if not left:
                raise
    os.fchmod(descriptor, 0o600)  # An earlier version let others read it.
    return descriptor


def _make_private(directory: str) -> None:
    """The directory, and one above it, if need be; refused where others could put another in its place."""
    for path in (os.path.dirname(directory), directory):
        try:
            os.mkdir(path, 0o755 if path == SYSTEM_RUN else 0o700)
        except FileExistsError:
            pass
    uid = owner_of_place(directory)
    if uid not in (0, os.geteuid()):
        raise Untrusted(f"{directory} belongs to another user (uid {uid})")

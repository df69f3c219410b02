"""Permits one supervisor per configuration file and per control socket.

flock(2) on a file beside the socket decides, not a pid, which may be reused. Only its owner can open that
file, because any user who can open it could lock it first. A second file, readable by all who may use the
socket, says who holds the lock and where the socket is. The location of both derives from the configuration's
path as written.

More locks ("claims"), in a directory of this user, detect a link to the same configuration, another
configuration with the same socket, and a lock directory removed by a temp cleaner. They are named after the
real paths of both and the configuration's inode. All locks are checked regularly: a removed one is taken
again, and a supervisor that finds another holder exits.
"""

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
    default_socket,
    holder_beside,
    holder_path,
    is_service,
    lock_beside,
    lock_path,
    private_directory,
    read_holder,
)

TRIES = 100
"""How often opening is retried if others keep removing the file, as supervisors do when they exit."""


UNUSABLE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR)
"""Why a directory cannot be created, today or tomorrow."""


class Locked(Exception):
    """Another supervisor holds the lock."""

    def __init__(self, what: str, holder: dict[str, Any]) -> None:
        pid, since = holder.get("pid", "unknown"), holder.get("started_at")
        started = f", started at {since}" if since else ""
        super().__init__(f"another supervisor of this {what} is running: pid {pid}{started}")


@dataclass(slots=True)
class _Claim:
    """A file in this user's claims directory that one process can lock.

    Without that directory, only the lock beside the socket counts.
    """

    what: str
    key: bytes
    _descriptor: int | None = None

    def keep(self) -> None:
        """Take the lock, again if its file was removed. Raises Locked."""
        path = self._path()
        if self._descriptor is not None and _is_there(path, self._descriptor):
            return
        try:
            descriptor, is_mine = _take(path)
        except (OSError, Untrusted):
            return
        if not is_mine:
            content = os.pread(descriptor, 20, 0)
            os.close(descriptor)
            raise Locked(self.what, {"pid": int(content)} if content.isdigit() else {})
        with contextlib.suppress(OSError):  # The disk may be full; the lock holds anyway.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = descriptor

    def release(self) -> None:
        """Release the lock and remove its file."""
        if self._descriptor is not None:
            _remove(self._path(), self._descriptor)
            self._descriptor = None

    def _path(self) -> str:
        digest = hashlib.sha256(self.key).hexdigest()[:32]
        return os.path.join(_claims_directory(), f"{self.what}-{digest}")


@dataclass(slots=True)
class Lock:
    """Held until it is released or the process exits. Children do not inherit it."""

    path: str
    descriptor: int
    _holder_path: str
    """The path of the file that says who holds the lock."""
    _directory_stays: bool
    """Whether its directory is not ours: that of a service, or of a socket that the file names."""
    _claims: list[_Claim] = field(default_factory=list)
    _config: int | None = None
    """The open configuration, so that no other file can reuse its inode."""
    _holder: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def take(cls, config: str, socket_path: str) -> Lock:
        """Take the lock. If its directory cannot be created, it is beside a socket that is set elsewhere.

        Raises Locked if another supervisor holds it, Untrusted if its place is not safe, OSError if the
        system refuses.
        """
        path, holder, stays = lock_path(config), holder_path(config), is_service(config)
        try:
            descriptor, is_mine = _take(path)
        except OSError as error:
            if error.errno not in UNUSABLE or socket_path == default_socket(config):
                raise
            path, holder, stays = lock_beside(socket_path), holder_beside(socket_path), True
            descriptor, is_mine = _take(path)
        if not is_mine:
            os.close(descriptor)
            raise Locked("file", read_holder(config))
        lock = cls(path, descriptor, holder, stays)
        try:
            for what, key in lock._keys(config, socket_path):
                claim = _Claim(what, key)
                lock._claims.append(claim)
                claim.keep()
        except BaseException:
            lock.release()
            raise
        with contextlib.suppress(FileNotFoundError):
            os.unlink(lock._holder_path)  # It is from an earlier holder.
        return lock

    def _keys(self, config: str, socket_path: str) -> list[tuple[str, bytes]]:
        """Return keys that no two supervisors may share.

        A hard link has another path, an edited file another inode.
        """
        keys = [("file", os.fsencode(os.path.realpath(config)))]
        with contextlib.suppress(OSError):
            self._config = os.open(config, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            status = os.fstat(self._config)
            keys.append(("file", f"inode {status.st_dev} {status.st_ino}".encode()))
        return [*keys, ("socket", os.fsencode(os.path.realpath(socket_path)))]

    def record(self, **holder: Any) -> None:
        """Write who holds the lock. Raises OSError with the path."""
        self._holder = holder
        data = json.dumps(holder).encode()
        new = f"{self._holder_path}.new"
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            try:
                if os.write(descriptor, data) < len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            finally:
                os.close(descriptor)
            os.rename(new, self._holder_path)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._holder_path) from None

    def keep(self) -> None:
        """Create removed files again.

        Raises OSError, Untrusted, or Locked if another supervisor took over.
        """
        for claim in self._claims:
            claim.keep()
        if _is_there(self.path, self.descriptor):
            if not os.path.lexists(self._holder_path):
                self.record(**self._holder)
            return
        descriptor, is_mine = _take(self.path)
        if not is_mine:
            os.close(descriptor)
            raise Locked("file", {})
        os.close(self.descriptor)
        self.descriptor = descriptor
        self.record(**self._holder)

    def release(self) -> None:
        """Release the lock, and remove its files and empty directories. The lock is unusable afterwards.

        The lock file is removed last: until then, no other supervisor of this file writes here. Files of a
        supervisor that took over are kept. So are `/run/squids/NAME`, which systemd or root made for a
        service's user, and this user's directory, whose name in /tmp others could take.
        """
        with contextlib.suppress(OSError):
            if _is_there(self.path, self.descriptor):
                os.unlink(self._holder_path)
        for claim in self._claims:
            claim.release()
        _remove(self.path, self.descriptor)
        if self._config is not None:
            os.close(self._config)
            self._config = None
        with contextlib.suppress(OSError):
            os.rmdir(_claims_directory())
        if not self._directory_stays:
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(self.path))


def _claims_directory() -> str:
    return os.path.join(private_directory(), "claims")


def _take(path: str) -> tuple[int, bool]:
    """Open and lock a file; return its descriptor and whether it was free. Raises Untrusted or OSError.

    Only the holder removes the file. So a lock on the file at this path is exclusive, and a lock on a removed
    file is retried.
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
    """Remove a locked file and release the lock."""
    with contextlib.suppress(OSError):
        if _is_there(path, descriptor):
            os.unlink(path)
    os.close(descriptor)


def _is_there(path: str, descriptor: int) -> bool:
    """Whether the open file is the one at this path."""
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
        except FileNotFoundError:  # Another supervisor just exited and removed the directory.
            if not left:
                raise
    os.fchmod(descriptor, 0o600)  # Earlier versions let others read it.
    return descriptor


def _make_private(directory: str) -> None:
    """Create the directory and its parent if necessary. Raises Untrusted if others could replace it."""
    for path in (os.path.dirname(directory), directory):
        try:
            os.mkdir(path, 0o755 if path == SYSTEM_RUN else 0o700)
        except FileExistsError:
            pass
    uid = owner_of_place(directory)
    if uid not in (0, os.geteuid()):
        raise Untrusted(f"{directory} belongs to another user (uid {uid})")

"""Reads regular files of bounded size, and lists the steps of a path.

Opening a FIFO blocks, reading /dev/zero never ends, and opening a tape rewinds it. Only regular files are
opened here.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat

from squids.supervisor.trust import PathStep

MAX_LINKS = 40
"""As many as Linux follows: path_resolution(7)."""

KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
}

CHUNK = 1 << 16


class NotPlain(OSError):
    """Not a regular file, or too large; `strerror` says which."""


def read_plain(path: str, most: int) -> tuple[bytes, PathStep]:
    """Read a regular file, following links; also return its owner and mode. Raises OSError or NotPlain."""
    _refuse_others(path, os.stat(path).st_mode)
    # It may have been replaced: O_NONBLOCK keeps a FIFO from blocking the open.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        _refuse_others(path, status.st_mode)
        chunks: list[bytes] = []
        left = most + 1
        while left and (chunk := os.read(descriptor, min(left, CHUNK))):
            chunks.append(chunk)
            left -= len(chunk)
    finally:
        os.close(descriptor)
    if not left:
        raise NotPlain(errno.EFBIG, f"over {most} bytes", path)
    return b"".join(chunks), PathStep(path, status.st_mode, status.st_uid, status.st_gid)


def _refuse_others(path: str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "something else")
        raise NotPlain(errno.EINVAL, f"not a regular file ({kind})", path)


def steps_to(path: str) -> list[PathStep]:
    """Return each directory and link on the way to an absolute path, from the root, then its target.

    A step that is not a directory comes after the directory that it is in. Raises OSError.
    """
    here = os.sep
    steps = [_step(here)]
    left = _parts(path)
    links = 0
    while left:
        part = left.pop(0)
        if part == os.pardir:
            here = os.path.dirname(here)
            continue
        if steps[-1].path != here:
            steps.append(_step(here))
        full = os.path.join(here, part)
        steps.append(step := _step(full))
        if not stat.S_ISLNK(step.mode):
            here = full
            continue
        links += 1
        if links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(full)
        left[:0] = _parts(target)
        if os.path.isabs(target):
            here = os.sep
    return steps


def _parts(path: str) -> list[str]:
    return [part for part in path.split(os.sep) if part not in ("", os.curdir)]


def _step(path: str) -> PathStep:
    status = os.lstat(path)
    return PathStep(path, status.st_mode, status.st_uid, status.st_gid)


def user_name(uid: int) -> str:
    """Return a user's name, or its uid if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"

"""Files that are read whole, as far as they are files: regular, and of bounded size; and what leads to one.

A FIFO would hold up whoever opens it, /dev/zero whoever reads it, and a tape would be rewound. Nothing is
opened here that is not a regular file.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat

from squids.supervisor.trust import PathStep

MOST_LINKS = 40
"""More than the system itself follows: path_resolution(7)."""

KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
}

CHUNK = 1 << 16


class NotPlain(OSError):
    """Not a regular file, or larger than allowed; `strerror` says which."""


def read_plain(path: str, most: int) -> tuple[bytes, PathStep]:
    """All bytes of a regular file, links followed, and whose it is. Raises OSError, also as NotPlain."""
    _refuse_others(path, os.stat(path).st_mode)
    # It may be another by now: a FIFO does not hold up who does not wait for its writer.
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
    """Each folder and link on the way to an absolute path, from the root folder on, then what is there.

    A step that is no folder comes after the folder that it is in. Raises OSError.
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
        if links > MOST_LINKS:
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
    """A user's name, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"

"""Whether a supervisor's lock and socket may be believed: whose they are, and who could have put them there.

Client and supervisor ask the same question with the same rules. Imports next to nothing: verbs start fast.

- Each folder on the way belongs to root or to this user, and nobody else can write to it. In a folder with
  the
  sticky bit, as /tmp, an entry must be root's or this user's own.
- The last folder may belong to another user where only root could have given it to them: `/run/squids/NAME`
  belongs to the service's user. That user may answer, and is believed no more than an answer has to be.
- The lock is a regular file and the socket a socket, of root's, of this user's or of the last folder's owner.
"""

from __future__ import annotations

import os
import pwd
import stat

from squids.supervisor.plain_files import steps_to
from squids.supervisor.trust import Step


class Untrusted(Exception):
    """Somebody else could be at the other end."""


def owner_of_place(directory: str) -> int:
    """The user whose place this is. Untrusted; OSError if it is not there."""
    mine = {0, os.geteuid()}
    folder: Step | None = None
    steps = steps_to(directory)
    for step in steps:
        last = step is steps[-1]
        if step.uid not in mine and not (last and folder is not None and _is_roots_alone(folder)):
            raise Untrusted(_whose(step))
        if stat.S_ISLNK(step.mode):
            continue
        if not stat.S_ISDIR(step.mode):
            raise Untrusted(f"{step.path} is not a directory")
        if step.mode & (stat.S_IWGRP | stat.S_IWOTH) and (last or not step.mode & stat.S_ISVTX):
            mode = f"{stat.S_IMODE(step.mode):04o}"
            raise Untrusted(f"others can write to {step.path} (mode {mode}): chmod go-w {step.path}")
        folder = step
    return steps[-1].uid


def check_file(path: str, trusted: set[int]) -> None:
    """That a regular file is there, and is one of these users'. Untrusted; OSError."""
    _check(os.lstat(path), path, "a regular file", stat.S_IFREG, trusted)


def check_socket(path: str, trusted: set[int]) -> None:
    """That a socket is there, and is one of these users'. Untrusted; OSError."""
    _check(os.lstat(path), path, "a socket", stat.S_IFSOCK, trusted)


def _check(status: os.stat_result, path: str, kind: str, wanted: int, trusted: set[int]) -> None:
    if stat.S_IFMT(status.st_mode) != wanted:
        raise Untrusted(f"{path} is not {kind}")
    if status.st_uid not in trusted:
        raise Untrusted(_whose(Step(path, status.st_mode, status.st_uid, status.st_gid)))


def user_name(uid: int) -> str:
    """For people."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _is_roots_alone(folder: Step) -> bool:
    return folder.uid == 0 and not folder.mode & (stat.S_IWGRP | stat.S_IWOTH)


def _whose(step: Step) -> str:
    wanted = " or ".join(dict.fromkeys((user_name(os.geteuid()), user_name(0))))
    return (
        f"{step.path} belongs to {user_name(step.uid)}, not to {wanted}, so it is not trusted: "
        "remove it, or set XDG_RUNTIME_DIR to a directory of your own"
    )

"""Checks whether a supervisor's lock and socket can be trusted, by who owns and who could replace them.

Client and supervisor apply the same rules: those of `trust` for directories; the lock must be a regular file
and the socket a socket, owned by the user of the place. That user may answer, and is trusted only as far as
that requires. Imports little, so that verbs start fast.
"""

from __future__ import annotations

import os
import stat

from squids.supervisor.plain_files import steps_to, user_name
from squids.supervisor.trust import PathStep, Reason, distrusted_place


class Untrusted(Exception):
    """Another user could be at the other end."""


def owner_of_place(directory: str) -> int:
    """Return the user of this place. Raises Untrusted, or OSError if it does not exist."""
    steps = steps_to(directory)
    found = distrusted_place(steps, os.geteuid())
    if found is not None and found.reason is Reason.OWNER:
        raise Untrusted(_whose(found.step))
    if found is not None:
        path, mode = found.step.path, f"{stat.S_IMODE(found.step.mode):04o}"
        raise Untrusted(f"others can write to {path} (mode {mode}): chmod go-w {path}")
    if not stat.S_ISDIR(steps[-1].mode):
        raise Untrusted(f"{steps[-1].path} is not a directory")
    return steps[-1].uid


def check_file(path: str, trusted: set[int]) -> None:
    """Check that it is a regular file of one of these users. Raises Untrusted or OSError."""
    _check(os.lstat(path), path, "a regular file", stat.S_IFREG, trusted)


def check_socket(path: str, trusted: set[int]) -> None:
    """Check that it is a socket of one of these users. Raises Untrusted or OSError."""
    _check(os.lstat(path), path, "a socket", stat.S_IFSOCK, trusted)


def _check(status: os.stat_result, path: str, kind: str, wanted: int, trusted: set[int]) -> None:
    if stat.S_IFMT(status.st_mode) != wanted:
        raise Untrusted(f"{path} is not {kind}")
    if status.st_uid not in trusted:
        raise Untrusted(_whose(PathStep(path, status.st_mode, status.st_uid, status.st_gid)))


def _whose(step: PathStep) -> str:
    wanted = " or ".join(dict.fromkeys((user_name(os.geteuid()), user_name(0))))
    return (
        f"{step.path} belongs to {user_name(step.uid)}, not to {wanted}, so it is not trusted: "
        "remove it, or set XDG_RUNTIME_DIR to a directory of your own"
    )

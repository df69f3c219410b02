"""Decides who could change what a path leads to, and whether a reader may trust it. Pure.

There are three kinds of paths, each with its own rule:

- **The configuration, and code** (`distrusted`). A reader that runs what it reads must trust each directory
  and link on the way, and the file itself, as sshd (StrictModes) and sudo do. **root** trusts what only root
  can change: owned by root, and not writable by group or others. A sticky directory that others may write to,
  such as /tmp, is safe for an entry of root's. **Any other user** trusts files that are not world-writable.
  The owner does not matter: it is common that `deploy` owns what `www-data` runs. In a sticky, world-writable
  directory, an entry must be owned by the reader, root, or the owner of the directory.
- **A supervisor's lock and socket** (`distrusted_place`). Each directory on the way is owned by root or the
  reader, and no one else can write to it. In a sticky directory, an entry must be owned by root or the
  reader. The last directory may have another owner if only root could have given it away: `/run/squids/NAME`
  belongs to the service's user.
- **A log file that root writes** (`leads_root`). A link on the way counts only if root made it and only root
  can replace it.

`plain_files` collects the steps. Each room words the result for people.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

ROOT = 0


class PathStep(NamedTuple):
    """A directory or link on the way, or the file itself: path, `st_mode`, owner and group."""

    path: str
    mode: int
    uid: int
    gid: int


class Reason(Enum):
    """Why a step is not trusted."""

    OWNER = "owner"
    GROUP_WRITES = "group writes"
    ALL_WRITE = "all write"


class Distrust(NamedTuple):
    """The first step that others could change, and how."""

    step: PathStep
    reason: Reason


def distrusted(steps: Iterable[PathStep], reader: int) -> Distrust | None:
    """Return the first step that this user must not trust, or None.

    Each step comes after the directory that it is in.
    """
    folder: PathStep | None = None
    for step in steps:
        reason = _reason(step, folder, reader)
        if reason is not None:
            return Distrust(step, reason)
        if stat.S_ISDIR(step.mode):
            folder = step
    return None


def distrusted_place(steps: Iterable[PathStep], reader: int) -> Distrust | None:
    """Return the first step to a supervisor's place that others could change, or None."""
    steps = list(steps)
    folder: PathStep | None = None
    for step in steps:
        last = step is steps[-1]
        given = last and folder is not None and folder.uid == ROOT and not folder.mode & OTHERS
        if step.uid not in (ROOT, reader) and not given:
            return Distrust(step, Reason.OWNER)
        if stat.S_ISDIR(step.mode):
            reason = _writers(step, OTHERS)
            if reason is not None and (last or not _sticky(step)):
                return Distrust(step, reason)
            folder = step
    return None


def leads_root(link: PathStep, folder: PathStep) -> bool:
    """Whether root may follow this link in this directory."""
    return link.uid == folder.uid == ROOT and (_sticky(folder) or _writers(folder, OTHERS) is None)


def open_folders(steps: Iterable[PathStep]) -> list[PathStep]:
    """Return the directories in which anyone may replace files.

    Only root refuses these: volumes of containers have such modes.
    """
    return [step for step in steps if stat.S_ISDIR(step.mode) and step.mode & ALL and not _sticky(step)]


ALL = stat.S_IWOTH
OTHERS = stat.S_IWGRP | stat.S_IWOTH


def _reason(step: PathStep, folder: PathStep | None, reader: int) -> Reason | None:
    others = OTHERS if reader == ROOT else ALL
    shared = folder if folder is not None and _sticky(folder) and folder.mode & others else None
    if shared is not None and step.uid not in _trusted_in(shared, reader):
        return Reason.OWNER
    if stat.S_ISLNK(step.mode):  # It cannot be written, only replaced, which its directory controls.
        return None
    if reader == ROOT:
        if step.uid != ROOT:
            return Reason.OWNER
        return None if _sticky(step) else _writers(step, others)
    return None if stat.S_ISDIR(step.mode) else _writers(step, others)


def _trusted_in(folder: PathStep, reader: int) -> set[int]:
    return {ROOT} if reader == ROOT else {ROOT, reader, folder.uid}


def _writers(step: PathStep, others: int) -> Reason | None:
    if step.mode & others & ALL:
        return Reason.ALL_WRITE
    return Reason.GROUP_WRITES if step.mode & others else None


def _sticky(step: PathStep) -> bool:
    return stat.S_ISDIR(step.mode) and bool(step.mode & stat.S_ISVTX)

"""Checks a configuration's files, users and groups against the system.

`trust` decides whom root and others trust; here it is applied and put into words.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import shlex
import stat
from collections.abc import Sequence

from squids.supervisor.config.document import Document, Location, Path, Problem
from squids.supervisor.config.text import shown_path
from squids.supervisor.config.yaml_values import is_in_logging
from squids.supervisor.plain_files import steps_to
from squids.supervisor.settings import AppSpec
from squids.supervisor.trust import ROOT, Distrust, PathStep, Reason, distrusted, open_folders

SECRET = re.compile(r"SECRET|PASSWORD|PASSWD|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY", re.IGNORECASE)
"""Names of variables whose values are secret."""

OR_TRUST = "or, if no other user can reach these files, as in a container, pass --trust-files"


def distrusted_file(steps: Sequence[PathStep]) -> str | None:
    """Return why this process must not read the last of these files, with a remedy, or None."""
    found = distrusted(steps, os.geteuid())
    if found is None:
        return None
    return f"{_who_changes(found)}, and so decides what runs: {_mending(found)}; {OR_TRUST}"


def no_distrust(steps: Sequence[PathStep]) -> str | None:
    """Trust every file."""
    return None


def _who_changes(found: Distrust) -> str:
    step = found.step
    what = f"the folder {step.path}" if stat.S_ISDIR(step.mode) else step.path
    mode = f"(mode {stat.S_IMODE(step.mode):04o})"
    match found.reason:
        case Reason.OWNER:
            return f"{user_name(step.uid)} owns {what}"
        case Reason.GROUP_WRITES:
            return f"the group {group_name(step.gid)} can write to {what} {mode}"
        case Reason.ALL_WRITE:
            return f"any user can write to {what} {mode}"


def _mending(found: Distrust) -> str:
    name = shlex.quote(found.step.path)
    if found.reason is Reason.OWNER:
        return f"chown root: {name}" if os.geteuid() == ROOT else "take a folder of your own"
    return f"chmod {'go-w' if os.geteuid() == ROOT else 'o-w'} {name}"


def user_name(uid: int) -> str:
    """Return a user's name and uid, or the uid alone if it has no name."""
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def group_name(gid: int) -> str:
    """Return a group's name and gid, or the gid alone if it has no name."""
    try:
        return f"{grp.getgrgid(gid).gr_name} (gid {gid})"
    except KeyError:
        return f"gid {gid}"


def open_folder_warnings(text: Document) -> list[Problem]:
    """Warn of directories in which any user may replace these files. For root they are an error."""
    found = []
    for file, steps in text.steps.items():
        for step in open_folders(steps):
            words = f"any user can replace files in {step.path}: chmod o-w {shlex.quote(step.path)}"
            found.append(Problem(Location(shown_path(file)), (), words))
    return found


def code_warnings(app_spec: AppSpec, location: Location) -> list[Problem]:
    """Warn of code that root would import and other users can change.

    Only a warning: cron and sudo also run what they are told to, regardless of its owner.
    """
    if os.geteuid() != ROOT or not _runs_as_root(app_spec):
        return []
    module = re.split("[.:]", app_spec.app)[0]
    candidates = [os.path.join(app_spec.directory, name) for name in (module, f"{module}.py")]
    if app_spec.python is not None and os.sep in app_spec.python:
        candidates.append(app_spec.python)
    for path in [app_spec.directory, *candidates]:
        try:
            found = distrusted(steps_to(path), ROOT)
        except OSError:
            continue  # The module may be a package, or installed elsewhere.
        if found is not None:
            words = f"{_who_changes(found)}, and root would run what is there: set user, or {_mending(found)}"
            return [Problem(location, (), words)]
    return []


def _runs_as_root(app_spec: AppSpec) -> bool:
    if app_spec.user is None:
        return True
    try:
        return (int(app_spec.user) if app_spec.user.isdigit() else pwd.getpwnam(app_spec.user).pw_uid) == ROOT
    except KeyError:
        return False


def secret_problems(text: Document) -> list[Problem]:
    """Report files with secrets to which another group can write."""
    if not _secrets(text):
        return []
    words = "it holds a secret, and another group can write to it: chmod g-w"
    return [
        Problem(Location(shown_path(file)), (), words)
        for file, steps in text.steps.items()
        if steps[-1].mode & stat.S_IWGRP and steps[-1].gid != os.getgid()
    ]


def _secrets(text: Document) -> list[Path]:
    """Return the paths of secrets that are written in the file itself."""
    return [
        path
        for path, location in text.locations.items()
        if _is_secret(path) and _stands_in_clear(text, path, location)
    ]


def _is_secret(path: Path) -> bool:
    if is_in_logging(path):
        key = str(path[-2] if isinstance(path[-1], int) else path[-1])  # `credentials: [user, password]`
        return key in ("credentials", "dsn") or SECRET.search(key) is not None
    return len(path) > 1 and path[-2] == "environment" and SECRET.search(str(path[-1])) is not None


def _stands_in_clear(text: Document, path: Path, location: Location) -> bool:
    value = text.texts.get(path)
    if not value:
        return False
    return any(shown_path(file) == location.file and value in source for file, source in text.sources.items())


def secret_warnings(text: Document) -> list[Problem]:
    """Warn of secrets in files that others can read."""
    found = []
    for path in _secrets(text):
        location = text.location(path)
        for file, steps in text.steps.items():
            if shown_path(file) == location.file and steps[-1].mode & stat.S_IROTH:
                words = "looks like a secret, in a file that others can read: chmod o-r, or use ${VARIABLE}"
                found.append(Problem(location, path, words))
    return found


def find_user(name: str) -> bool:
    """Whether a user exists, by name or uid."""
    try:
        pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def find_group(name: str) -> bool:
    """Whether a group exists, by name or gid."""
    try:
        grp.getgrgid(int(name)) if name.isdigit() else grp.getgrnam(name)
    except KeyError:
        return False
    return True

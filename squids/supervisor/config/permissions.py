"""What the system says of a configuration's files, users and groups: who may read and write, who is there.

Whom root, and others, trust is decided in `trust`; here it is looked at, and said to people.
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
from squids.supervisor.plain_files import steps_to
from squids.supervisor.settings import AppSpec
from squids.supervisor.trust import ROOT, Distrust, PathStep, Reason, distrusted, open_folders

SECRET = re.compile(r"SECRET|PASSWORD|PASSWD|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY", re.IGNORECASE)
"""Names of variables whose values are nobody else's."""

OR_TRUST = "or, if no other user can reach these files, as in a container, pass --trust-files"


def distrusted_file(steps: Sequence[PathStep]) -> str | None:
    """Why this process must not read a file at the end of this way, with the command that mends it."""
    found = distrusted(steps, os.geteuid())
    if found is None:
        return None
    return f"{_who_changes(found)}, and so decides what runs: {_mending(found)}; {OR_TRUST}"


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
    """A user, by name where there is one."""
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def group_name(gid: int) -> str:
    """A group, by name where there is one."""
    try:
        return f"{grp.getgrgid(gid).gr_name} (gid {gid})"
    except KeyError:
        return f"gid {gid}"


def open_folder_warnings(text: Document) -> list[Problem]:
    """Folders in which any user may put other files in the place of these. Root is refused them."""
    found = []
    for file, steps in text.steps.items():
        for step in open_folders(steps):
            words = f"any user can replace files in {step.path}: chmod o-w {shlex.quote(step.path)}"
            found.append(Problem(Location(shown_path(file)), (), words))
    return found


def code_warnings(app_spec: AppSpec, location: Location) -> list[Problem]:
    """Code that root would import, and that others can change: whoever does, is root then.

    A warning only: cron and sudo run what they are told to run, too, whoever owns it.
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
            continue  # The module may be a package, or be installed elsewhere.
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
    """Files with secrets to which another group can write."""
    if not _secrets(text):
        return []
    words = "it holds a secret, and another group can write to it: chmod g-w"
    return [
        Problem(Location(shown_path(file)), (), words)
        for file, steps in text.steps.items()
        if steps[-1].mode & stat.S_IWGRP and steps[-1].gid != os.getgid()
    ]


def _secrets(text: Document) -> list[Path]:
    """Where a variable that sounds like a secret has its value in the file itself."""
    return [
        path
        for path, location in text.locations.items()
        if len(path) > 1
        and path[-2] == "environment"
        and SECRET.search(str(path[-1]))
        and _stands_in_clear(text, path, location)
    ]


def _stands_in_clear(text: Document, path: Path, location: Location) -> bool:
    value = text.texts.get(path)
    if not value:
        return False
    return any(shown_path(file) == location.file and value in source for file, source in text.sources.items())


def secret_warnings(text: Document) -> list[Problem]:
    """Secrets in a file that others can read."""
    found = []
    for path in _secrets(text):
        location = text.location(path)
        for file, steps in text.steps.items():
            if shown_path(file) == location.file and steps[-1].mode & stat.S_IROTH:
                words = "looks like a secret, in a file that others can read: chmod o-r, or use ${VARIABLE}"
                found.append(Problem(location, path, words))
    return found


def find_user(name: str) -> bool:
    """Whether there is such a user, by name or number."""
    try:
        pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def find_group(name: str) -> bool:
    """Whether there is such a group, by name or number."""
    try:
        grp.getgrgid(int(name)) if name.isdigit() else grp.getgrnam(name)
    except KeyError:
        return False
    return True

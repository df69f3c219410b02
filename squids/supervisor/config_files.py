"""What the system says of a configuration's files, users and groups: who may read and write, who is there."""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat

from squids.supervisor.config_text import Path, Place, Problem, Text, shown_path

SECRET = re.compile(r"SECRET|PASSWORD|PASSWD|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY", re.IGNORECASE)
"""Names of variables whose values are nobody else's."""


def file_problems(text: Text) -> list[Problem]:
    """Who can write to a file can run what it says."""
    problems = []
    secret = bool(_secrets(text))
    for file in text.files:
        mode = os.stat(file).st_mode
        if mode & stat.S_IWOTH:
            words = "others can write to this file, and so decide what runs: chmod o-w"
            problems.append(Problem(Place(shown_path(file)), (), words))
        elif secret and mode & stat.S_IWGRP and os.stat(file).st_gid != os.getgid():
            words = "it holds a secret, and another group can write to it: chmod g-w"
            problems.append(Problem(Place(shown_path(file)), (), words))
    return problems


def _secrets(text: Text) -> list[Path]:
    """Where a variable that sounds like a secret has its value in the file itself."""
    return [
        path
        for path, place in text.places.items()
        if len(path) > 1
        and path[-2] == "environment"
        and SECRET.search(str(path[-1]))
        and _stands_in_clear(text, path, place)
    ]


def _stands_in_clear(text: Text, path: Path, place: Place) -> bool:
    value = text.texts.get(path)
    if not value:
        return False
    for file in text.files:
        if shown_path(file) == place.file:
            with open(file, encoding="utf-8", errors="replace") as source:
                return value in source.read()
    return False


def secret_warnings(text: Text) -> list[Problem]:
    """Secrets in a file that others can read."""
    found = []
    for path in _secrets(text):
        place = text.place(path)
        for file in text.files:
            if shown_path(file) == place.file and os.stat(file).st_mode & stat.S_IROTH:
                words = "looks like a secret, in a file that others can read: chmod o-r, or use ${VARIABLE}"
                found.append(Problem(place, path, words))
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

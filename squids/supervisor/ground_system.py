"""What the system makes of a ground: where its links lead, its environment, its user and groups."""

from __future__ import annotations

import os
import pwd

from squids.supervisor.settings import Ground


def resolved(ground: Ground) -> tuple[str, str | None, tuple[tuple[str, str], ...]]:
    """The directory and the interpreter of a ground, links followed; and what led where.

    What runs must find later what it imports lazily, too, where its code came from: a link that a deployment
    moves leads there no more. The interpreter itself may be a link, as in every virtual environment.
    """
    directory = os.path.realpath(ground.directory)
    places = [(ground.directory, directory)]
    python = ground.python
    if python is not None and os.sep in python:
        bin_directory, name = os.path.split(python)
        places.append((bin_directory, os.path.realpath(bin_directory)))
        python = os.path.join(places[-1][1], name)
    return directory, python, tuple(places)


def environment_of(ground: Ground) -> dict[str, str]:
    """The supervisor's environment with the ground's over it. Another user comes with a home of its own."""
    environment = dict(os.environ)
    for name in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"):
        environment.pop(name, None)  # They are for this process alone: sd_listen_fds(3).
    environment |= _home_of(ground.user)
    for name, value in ground.environment:
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    return environment


def _home_of(user: str | None) -> dict[str, str]:
    """As login(1) and systemd's `User=` set it."""
    if user is None:
        return {}
    try:
        entry = _entry(user)
    except KeyError:
        return {}
    return {"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name}


def _number(name: str | None) -> str | int | None:
    return int(name) if name is not None and name.isdigit() else name


def user_of(ground: Ground) -> str | int | None:
    """The user to run as; None: this one."""
    return _number(ground.user)


def group_of(ground: Ground) -> str | int | None:
    """The group to run as: that of the user where none is named, and never root's own by omission."""
    if ground.group is not None or ground.user is None:
        return _number(ground.group)
    return _entry(ground.user).pw_gid


def groups_of(ground: Ground) -> list[int]:
    """The groups that the user is in."""
    assert ground.user is not None
    entry = _entry(ground.user)
    return os.getgrouplist(entry.pw_name, entry.pw_gid)


def _entry(user: str) -> pwd.struct_passwd:
    return pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)

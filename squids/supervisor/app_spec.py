"""What the system makes of an app spec: where its links lead, its environment, its user and groups."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping

from squids.supervisor.settings import AppSpec


def resolved(app_spec: AppSpec) -> tuple[str, str | None, tuple[tuple[str, str], ...]]:
    """The directory and the interpreter of an app spec, links followed; and what led where.

    What runs must find later what it imports lazily, too, where its code came from: a link that a deployment
    moves leads there no more. The interpreter itself may be a link, as in every virtual environment.
    """
    directory = os.path.realpath(app_spec.directory)
    places = [(app_spec.directory, directory)]
    python = app_spec.python
    if python is not None and os.sep in python:
        bin_directory, name = os.path.split(python)
        places.append((bin_directory, os.path.realpath(bin_directory)))
        python = os.path.join(places[-1][1], name)
    return directory, python, tuple(places)


PASSED = re.compile(
    r"PATH|LANG|LANGUAGE|LC_\w+|TZ|PYTHON\w+|VIRTUAL_ENV|LD_LIBRARY_PATH|SSL_CERT_(FILE|DIR)|SQUIDS_MORTAL"
    r"|AWS_(REGION|DEFAULT_REGION|ENDPOINT_URL(_\w+)?|CA_BUNDLE|USE_FIPS_ENDPOINT|USE_DUALSTACK_ENDPOINT"
    r"|STS_REGIONAL_ENDPOINTS|DEFAULTS_MODE|RETRY_MODE|MAX_ATTEMPTS|EC2_METADATA_\w+)"
)
"""Names of variables that queues of another user get. What may be a secret of this user is not among them."""

OWN = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
"""For the supervisor's process alone: sd_listen_fds(3), sd_notify(3)."""

LOCAL = "SQUIDS_LOCAL"
"""Set with an embedded SQS. All AWS variables are that server's then."""


def environment_of(app_spec: AppSpec) -> dict[str, str]:
    """The environment of an app spec's processes: the supervisor's, or where they run as another user a short
    list of it and a home of their own; and over it what the file says."""
    environment = {name: value for name, value in os.environ.items() if name not in OWN}
    if app_spec.user is not None:
        if _uid_of(app_spec.user) != os.geteuid():
            environment = _for_another(environment)
        environment |= _home_of(app_spec.user)
    for name, value in app_spec.environment:
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    return environment


def _for_another(environment: Mapping[str, str]) -> dict[str, str]:
    local = LOCAL in environment
    return {
        name: value
        for name, value in environment.items()
        if PASSED.fullmatch(name) or (local and (name == LOCAL or name.startswith("AWS_")))
    }


def _uid_of(user: str) -> int | None:
    try:
        return _entry(user).pw_uid
    except KeyError:
        return None


def _home_of(user: str) -> dict[str, str]:
    """As login(1) and systemd's `User=` set it."""
    try:
        entry = _entry(user)
    except KeyError:
        return {}
    names = {"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name}
    return names | ({"SHELL": entry.pw_shell} if entry.pw_shell else {})


def _number(name: str | None) -> str | int | None:
    return int(name) if name is not None and name.isdigit() else name


def user_of(app_spec: AppSpec) -> str | int | None:
    """The user to run as; None: this one."""
    return _number(app_spec.user)


def uid_of(app_spec: AppSpec) -> int:
    """The number of the user that it runs as. KeyError if there is no such user."""
    user = user_of(app_spec)
    if user is None:
        return os.getuid()
    return user if isinstance(user, int) else _entry(user).pw_uid


def group_of(app_spec: AppSpec) -> str | int | None:
    """The group to run as: that of the user where none is named, and never root's own by omission."""
    if app_spec.group is not None or app_spec.user is None:
        return _number(app_spec.group)
    return _entry(app_spec.user).pw_gid


def groups_of(app_spec: AppSpec) -> list[int]:
    """The groups that the user is in."""
    assert app_spec.user is not None
    entry = _entry(app_spec.user)
    return os.getgrouplist(entry.pw_name, entry.pw_gid)


def _entry(user: str) -> pwd.struct_passwd:
    return pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)

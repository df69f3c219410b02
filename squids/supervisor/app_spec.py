"""Applies an app spec to the system: resolves links, builds the environment, looks up user and groups."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping

from squids.supervisor.settings import AppSpec


def resolved(app_spec: AppSpec) -> tuple[str, str | None, tuple[tuple[str, str], ...]]:
    """Return the directory and interpreter of an app spec with links resolved, and what each link led to.

    A running process must find what it imports lazily where its code came from, even after a deployment has
    moved a link. The interpreter itself may be a link, as in every virtual environment.
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
    r"PATH|LANG|LANGUAGE|LC_\w+|TZ|PYTHON\w+|VIRTUAL_ENV|LD_LIBRARY_PATH|SSL_CERT_(FILE|DIR)|SQUIDS_(MORTAL|QUEUE_PREFIX|QUEUE_NAMES)"
    r"|AWS_(REGION|DEFAULT_REGION|ENDPOINT_URL(_\w+)?|CA_BUNDLE|USE_FIPS_ENDPOINT|USE_DUALSTACK_ENDPOINT"
    r"|STS_REGIONAL_ENDPOINTS|DEFAULTS_MODE|RETRY_MODE|MAX_ATTEMPTS|EC2_METADATA_\w+)"
)
"""Environment variables that processes of another user get; none that may hold a secret of this user."""

OWN = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
"""For the supervisor's process only: sd_listen_fds(3), sd_notify(3)."""

LOCAL = "SQUIDS_LOCAL"
"""Set with a local SQS. All AWS variables then belong to that server."""


def environment_of(app_spec: AppSpec) -> dict[str, str]:
    """Return the environment of an app spec's processes.

    It is the supervisor's, or for another user a short list of it, with that user's home; the file's
    variables override both.
    """
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
    """Return the user to run as, or None for the current one."""
    return _number(app_spec.user)


def uid_of(app_spec: AppSpec) -> int:
    """Return the uid to run as. Raises KeyError if there is no such user."""
    user = user_of(app_spec)
    if user is None:
        return os.getuid()
    return user if isinstance(user, int) else _entry(user).pw_uid


def group_of(app_spec: AppSpec) -> str | int | None:
    """Return the group to run as. If only a user is named, it is that user's group, never root's."""
    if app_spec.group is not None or app_spec.user is None:
        return _number(app_spec.group)
    return _entry(app_spec.user).pw_gid


def groups_of(app_spec: AppSpec) -> list[int]:
    """Return the groups of the user."""
    assert app_spec.user is not None
    entry = _entry(app_spec.user)
    return os.getgrouplist(entry.pw_name, entry.pw_gid)


def _entry(user: str) -> pwd.struct_passwd:
    return pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)

"""What the system makes of an app spec: user, group, environment."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace

import pytest

import squids.sqs
from squids.supervisor import app_spec as app_specs
from squids.supervisor.app_spec import environment_of, group_of, user_of
from squids.supervisor.settings import (
    AppSpec,
)


@pytest.mark.parametrize("name", [None, "nobody", "number"])
def test_a_user_comes_with_its_own_group(name):
    """Or the program would keep root's. Users and groups may be numbers."""
    nobody = pwd.getpwnam("nobody")
    user = str(nobody.pw_uid) if name == "number" else name
    app_spec = AppSpec("shop:app", "/srv", user=user)
    assert group_of(app_spec) == (None if user is None else nobody.pw_gid)
    assert user_of(app_spec) == (nobody.pw_uid if name == "number" else name)
    assert group_of(replace(app_spec, group="daemon")) == "daemon"
    assert group_of(replace(app_spec, group="7")) == 7


def test_another_user_comes_with_its_own_home(monkeypatch):
    """As with login(1); what the file says counts more, and this user's own home is left alone."""
    monkeypatch.setenv("HOME", "/root")
    monkeypatch.setenv("LISTEN_FDS", "3")
    nobody = pwd.getpwnam("nobody")
    app_spec = AppSpec("shop:app", "/srv", user="nobody")
    found = environment_of(app_spec)
    assert (found["HOME"], found["USER"], found["LOGNAME"]) == (nobody.pw_dir, "nobody", "nobody")
    assert "LISTEN_FDS" not in found, "they are the supervisor's"
    assert environment_of(replace(app_spec, environment=(("HOME", "/tmp"),)))["HOME"] == "/tmp"
    assert environment_of(replace(app_spec, user=None))["HOME"] == "/root"


@pytest.mark.skipif(os.geteuid() != 0, reason="for all but root, nobody is another user with no entry here")
def test_another_user_gets_a_short_list_of_variables(monkeypatch):
    """What may be root's secret only where the file names it. The supervisor's own user gets all but what is
    the supervisor's process's."""
    for name in os.environ:
        monkeypatch.delenv(name)
    passed = {
        "PATH": "/bin", "LANG": "C", "LC_ALL": "C", "TZ": "UTC", "PYTHONPATH": "/srv",
        "AWS_REGION": "r", "AWS_DEFAULT_REGION": "r", "AWS_ENDPOINT_URL": "u", "AWS_ENDPOINT_URL_SQS": "u",
    }  # fmt: skip
    kept = {
        "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t", "AWS_PROFILE": "p",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "c", "AWS_WEB_IDENTITY_TOKEN_FILE": "f", "DATABASE_URL": "d",
        "HTTPS_PROXY": "h", "XPATH": "x", "PATHS": "x", "SSH_AUTH_SOCK": "a",
    }  # fmt: skip
    own = {
        "NOTIFY_SOCKET": "n",
        "WATCHDOG_USEC": "1",
        "WATCHDOG_PID": "1",
        "LISTEN_FDS": "1",
        "LISTEN_PID": "1",
    }
    for name, value in {**passed, **kept, **own}.items():
        monkeypatch.setenv(name, value)
    nobody = pwd.getpwnam("nobody")
    home = {"HOME": nobody.pw_dir, "USER": "nobody", "LOGNAME": "nobody", "SHELL": nobody.pw_shell}
    app_spec = AppSpec("shop:app", "/srv", user="nobody", environment=(("DATABASE_URL", "d"), ("TZ", None)))
    expected = {**passed, **home, "DATABASE_URL": "d"}
    del expected["TZ"]
    assert environment_of(app_spec) == expected
    assert environment_of(AppSpec("shop:app", "/srv")) == {**passed, **kept}
    root = pwd.getpwuid(0)
    assert {**passed, **kept}.items() <= environment_of(
        AppSpec("shop:app", "/srv", user=root.pw_name)
    ).items()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs processes of another user")
def test_the_variables_of_a_local_sqs_are_for_every_user(monkeypatch):
    """They are no secrets, and lead nowhere else."""
    assert app_specs.LOCAL == squids.sqs.LOCAL
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    app_spec = AppSpec("shop:app", "/srv", user="nobody")
    assert "AWS_ACCESS_KEY_ID" not in environment_of(app_spec)
    monkeypatch.setenv("SQUIDS_LOCAL", "http://127.0.0.1:1")
    found = environment_of(app_spec)
    assert (found["AWS_ACCESS_KEY_ID"], found["SQUIDS_LOCAL"]) == ("local", "http://127.0.0.1:1")

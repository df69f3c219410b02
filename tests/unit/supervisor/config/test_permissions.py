"""Whom a configuration's files are open to, in words and with the command that mends it."""

from __future__ import annotations

import grp
import os
import pwd
import stat

import pytest

from squids.supervisor.config import permissions
from squids.supervisor.config.document import Document, Location
from squids.supervisor.settings import AppSpec
from squids.supervisor.trust import PathStep

ANN = 54321
"""A user and a group that no system has."""

PLACE = Location("squids.yaml", 3, 1)


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """To be asked as root, whoever runs the tests."""
    monkeypatch.setattr(permissions.os, "geteuid", lambda: 0)


@pytest.fixture
def as_ann(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permissions.os, "geteuid", lambda: ANN)


def folder(path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> PathStep:
    return PathStep(path, stat.S_IFDIR | mode, uid, gid)


def file(path: str, mode: int = 0o644, uid: int = 0, gid: int = 0) -> PathStep:
    return PathStep(path, stat.S_IFREG | mode, uid, gid)


def document(source: str, **texts: str) -> Document:
    """A file that was read, with variables of the app."""
    made = Document(
        sources={"/etc/squids.yaml": source}, steps={"/etc/squids.yaml": [file("/etc/squids.yaml")]}
    )
    for name, text in texts.items():
        path = ("queues", "emails", "environment", name)
        made.texts[path] = text
        made.locations[path] = Location("/etc/squids.yaml", 5, 7)
    return made


# The file.


@pytest.mark.parametrize(
    ("steps", "who", "mending"),
    [
        ([folder("/"), file("/s", uid=ANN)], "uid 54321 owns /s", "chown root: /s"),
        (
            [folder("/"), file("/s", 0o664, gid=ANN)],
            "the group gid 54321 can write to /s (mode 0664)",
            "chmod go-w /s",
        ),
        ([folder("/"), file("/s", 0o646)], "any user can write to /s (mode 0646)", "chmod go-w /s"),
        (
            [folder("/"), folder("/my conf", 0o777), file("/my conf/s")],
            "any user can write to the folder /my conf (mode 0777)",
            "chmod go-w '/my conf'",
        ),
    ],
)
def test_root_is_told_who_decides_what_runs_and_how_to_mend_it(
    steps: list[PathStep], who: str, mending: str, as_root: None
) -> None:
    assert permissions.distrusted_file(steps) == (
        f"{who}, and so decides what runs: {mending}; {permissions.OR_TRUST}"
    )
    assert permissions.distrusted_file([folder("/"), file("/s")]) is None


def test_others_are_told_what_they_can_do_themselves(as_ann: None) -> None:
    """They may not chown, and a group may write to what is theirs."""
    assert permissions.distrusted_file([folder("/"), file("/s", 0o664, uid=ANN)]) is None
    found = permissions.distrusted_file([folder("/"), file("/s", 0o666)])
    assert found is not None and "chmod o-w /s;" in found
    found = permissions.distrusted_file([folder("/"), folder("/tmp", 0o1777), file("/tmp/s", uid=ANN + 1)])
    assert found is not None and "take a folder of your own" in found


def test_folders_in_which_any_user_may_replace_files_are_a_warning() -> None:
    text = Document(
        steps={"/conf/s": [folder("/"), folder("/conf", 0o777), folder("/tmp", 0o1777), file("/conf/s")]}
    )
    (warning,) = permissions.open_folder_warnings(text)
    assert warning.text == "any user can replace files in /conf: chmod o-w /conf"


# Secrets.


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "api_key", "APIKEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN"]
)
def test_a_secret_in_a_file_that_others_can_read_is_a_warning_at_its_place(name: str) -> None:
    text = document("environment: {X: hunter2}", **{name: "hunter2"})
    (warning,) = permissions.secret_warnings(text)
    assert str(warning.location) == "/etc/squids.yaml:5:7"
    assert warning.path[-1] == name
    assert "chmod o-r" in warning.text
    text.steps["/etc/squids.yaml"] = [file("/etc/squids.yaml", 0o640)]
    assert permissions.secret_warnings(text) == []


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("environment: {DB_PASSWORD: '${PASSWORD}'}", {"DB_PASSWORD": "hunter2"}),
        ("environment: {DB_PASSWORD: ''}", {"DB_PASSWORD": ""}),
        ("environment: {DB_HOST: hunter2}", {"DB_HOST": "hunter2"}),
    ],
)
def test_what_comes_from_a_variable_or_is_no_secret_is_none(source: str, texts: dict[str, str]) -> None:
    assert permissions.secret_warnings(document(source, **texts)) == []
    assert permissions.secret_problems(document(source, **texts)) == []


def test_a_secret_in_a_file_that_another_group_can_write_is_refused() -> None:
    """The own group may: that is how a team shares it."""
    text = document("environment: {TOKEN: hunter2}", TOKEN="hunter2")
    text.steps["/etc/squids.yaml"] = [file("/etc/squids.yaml", 0o660, gid=os.getgid() + 1)]
    (problem,) = permissions.secret_problems(text)
    assert problem.text == "it holds a secret, and another group can write to it: chmod g-w"
    text.steps["/etc/squids.yaml"] = [file("/etc/squids.yaml", 0o660, gid=os.getgid())]
    assert permissions.secret_problems(text) == []


# Code.


def ways(monkeypatch: pytest.MonkeyPatch, **uids: int) -> None:
    """Paths that are there, with the owner of each; their folders are root's."""

    def steps_to(path: str) -> list[PathStep]:
        name = path.strip("/").replace("/", "_").replace(".", "_")
        if name not in uids:
            raise FileNotFoundError(path)
        return [folder("/"), file(path, uid=uids[name])]

    monkeypatch.setattr(permissions, "steps_to", steps_to)


def test_root_is_warned_of_code_that_others_can_change(
    monkeypatch: pytest.MonkeyPatch, as_root: None
) -> None:
    """The module, whether it is a file or a package; and an interpreter that the file names."""
    ways(monkeypatch, srv=0, srv_shop_py=ANN, opt_python=ANN)
    (warning,) = permissions.code_warnings(AppSpec("shop:app", "/srv"), PLACE)
    assert warning.location is PLACE
    assert warning.text.startswith(
        "uid 54321 owns /srv/shop.py, and root would run what is there: set user, or "
    )
    (warning,) = permissions.code_warnings(AppSpec("bank.tasks:app", "/srv", python="/opt/python"), PLACE)
    assert "/opt/python" in warning.text
    assert permissions.code_warnings(AppSpec("bank:app", "/srv"), PLACE) == []
    (warning,) = permissions.code_warnings(AppSpec("shop.py:app", "/srv", user="0"), PLACE)
    assert warning.text.startswith("uid 54321 owns")


@pytest.mark.parametrize("user", [str(ANN), "no-such-user"])
def test_code_that_root_does_not_run_is_its_users_business(
    user: str, monkeypatch: pytest.MonkeyPatch, as_root: None
) -> None:
    ways(monkeypatch, srv=ANN)
    assert permissions.code_warnings(AppSpec("shop:app", "/srv", user=user), PLACE) == []


def test_only_root_is_warned_of_code(monkeypatch: pytest.MonkeyPatch, as_ann: None) -> None:
    ways(monkeypatch, srv=ANN + 1)
    assert permissions.code_warnings(AppSpec("shop:app", "/srv"), PLACE) == []


# Users and groups.


def test_users_and_groups_are_found_by_name_and_by_number() -> None:
    me, mine = pwd.getpwuid(0), grp.getgrgid(0)
    for name in (me.pw_name, "0"):
        assert permissions.find_user(name)
    for name in (mine.gr_name, "0"):
        assert permissions.find_group(name)
    for name in ("no-such-user", str(ANN)):
        assert not permissions.find_user(name)
        assert not permissions.find_group(name)
    assert permissions.user_name(0) == f"{me.pw_name} (uid 0)"
    assert permissions.group_name(0) == f"{mine.gr_name} (gid 0)"
    assert (permissions.user_name(ANN), permissions.group_name(ANN)) == ("uid 54321", "gid 54321")

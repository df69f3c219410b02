"""Whose a supervisor's place, lock and socket are, before anything there is believed."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from squids.supervisor.control import place
from squids.supervisor.control.place import Untrusted, check_file, check_socket, owner_of_place
from squids.supervisor.trust import PathStep

ANN = 54321
"""A user that no system has."""


def steps(*found: tuple[str, int, int]) -> list[PathStep]:
    return [PathStep(path, mode, uid, 0) for path, mode, uid in found]


def way(monkeypatch: pytest.MonkeyPatch, *found: tuple[str, int, int]) -> None:
    """What lies on the way, as the system would say: path, mode, owner."""
    monkeypatch.setattr(place, "steps_to", lambda path: steps(*found))


DIR = stat.S_IFDIR


def test_a_place_is_its_last_folders_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's where only root could have given it: /run/squids/NAME of a service."""
    way(monkeypatch, ("/", DIR | 0o755, 0), ("/run", DIR | 0o755, 0), ("/run/squids", DIR | 0o755, ANN))
    assert owner_of_place("/run/squids") == ANN


def test_a_folder_of_another_user_is_not_trusted_and_it_is_said_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    way(monkeypatch, ("/", DIR | 0o755, 0), ("/tmp", DIR | 0o1777, 0), ("/tmp/x", DIR | 0o700, ANN))
    with pytest.raises(Untrusted) as refused:
        owner_of_place("/tmp/x")
    assert str(refused.value).startswith(f"/tmp/x belongs to uid {ANN}, not to ")
    assert "remove it, or set XDG_RUNTIME_DIR to a directory of your own" in str(refused.value)


def test_a_folder_that_others_can_write_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    me = os.geteuid()
    way(monkeypatch, ("/", DIR | 0o755, 0), ("/home", DIR | 0o755, 0), ("/home/x", DIR | 0o770, me))
    with pytest.raises(Untrusted) as refused:
        owner_of_place("/home/x")
    assert str(refused.value) == "others can write to /home/x (mode 0770): chmod go-w /home/x"


def test_a_place_is_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    way(monkeypatch, ("/", DIR | 0o755, 0), ("/x", stat.S_IFREG | 0o644, 0))
    with pytest.raises(Untrusted, match="/x is not a directory"):
        owner_of_place("/x")


def test_a_place_that_is_not_there_is_no_mistrust(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        owner_of_place(str(tmp_path.resolve() / "nothing"))


def test_a_lock_is_a_file_and_a_socket_is_a_socket_of_who_may_have_it(tmp_path: Path) -> None:
    """What leads elsewhere is neither: a link would be followed to whatever another user chose."""
    me = {os.geteuid()}
    file, link, listening = tmp_path / "lock", tmp_path / "link", tmp_path / "s"
    file.touch()
    link.symlink_to(file)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(listening))
    check_file(str(file), me)
    check_socket(str(listening), me)
    for path, check, kind in (
        (link, check_file, "a regular file"),
        (listening, check_file, "a regular file"),
        (file, check_socket, "a socket"),
    ):
        with pytest.raises(Untrusted, match=f"{path} is not {kind}"):
            check(str(path), me)
    for path, check in ((file, check_file), (listening, check_socket)):
        with pytest.raises(Untrusted, match="so it is not trusted"):
            check(str(path), {ANN})
    with pytest.raises(FileNotFoundError):
        check_socket(str(tmp_path / "nothing"), me)

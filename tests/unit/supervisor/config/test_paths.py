"""What is wrong with a path of the configuration file."""

from __future__ import annotations

import socket

import pytest

from squids.supervisor.config.paths import wrong_directory, wrong_interpreter, wrong_log_file, wrong_socket


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with one thing of each kind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "program").write_text("")
    (tmp_path / "program").chmod(0o755)
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nothing")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        yield tmp_path


@pytest.mark.parametrize(
    ("check", "path", "says"),
    [
        (wrong_directory, "folder", None),
        (wrong_directory, "file", "file is not a directory"),
        (wrong_directory, "dangling", "directory dangling does not exist"),
        (wrong_interpreter, "program", None),
        (wrong_interpreter, "file", "interpreter file is not executable"),
        (wrong_interpreter, "folder", "interpreter folder is a directory"),
        (wrong_interpreter, "dangling", "interpreter dangling does not exist"),
        (wrong_log_file, "folder/log", None),
        (wrong_log_file, "./file", None),
        (wrong_log_file, "./folder", "./folder is a directory"),
        (wrong_log_file, "file/log", "file is not a directory"),
        (wrong_socket, "./socket", None),
        (wrong_socket, "folder/socket", None),
        (wrong_socket, "./file", "./file is there, and is not a socket"),
        (wrong_socket, "nothing/socket", "directory nothing does not exist"),
    ],
)
def test_what_is_wrong_with_a_path(here, check, path, says):
    assert check(path) == says

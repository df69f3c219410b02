"""The socket that a file names, for verbs."""

from __future__ import annotations

from pathlib import Path

import pytest

from squids.cli.socket_in_file import socket_in_file


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("app: a:b\nsupervisor: {socket: s}\nqueues: {q: {}}", True),
        ("app: a:b\nqueues: {q: {}}", False),
        ("queues: [", False),
    ],
)
def test_it_is_absolute_and_a_wrong_file_names_none(tmp_path: Path, text: str, named: bool) -> None:
    file = tmp_path / "squids.yaml"
    file.write_text(text)
    assert socket_in_file(str(file)) == (str(tmp_path / "s") if named else None)

"""Requests, and where the socket is."""

from __future__ import annotations

import pytest

from squids.supervisor.control import protocol as control_protocol


def test_the_socket_is_a_function_of_the_files_path_alone(monkeypatch, tmp_path):
    """/etc/squids has its place in /run; others in the user's runtime directory."""
    assert control_protocol.default_socket("/etc/squids/shop.yaml") == "/run/squids/shop/control.sock"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    one, other = (
        control_protocol.default_socket("/srv/a/squids.yaml"),
        control_protocol.default_socket("/srv/b/squids.yaml"),
    )
    assert one != other
    assert one.startswith(f"{tmp_path}/squids/squids-")
    assert len(control_protocol.default_socket("/srv/" + "x" * 300 + ".yaml")) < len(str(tmp_path)) + 60


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b'{"verb": 1}', b'{"verb": "x", "queues": [1]}', b'{"verb": "x", "options": 3}', b"\xff"],
)
def test_what_is_no_request_is_refused(line):
    """ValueError, with words."""
    with pytest.raises(ValueError, match=r"\w"):
        control_protocol.decode_request(line)

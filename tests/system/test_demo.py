"""The demo, as a person and as CI run it."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.py"


@pytest.fixture
def demo_copy(tmp_path: Path) -> Path:
    """The demo in a directory of its own, so that its scratch files are no other run's."""
    directory = tmp_path / "a checkout" / "examples"
    (directory / "shop").mkdir(parents=True)
    for path in [*DEMO.parent.glob("*.py"), *DEMO.parent.glob("*.yaml"), *DEMO.parent.glob("shop/*.py")]:
        (directory / path.relative_to(DEMO.parent)).write_text(path.read_text())
    return directory / "demo.py"


@pytest.mark.slow
def test_without_a_terminal_it_does_all_the_work_and_ends_by_itself(demo_copy: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(demo_copy)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NO " not in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 80
    assert "Killing worker" in done.stdout
    assert "Killing the consumer" in done.stdout
    assert "its supervisor | WARNING: signal 9" in done.stdout
    assert done.stderr == ""


@pytest.mark.slow
def test_ctrl_c_ends_it_and_all_that_it_started(demo_copy: Path) -> None:
    """On a terminal, as a person would: the terminal's interrupt goes to the demo alone."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, str(demo_copy)])
    output = _read_until(terminal, rb"Killing worker")
    os.write(terminal, b"\x03")
    output += _read_until(terminal, None)
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == 128 + signal.SIGINT, output.decode()
    assert b"Traceback" not in output
    (port,) = re.findall(rb"listens on http://127.0.0.1:(\d+)", output)
    with pytest.raises(ConnectionRefusedError):
        _connect(int(port))


def _connect(port: int) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass


def _read_until(terminal: int, pattern: bytes | None) -> bytes:
    """What the terminal shows, until `pattern` is seen, or until its end."""
    seen = b""
    deadline = time.monotonic() + 90
    while pattern is None or not re.search(pattern, seen):
        assert time.monotonic() < deadline, seen.decode()
        try:
            data = os.read(terminal, 4096)
        except OSError:  # Linux's way to tell that no process has the terminal any more
            data = b""
        if not data:
            break
        seen += data
    return seen

"""`log_file` under root: a program's user cannot turn the supervisor's pen against files of root."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import call
from tests.support.waiting import wait_until

NOBODY = 65534

SAYING = """
import sys
import squids

app = squids.App("tests")

@app.task("tests")
def say(text):
    print(text)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users can reach: pytest's own are private."""
    made = Path(tempfile.mkdtemp(prefix="squids-logs-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def status_with(word: str, path: Path) -> os.stat_result | None:
    """The file's status, once the word is in it."""
    try:
        with open(path) as file:
            return os.fstat(file.fileno()) if word in file.read() else None
    except FileNotFoundError:
        return None  # It is not there yet, or is being rotated.


def test_a_link_of_the_service_user_does_not_lead_the_pen_of_root(strict_sqs, supervisor, place):
    """A folder of another user, and a link in it to a file of root: refused, and told, at the start, at SIGUSR2
    and at a rotation. The queue works on, and when the link is gone, its lines come."""
    if os.geteuid() != 0:
        pytest.skip("only root has rights that others could turn against it")
    strict_sqs.create("tests")
    (place / "shop.py").write_text(SAYING)
    logs, secret = place / "logs", place / "secret"
    logs.mkdir()
    os.chown(logs, NOBODY, NOBODY)
    secret.write_text("root's\n")
    (logs / "tests.log").symlink_to(secret)
    process = supervisor(strict_sqs.endpoint_url)
    log = {"path": str(logs / "tests.log"), "max_size": 200, "backups": 2}
    process.write({"tests": {"directory": str(place), "log_file": log}}).up()
    (trouble,) = process.wait_for("output_trouble")
    assert "it is a link: name the file itself" in trouble
    (logs / "tests.log").unlink()
    strict_sqs.put("tests", call("say", "one"))
    status = wait_until(lambda: status_with("one", logs / "tests.log"))
    assert status is not None
    assert (status.st_uid, stat.S_IMODE(status.st_mode) & ~0o640) == (0, 0)
    for last, ask in (
        ("second line", lambda: process.signal(signal.SIGUSR2)),
        ("third line", lambda: strict_sqs.put("tests", call("say", "x" * 300))),
    ):
        kept = place / "kept"
        logs.rename(kept)
        elsewhere = place / "elsewhere"
        elsewhere.mkdir()
        os.chown(place, NOBODY, NOBODY)  # The folder above is the user's, too: a link on the way.
        logs.symlink_to(elsewhere)
        os.chown(logs, NOBODY, NOBODY, follow_symlinks=False)
        ask()
        strict_sqs.put("tests", call("say", last))
        wait_until(lambda last=last: last in process.verb("logs", "tests").stdout)
        assert list(elsewhere.iterdir()) == []
        logs.unlink()
        elsewhere.rmdir()
        kept.rename(logs)
    assert secret.read_text() == "root's\n"
    assert process.stop() == 0

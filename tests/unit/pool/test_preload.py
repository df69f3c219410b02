"""What is imported before a fork, and what of it is told. Each test imports in a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import ROOT

LOAD = """
import json, sys
from squids.errors import SquidsError
from squids.pool import preload

args = {args!r}
answer = {{}}
try:
    app, unforkable, facts = preload.load_shared(args)
except SquidsError as error:
    answer["error"], answer["files"] = str(error), list(error.files)
else:
    answer.update(app=app.name, unforkable=unforkable, files=[file.path for file in facts.files])
    answer["warm"] = app.sqs.warm_now
SHARED = ("squids.pool.consumer_main", "squids.pool.worker_main", "asyncio.selector_events")
answer["shared"] = [name for name in SHARED if name in sys.modules]
answer["path"] = sys.path[0]
print(json.dumps(answer))
"""


def load_shared(directory: Path, source: str, **args: Any) -> dict[str, Any]:
    """What a fork server knows after it imported this module as the app's."""
    (directory / "small_shop.py").write_text(source)
    args = {
        "app": "small_shop:app",
        "directory": str(directory),
        "log_level": "WARNING",
        "consumers": [],
        **args,
    }
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PYTHONDONT"))
    }
    done = subprocess.run(
        [sys.executable, "-c", LOAD.format(args=args)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


APP = """
import squids

class Quick(squids.sqs.SQS):
    warm_now = False
    def warm(self):
        self.warm_now = True

app = squids.App("small")
app.sqs = Quick({})
"""
"""To load the model of SQS takes longer than all else, and is the business of `squids.sqs`."""


def test_an_app_is_imported_with_all_that_its_processes_need(tmp_path):
    """From its directory, which comes first; and its files are told, so that a change of them is seen."""
    found = load_shared(tmp_path, APP)
    assert (found["app"], found["unforkable"], found["warm"]) == ("small", "", True)
    assert found["path"] == str(tmp_path)
    assert str(tmp_path / "small_shop.py") in found["files"]
    assert found["shared"] == [
        "squids.pool.consumer_main",
        "squids.pool.worker_main",
        "asyncio.selector_events",
    ]


def test_what_no_fork_may_cross_is_told_and_no_more_is_imported(tmp_path):
    """It will not be forked, so nobody would share it."""
    socket = "import socket\nleft_open = socket.socket()\n"
    found = load_shared(tmp_path, APP + socket)
    assert found["unforkable"] == "1 open socket"
    assert found["shared"] == []


SERVES = """
import socket
server = socket.socket()
server.bind(("127.0.0.1", PORT))
server.listen()
"""


def test_a_port_that_the_import_opens_is_named(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answer = load_shared(tmp_path, SERVES.replace("PORT", str(port)) + APP)
    assert f"1 open socket (port {port} of 127.0.0.1, opened in " in answer["unforkable"]
    assert "small_shop.py:4)" in answer["unforkable"]


@pytest.mark.parametrize("shares", [True, False])
def test_a_port_that_another_program_has_is_named_in_one_line(tmp_path, shares):
    """Instead of a traceback."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        answer = load_shared(tmp_path, SERVES.replace("PORT", str(port)) + APP, shares_ports=shares)
    assert f"small_shop.py:4 opens port {port} of 127.0.0.1 at import" in answer["error"]
    assert "\n" not in answer["error"]
    assert str(tmp_path / "small_shop.py") in answer["files"]


def test_an_import_that_fails_says_which_files_it_came_to(tmp_path):
    """Also the one that it failed in: whoever mends it wants it tried again."""
    (tmp_path / "broken_part.py").write_text("app = (")
    found = load_shared(tmp_path, "import broken_part\n")
    assert "SyntaxError" in found["error"]
    assert {str(tmp_path / "small_shop.py"), str(tmp_path / "broken_part.py")} <= set(found["files"])


@pytest.mark.parametrize("write_bytecode", [True, False])
def test_an_app_that_changes_often_leaves_no_caches(tmp_path, write_bytecode):
    """Two versions of the same second and size: the older one would run."""
    found = load_shared(tmp_path, APP, app="small_shop:other", write_bytecode=write_bytecode)
    assert "module small_shop has no other" in found["error"]
    assert (tmp_path / "__pycache__").exists() is write_bytecode

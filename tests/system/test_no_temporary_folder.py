"""A machine whose temporary folder is read-only: the supervisor says what to set, and then works."""

from __future__ import annotations

import subprocess

from tests.support.supervisors import COMMAND
from tests.support.waiting import wait_until

NOWHERE = "/proc/self"
"""Nothing can be created there, also by root."""


def test_where_the_default_folder_cannot_be_the_message_names_the_setting_that_helps(strict_sqs, supervisor):
    strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url, XDG_RUNTIME_DIR=NOWHERE).write({"tests": {}})
    done = subprocess.run(
        [*COMMAND, "-c", str(process.file)],
        env=process.environment,
        cwd=process.directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 78
    (line,) = done.stderr.splitlines()
    assert "cannot create /proc/self/squids: " in line and "set supervisor.socket in the file" in line
    folder = process.directory / "run"
    folder.mkdir(mode=0o700)
    process.write({"tests": {}}, supervisor={"socket": "run/s"}).launch()
    wait_until(lambda: process.verb("status").returncode == 0, what=lambda: process.text)
    assert process.verb("wait").returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["s", "s.json", "s.lock"]
    assert process.stop() == 0
    assert list(folder.iterdir()) == []

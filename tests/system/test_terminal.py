"""What is started in a terminal ends when the terminal is closed, unless it was told to outlive it."""

from __future__ import annotations

import errno
import os
import signal
import sys

import pytest

from tests.support.processes import APP, call
from tests.support.supervisors import COMMAND
from tests.support.waiting import wait_until

SQUIDS = [sys.executable, "-m", "squids", "--queue", "tests", "--app", "shop.app", "--workers", "1"]


@pytest.mark.slow
def test_dev_ends_with_its_terminal_and_the_next_one_starts(supervisor, terminal):
    """With its local SQS and all it started: nothing holds the lock."""
    process = supervisor("http://127.0.0.1:9")
    process.file.write_text("app: shop:app\nqueues: {tests: {}}\n")
    window = terminal(process, *COMMAND, "-c", str(process.file), "--dev")
    assert process_is_up(process)
    assert len(process.processes()) >= 5, "supervisor, local SQS, fork server, consumer, worker"
    window.close()
    assert window.status() == 0
    process.nothing_left()
    process.launch("--dev")
    assert process_is_up(process), "it was not told that another one runs"
    assert process.stop() == 0


def process_is_up(process):
    return wait_until(lambda: process.verb("wait", "--timeout", "30").returncode == 0, seconds=60)


def test_squids_drains_when_its_terminal_is_closed(strict_sqs, squids_process, terminal, tmp_path):
    """What runs may end, and is deleted."""
    queue = strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url)
    strict_sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    window = terminal(process, *SQUIDS)
    wait_until(lambda: process.journal.words("start") == ["a"])
    window.close()
    os.kill(window.pid, signal.SIGHUP)  # A shell says so, too, and it is no second signal.
    (tmp_path / "go").touch()
    assert window.status() == 0
    assert process.journal.words("done") == ["a"]
    assert not queue.messages
    process.nothing_left()


def test_local_ends_with_its_terminal(supervisor, terminal):
    process = supervisor("http://127.0.0.1:9").write({"tests": {}})
    window = terminal(process, *COMMAND, "-c", str(process.file), "local")
    window.until("queues: tests")
    window.close()
    assert window.status() == 0
    process.nothing_left()


def test_under_nohup_it_outlives_its_terminal(strict_sqs, supervisor, terminal):
    queue = strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url).write({"tests": {}})
    window = terminal(process, "nohup", *COMMAND, "-c", str(process.file))
    assert process_is_up(process)
    window.close()
    strict_sqs.put("tests", call("work", "a"))
    wait_until(lambda: not queue.messages, what="it goes on")
    os.kill(window.pid, signal.SIGTERM)
    assert window.status() == 0
    process.nothing_left()


MFA = """
[profile dev]
role_arn = arn:aws:iam::111122223333:role/dev
source_profile = base
mfa_serial = arn:aws:iam::111122223333:mfa/ada
region = eu-west-1
[profile base]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = example
"""


def test_a_profile_that_wants_an_mfa_code_is_named_and_the_terminal_left_alone(
    squids_process, terminal, tmp_path
):
    """botocore would ask on the terminal in a thread, hide what is typed, and leave it so."""
    (tmp_path / "config").write_text(MFA)
    process = squids_process("http://127.0.0.1:9")
    for name in [name for name in process.environment if name.startswith("AWS_")]:
        del process.environment[name]
    process.environment |= {"AWS_PROFILE": "dev", "AWS_CONFIG_FILE": str(tmp_path / "config")}
    window = terminal(process, *SQUIDS)
    window.until("cannot receive: the profile dev wants an MFA code")
    assert "Enter MFA code" not in window.text
    os.kill(window.pid, signal.SIGTERM)
    assert window.status() == 0


ASKING = (
    APP
    + """
@app.task("tests")
def ask():
    import getpass, subprocess
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
        note("asked", "opened")
    except OSError as error:
        note("asked", error.errno)
    note("asked", subprocess.run(["sh", "-c", "read line </dev/tty"], stderr=subprocess.DEVNULL).returncode)
    try:
        note("asked", input())
    except EOFError:
        note("asked", "nothing")
"""
)


@pytest.mark.parametrize("extra", [[], ["--no-preload"]], ids=["forked", "fresh"])
def test_a_task_that_asks_on_the_terminal_gets_an_error(strict_sqs, squids_process, terminal, extra):
    """As `git`, `ssh` and `sudo` ask. In a background group of the terminal the kernel would stop it for ever."""
    queue = strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url, app=ASKING)
    strict_sqs.put("tests", call("ask"))
    window = terminal(process, *SQUIDS, *extra)
    wait_until(lambda: not queue.messages, what=lambda: f"it is done:\n{window.text}")
    opened, status, read = process.journal.words("asked")
    assert opened == str(errno.ENXIO)
    assert status != "0"
    assert read == "nothing"
    os.kill(window.pid, signal.SIGTERM)
    assert window.status() == 0


def test_under_a_supervisor_in_a_terminal_too(strict_sqs, supervisor, terminal):
    queue = strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url, app=ASKING).write({"tests": {}})
    strict_sqs.put("tests", call("ask"))
    window = terminal(process, *COMMAND, "-c", str(process.file))
    wait_until(lambda: not queue.messages, what=lambda: f"it is done:\n{window.text}")
    assert process.journal.words("asked")[0] == str(errno.ENXIO)
    os.kill(window.pid, signal.SIGTERM)
    assert window.status() == 0

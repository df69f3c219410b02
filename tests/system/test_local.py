"""`--local`: a local SQS that begins and ends with its parent, and nothing else is spoken to."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys

import boto3
import pytest

from squids.sqs import LOCAL_CREDENTIALS
from squids.testing.local_sqs import LocalSQS
from tests.support import journal
from tests.support.processes import MARKER, call
from tests.support.supervisors import COMMAND
from tests.support.waiting import wait_until

NOWHERE = "http://127.0.0.1:9"
"""What the environment names, and nobody is to speak to. Nothing listens there."""

PROXIES = {
    **{
        name: NOWHERE
        for scheme in ("http_proxy", "https_proxy", "all_proxy")
        for name in (scheme, scheme.upper())
    },
    "NO_PROXY": "corp.example",
}
"""Of a company, with a host that it exempts. No call to a local SQS may go there."""

APP = (
    journal.SOURCE
    + """
import squids

app = squids.App("shop")

@app.task("tests")
def work(name):
    note("ran", name)

@app.task("orders.fifo")
def order(name):
    note("ran", name)
    work.send(f"{name}-receipt")
"""
)


def url_of(process) -> str:
    """The local SQS's address, as it was told."""
    found = wait_until(lambda: re.findall(r"local SQS at (http://127\.0\.0\.1:\d+)\.", process.text))
    return str(found[0])


def send(process, task: str, *arguments: str) -> None:
    done = process.verb("send", task, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr + process.text


@pytest.fixture
def local(supervisor):
    """A supervisor with --local, whose environment names another SQS."""

    def make(*arguments: str, app: str = APP, queues=None, **top):
        up = supervisor(NOWHERE, app, **PROXIES)
        up.write(queues or {"tests": {}, "orders.fifo": {}}, **top)
        return up.start("--local", *arguments)

    return make


def test_the_queues_of_the_file_are_there_each_with_a_dead_letter_queue(local):
    """By name, FIFO where it says so; what a task sends goes to the same place."""
    up = local()
    sqs = boto3.client("sqs", endpoint_url=url_of(up), **LOCAL_CREDENTIALS)  # type: ignore[call-overload]
    names = sorted(url.rpartition("/")[2] for url in sqs.list_queues()["QueueUrls"])
    assert names == ["orders-dead.fifo", "orders.fifo", "tests", "tests-dead"]
    send(
        up, "order", "--args", '["a"]', "--options", '{"MessageGroupId": "g", "MessageDeduplicationId": "1"}'
    )
    wait_until(lambda: up.journal.words("ran") == ["a", "a-receipt"], what=lambda: up.text)
    assert up.stop() == 0
    up.nothing_left()


def test_the_line_for_another_terminal_works_there(local):
    """A shell that takes it sends to the same queues, with boto3's usual settings alone, past any proxy."""
    up = local()
    url_of(up)
    (line,) = [line.strip() for line in up.output if line.strip().startswith("export ")]
    code = (
        "import boto3, sys; sqs = boto3.client('sqs'); url = sqs.get_queue_url(QueueName='tests')['QueueUrl'];"
        "sqs.send_message(QueueUrl=url, MessageBody=sys.argv[1])"
    )
    done = subprocess.run(
        ["sh", "-c", f'{line}; {shlex.quote(sys.executable)} -c "{code}" "$1"', "sh", call("work", "pasted")],
        env={key: text for key, text in (os.environ | PROXIES).items() if not key.startswith("AWS_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wait_until(lambda: up.journal.words("ran") == ["pasted"], what=lambda: up.text)
    assert " NO_PROXY=corp.example,127.0.0.1" in line, "what was exempt stays so"


def test_a_proxy_that_the_file_names_is_passed_too(local):
    """Whatever the file exempts from it: the consumer, the task that sends, and `send`."""
    up = local(environment={"HTTP_PROXY": NOWHERE, "http_proxy": NOWHERE, "no_proxy": "", "NO_PROXY": None})
    send(
        up, "order", "--args", '["a"]', "--options", '{"MessageGroupId": "g", "MessageDeduplicationId": "1"}'
    )
    wait_until(lambda: up.journal.words("ran") == ["a", "a-receipt"], what=lambda: up.text)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_it_ends_with_its_parent_however_that_dies(local, number):
    """No server is left behind to hold the port."""
    up = local()
    assert any("moto" in title for title in up.processes().values()), up.processes()
    up.signal(number)
    up.wait()
    up.nothing_left()


def test_a_server_that_dies_is_replaced_at_the_same_place(local):
    """What was in it is lost, and said so; consumers go on with the new one."""
    up = local()
    url = url_of(up)
    (pid,) = [pid for pid, title in up.processes().items() if "moto" in title]
    up.ready()
    os.kill(pid, signal.SIGKILL)
    up.wait_for("local_sqs_died")
    up.wait_for("local_sqs")
    assert url in up.actions("local_sqs")[0]
    send(up, "work", '{"name": "after"}')
    wait_until(lambda: up.journal.words("ran") == ["after"], what=lambda: up.text)


def test_a_queue_that_a_reload_brings_is_made(local):
    """The file is read again; its new queue is there before anybody misses it."""
    up = local(queues={"tests": {}})
    up.ready()
    up.write({"tests": {}, "orders.fifo": {}})
    assert up.verb("reload").returncode == 0
    up.until_state("orders.fifo", "running")


@pytest.mark.parametrize("by", ["the file's queue", "the file's prefix", "the environment", "the app"])
def test_queues_with_the_names_of_a_stage_are_followed_by_all(supervisor, by):
    """The code says "tests" and "orders.fifo": consumers, `check`, `send --wait` and what a task sends follow."""
    app, environment = APP, {}
    queues: dict[str, dict[str, str]] = {"tests": {}, "orders.fifo": {}}
    top: dict[str, str] = {}
    match by:
        case "the file's queue":
            queues = {name: {"queue": f"staging-{name}"} for name in queues}
        case "the file's prefix":
            top = {"queue_prefix": "staging-"}
        case "the environment":
            environment = {"SQUIDS_QUEUE_PREFIX": "staging-"}
        case "the app":
            app = APP.replace('squids.App("shop")', 'squids.App("shop", queue_prefix="staging-")')
    up = supervisor(NOWHERE, app, **environment).write(queues, **top)
    checked = up.verb("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "1 task of staging-tests" in checked.stdout
    up.start("--local")
    sent = up.verb(
        "send", "--wait", "order", '{"name": "a"}',
        "--options", '{"MessageGroupId": "g", "MessageDeduplicationId": "1"}',
    )  # fmt: skip
    assert sent.returncode == 0, sent.stdout + sent.stderr + up.text
    assert "/staging-orders.fifo: message" in sent.stdout
    assert "nothing here will run it" not in sent.stderr
    wait_until(lambda: up.journal.words("ran") == ["a", "a-receipt"], what=lambda: up.text)


def test_an_app_that_names_another_endpoint_is_refused(local, strict_sqs):
    """With the reason; it is not spoken to."""
    strict_sqs.create("tests")
    config = f'squids.App("shop", config={{"endpoint_url": "{strict_sqs.endpoint_url}"}})'
    up = local(app=APP.replace('squids.App("shop")', config))
    up.wait_for("fatal")
    assert f"the App's config has endpoint_url {strict_sqs.endpoint_url}, but only the local SQS" in up.text
    assert up.verb("send", "work", "--args", '["a"]').returncode == 78
    assert not strict_sqs.calls


def test_a_queue_by_its_url_is_looked_for_in_the_local_sqs_alone(local, strict_sqs):
    """The URL's own host is not spoken to: neither by consumers nor by `send`."""
    strict_sqs.create("tests")
    url = strict_sqs.url("tests")
    up = local(queues={"tests": {"queue": url}}, app=APP.replace('"tests"', repr(url)))
    send(up, "work", '{"name": "a"}')
    wait_until(lambda: up.journal.words("ran") == ["a"], what=lambda: up.text)
    assert not strict_sqs.calls


def test_aws_settings_of_the_file_and_of_the_home_directory_do_not_count(local, strict_sqs, tmp_path):
    """Of the file: with a warning."""
    strict_sqs.create("tests")
    profile = tmp_path / "config"
    profile.write_text(f"[default]\nregion = eu-west-1\nendpoint_url = {strict_sqs.endpoint_url}\n")
    up = local(
        environment={
            "AWS_ENDPOINT_URL_SQS": strict_sqs.endpoint_url,
            "AWS_CONFIG_FILE": str(profile),
            "AWS_PROFILE": "nobody",
            "KEPT": "yes",
        },
    )
    up.ready()
    assert (
        "AWS_CONFIG_FILE, AWS_ENDPOINT_URL_SQS, AWS_PROFILE in the file are ignored with --local" in up.text
    )
    send(up, "work", '{"name": "a"}')
    assert up.verb("tasks").returncode == 0
    wait_until(lambda: up.journal.words("ran") == ["a"], what=lambda: up.text)
    assert not strict_sqs.calls


def test_without_moto_one_line_says_how_to_install_it(supervisor, tmp_path):
    """Nothing is started."""
    (tmp_path / "moto.py").write_text("")
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text(
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'moto' else find(name, *rest)\n"
    )
    up = supervisor(NOWHERE, APP, PYTHONPATH=str(tmp_path)).write({"tests": {}})
    up.launch("--local")
    assert up.wait() == 1
    (line,) = up.output
    assert "pip install" in line
    assert "moto[server]" in line


@pytest.mark.slow
def test_the_port_may_be_chosen_and_a_taken_one_is_one_line(local):
    """--local-port."""
    up = local()
    port = url_of(up).rpartition(":")[2]
    second = subprocess.run(
        [*COMMAND, "local", "--local-port", port],
        cwd=up.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert f"port {port}" in second.stderr.lower() or "address" in second.stderr.lower()
    assert "Traceback" not in second.stderr
    assert up.stop() == 0
    again = local("--local-port", port)
    assert url_of(again).endswith(f":{port}")


def test_the_server_by_itself_has_the_files_queues(supervisor):
    """`squids-supervisor local`; Ctrl-C ends it with 0."""
    up = supervisor(NOWHERE, APP).write({"tests": {}, "orders.fifo": {}})
    up.launch("local")
    wait_until(lambda: "queues: tests, orders.fifo" in up.text, what=lambda: up.text)
    up.signal(signal.SIGINT)
    assert up.wait() == 0
    up.nothing_left()


def test_squids_has_it_too(squids_process):
    """One queue; --exit-when-empty goes with it."""
    process = squids_process(NOWHERE, APP)
    process.start("--local").ready()
    server = url_of(process)
    done = subprocess.run(
        [sys.executable, "-c", "import shop; shop.work.send('a')"],
        cwd=process.directory,
        env={**process.environment, **_as_exported(process)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wait_until(lambda: process.journal.words("ran") == ["a"], what=lambda: process.text)
    assert process.stop() == 0
    process.nothing_left()
    assert server


def _as_exported(process) -> dict[str, str]:
    (line,) = [line.strip() for line in process.output if line.strip().startswith("export ")]
    return dict(word.split("=", 1) for word in shlex.split(line)[1:])


@pytest.mark.slow
def test_dev_is_local_and_reload_with_short_waits_and_one_worker(supervisor):
    """What the file says of these wins."""
    up = supervisor(NOWHERE, APP)
    up.file.write_text(
        "app: shop:app\nsupervisor: {log_format: text}\nqueues: {tests: {}, orders.fifo: {workers: 2}}\n"
    )
    up.start("--dev")
    assert up.verb("wait", "--timeout", "30").returncode == 0
    text = up.verb("status").stdout
    assert re.search(r"^tests .* \d/1 ", text, re.MULTILINE), text
    assert re.search(r"^orders.fifo .* \d/2 ", text, re.MULTILINE), text
    up.app(APP.replace('note("ran", name)', 'note("ran", name, "anew")'))
    up.wait_for("hand_over", 2)
    up.wait_for("stopping", 2)  # The old ones know it: they keep nothing that they receive.
    send(up, "work", '{"name": "a"}')
    wait_until(lambda: up.journal.words("ran"), what=lambda: up.text)
    assert up.journal.lines()[0][:3] == ["ran", "a", "anew"]
    assert up.stop() == 0


def test_a_server_of_a_test_ends_when_it_is_killed_mid_way():
    """LocalSQS in any process: its child does not outlive it."""
    code = (
        "import os, signal; from squids.testing.local_sqs import LocalSQS; s = LocalSQS.start();"
        "print(s.process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, MARKER: "local"},
        check=False,
    )
    pid = int(done.stdout)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}") or "\nState:\tZ" in _status(pid), what="it ended")


def _status(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/status") as file:
            return file.read()
    except OSError:
        return "\nState:\tZ"


def test_two_servers_know_nothing_of_each_other():
    """Each has queues of its own."""
    one, two = LocalSQS.start(), LocalSQS.start()
    try:
        one.create(["a"])
        assert two.call("ListQueues", {}).get("QueueUrls", []) == []
    finally:
        one.stop()
        two.stop()

"""`send --wait` ends as its job did, whatever becomes of the log, of the consumer and of the supervisor."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from tests.support.processes import APP
from tests.support.waiting import wait_until
from tests.system.test_notify import Manager

LOUD = """
@app.task("tests")
def prints(lines):
    for number in range(lines):
        print(number)
"""

SILENCED = "from squids.reports import Reports\nReports.log = lambda *_, **__: None\n"
"""No report of any process of the app reaches the log. No configuration of logging can do this."""


@pytest.fixture
def begin(strict_sqs, supervisor):
    """A supervisor with these queues of one app."""

    def make(app: str = APP, queues=None, **top):
        queues = queues or {"tests": {}}
        for name in queues:
            strict_sqs.create(name)
        up = supervisor(strict_sqs.endpoint_url, app)
        up.write(queues, **top)
        up.launch()
        wait_until(lambda: up.verb("pid").returncode == 0, what=lambda: up.text)
        done = up.verb("wait", "--timeout", "60")
        assert done.returncode == 0, done.stdout + done.stderr + up.text
        return up

    return make


def arguments(task: str, **named: object) -> tuple[str, ...]:
    return ("send", task, json.dumps(named), "--wait", "--timeout", "60")


def waits_for(up, name: str, go) -> subprocess.Popen[str]:
    """A job that runs until the file `go` is there. It has started."""
    sending = up.open_verb(*arguments("wait_for", name=name, path=str(go)))
    wait_until(lambda: up.journal.words("start") == [name], what=lambda: up.text)
    return sending


def ended(sending: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its exit code, what it showed, and what it said of itself."""
    out, errors = sending.communicate(timeout=90)
    return sending.returncode, out, errors


@pytest.mark.slow
def test_the_exit_code_needs_no_line_of_the_log(begin):
    """An application that breaks logging, and levels that show nothing: none of them changes how it ends."""
    quiet = {"log_level": "CRITICAL"}
    up = begin(SILENCED + APP, defaults=quiet, supervisor=quiet)
    done = up.verb(*arguments("work", name="a"))
    assert (done.returncode, done.stderr) == (0, ""), up.text
    assert "job_" not in done.stdout, "else this shows nothing"
    for task in ("fail", "die"):
        assert up.verb(*arguments(task, name="b")).returncode == 1
    assert up.verb("stop", "tests").returncode == 0
    waiting = up.open_verb(*arguments("work", name="c"))
    says = "squids-supervisor: queue tests is stopped: waiting until it is started, for at most 60 s\n"
    assert waiting.stderr.readline() == says
    assert up.verb("start", "tests").returncode == 0
    assert ended(waiting)[::2] == (0, "")


@pytest.mark.slow
def test_it_ends_though_its_task_prints_more_than_anyone_reads_and_the_disk_is_full(begin):
    """The line of its end was lost among the others, and it waited for ever."""
    up = begin(APP + LOUD, queues={"tests": {"log_file": "/dev/full"}})
    code, out, errors = ended(up.open_verb(*arguments("prints", lines=100_000)))
    assert (code, errors) == (0, "")
    assert out.count("\n") < 100_000, "else none was lost"


@pytest.mark.slow
def test_ready_needs_no_line_of_the_log(strict_sqs, supervisor, squids_process):
    """Neither that of a queue nor that of the service."""
    strict_sqs.create("tests")
    managers = Manager(), Manager()
    try:
        up = supervisor(strict_sqs.endpoint_url, SILENCED + APP, **managers[0].variables())
        quiet = {"log_level": "CRITICAL"}
        up.write({"tests": {}}, defaults=quiet, supervisor=quiet).launch()
        assert managers[0].until("READY=1")[1] == "STATUS=1/1 queue running"
        assert up.stop() == 0
        assert up.output == []
        alone = squids_process(strict_sqs.endpoint_url, SILENCED + APP, **managers[1].variables())
        alone.start("--workers", "1", "--log-level", "CRITICAL")
        assert managers[1].until("READY=1") == ["READY=1", "STATUS=receiving"]
        assert alone.stop() == 0
    finally:
        for manager in managers:
            manager.close()


@pytest.mark.slow
def test_a_job_may_end_before_the_message_id_is_known(begin, strict_sqs):
    """SQS has the message, and its answer takes longer than the job."""
    up = begin()
    answered = strict_sqs.hold("SendMessage")
    sending = up.open_verb(*arguments("work", name="a"))
    try:
        wait_until(lambda: up.journal.words("done") == ["a"], what=lambda: up.text)
    finally:
        answered.set()
    code, out, errors = ended(sending)
    assert (code, errors) == (0, ""), out
    assert out.startswith("sent shop.work to ")


@pytest.mark.slow
def test_each_of_two_that_wait_at_once_ends_as_its_own_job(begin, tmp_path):
    up = begin(queues={"tests": {"workers": 2}})
    go = tmp_path / "go"
    slow = waits_for(up, "slow", go)
    failing = up.open_verb(*arguments("fail", name="failing"))
    assert ended(failing)[0] == 1
    assert slow.poll() is None
    go.touch()
    assert ended(slow)[0] == 0


@pytest.mark.slow
def test_a_message_that_a_stop_gave_back_is_waited_for_until_another_consumer_has_run_it(begin, tmp_path):
    """It says so once the job is stopped, not while it may still finish."""
    up = begin(queues={"tests": {"shutdown_timeout": 1}})
    go = tmp_path / "go"
    sending = waits_for(up, "a", go)
    assert up.verb("stop", "tests").returncode == 0
    says = sending.stderr.readline()
    assert says == "squids-supervisor: queue tests is stopping: waiting until it is started\n"
    go.touch()
    assert up.verb("start", "tests").returncode == 0
    code, out, errors = ended(sending)
    assert (code, errors) == (0, ""), out
    assert up.journal.words("done") == ["a"]


@pytest.mark.slow
def test_a_reload_may_give_the_queue_another_name_while_its_message_waits(begin):
    up = begin()
    assert up.verb("pause", "tests").returncode == 0
    sending = up.open_verb(*arguments("work", name="a"))
    assert "queue tests is paused" in sending.stderr.readline()
    up.write({"letters": {"queue": "tests"}})
    assert up.verb("reload").returncode == 0
    assert ended(sending)[0] == 0, up.text


@pytest.mark.slow
def test_a_consumer_that_is_killed_is_waited_for_and_its_successor_runs_the_message(begin, tmp_path):
    up = begin(queues={"tests": {"visibility_timeout": 10}})
    go = tmp_path / "go"
    sending = waits_for(up, "a", go)
    os.kill(up.pid_of("tests"), signal.SIGKILL)
    wait_until(lambda: up.journal.words("start") == ["a", "a"], what=lambda: up.text, seconds=60)
    assert sending.poll() is None
    go.touch()
    assert ended(sending)[0] == 0, up.text


@pytest.mark.slow
def test_a_supervisor_that_ends_finishes_the_job_or_says_that_the_message_was_sent(begin, tmp_path):
    up = begin(queues={"tests": {}, "paused": {}})
    go = tmp_path / "go"
    running = waits_for(up, "a", go)
    assert up.verb("pause", "paused").returncode == 0
    halted = up.open_verb(*arguments("work", name="b"), "--queue", "paused")
    assert "queue paused is paused" in halted.stderr.readline()
    assert up.verb("shutdown", "--no-wait").returncode == 0
    go.touch()
    assert ended(running)[::2] == (0, "")
    code, _, errors = ended(halted)
    assert code == 4
    assert errors.endswith("ended before it answered; the message was sent\n")


@pytest.mark.slow
def test_messages_of_one_group_end_in_their_order(begin, tmp_path):
    app = APP.replace('"tests")\ndef', '"tests.fifo")\ndef')
    up = begin(app, queues={"tests.fifo": {"workers": 2, "retry_delay": 1}})
    go = tmp_path / "go"

    def send(task: str, name: str, **named: object) -> subprocess.Popen[str]:
        options = {"MessageGroupId": "a", "MessageDeduplicationId": name}
        return up.open_verb(*arguments(task, name=name, **named), "--options", json.dumps(options))

    first = send("wait_for", "first", path=str(go))
    wait_until(lambda: up.journal.words("start") == ["first"], what=lambda: up.text)
    failing = send("fail", "failing", until=2)
    assert failing.stdout.readline().startswith("sent ")
    last = send("work", "last")
    assert last.stdout.readline().startswith("sent ")
    go.touch()
    assert [ended(sending)[0] for sending in (first, failing, last)] == [0, 1, 0]
    assert up.journal.words("done") == ["first", "failing", "last"]

"""The `squids` command as a person types it: what it takes, what it says, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import squids.cli.consume
from squids.options import OPTIONS
from tests.support.native import NATIVE_THREAD
from tests.support.processes import APP, call
from tests.support.waiting import wait_until


def run(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, "-m", "squids", *arguments],
        cwd=directory,
        env={**clean, "AWS_EC2_METADATA_DISABLED": "true", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("app", "file", "code", "says"),
    [
        ("shop.app", None, 78, "no module shop"),
        ("shoop.app", "app = 1", 78, "did you mean shop?"),
        ("shop.ap", "import squids\napp = squids.App('x')", 78, "did you mean app?"),
        ("shop:app", "app = 5", 78, "is an int, not a squids.App"),
        ("shop:make", "def make(): pass", 78, "is a function, not a squids.App"),
        ("shop:shop", "import squids\nshop = squids\napp = squids.App('x')", 78, "did you mean shop:app?"),
        ("shop", "", 78, "write module.app or module:app"),
        ("shop.app", "import no_such_thing", 1, "No module named 'no_such_thing'"),
        ("shop.app", "def f():\n    1 / 0\nf()", 1, "ZeroDivisionError"),
        ("shop.app", "def broken(:", 1, "SyntaxError"),
        ("shop.app", "import sys; sys.exit(0)", 1, "SystemExit"),
        ("shop.app", "import squids\napp = squids.App('x', {'region': 1})", 1, 'did you mean "region_name"'),
    ],
)
def test_an_app_that_is_not_there(tmp_path, app, file, code, says):
    """A wrong --app is one clear answer with the right exit code, and never our own traceback."""
    if file is not None:
        (tmp_path / "shop.py").write_text(file)
    done = run(tmp_path, "--queue", "q", "--app", app, AWS_DEFAULT_REGION="us-east-1")
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    if code == 78:
        assert len(done.stderr.splitlines()) == 1
    else:
        assert "loading.py" not in done.stderr
        assert "importlib" not in done.stderr


def test_no_region_is_78(tmp_path):
    """Without a region nothing can work, and a restart cannot fix it."""
    (tmp_path / "shop.py").write_text(APP)
    done = run(tmp_path, "--queue", "q", "--app", "shop.app", "--workers", "1", HOME=str(tmp_path))
    assert done.returncode == 78, done.stderr
    assert "AWS_DEFAULT_REGION" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--app", "shop.app"], "--queue"),
        (["--queue", "q"], "--app"),
        (["--queue", "q", "--app", "a.b", "--workers", "-1"], "--workers: -1 is less than 0"),
        (
            ["--queue", "q", "--app", "a.b", "--workers", "0", "--prefetch", "5"],
            "--prefetch: with --workers 0",
        ),
        (["--queue", "q", "--app", "a.b", "--workers", "0", "--reload"], "--workers 0"),
        (["--queue", "q", "--app", "a.b", "--polling-wait-time", "21"], "--polling-wait-time"),
        (["--queue", "q", "--app", "a.b", "--visibility-timeout", "43200"], "--visibility-timeout"),
        (["--queue", "q", "--app", "a.b", "--work", "1"], "unrecognized arguments: --work 1"),
        (["--queue", "not a name", "--app", "a.b"], "is not a queue's name"),
        (["--queue", "arn:aws:sns:eu-west-1:1:q", "--app", "a.b"], "is not a queue's ARN"),
        (["--queue", "q", "--app", "a.b", "--shutdown-timeout", "nan"], "not a number of seconds"),
    ],
)
def test_wrong_usage_is_2(tmp_path, arguments, says):
    """A wrong command line is told in words, with exit code 2."""
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert says in done.stderr


def test_help_has_every_option_with_the_guides_meaning():
    """Each option of the one list is in the help, and none is parsed and ignored."""
    text = squids.cli.consume.build_parser().format_help()
    for option in OPTIONS:
        assert option.name.replace("_", "-") in text
    for flag in ("--queue", "--workers", "--app", "--report-interval", "--polling-wait-time"):
        assert flag in text


@pytest.mark.parametrize("method", ["fork", "exec"])
def test_exit_when_empty_ends_with_0(strict_sqs, squids_process, method):
    """With --exit-when-empty it leaves with 0 once two long polls in a row brought nothing; by both start
    methods."""
    queue = strict_sqs.create("tests")
    for number in range(25):
        strict_sqs.put("tests", call("work", str(number)))
    extra = ["--no-preload"] if method == "exec" else []
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "2", "--exit-when-empty", *extra)
    assert process.wait(60) == 0
    assert sorted(map(int, process.journal.words("done"))) == list(range(25))
    assert not queue.messages
    process.nothing_left()


def test_messages_in_backoff_do_not_keep_it(strict_sqs, squids_process):
    """--exit-when-empty does not wait for messages that failed and wait for their next try."""
    queue = strict_sqs.create("tests")
    strict_sqs.put("tests", call("fail", "x"))
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "1", "--exit-when-empty", "--retry-delay", "600")
    assert process.wait(60) == 0
    assert len(queue.messages) == 1


@pytest.mark.parametrize("what", ["queue", "server", "credentials"])
def test_exit_when_empty_does_not_wait_for_a_server(strict_sqs, squids_process, what):
    """A job with --exit-when-empty ends with 78 if SQS, the queue or the credentials are not there."""
    strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url)
    queue = "tests"
    if what == "queue":
        queue = "nothing"
    elif what == "server":
        process.environment["AWS_ENDPOINT_URL_SQS"] = "http://127.0.0.1:1"
    else:
        del process.environment["AWS_ACCESS_KEY_ID"]
        process.environment["HOME"] = str(process.directory)
    process.start("--workers", "1", "--exit-when-empty", queue=queue)
    assert process.wait(60) == 78, process.text
    assert "ERROR" in process.actions("degraded")[0]


PYTHON_THREAD = "\nimport threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"


@pytest.mark.parametrize("source", [PYTHON_THREAD, NATIVE_THREAD])
def test_an_app_that_starts_threads_is_started_the_other_way(strict_sqs, squids_process, source):
    """An app with a thread at import, of Python's or not, is named in a WARNING, and its workers are fresh
    interpreters."""
    strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url, APP + source).start("--workers", "2").ready()
    (line,) = process.actions("not_forkable")
    assert "WARNING" in line
    strict_sqs.put("tests", call("work", "a"))
    wait_until(lambda: process.journal.words("done") == ["a"])
    assert process.stop() == 0
    process.nothing_left()


def test_json_lines(strict_sqs, squids_process):
    """With --log-format json each line is one object, tracebacks included."""
    strict_sqs.create("tests")
    strict_sqs.put("tests", call("fail", "x"))
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "1", "--log-format", "json")
    wait_until(lambda: any('"task_failed"' in line for line in process.output))
    process.stop()
    events = [json.loads(line) for line in process.output]
    failure = next(event for event in events if event.get("action") == "task_failed")
    assert failure["task"] == "shop.fail"
    assert "ValueError" in failure["traceback"]
    assert {event["action"] for event in events} >= {"started", "ready", "stopping", "stopped"}


def test_titles_say_what_each_process_is(strict_sqs, squids_process):
    """`ps` tells main, zygote and workers apart."""
    strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "2").ready()
    process.workers(2)
    titles = set(process.processes().values())
    assert titles == {
        "squids: tests main",
        "squids: tests zygote",
        "squids: tests worker 1",
        "squids: tests worker 2",
    }
    assert process.stop() == 0


def test_workers_default_to_the_cpus_it_may_use(strict_sqs, squids_process):
    """The default number of workers follows the affinity."""
    strict_sqs.create("tests")
    one = min(os.sched_getaffinity(0))
    process = squids_process(strict_sqs.endpoint_url)
    process.start(preexec=lambda: os.sched_setaffinity(0, {one})).ready()
    assert "workers=1" in process.actions("started")[0]
    assert process.stop() == 0


@pytest.mark.parametrize("form", ["url", "arn"])
def test_a_queue_by_url_or_arn(strict_sqs, squids_process, form):
    """A queue may be named by URL, whose host is then spoken to, or by ARN."""
    strict_sqs.create("tests")
    strict_sqs.put("tests", call("work", "a"))
    process = squids_process(strict_sqs.endpoint_url)
    if form == "url":
        del process.environment["AWS_ENDPOINT_URL_SQS"]
        queue = strict_sqs.url("tests")
    else:
        del process.environment["AWS_DEFAULT_REGION"]
        queue = "arn:aws:sqs:eu-west-1:123456789012:tests"
    process.start("--workers", "1", queue=queue)
    wait_until(lambda: process.journal.words("done") == ["a"])
    assert process.stop() == 0
    if form == "arn":
        lookup = next(data for _, action, data in strict_sqs.requests if action == "GetQueueUrl")
        assert lookup["QueueOwnerAWSAccountId"] == "123456789012"

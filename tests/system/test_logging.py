"""An application configures logging as it likes: what squids reports is in the log, and its own handlers stay."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support import journal
from tests.support.processes import call
from tests.support.waiting import wait_until

TASKS = (
    journal.SOURCE
    + """
import os, signal
import squids

app = squids.App("shop")

@app.task(os.environ["QUEUE"])
def fail():
    logging.getLogger("shop").warning("about to fail")
    raise LookupError("nothing to ship")

@app.task(os.environ["QUEUE"])
def die(path):
    if not os.path.exists(path):
        open(path, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)

@app.task(os.environ["QUEUE"])
def work(name):
    note("ran", name)
"""
)

WAYS = {
    "dictconfig": "logging.config.dictConfig({'version': 1})",
    "fileconfig": "logging.config.fileConfig(io.StringIO('[loggers]\\nkeys=root\\n[handlers]\\nkeys=\\n[formatters]\\n"
    "keys=\\n[logger_root]\\nhandlers=\\n'))",
    "disable": "logging.disable(logging.CRITICAL)",
    "filter": "logging.getLogger('squids').addFilter(lambda record: False)",
    "level": "logging.getLogger().setLevel(100); logging.getLogger('squids').setLevel(100)",
    "propagate": "logging.getLogger('squids').propagate = False",
    "handlers": "logging.basicConfig(filename=os.environ['QUEUE'] + '.log', level='INFO')",
}  # fmt: skip


@pytest.fixture
def begin(strict_sqs, supervisor):
    """A supervisor with a queue and an app for each way."""

    def make(ways):
        up = supervisor(strict_sqs.endpoint_url, "")
        for way in ways:
            strict_sqs.create(way)
            code = f"import io, logging, logging.config, os\n{WAYS[way]}\n{TASKS}"
            (up.directory / f"{way}.py").write_text(code)
        up.write({way: {"app": f"{way}:app", "environment": {"QUEUE": way}} for way in ways})
        return up.up()

    return make


def test_reports_are_in_the_log_whatever_an_application_does(begin, strict_sqs):
    """That it receives, what fails and why, a worker that was lost, a drain; `send --wait` ends, too."""
    up = begin(WAYS)
    sends = {way: up.open_verb("send", "--wait", f"{way}.work", '{"name": "sent"}') for way in WAYS}
    for way, sent in sends.items():
        out, errors = sent.communicate(timeout=60)
        assert sent.returncode == 0, f"{way}: {out}{errors}{up.text}"
        strict_sqs.put(way, call("fail", module=way))
        strict_sqs.put(way, call("die", f"{way}.died", module=way))
    for way in WAYS:
        wait_until(
            lambda way=way: (
                any(f"ERROR   {way}: task failed: LookupError: nothing to ship" in line for line in up.output)
                and any(f"ERROR   {way}: task lost, its worker" in line for line in up.output)
            ),
            what=lambda way=way: f"the failures of {way}\n{up.text}",
        )
    assert up.stop() == 0
    for way in WAYS:
        assert f"INFO    {way}: receiving" in up.text
        assert f"INFO    {way}: stopped by the supervisor: draining" in up.text
        assert f"INFO    {way}: stopped" in up.text
    theirs = (up.directory / "handlers.log").read_text()
    assert "WARNING:shop:about to fail" in theirs
    assert "ERROR:squids:task failed: LookupError: nothing to ship" in theirs


def test_one_queue_alone_reports_too(strict_sqs, squids_process):
    """And what the application prints by a handler of its own is in its own format."""
    strict_sqs.create("tests")
    setup = (
        "logging.config.dictConfig({'version': 1, 'handlers': {'out': {'class': 'logging.StreamHandler'}}, "
    )
    setup += "'root': {'handlers': ['out'], 'level': 'INFO'}})"
    code = f"import logging, logging.config\n{setup}\n{TASKS}"
    up = squids_process(strict_sqs.endpoint_url, code, QUEUE="tests").start()
    up.ready()
    strict_sqs.put("tests", call("fail"))
    (failed,) = up.wait_for("task_failed")
    assert "task failed: LookupError: nothing to ship" in failed
    wait_until(lambda: "about to fail" in up.output, what=lambda: up.text)
    os.kill(up.pid, signal.SIGTERM)
    assert up.wait() == 0
    assert [line for line in up.output if "nothing to ship" in line and "failed" in line] == [failed]
    assert len(up.actions("stopping")) == 1

"""An application configures logging as it likes: what squids reports is in the log, and its own handlers stay."""

from __future__ import annotations

import json
import os
import signal

import pytest
import yaml

from tests.support import journal
from tests.support.processes import call
from tests.support.saving import save
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


def to_file(name, **root):
    """A configuration of logging: records go to this file."""
    handler = {"class": "logging.FileHandler", "filename": name, "formatter": "brief"}
    return {
        "formatters": {"brief": {"format": "%(name)s: %(message)s"}},
        "handlers": {"file": handler},
        "root": {"handlers": ["file"], "level": "INFO", **root},
    }


def in_file(up, name, text):
    path = up.directory / name
    wait_until(
        lambda: path.exists() and text in path.read_text(), what=lambda: f"{text} in {name}\n{up.text}"
    )


OWN = "import logging\nlogging.getLogger('shop').warning('imported')\n" + TASKS


@pytest.mark.parametrize("preload", [True, False], ids=["forked", "fresh"])
def test_the_operators_configuration_is_there_before_the_app_and_changes_with_the_file(
    strict_sqs, supervisor, preload
):
    """In its consumer and its workers, for one queue; another has its own; reports are in the log as well."""
    for queue in ("tests", "others"):
        strict_sqs.create(queue)
    up = supervisor(strict_sqs.endpoint_url, "")
    (up.directory / "tests.py").write_text(OWN)
    (up.directory / "others.py").write_text(OWN)
    (up.directory / "log.yaml").write_text(yaml.safe_dump(to_file("one.log")))
    queues = {
        name: {"app": f"{name}:app", "environment": {"QUEUE": name}, "preload": preload}
        for name in ("tests", "others")
    }
    queues["others"]["logging"] = to_file("other.log", level="ERROR")
    up.write(queues, logging="log.yaml").up()
    strict_sqs.put("tests", call("fail", module="tests"))
    strict_sqs.put("others", call("fail", module="others"))
    for name in ("tests", "others"):
        wait_until(
            lambda name=name: any(f"ERROR   {name}: task failed" in line for line in up.output),
            what=lambda: up.text,
        )
    for text in (
        "shop: imported",
        "squids: receiving",
        "shop: about to fail",
        "squids: task failed: LookupError",
    ):
        in_file(up, "one.log", text)
    in_file(up, "other.log", "squids: task failed: LookupError")
    assert "about to fail" not in (up.directory / "other.log").read_text() + up.text
    save(up.directory / "log.yaml", yaml.safe_dump(to_file("two.log")))
    done = up.verb("reload")
    assert "~ tests: logging" in done.stdout, done
    up.verb("wait", "--timeout", "30")
    strict_sqs.put("tests", call("fail", module="tests"))
    in_file(up, "two.log", "shop: about to fail")
    assert up.stop() == 0


def test_what_the_app_configures_afterwards_counts(strict_sqs, squids_process):
    """And a configuration that cannot be is refused by its key, without a traceback of logging's."""
    strict_sqs.create("tests")
    setup = "import logging\nlogging.basicConfig(filename='apps.log', level='INFO', force=True)\n"
    up = squids_process(strict_sqs.endpoint_url, setup + TASKS, QUEUE="tests")
    (up.directory / "log.yaml").write_text(yaml.safe_dump(to_file("operators.log")))
    up.start("--logging", "log.yaml").ready()
    strict_sqs.put("tests", call("fail"))
    in_file(up, "apps.log", "about to fail")
    assert up.stop() == 0
    assert (up.directory / "operators.log").read_text() == ""
    (up.directory / "log.yaml").write_text("handlers: {a: {class: shop.Nothing}}")
    up.output.clear()
    up.start("--logging", "log.yaml")
    assert up.wait() == 78
    assert up.text.splitlines()[-1].startswith("squids: logging: handlers.a: Cannot resolve 'shop.Nothing'")
    assert "Traceback" not in up.text


def test_a_save_of_it_is_a_change_under_reload_and_a_mistake_in_it_is_said(strict_sqs, supervisor):
    strict_sqs.create("tests")
    up = supervisor(strict_sqs.endpoint_url, TASKS, QUEUE="tests")
    (up.directory / "log.yaml").write_text(yaml.safe_dump(to_file("one.log")))
    up.write({"tests": {}}, logging="log.yaml").start("--reload")
    in_file(up, "one.log", "squids: receiving")
    save(up.directory / "log.yaml", "root: {handlers: [nothing]}")
    wait_until(
        lambda: "log.yaml:1:19: root.handlers.0: nothing is not one of the handlers" in up.text,
        what=lambda: up.text,
    )
    save(up.directory / "log.yaml", yaml.safe_dump(to_file("two.log")))
    in_file(up, "two.log", "squids: receiving")
    assert up.stop() == 0


FORMATTED = (
    TASKS
    + """
import json, logging, sys

class Json(logging.Formatter):
    def format(self, record):
        return json.dumps({"event": record.getMessage(), "level": record.levelname.lower(), "action": "task_failed"})

out, err, bare = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr), logging.getLogger("bare")
out.setFormatter(Json())
err.setFormatter(Json())
for name, handlers in {"to.out": [out], "to.err": [err], "bare": []}.items():
    logging.getLogger(name).handlers[:] = handlers
    logging.getLogger(name).propagate = not handlers

@app.task(os.environ["QUEUE"])
def write():
    for name in ("to.out", "to.err"):
        logging.getLogger(name).warning("by a handler " + name)
    logging.getLogger("bare").error('{"event": "by a record", "order": 7, "queue": "faked"}')

@app.task(os.environ["QUEUE"])
def write_bytes():
    for stream in (1, 2):
        os.write(stream, b"caf\\xe9 %d\\n" % stream)
        os.write(stream, "\u20ac".encode() * 200_000 + b"\\n")
        os.write(stream, b'{"not": "whole\\n')
"""
)


@pytest.fixture(params=["json", "text"])
def written(request, strict_sqs, supervisor):
    """What the supervisor writes of one task, in each format."""
    strict_sqs.create("tests")
    up = supervisor(strict_sqs.endpoint_url, FORMATTED, QUEUE="tests")
    up.write({"tests": {}}, supervisor={"log_format": request.param}).launch()
    strict_sqs.put("tests", call("write"))
    strict_sqs.put("tests", call("write_bytes"))
    wait_until(lambda: up.text.count("whole") == 2 and "by a record" in up.text, what=lambda: up.text[-2000:])
    assert up.stop() == 0
    return request.param, up.output


def test_what_the_application_formatted_is_relayed_as_it_is(written):
    """Of standard output and error alike: never wrapped or quoted. In JSON it is merged, and fakes nothing of ours."""
    style, lines = written
    if style == "text":
        ends = [line.partition(" tests/1: ")[2] for line in lines]
        for name in ("out", "err"):
            theirs = {"event": f"by a handler to.{name}", "level": "warning", "action": "task_failed"}
            assert json.dumps(theirs) in ends
        assert {"caf\ufffd 1", "caf\ufffd 2", '{"not": "whole'} <= set(ends)
        assert sum(end.count("\u20ac") for end in ends) == 400_000
        assert all(set(end) == {"\u20ac"} for end in ends if "\u20ac" in end)
        return
    events = [json.loads(line) for line in lines]
    assert not [event for event in events if event.get("action") == "task_failed"]
    for name in ("out", "err"):
        (event,) = [event for event in events if event["message"] == f"by a handler to.{name}"]
        ours = {
            "program": "tests",
            "worker": 1,
            "printed": True,
            "level": "WARNING",
            "app_action": "task_failed",
        }
        assert {key: value for key, value in event.items() if key not in ("time", "message")} == ours
    (event,) = [event for event in events if event["message"] == "by a record"]
    assert (event["level"], event["logger"], event["order"]) == ("ERROR", "bare", 7)
    assert (event["app_queue"], "queue" in event) == ("faked", False)
    assert sum(event["message"].count("\u20ac") for event in events) == 400_000
    assert '{"not": "whole' in [event["message"] for event in events]


def test_one_queue_alone_merges_records_and_leaves_what_is_printed(strict_sqs, squids_process):
    strict_sqs.create("tests")
    up = squids_process(strict_sqs.endpoint_url, FORMATTED, QUEUE="tests")
    up.start("--log-format", "json")
    strict_sqs.put("tests", call("write"))
    wait_until(lambda: "by a record" in up.text, what=lambda: up.text)
    events = [json.loads(line) for line in list(up.output) if line.startswith("{") and line.endswith("}")]
    (event,) = [event for event in events if event.get("message") == "by a record"]
    assert (event["level"], event["logger"], event["order"], event["app_queue"]) == (
        "ERROR",
        "bare",
        7,
        "faked",
    )
    for name in ("out", "err"):
        theirs = {"event": f"by a handler to.{name}", "level": "warning", "action": "task_failed"}
        assert theirs in events
    assert up.stop() == 0

"""Each recipe of the page "Logging" runs, with the real package, and the log has what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks
from tests.support.processes import call
from tests.support.sentry import running_sentry
from tests.support.waiting import wait_until

PAGE = (ROOT / "docs" / "logging.md").read_text()
RECIPES = dict(re.findall(r"^### (.+)\n((?:(?!^##).*\n)*)", PAGE.partition("## Recipes\n")[2], re.MULTILINE))

FILE = "app: shop.tasks:app\nqueues: {emails: }\n"
REPORT = "message cannot be run: the app has no task shop.tasks.nothing"
JOURNAL = 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"'

pytestmark = pytest.mark.slow


@pytest.fixture
def recipe(strict_sqs, supervisor):
    """A supervisor with a recipe's files, which has run a task, and met a message that cannot be run."""
    strict_sqs.create("emails")

    def run(name, *arguments, order=7, prefix=(), **environment):
        up = supervisor(strict_sqs.endpoint_url, "", **environment)
        (up.directory / "shop.py").unlink()
        up.file.write_text(FILE)
        for block in blocks(RECIPES[name]):
            file_name = re.match(r"# (\S+\.(?:py|yaml))\n", block.code)[1]
            path = up.directory / file_name
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.code)
        up.prefix = list(prefix)
        up.launch(*arguments)
        strict_sqs.put("emails", call("send_receipt", order, module="shop.tasks"))
        strict_sqs.put("emails", call("nothing", module="shop.tasks"))
        line_of(up, REPORT)
        return up

    return run


def line_of(up, text):
    """The first line with this text, once it is there."""
    wait_until(lambda: any(text in line for line in up.output), what=lambda: f"{text}\n{up.text}")
    return next(line for line in up.output if text in line)


def contents(path: Path, text):
    wait_until(lambda: path.exists() and text in path.read_text(), what=lambda: f"{text} in {path}")
    return path.read_text().splitlines()


def test_each_recipe_has_a_test():
    source = Path(__file__).read_text()
    assert [name for name in RECIPES if f'recipe("{name}"' not in source] == []
    assert len(RECIPES) >= 6


@pytest.mark.parametrize("arguments", [(), ("--reload",)], ids=["supervisor", "reload"])
def test_django(recipe, arguments):
    up = recipe("Django", *arguments)
    assert line_of(up, "receipt for order 7").partition("emails/")[2][1:] == (
        ": INFO shop: receipt for order 7"
    )
    contents(up.directory / "shop.log", "INFO shop: receipt for order 7")
    contents(up.directory / "shop.log", f"ERROR squids: {REPORT}")
    assert up.stop() == 0


def test_structlog(recipe):
    up = recipe("structlog")
    event = json.loads(line_of(up, "receipt"))
    assert (event["message"], event["order"], event["level"]) == ("receipt", 7, "INFO")
    assert (event["program"], event["printed"], event["task"]) == ("emails", True, "shop.tasks.send_receipt")
    assert event["message_id"]
    assert json.loads(line_of(up, REPORT))["action"] == "bad_message"
    assert up.stop() == 0


def test_loguru(recipe):
    up = recipe("loguru")
    line = line_of(up, "receipt for order 7")
    assert re.search(r" INFO    emails/\d: shop.tasks: receipt for order 7 order=7$", line)
    assert "fresh interpreter" not in up.text
    assert "INFO receipt for order 7" in contents(up.directory / "shop.log", "receipt for order 7")
    assert up.stop() == 0


def test_sentry(recipe):
    with running_sentry() as server:
        up = recipe("Sentry", order=13, SENTRY_DSN=server.dsn)
        assert re.search(r" ERROR   emails/\d: shop: order 13 is unlucky$", line_of(up, "unlucky"))
        assert up.stop() == 0
    (event,) = [event for event in server.events if "logentry" in event]
    assert event["logentry"]["formatted"] == "order 13 is unlucky"
    assert "receipt for order 13" in [crumb["message"] for crumb in event["breadcrumbs"]["values"]]
    failures = [event for event in server.events if "exception" in event]
    assert {event["exception"]["values"][-1]["type"] for event in failures} == {"UnknownTask"}


def test_the_journal(recipe):
    up = recipe("The journal", prefix=["sh", "-c", JOURNAL, "sh"])
    assert re.fullmatch(r"<3>emails/\d: shop: no receipt for order 7", line_of(up, "no receipt"))
    assert line_of(up, REPORT).startswith(f"<3>emails: {REPORT}")
    assert up.stop() == 0


def test_json_by_dictconfig(recipe):
    up = recipe("JSON by dictConfig")
    event = json.loads(line_of(up, "receipt"))
    expected = {"message": "receipt", "order": 7, "level": "INFO", "logger": "shop", "printed": True}
    assert {key: event[key] for key in expected} == expected
    assert json.loads(line_of(up, REPORT))["action"] == "bad_message"
    assert up.stop() == 0

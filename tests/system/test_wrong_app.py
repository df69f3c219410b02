"""An app that is configured wrongly: each command says in one line what is wrong, and which line of the app it is."""

from __future__ import annotations

import pytest

from tests.support.processes import APP
from tests.support.waiting import wait_until

CONTRADICTS = APP.replace('squids.App("tests")', 'squids.App("tests", queue_prefix="qa-")')

PREFIX = {"SQUIDS_QUEUE_PREFIX": "staging-"}

SENTENCE = 'queue_prefix is "qa-", but SQUIDS_QUEUE_PREFIX is "staging-": remove one'


def line_of(app: str) -> str:
    return f"shop.py:{1 + app[: app.index('squids.App(')].count(chr(10))}: {SENTENCE}"


def test_squids_names_the_line_of_the_app(moto_url, squids_process):
    process = squids_process(moto_url, app=CONTRADICTS, **PREFIX).start("--workers", "1")
    assert process.wait() == 78
    assert process.output == [f"squids: {line_of(CONTRADICTS)}"]


def test_the_supervisor_and_its_verbs_say_the_same(moto_url, supervisor):
    """The program is not started again: a restart cannot mend it."""
    up = supervisor(moto_url, app=CONTRADICTS, **PREFIX)
    up.write({"tests": {}}).start()
    wait_until(lambda: up.state("tests") == "fatal", what=lambda: up.text)
    line = line_of(CONTRADICTS)
    assert line in up.status()["tests"]["reason"]
    assert line in up.verb("why", "tests").stdout
    for verb in (("check",), ("tasks",), ("send", "work", '{"name": "a"}')):
        done = up.verb(*verb)
        assert done.returncode != 0
        assert line in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
    assert "Traceback" not in up.text
    assert up.stop() == 0


@pytest.mark.parametrize("preload", [True, False])
def test_what_the_app_raises_itself_is_said_the_same_way(moto_url, supervisor, preload):
    """Whether the fork server imports the app or each process does."""
    app = (
        APP
        + '\nif "SHOP_KEY" not in os.environ:\n    raise squids.ConfigurationError("SHOP_KEY is not set")\n'
    )
    up = supervisor(moto_url, app=app)
    up.write({"tests": {"preload": preload}}).start()
    wait_until(lambda: up.state("tests") == "fatal", what=lambda: up.text)
    assert f"shop.py:{app.count(chr(10))}: SHOP_KEY is not set" in up.status()["tests"]["reason"]
    assert "Traceback" not in up.text
    assert up.stop() == 0

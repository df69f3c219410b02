"""`--app "module:factory()"`: wherever an app is named, a function may make it."""

from __future__ import annotations

import json

from tests.support.processes import APP
from tests.support.saving import save
from tests.support.waiting import wait_until

FACTORY = (
    APP
    + """
def make(queue, *, name="made"):
    made = squids.App(name)

    @made.task(queue, name=f"{name}.work")
    def work(text):
        note("done", name, text)

    return made
"""
)


def body(task: str, text: str) -> str:
    return json.dumps({"task": task, "args": [text]})


def test_squids_calls_a_factory(strict_sqs, squids_process):
    strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url, app=FACTORY)
    process.start("--app", 'shop:make("tests", name="shop")').ready()
    strict_sqs.put("tests", body("shop.work", "a"))
    wait_until(lambda: process.journal.words("done") == ["shop"], what=lambda: process.text)
    assert process.stop() == 0


def test_the_supervisor_and_its_verbs_call_a_factory(strict_sqs, supervisor):
    """Queues with other arguments are other apps; a reload runs the new code."""
    for queue in ("tests", "others"):
        strict_sqs.create(queue)
    process = supervisor(strict_sqs.endpoint_url, app=FACTORY)
    process.write(
        {
            "tests": {"app": "shop:make('tests')"},
            "others": {"app": "shop:make('others', name='other')", "preload": False},
        }
    )
    assert process.verb("check").returncode == 0
    assert "other.work(text)" in process.verb("tasks").stdout
    process.up()
    assert process.verb("send", "other.work", '{"text": "b"}', "--wait").returncode == 0
    source = (process.directory / "shop.py").read_text()
    save(process.directory / "shop.py", source.replace('note("done", name, text)', 'note("new", name, text)'))
    done = process.verb("restart", "--rolling", "tests")
    assert done.returncode == 0, done.stderr
    strict_sqs.put("tests", body("made.work", "c"))
    wait_until(lambda: process.journal.words("new") == ["made"], what=lambda: process.text)
    assert process.journal.words("done") == ["other"]
    process.write({"tests": {"app": "shop:make()"}})
    done = process.verb("check")
    assert done.returncode == 78
    assert "missing a required argument: 'queue'; write the arguments of shop:make(queue, *" in done.stdout
    process.write({"tests": {"app": "shop:make(queue)"}})
    assert "the arguments of a factory are literals" in process.verb("reload").stderr
    assert process.stop() == 0

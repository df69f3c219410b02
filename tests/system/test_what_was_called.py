"""What was called is what ran: a task is done only if its work was."""

from __future__ import annotations

import re
from base64 import b64encode

from tests.support.processes import APP, call
from tests.support.waiting import wait_until

TASKS = (
    APP
    + """
async def send(name):
    note("sent", name)

@app.task("tests")
def forgotten(name):
    return send(name)

@app.task("tests")
def interrupted(name):
    note("start", name)
    raise KeyboardInterrupt

@app.task("tests")
def exits(name):
    sys.exit()

@app.on_failure
def tell(job, error):
    note("told", type(error).__name__)
"""
)


def blocks(text: str, action: str) -> dict[str, str]:
    """By its task, each log line of this action with the lines that follow it, until the next one."""
    found = re.split(r"(?m)^(?=\d{4}-\d\d-\d\d )", text)
    mine = [block for block in found if f"action={action}" in block]
    return {task[1]: block for block in mine if (task := re.search(r"\btask=(\S+)", block))}


def test_what_did_not_run_to_its_end_has_failed_with_words_and_its_message_is_kept(
    strict_sqs, squids_process
):
    """In a worker, as in one's own process."""
    queue = strict_sqs.create("tests", visibility=3600)
    process = squids_process(strict_sqs.endpoint_url, app=TASKS)
    process.start("--workers", "1", "--no-retry-delay").ready()
    for name in ("forgotten", "interrupted", "exits", "work"):
        strict_sqs.put("tests", call(name, name))
    process.wait_for("task_failed", 3)
    wait_until(lambda: process.journal.words("done") == ["work"], what=lambda: process.text)
    wait_until(lambda: len(queue.messages) == 3)
    assert process.stop() == 0
    assert process.journal.words("sent") == []
    assert sorted(process.journal.words("told")) == ["KeyboardInterrupt", "NeverRan", "SystemExit"]
    assert "RuntimeWarning" not in process.text
    failed = blocks(process.text, "task_failed")
    assert "shop.forgotten returned a coroutine of send (" in failed["shop.forgotten"]
    for name, error in (("interrupted", "KeyboardInterrupt"), ("exits", "SystemExit")):
        text = failed[f"shop.{name}"]
        assert f"in {name}\n" in text and text.rstrip().endswith(error)
        assert "execute.py" not in text and "worker_main.py" not in text


ENCODED = TASKS.replace('squids.App("tests")', 'squids.App("tests", json=Encoded)').replace(
    "import squids\n",
    """import squids
import base64, json

class Encoded:
    def dumps(body):
        return base64.b64encode(json.dumps(body).encode())

    def loads(body):
        return json.loads(base64.b64decode(body))
""",
)


def test_an_interrupted_task_is_named_whatever_its_messages_are_encoded_with(strict_sqs, squids_process):
    """The app's own codec decodes them, `App(json=...)`."""
    strict_sqs.create("tests", visibility=3600)
    process = squids_process(strict_sqs.endpoint_url, app=ENCODED).start("--workers", "1").ready()
    strict_sqs.put("tests", b64encode(call("interrupted", "a").encode()).decode())
    process.wait_for("task_failed")
    assert process.stop() == 0
    assert [*blocks(process.text, "task_failed")] == ["shop.interrupted"]

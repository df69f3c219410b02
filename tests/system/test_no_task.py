"""An app with no task for its queue: said at the start, and wherever one looks."""

from __future__ import annotations

from tests.support.waiting import wait_until

SAYS = "the app has no task for the queue others; it has tasks for: tests."


def test_squids_says_at_the_start_that_the_app_has_no_task_for_its_queue(strict_sqs, squids_process):
    for queue in ("tests", "others"):
        strict_sqs.create(queue)
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "1", queue="others").ready()
    (line,) = process.actions("no_task")
    assert SAYS in line and "WARNING" in line
    assert process.stop() == 0
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "1").ready()
    assert process.stop() == 0
    assert process.actions("no_task") == []


def test_so_do_the_supervisors_log_status_and_why(strict_sqs, supervisor):
    """With either start method. It is no failure: messages may name tasks of other queues."""
    for queue in ("tests", "others"):
        strict_sqs.create(queue)
    process = supervisor(strict_sqs.endpoint_url)
    process.write({"tests": {}, "others": {}, "fresh": {"queue": "others", "preload": False}}).up()
    process.wait_for("no_task", 2)
    wait_until(
        lambda: (
            {name: entry["warnings"] != [] for name, entry in process.status().items()}
            == {"tests": False, "others": True, "fresh": True}
        ),
        what=lambda: str(process.status()),
    )
    assert process.status()["others"]["warnings"][0].startswith(SAYS)
    done = process.verb("status")
    assert done.returncode == 0
    assert done.stdout.count(SAYS) == 2
    assert f"warning: {SAYS}" in process.verb("why", "others").stdout
    assert process.stop() == 0
    assert len(process.actions("no_task")) == 2

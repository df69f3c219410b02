"""Django's `TASKS` in real processes: enqueued by one that serves the web, run by workers. Needs Django 6."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("django.tasks", reason="Django's TASKS needs Django 6, which needs Python 3.12")

from tests.support import journal
from tests.support.processes import SquidsProcess
from tests.support.servers import CREDENTIALS
from tests.support.supervisors import SupervisorProcess
from tests.support.waiting import wait_until

APP = """
from squids.contrib.django import App

app = App("tests", settings="project")
"""

PROJECT = {
    "project.py": """
SECRET_KEY = "of a test"
DEBUG = True  # Django's own log is on the console then.
INSTALLED_APPS = ["squids.contrib.django", "mail"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
SQUIDS_APP = "shop:app"
TASKS = {
    "default": {
        "BACKEND": "squids.contrib.django.TaskBackend",
        "QUEUES": ["default"],
        "OPTIONS": {"SQS_QUEUES": {"default": "tests"}, "PRIORITY_QUEUES": {50: "{queue}-urgent"}},
    }
}
""",
    "mail/__init__.py": "",
    "mail/tasks.py": journal.SOURCE
    + """
from asgiref.sync import sync_to_async
from django.db import connection
from django.tasks import task

@task(takes_context=True)
def send(context, to):
    note("send", to, context.attempt, context.task_result.id)
    if context.attempt == 1:
        raise ValueError("try again")

def count():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 7")
        return cursor.fetchone()[0]

@task
async def send_later(to):
    note("later", to, await sync_to_async(count)())
""",
    # Imported by no one before a message names its task.
    "mail/reports.py": journal.SOURCE
    + """
from django.tasks import task

@task
def report(month):
    \"\"\"Write the report of a month.\"\"\"
    note("report", month)
""",
}


def install(process: SquidsProcess) -> SquidsProcess:
    for name, text in PROJECT.items():
        path = process.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return process


def enqueue(process: SquidsProcess, code: str) -> list[str]:
    """Run code in another process, as a view would run there; its lines."""
    environment = {**process.environment, "DJANGO_SETTINGS_MODULE": "project"}
    setup = "import asyncio, django\ndjango.setup()\nfrom mail.tasks import send, send_later\n"
    done = subprocess.run(
        [sys.executable, "-c", setup + code],
        cwd=process.directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_what_one_process_enqueues_runs_in_a_worker_and_a_failure_is_said_once(strict_sqs, squids_process):
    strict_sqs.create("tests")
    strict_sqs.create("tests-urgent")
    process = install(squids_process(strict_sqs.endpoint_url, app=APP))
    process.start("--workers", "1", "--retry-delay", "0").ready()
    (sent, later) = enqueue(
        process,
        "print(send.enqueue('ada').id, asyncio.run(send_later.aenqueue(to='eve')).id)\n"
        "from mail.reports import report\n"
        "report.enqueue(11)\n",
    )
    written = process.journal
    wait_until(lambda: len(written.lines()) == 4, what=lambda: process.text)
    assert sorted(line[:-1] for line in written.lines()) == [
        ["later", "eve", "7"],
        ["report", "11"],
        ["send", "ada", "1", sent],
        ["send", "ada", "2", sent],
    ]
    assert later != sent
    wait_until(lambda: not strict_sqs.queues["tests"].messages, what=lambda: process.text)
    assert process.stop() == 0
    (failed,) = process.actions("task_failed")
    assert "task=mail.tasks.send" in failed
    assert "Task id=" not in process.text
    assert process.text.count("Traceback") == 1


def test_the_queue_of_a_priority_is_consumed_like_any_other(strict_sqs, squids_process):
    """No task is of it alone, and nothing warns that it has none."""
    strict_sqs.create("tests-urgent")
    process = install(squids_process(strict_sqs.endpoint_url, app=APP))
    process.start("--workers", "1", queue="tests-urgent").ready()
    enqueue(process, "send_later.using(priority=60).enqueue('ada')")
    wait_until(lambda: process.journal.words("later") == ["ada"], what=lambda: process.text)
    assert process.stop() == 0
    assert "no task" not in process.text


def test_verbs_know_the_tasks_by_the_names_that_django_gives_them(strict_sqs, tmp_path):
    strict_sqs.create("tests")
    environment = {**CREDENTIALS, "AWS_ENDPOINT_URL_SQS": strict_sqs.endpoint_url}
    process = install(SupervisorProcess(tmp_path, environment, app=APP))
    assert isinstance(process, SupervisorProcess)
    process.write({"tests": {}})
    try:
        shown = process.verb("tasks").stdout
        assert "mail.tasks.send" in shown and "(to)" in shown and "context" not in shown
        assert process.verb("check").returncode == 0
        process.up("tests")
        sent = process.verb("send", "send_later", '{"to": "ada"}', "--wait")
        assert sent.returncode == 0, sent.stdout + sent.stderr + process.text
        assert process.journal.words("later") == ["ada"]
    finally:
        process.close()

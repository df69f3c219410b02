"""A Django project whose tasks run in real processes: by manage.py, by `squids`, and beside its web process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.support.django_project import APP, SETTINGS, TASKS, write_project
from tests.support.postgres import postgres
from tests.support.processes import SquidsProcess, call, run_python
from tests.support.sentry import sentry_server as sentry_server
from tests.support.waiting import wait_until

SQUIDS = [sys.executable, "-m", "squids", "--app"]

Project = Callable[..., SquidsProcess]


@pytest.fixture
def queue(strict_sqs):
    return strict_sqs.create("tests")


@pytest.fixture
def project(squids_process, strict_sqs) -> Project:
    """Make a project, and a `manage.py squids` that is started in its directory."""

    def make(changed: dict[str, str] | None = None, **environment: str) -> SquidsProcess:
        process = squids_process(strict_sqs.endpoint_url, **environment)
        manage = write_project(process.directory, changed)
        process.command = [sys.executable, str(manage), "squids"]
        return process

    return make


def run(process: SquidsProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an interpreter in the project's directory."""
    return run_python(arguments, process.directory, process.environment)


def put(strict_sqs, task: str, *names: str) -> None:
    for name in names:
        strict_sqs.put("tests", call(task, name, module="orders.tasks"))


def done(process: SquidsProcess, *names: str) -> list[list[str]]:
    """What these jobs noted, once all have: their names and more."""
    wait_until(lambda: set(names) <= set(process.journal.words("done")), what=lambda: process.text)
    return [line[1:-1] for line in process.journal.lines() if line[0] == "done"]


@pytest.mark.parametrize("start", [(), ("--no-preload",)], ids=["forked", "fresh"])
def test_manage_py_runs_the_tasks_of_the_installed_apps(project, strict_sqs, queue, start):
    """With the language of the settings in each job. In a process that imports, an app is ready once, though it
    imports its tasks itself."""
    process = project().start("--workers", "1", *start).ready()
    put(strict_sqs, "work", "a", "b")
    expected = [[name, "settings", "en-us", "orders.Order"] for name in ("a", "b")]
    assert sorted(done(process, "a", "b")) == expected
    assert process.stop() == 0
    imports = process.journal.pids("ready")
    imports.remove(process.pid)  # manage.py becomes the consumer: one process, which imports as either.
    assert len(imports) == len(set(imports))


def test_settings_and_path_of_manage_py_hold_in_all_processes(project, strict_sqs, queue, tmp_path):
    """It is started elsewhere, with settings in a folder that only manage.py was told of."""
    process = project()
    for name in ("webshop", "orders", "untasked"):
        (process.directory / name).rename(tmp_path / f"was_{name}")
    manage = write_project(tmp_path / "project")
    extra = tmp_path / "extra"
    extra.mkdir()
    (extra / "other_settings.py").write_text('from webshop.settings import *\nMARK = "other"\n')
    options = ["--settings=other_settings", f"--pythonpath={extra}"]
    process.command = [sys.executable, str(manage), "squids", *options]
    process.start("--workers", "1", "--no-preload").ready()
    put(strict_sqs, "work", "a")
    assert done(process, "a")[0][1] == "other"
    assert process.stop() == 0


VIEWED = """
import os
import django

os.environ["DJANGO_SETTINGS_MODULE"] = "webshop.settings"
django.setup()

from django.test import Client
from squids.contrib.django import get_app

assert Client().post("/orders/a").content == b"placed"

import orders.tasks
import webshop.squids_app

assert get_app() is orders.tasks.app is webshop.squids_app.app
"""


def test_a_web_process_has_the_same_app_and_is_set_up_once(project, queue):
    """Its views import the tasks, which import the app; nothing sets Django up again."""
    process = project()
    sent = run(process, "-c", VIEWED)
    assert sent.returncode == 0, sent.stdout
    assert len(queue.messages) == 1
    assert len(process.journal.pids("ready")) == 1


def test_the_command_squids_needs_no_manage_py(project, strict_sqs, queue):
    process = project()
    process.command = [*SQUIDS, "webshop.squids_app:app"]
    process.start("--workers", "1").ready()
    put(strict_sqs, "work", "a")
    assert done(process, "a")[0][1] == "settings"
    assert process.stop() == 0
    assert len(process.journal.pids("ready")) == 1


def test_an_import_that_fails_in_the_tasks_of_an_app_is_said_with_its_place(project):
    process = project({"orders.apps": "", "orders.tasks": "import shopping\n"}).start()
    assert process.wait() == 1
    assert 'orders/tasks.py", line 1' in process.text
    assert "No module named 'shopping'" in process.text


def test_without_settings_it_says_how_to_name_them(project):
    process = project({"webshop.squids_app": APP.replace(', settings="webshop.settings"', "")})
    process.command = [*SQUIDS, "webshop.squids_app:app"]
    assert process.start().wait() == 78
    assert 'App("shop", settings="shop.settings")' in process.text


def test_settings_that_are_not_there_are_one_line(project):
    process = project({"webshop.squids_app": APP.replace("webshop.settings", "webshop.setings")})
    process.command = [*SQUIDS, "webshop.squids_app:app"]
    assert process.start().wait() == 78
    assert process.text.strip() == (
        "squids: correct DJANGO_SETTINGS_MODULE, or settings= of the app webshop: "
        "there is no module webshop.setings; did you mean webshop.settings?"
    )


def test_an_import_that_fails_in_the_settings_is_said_with_its_place(project):
    process = project({"webshop.settings": "import shopping\n"})
    process.command = [*SQUIDS, "webshop.squids_app:app"]
    assert process.start().wait() == 1
    assert 'webshop/settings.py", line 1' in process.text


def test_what_the_command_line_lacks_has_the_exit_code_of_squids(project):
    process = project({"webshop.settings": SETTINGS.replace("SQUIDS_APP", "NO_APP")})
    missing = run(process, "manage.py", "squids", "--queue", "tests")
    assert (missing.returncode, missing.stdout.count("\n")) == (78, 1)
    assert "SQUIDS_APP =" in missing.stdout
    missing = run(process, "manage.py", "squids", "--app", "webshop.squids_app:app")
    assert (missing.returncode, missing.stdout.count("\n")) == (2, 1)
    assert "--queue" in missing.stdout


def test_an_app_that_is_not_there_is_found_by_the_checks_of_django(project):
    process = project({"webshop.settings": SETTINGS.replace("squids_app:app", "squid_app:app")}).start()
    assert process.wait() == 1
    assert "squids.E001" in process.text
    assert "did you mean webshop.squids_app?" in process.text


def test_check_shows_the_queues_of_the_tasks(project, queue):
    process = project()
    checked = run(process, "manage.py", "squids", "check", "--aws")
    assert checked.returncode == 78
    assert "tests  FAILED  has no dead-letter queue" in checked.stdout
    checked = run(process, "manage.py", "squids", "check")
    assert (checked.returncode, checked.stdout) == (0, "tests  ok      2 tasks\n")
    checked = run(process, "manage.py", "squids", "check", "--queue", "test")
    assert checked.returncode == 78
    assert "has no task for the queue test" in checked.stdout


def test_a_job_that_fails_is_one_event_at_sentry(project, strict_sqs, queue, sentry_server):
    """Sentry's own integration of Django is there, too."""
    settings = f'{SETTINGS}\nimport os, sentry_sdk\nsentry_sdk.init(dsn=os.environ["DSN"])\n'
    app = f"{APP}\nfrom squids.contrib import sentry\nsentry.install(app)\n"
    changed = {"webshop.settings": settings, "webshop.squids_app": app}
    process = project(changed, DSN=sentry_server.dsn)
    process.start("--workers", "1", "--retry-delay", "600").ready()
    put(strict_sqs, "fail", "a")
    process.wait_for("task_failed")
    assert process.stop() == 0
    (event,) = sentry_server.events
    assert event["exception"]["values"][-1]["value"] == "a"
    assert {"queue": "tests", "task": "orders.tasks.fail"}.items() <= event["tags"].items()


ON_POSTGRES = """
import os
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "postgres",
        "HOST": os.environ["PGHOST"],
        "CONN_MAX_AGE": None,
    }
}
"""

QUERIES = (
    TASKS
    + """
from django.db import connection

def backend():
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return cursor.fetchone()[0]

note("imported", backend())

@app.task("tests")
def query(name: str) -> None:
    note("done", name, backend())
"""
)

PLAIN = """
import os
import django
import squids

os.environ["DJANGO_SETTINGS_MODULE"] = "webshop.settings"
app = squids.App("webshop")

def create():
    django.setup()
    import orders.tasks
    return app
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "path"),
    [(APP, "webshop.squids_app:app"), (PLAIN, "webshop.squids_app:create()")],
    ids=["contrib", "plain"],
)
def test_a_database_that_restarts_costs_each_worker_one_job(project, strict_sqs, queue, source, path):
    """Its connections have no end of their own. The import opened one, and is forked nevertheless: no worker has
    that one. A plain App is not worse off."""
    changed = {
        "webshop.settings": SETTINGS + ON_POSTGRES,
        "webshop.squids_app": source,
        "orders.tasks": QUERIES,
    }
    before, after = [str(number) for number in range(20)], [str(number) for number in range(20, 40)]
    with postgres() as server:
        process = project(changed, PGHOST=str(server.directory))
        process.command = [*SQUIDS, path]
        process.start("--workers", "2", "--retry-delay", "0").ready()
        put(strict_sqs, "query", *before)
        backends = {backend for _, backend in done(process, *before)}
        assert len(backends) == len(set(process.journal.pids("done")))
        assert not backends & set(process.journal.words("imported"))
        server.restart()
        put(strict_sqs, "query", *after)
        done(process, *after)
        assert process.actions("not_forkable") == []
        assert len(process.actions("task_failed")) <= 2
        assert process.stop() == 0

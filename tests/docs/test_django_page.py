"""The project of the page on Django, from `startproject` to a task that has run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, commands, files
from tests.support.servers import CREDENTIALS, client

PAGE = (ROOT / "docs" / "django.md").read_text()
CONSOLE = "django.core.mail.backends.console.EmailBackend"
AT_ITS_END = "# shop/settings.py, at its end\n"


@pytest.fixture
def environment(moto_url: str) -> dict[str, str]:
    """A local SQS with the queue of the page, empty, and where the programs write mail."""
    urllib.request.urlopen(
        urllib.request.Request(f"{moto_url}/moto-api/reset", method="POST"), timeout=10
    ).close()
    client(moto_url).create_queue(QueueName="emails")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DJANGO_"))}
    return {**kept, **CREDENTIALS, "AWS_ENDPOINT_URL_SQS": moto_url, "PYTHONUNBUFFERED": "1"}


@pytest.mark.slow
def test_the_project_of_the_page_runs(tmp_path: Path, environment: dict[str, str]) -> None:
    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    ((start,), (app, *later)) = commands(PAGE, "django-admin"), commands(PAGE, "python")
    run("-m", "django", *shlex.split(start)[1:])
    run(*shlex.split(app)[1:])
    for name, code in files(PAGE).items():
        (tmp_path / name).write_text(code)
    (settings,) = [block.code for block in blocks(PAGE) if block.code.startswith(AT_ITS_END)]
    with (tmp_path / "shop" / "settings.py").open("a") as file:
        file.write(f"{settings}\n")
        # Newer versions write it in the settings themselves, by another name.
        file.write(f'if "MAILERS" not in globals():\n    EMAIL_BACKEND = "{CONSOLE}"\n')
    for command in [line for line in later if "migrat" in line]:
        run(*shlex.split(command)[1:])

    assert "OK" in run("manage.py", "test", "orders")

    place = "from django.test import Client; assert Client().post('/orders/', {'email': 'a@b.c'}).status_code == 200"
    run(
        "manage.py",
        "shell",
        "-c",
        f"from django.conf import settings; settings.ALLOWED_HOSTS = ['*']; {place}",
    )
    (check, _) = [line for line in later if line.endswith("check") or " check " in line]
    assert "emails  ok      1 task" in run(*shlex.split(check)[1:])
    (squids,) = [line for line in later if "--local" in line]
    assert squids.endswith(" --local")
    arguments = shlex.split(squids.removesuffix("--local"))[1:]
    mailed = run(*arguments, "--workers", "1", "--exit-when-empty", "--polling-wait-time", "1")
    assert "To: a@b.c" in mailed

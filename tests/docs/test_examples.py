"""The documentation's examples run, and do what the page says."""

import json
import os
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.demo_parts import LocalSQS
from tests.docs.pages import PAGES, ROOT, blocks, commands, files, script

QUEUES = ("emails", "reports", "orders.fifo")

ELSEWHERE = {"logging.md", "django.md"}
"""Pages whose files are those of projects: `tests/system/test_logging_recipes.py`, `test_django_page.py`."""

PAGES_WITH_PYTHON = [
    page
    for page in PAGES
    if page.name not in ELSEWHERE and any(b.language == "python" for b in blocks(page.read_text()))
]

RUN_PAGE = """
import importlib, runpy, sys
sys.path.insert(0, "")
for name in sys.argv[2:]:
    importlib.import_module(name)
runpy.run_path(sys.argv[1])
"""


def _page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSQS]:
    environment = _environment()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        sqs = LocalSQS(tmp_path_factory.mktemp("sqs") / "log")
    yield sqs
    sqs.stop()


@pytest.fixture
def environment(server: LocalSQS) -> dict[str, str]:
    """What a page's programs run in: a local SQS with the queues of the pages, empty."""
    reset = urllib.request.Request(f"{server.url}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset, timeout=10).close()
    for queue in QUEUES:
        server.create_queue(queue)
    return {**_environment(), "AWS_ENDPOINT_URL_SQS": server.url}


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONUNBUFFERED": "1",
    }


def _write_files(text: str, directory: Path) -> list[str]:
    modules = []
    for name, code in files(text).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
        modules.append(name.removesuffix(".py").replace("/", "."))
    return modules


def _python(
    arguments: list[str], directory: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run an interpreter to its end; what it prints is in `stdout`, errors among it."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def _run_page(page: Path, directory: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    text = page.read_text()
    modules = _write_files(text, directory)
    (directory / page.name).write_text(script(text))
    return _python(["-W", "error", "-c", RUN_PAGE, page.name, *modules], directory, environment)


@pytest.mark.parametrize("page", PAGES_WITH_PYTHON, ids=_page_name)
def test_the_python_examples_of_a_page_run(page: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    if page.stem == "django-tasks":
        pytest.importorskip("django.tasks", reason="Django's TASKS needs Django 6, which needs Python 3.12")
    done = _run_page(page, tmp_path, environment)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/getting-started.md"])
def test_the_first_app_is_run_by_the_command_beside_it(
    page: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    """What the page sends, the page's own command line does."""
    sent = _run_page(ROOT / page, tmp_path, environment)
    assert sent.returncode == 0, sent.stdout
    (command,) = [line for line in commands((ROOT / page).read_text(), "squids") if "--local" not in line]
    arguments = [*shlex.split(command)[1:], "--exit-when-empty", "--polling-wait-time", "1"]
    done = _python(["-m", "squids", *arguments], tmp_path, environment)
    assert done.returncode == 0, done.stdout
    assert "order 2: receipt mailed to ada@example.com" in done.stdout


def test_the_file_of_the_readme_passes_the_check_beside_it(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    text = (ROOT / "README.md").read_text()
    _write_files(text, tmp_path)
    (file,) = [block.code for block in blocks(text) if block.language == "yaml"]
    (tmp_path / "squids.yaml").write_text(file)
    check = commands(text, "squids-supervisor")[0]
    assert check == "squids-supervisor -c squids.yaml check"
    done = _python(["-m", "squids.cli.supervise", *shlex.split(check)[1:]], tmp_path, environment)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_tests_of_the_page_on_testing_pass(tmp_path: Path) -> None:
    """Run as a user would: pytest finds the fixtures by itself, and no AWS setting is there."""
    _write_files((ROOT / "docs" / "testing.md").read_text(), tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "tests"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=_page_name)
def test_json_in_a_page_is_json(page: Path) -> None:
    for block in blocks(page.read_text()):
        if block.language == "json":
            json.loads(block.code)

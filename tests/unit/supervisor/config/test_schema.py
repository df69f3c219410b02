"""The JSON Schema of the file: it accepts what the loader accepts, and editors show it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from squids.options import OPTIONS
from squids.supervisor.config import build as config
from squids.supervisor.config.schema import json_schema
from squids.supervisor.settings import Settings
from tests.docs.pages import PAGES, ROOT, blocks

EXAMPLES = {
    f"{page.relative_to(ROOT)}:{block.line}": block.code
    for page in PAGES
    for block in blocks(page.read_text())
    if block.language == "yaml"
}
FILES = [
    ROOT / "examples" / "squids.yaml",
    ROOT / "squids" / "cli" / "init" / "template" / "squids.yaml.template",
]
EXAMPLES |= {str(file.relative_to(ROOT)): file.read_text() for file in FILES}

VALID = [
    "x-common: &common {workers: 2}\ndefaults: {<<: *common, x-note: 1}\nsupervisor: {x-note: a}",
    "env_file: []",
    "queue_prefix: staging-",
    "reload: true",
    "reload:",
    "reload: {paths: '.', include: '*.html', kill_after: 5s}",
    "reload: {polling: auto}",
    "reload: {polling: true}",
    "reload: {polling: '${POLLING:-false}'}",
    "include: a.yaml",
    "include: [a.yaml]",
    "environment: {A: 1, B: 1.5, C: true, D: text, E: null}",
    "supervisor:",
    "supervisor: {socket_mode: 0660, log_jobs: '${JOBS:-true}', log_format: '${FORMAT:-json}'}",
    "supervisor: {socket_mode: '0o660'}",
    "defaults:",
    "defaults: {log_file: x.log}",
    "defaults: {log_file: {path: x.log, max_size: 10M}}",
    "defaults: {max_restarts: 5}",
    "defaults: {max_restarts: '${MOST:-5}'}",
    "defaults: {max_restarts: {count: 5, window: 10m}}",
    "defaults: {workers: '${W:-2}', autostart: '${A:-false}', restart: '${R:-never}', nice: '${N:-1}'}",
    "defaults: {polling_wait_time: '${P:-2}', retry_delay: ' 5 s ', backoff: {jitter: '${J:-0.5}'}}",
    "defaults: {workers: null, log_file: null, max_restarts: null, prefetch: null}",
    "defaults: {visibility_timeout: 60.0, limits: {core: unlimited, nofile: 65536, cpu: '${C:-9}'}}",
    "umask: 0027",
    "umask: '0o27'",
    "umask: '${U:-0027}'",
]
"""Each beside `app` and a queue with an empty value."""

INVALID = [
    "env_file: 5",
    "y-common: {workers: 2}",
    "environment: {x-note: []}",
    "defaults: {polling_wait_time: 30}",
    "defaults: {report_interval: 0}",
    "defaults: {start_timeout: 0}",
    "defaults: {workers: 0}",
    "defaults: {polling_wait_time: 2.5}",
    "defaults: {max_restarts: 0}",
    "defaults: {log_file: ''}",
    "defaults: {log_file: {path: ''}}",
    "defaults: {restart: often}",
    "defaults: {environment: {A: []}}",
    "defaults: {workres: 2}",
    "supervisor: {socket_mode: '0o1777'}",
    "umask: '1777'",
    "reload: 5",
]


def invalid(text: str) -> list[str]:
    checker = jsonschema.Draft202012Validator(json_schema())
    # A key is always a string for us, and for JSON.
    return [error.message for error in checker.iter_errors(json.loads(json.dumps(yaml.safe_load(text))))]


def whole(text: str) -> str:
    return f"app: shop.tasks:app\nqueues:\n  emails:\n{text}\n"


def loaded(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(folder)
    (folder / "squids.yaml").write_text(text)
    (folder / "a.yaml").write_text("queues:\n  2025:\n")
    return config.read("squids.yaml", {})


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_accepts_the_examples(name):
    assert invalid(EXAMPLES[name]) == []


@pytest.mark.parametrize("text", VALID)
def test_it_accepts_what_the_loader_accepts(text, tmp_path, monkeypatch):
    found = loaded(whole(text), tmp_path, monkeypatch)
    assert isinstance(found, Settings), "\n".join(map(str, found))
    assert invalid(whole(text)) == []


def test_it_accepts_queues_that_are_all_included(tmp_path, monkeypatch):
    text = "app: shop.tasks:app\ninclude: a.yaml\nqueues:\n"
    assert isinstance(loaded(text, tmp_path, monkeypatch), Settings)
    assert invalid(text) == []


@pytest.mark.parametrize("text", INVALID)
def test_it_refuses_what_the_loader_refuses(text, tmp_path, monkeypatch):
    assert not isinstance(loaded(whole(text), tmp_path, monkeypatch), Settings)
    assert invalid(whole(text)) != []


def test_it_knows_every_key():
    """For editors: each key with a description."""
    schema = json_schema()
    assert schema["$schema"].endswith("2020-12/schema")
    queue = schema["$defs"]["QueueRules"]["properties"]
    for option in OPTIONS:
        assert option.name in queue
    for name, entry in queue.items():
        assert entry.get("description"), name
    assert schema["$defs"]["QueueRules"]["additionalProperties"] is False


def test_permission_bits_are_in_octal_digits():
    schema = json_schema()
    assert schema["$defs"]["SupervisorRules"]["properties"]["socket_mode"]["default"] == "0600"
    assert "384" not in json.dumps(schema)


def test_a_default_is_valid():
    """An editor may fill it in."""
    schema = json_schema()
    for part in (schema, *schema["$defs"].values()):
        for name, rule in part["properties"].items():
            if "default" in rule:
                checker = jsonschema.Draft202012Validator({**rule, "$defs": schema["$defs"]})
                assert list(checker.iter_errors(rule["default"])) == [], name

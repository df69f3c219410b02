"""A mistake in the configuration of AWS: each command says it in one line, and what can heal is waited for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.processes import call
from tests.support.waiting import wait_until

MISSING = {
    "AWS_PROFILE": "staging",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}

CREDENTIALS = {"Version": 1, "AccessKeyId": "x", "SecretAccessKey": "y"}

SENTENCE = 'the AWS configuration has no profile "staging"'


def test_squids_says_what_no_time_mends_in_one_line(moto_url, squids_process):
    process = squids_process(moto_url, **MISSING).start("--workers", "1")
    assert process.wait() == 78
    (line,) = process.output
    assert line.startswith(f"squids: {SENTENCE}")


def test_the_supervisor_and_its_verbs_say_the_same(moto_url, supervisor):
    """In the log, in `status`, in `why`, by `check` and by `send`; the program is not started again."""
    up = supervisor(moto_url, **MISSING)
    up.write({"tests": {}}).start()
    wait_until(lambda: up.state("tests") == "fatal", what=lambda: up.text)
    assert SENTENCE in up.status()["tests"]["reason"]
    assert SENTENCE in up.verb("why", "tests").stdout
    for verb in (("check",), ("check", "--aws"), ("send", "work", '{"name": "a"}')):
        done = up.verb(*verb)
        assert done.returncode != 0
        assert SENTENCE in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
    assert "Traceback" not in up.text
    assert "ended its process" not in up.text
    assert len(up.actions("import_failed")) == 1
    assert up.stop() == 0


@pytest.fixture
def process_of_credentials(tmp_path: Path) -> tuple[dict[str, str], Path]:
    """The environment of a profile whose credentials come from a process, and the file that it prints."""
    printed = tmp_path / "credentials.json"
    printed.write_text("")
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = cat {printed}\n")
    return {"AWS_CONFIG_FILE": str(config), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, printed


def test_a_region_that_is_missing_is_one_error(moto_url, squids_process, process_of_credentials):
    """Whether the client is made before the fork, or after it because it looks up credentials."""
    environment, printed = process_of_credentials
    printed.write_text(json.dumps(CREDENTIALS))
    more: dict[str, str]
    for more in ({}, environment):
        process = squids_process(moto_url, **more)
        del process.environment["AWS_DEFAULT_REGION"]
        assert process.start("--workers", "1").wait() == 78
        assert "no region: set AWS_REGION" in process.text
        assert "Traceback" not in process.text
        assert "trying again" not in process.text


def test_credentials_that_are_missing_are_waited_for(strict_sqs, squids_process, process_of_credentials):
    """One ERROR says what is missing; when it is there, messages run."""
    environment, printed = process_of_credentials
    strict_sqs.create("tests")
    strict_sqs.put("tests", call("work", "a"))
    process = squids_process(strict_sqs.endpoint_url, **environment).start("--workers", "1")
    (line,) = process.wait_for("degraded")
    assert "ERROR" in line
    assert 'the credential_process of the profile "default" printed nothing' in line
    printed.write_text(json.dumps(CREDENTIALS))
    wait_until(lambda: process.journal.words("done") == ["a"], what=lambda: process.text)
    assert len(process.actions("degraded")) == 1
    assert "Traceback" not in process.text
    assert process.stop() == 0


def test_credentials_that_run_out_are_one_line_not_botocores_tracebacks(
    strict_sqs, squids_process, process_of_credentials
):
    """They are renewed at each receive, which fails each time."""
    environment, printed = process_of_credentials
    strict_sqs.create("tests")
    printed.write_text(json.dumps({**CREDENTIALS, "Expiration": "2020-01-01T00:00:00Z"}))
    process = squids_process(strict_sqs.endpoint_url, **environment).start("--workers", "1")
    (line,) = process.wait_for("degraded")
    assert "expired" in line
    assert "Traceback" not in process.text
    assert process.stop() == 0

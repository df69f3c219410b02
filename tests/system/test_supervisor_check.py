"""`check`, `schema`, and how the command finds its file and what it imports."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.support.processes import APP
from tests.support.supervisors import COMMAND
from tests.support.waiting import wait_until


@pytest.fixture
def checked(supervisor, moto_url):
    return supervisor(moto_url)


def test_a_good_file_is_0_with_a_table(checked):
    """Each queue, how many tasks it has."""
    checked.write({"tests": {}})
    done = checked.verb("check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests  ok      5 tasks" in done.stdout
    assert "all checks passed" in done.stdout


def test_what_is_wrong_with_apps_is_78_each_with_its_reason(checked):
    """No such module, no such attribute, no task for the queue, an import that raises."""
    (checked.directory / "broken.py").write_text("x = 1\nraise ValueError('not today')\n")
    checked.write(
        {
            "tests": {},
            "other": {},
            "gone": {"app": "nowhere:app"},
            "half": {"app": "shop:nothing"},
            "raises": {"app": "broken:app"},
        }
    )
    done = checked.verb("check")
    assert done.returncode == 78
    assert "shop:app has no task for the queue other; it has tasks for: tests" in done.stdout
    assert "there is no module nowhere" in done.stdout
    assert "shop has no nothing" in done.stdout
    assert "ValueError: not today" in done.stdout
    assert "4 of 5 checks failed" in done.stdout
    assert "Traceback" not in done.stderr
    told = checked.document("check")
    assert [row["ok"] for row in told["checks"]].count(False) == 4
    assert (told["code"], told["ok"], told["error"]) == (78, False, "4 of 5 checks failed")


def test_a_wrong_file_is_78_with_all_mistakes(checked):
    """For check as for a start; nothing is started."""
    checked.write({"tests": {"workres": 1}, "two": {"workers": 0}})
    for verb in ("check", "run"):
        done = checked.verb(verb)
        assert done.returncode == 78
        assert "squids.yaml:" in done.stderr
        assert 'queues.tests.workres: unknown key, did you mean "workers"?' in done.stderr
        assert "queues.two.workers: 0 is less than 1" in done.stderr
        assert "2 mistakes" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["check"], ["tasks"], []], ids=["check", "tasks", "a start"])
def test_a_file_that_is_not_there_has_no_mistakes(checked, arguments):
    """It had one, in its first line."""
    done = subprocess.run(
        [*COMMAND, "-c", "nope.yaml", *arguments],
        cwd=checked.directory, env=checked.environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 78
    assert done.stderr == "squids-supervisor: cannot read nope.yaml: No such file or directory\n"


def test_with_aws_queues_are_looked_at(checked, moto_url):
    """Each queue exists, may be used, and has a dead-letter queue that is not too eager."""
    from tests.support import servers

    client = servers.client(moto_url)
    dead = client.create_queue(QueueName="check-dead")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    app = "import squids\napp = squids.App('c')\n"
    for name, receives in (("check-good", 5), ("check-eager", 1), ("check-none", None), ("check-missing", 0)):
        app += f"@app.task('{name}')\ndef {name.replace('-', '_')}(): pass\n"
        if receives != 0:
            policy = {"deadLetterTargetArn": arn, "maxReceiveCount": receives}
            attributes = {"RedrivePolicy": json.dumps(policy)} if receives else {}
            client.create_queue(QueueName=name, Attributes=attributes)
    client.send_message(QueueUrl=client.get_queue_url(QueueName="check-good")["QueueUrl"], MessageBody="{}")
    checked.app(app)
    checked.write({name: {} for name in ("check-good", "check-eager", "check-none", "check-missing")})
    done = checked.verb("check", "--aws")
    assert done.returncode == 78
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "ok" in lines["check-good"]
    assert "SQS agrees" in lines["check-good"]
    assert "maxReceiveCount is 1" in lines["check-eager"]
    assert "has no dead-letter queue" in lines["check-none"]
    assert "FAILED" in lines["check-missing"]
    url = client.get_queue_url(QueueName="check-good")["QueueUrl"]
    (message,) = client.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1", "the check received nothing"
    client.close()


def test_the_schema_is_printed(checked):
    """For editors."""
    schema = json.loads(checked.verb("schema").stdout)
    assert "workers" in schema["$defs"]["QueueRules"]["properties"]


def test_where_the_file_is_looked_for(checked):
    """-c, $SQUIDS_CONFIG, ./squids.yaml; the log says which one it took."""
    checked.write({"tests": {}})
    other = checked.directory / "other.yaml"
    shutil.copy(checked.file, other)

    def check(*arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [*COMMAND, *arguments, "check"], cwd=checked.directory, env={**checked.environment, **environment},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    assert f"{checked.file}: all checks passed" in check()
    assert f"{other}: all checks passed" in check(SQUIDS_CONFIG="other.yaml")
    assert f"{checked.file}: all checks passed" in check("-c", "squids.yaml", SQUIDS_CONFIG="other.yaml")
    checked.file.unlink()
    assert "no configuration file" in check()


LIGHT = """
import sys
before = set(sys.modules)
from squids.cli.supervise import main
try:
    main(["-c", {file!r}, *{verb!r}])
except SystemExit:
    pass
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(sorted(new - set(sys.stdlib_module_names)), sorted(new & {{"asyncio", "logging", "dataclasses", "ssl", "inspect"}}),
      file=sys.stderr)
"""


@pytest.mark.parametrize(
    "verb", [["status"], ["restart", "--rolling"], ["logs"], ["why", "tests"], ["--help"]]
)
def test_verbs_import_next_to_nothing(checked, verb):
    """argparse, a socket and the protocol: no asyncio, no boto3, no YAML, no pydantic."""
    checked.write({"tests": {}})
    done = subprocess.run(
        [sys.executable, "-c", LIGHT.format(file=str(checked.file), verb=verb)],
        env=checked.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    pythons = ["dataclasses", "inspect"] if sys.version_info >= (3, 14) else []  # Its argparse, for colours.
    assert done.stderr.splitlines()[-1] == f"['squids'] {pythons}"


def test_a_deployment_by_a_moved_link(checked, strict_sqs):
    """`directory` goes through a link: restart --rolling takes what it leads to now.

    Until then `status` marks the code, and what the old one imports lazily is old, too.
    """
    strict_sqs.create("tests")
    checked.environment["AWS_ENDPOINT_URL_SQS"] = strict_sqs.endpoint_url
    for version in ("one", "two"):
        (checked.directory / version).mkdir()
        (checked.directory / version / "shop.py").write_text(
            APP.replace('note("done", name)', 'import lazy; note("done", lazy.VERSION)', 1)
        )
        (checked.directory / version / "lazy.py").write_text(f"VERSION = '{version}'")
    (checked.directory / "current").symlink_to("one")
    checked.write({"tests": {}}, directory="current").up()
    from tests.support.processes import call

    assert checked.status()["tests"]["code"]["stale_files"] == []
    os.unlink(checked.directory / "current")
    (checked.directory / "current").symlink_to("two")
    assert str(checked.directory / "current") in checked.status()["tests"]["code"]["stale_files"]
    strict_sqs.put("tests", call("work", "a"))
    wait_until(lambda: checked.journal.words("done") == ["one"], what=checked.journal.lines)
    assert checked.verb("restart", "--rolling", "*").returncode == 0
    checked.wait_for("stopping")  # The old one knows it: it keeps nothing that it receives.
    strict_sqs.put("tests", call("work", "b"))
    wait_until(lambda: checked.journal.words("done") == ["one", "two"])
    assert checked.stop() == 0


def test_another_interpreter(checked, strict_sqs):
    """`python` names it, by a link that is kept; what lacks this squids says so, and is FATAL."""
    strict_sqs.create("tests")
    checked.environment["AWS_ENDPOINT_URL_SQS"] = strict_sqs.endpoint_url
    (checked.directory / "venv").symlink_to(os.path.dirname(os.path.dirname(sys.executable)))
    checked.write({"tests": {}}, python="venv/bin/python").up()
    (zygote,) = checked.zygotes()
    with open(f"/proc/{zygote}/environ", "rb") as file:
        assert file.read()
    assert checked.stop() == 0
    checked.write({"tests": {}}, python="/usr/bin/python3")
    if os.path.exists("/usr/bin/python3"):
        done = checked.verb("check")
        assert done.returncode == 78
        assert "install this version of squids there" in done.stdout


def test_the_examples_file_is_right(checked, tmp_path):
    """The one that the demo runs."""
    examples = os.path.join(os.path.dirname(__file__), "..", "..", "examples")
    shutil.copytree(examples, tmp_path / "examples")
    done = subprocess.run(
        [*COMMAND, "-c", str(tmp_path / "examples" / "squids.yaml"), "check", "--trust-files"],
        env=checked.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(yaml.safe_load((tmp_path / "examples" / "squids.yaml").read_text())["queues"]) == {
        "emails", "reports", "orders.fifo",
    }  # fmt: skip

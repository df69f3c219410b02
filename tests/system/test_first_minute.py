"""`init`, `tasks` and `send`: what a developer types in the first minute, and each day after it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading

import pytest

from tests.support.processes import call
from tests.support.saving import save
from tests.support.supervisors import COMMAND, SupervisorProcess
from tests.support.waiting import wait_until


def run_verb(directory, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A verb that needs no supervisor."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=directory, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.slow
def test_a_new_project_goes_all_the_way(tmp_path, supervisor):
    """init, --dev, send, a code change, send again, and its own tests: as its README says."""
    done = run_verb(tmp_path, "init", "shop")
    assert done.returncode == 0, done.stderr
    project = tmp_path / "shop"
    up = supervisor("http://127.0.0.1:9")
    up.directory, up.file = project, project / "squids.yaml"
    up.environment.pop("PYTHONDONTWRITEBYTECODE", None)
    up.launch("--dev")
    wait_until(lambda: "squids.yaml: 2 programs" in up.text, what=lambda: up.text)
    assert up.verb("wait", "--timeout", "30").returncode == 0, up.text
    listed = up.verb("tasks")
    assert "tasks:app: 2 tasks" in listed.stdout
    assert "tasks.email_customer(to: str, order: int = 1) -> None" in listed.stdout
    sent = up.verb("send", "email_customer", '{"to": "ada@example.com"}', "--wait")
    assert sent.returncode == 0, sent.stdout + sent.stderr + up.text
    assert "order 1: mailing ada@example.com" in sent.stdout
    code = (project / "tasks.py").read_text()
    save(project / "tasks.py", code.replace("mailing", "a letter for"))
    wait_until(lambda: up.text.count("handed over") == 2, what=lambda: up.text)
    # Until then the old processes may still answer.
    wait_until(lambda: not any(entry["leaving"] for entry in up.status().values()), what=lambda: up.text)
    sent = up.verb("send", "place_order", "--args", "[7]", "--wait")
    assert sent.returncode == 0, sent.stdout + sent.stderr
    wait_until(lambda: "order 7: a letter for ada@example.com" in up.text, what=lambda: up.text)
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."],
        cwd=project,
        env={key: text for key, text in os.environ.items() if not key.startswith(("AWS_", "PYTEST_"))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert "2 passed" in tests.stdout
    assert up.stop() == 0
    up.nothing_left()


def test_the_commands_of_its_readme_are_real(tmp_path):
    """Each line of it is parsed by the parser it is for; its schema is the one that the command prints."""
    from squids.cli.parser import build_parser

    run_verb(tmp_path, "init")
    readme = (tmp_path / "README.md").read_text()
    lines = re.findall(r"^    squids-supervisor ([^#\n]+)", readme, re.MULTILINE)
    assert len(lines) >= 4
    import shlex

    for line in lines:
        build_parser().parse_args(shlex.split(line))
    schema = run_verb(tmp_path, "schema").stdout
    assert json.loads((tmp_path / "squids.schema.json").read_text()) == json.loads(schema)
    assert (
        (tmp_path / "squids.yaml")
        .read_text()
        .startswith("# yaml-language-server: $schema=squids.schema.json")
    )
    done = run_verb(tmp_path, "-c", "squids.yaml", "check")
    assert done.returncode == 0, done.stdout


def test_it_overwrites_nothing(tmp_path):
    """Not even an empty file, nor the target of a dangling link; what is not there is written."""
    (tmp_path / "tasks.py").write_text("mine = 1\n")
    (tmp_path / "README.md").write_text("")
    (tmp_path / "squids.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    done = run_verb(tmp_path, "init")
    assert done.returncode == 0
    assert "kept as they are: tasks.py, squids.yaml, README.md" in done.stdout
    assert (tmp_path / "tasks.py").read_text() == "mine = 1\n"
    assert (tmp_path / "README.md").read_text() == ""
    assert not (tmp_path / "elsewhere.yaml").exists()
    assert (tmp_path / "test_tasks.py").exists()
    again = run_verb(tmp_path, "init")
    assert again.returncode == 0
    assert "nothing was written" in again.stdout


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_what_it_writes_is_taken_whatever_the_umask(tmp_path, umask):
    """A configuration that others can write is refused."""
    command = [*COMMAND, "init"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60, umask=umask)
    done = run_verb(tmp_path, "check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path):
    """It is a file."""
    (tmp_path / "file").write_text("")
    done = run_verb(tmp_path, "init", "file/project")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "cannot write" in done.stderr


APP = '''
import squids

app = squids.App("shop")

@app.task("tests")
def email_customer(to: str, order: int = 1):
    """Send a receipt.

    More about it.
    """
    print("mailing", to, order, flush=True)

@app.task("tests")
def fails(why: str):
    raise ValueError(why)

@app.add_task
class Report(squids.Task):
    """A report."""
    queue = "tests"
    def run(self, month: int):
        print("report", month)
'''


CHATTY = """
import os, time

@app.task("tests")
def chatty(path: str):
    while not os.path.exists(path):
        print("and another line", flush=True)
        time.sleep(0.01)
"""


@pytest.fixture
def file(strict_sqs, supervisor) -> SupervisorProcess:
    """A file with two queues of one app and one of another, not started."""
    strict_sqs.create("tests")
    up = supervisor(strict_sqs.endpoint_url, APP)
    (up.directory / "other.py").write_text(
        "import squids\napp = squids.App('o')\n@app.task('two')\ndef report(): 'Doc.'\n"
    )
    strict_sqs.create("two")
    return up.write({"tests": {}, "again": {"queue": "tests"}, "two": {"app": "other:app"}})


def test_tasks_are_listed_with_all_that_there_is_to_know(file):
    """Each app once; queue, signature, first line of the doc, file and line."""
    done = file.verb("tasks")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert text.count("shop:app: 3 tasks") == 1
    assert "shop.email_customer(to: str, order: int = 1) queue tests, shop.py:6: Send a receipt." in text
    assert "shop.Report(month: int) queue tests, shop.py:" in text
    assert "other:app: 1 task other.report() queue two, other.py:3: Doc." in text
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    rows = file.document("tasks")["answers"]
    assert {row["name"]: row["queue"] for row in rows}["other.report"] == "two"


def test_an_app_that_does_not_import_is_told_and_the_others_are_listed(file):
    """Exit code 78."""
    (file.directory / "other.py").write_text("import nowhere_to_be_found\n")
    done = file.verb("tasks")
    assert done.returncode == 78
    assert "nowhere_to_be_found" in done.stderr
    assert "shop:app: 3 tasks" in done.stdout
    told = file.document("tasks")
    assert (told["code"], len(told["answers"])) == (78, 3)
    assert "nowhere_to_be_found" in told["error"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["email_custmer"], 1, "unknown task email_custmer; did you mean shop.email_customer?"),
        ([""], 1, 'unknown task ""; '),
        (["email_customer"], 1, "missing a required argument: 'to'"),
        (
            ["email_customer", '{"too": 1}'],
            1,
            "its signature is shop.email_customer(to: str, order: int = 1)",
        ),
        (["email_customer", "{to: 1}"], 2, "not valid JSON"),
        (["email_customer", "[1]"], 2, "expected a JSON object"),
        (["email_customer", "--args", "{}"], 2, "expected a JSON array"),
        (["email_customer", '{"to": "a"}', "--options", '{"DelaySecs": 1}'], 1, "DelaySecs"),
        (["email_customer", '{"to": "a"}', "--queue", "gone"], 1, "does not exist"),
        (["report"], 0, "sent other.report to http://127.0.0.1:"),
        (["email_customer", '{"to": "a"}', "--wait"], 4, "nothing was sent: "),
    ],
)
def test_what_is_wrong_with_a_send_is_one_sentence(file, strict_sqs, arguments, code, says):
    """And nothing is sent then."""
    done = file.verb("send", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 1
    assert strict_sqs.calls["SendMessage"] == (1 if code == 0 else 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--local", "send", "report"],
        ["--dev", "check", "--aws"],
        ["--reload", "status"],
        ["--dev", "init"],
        ["--local-port", "5000", "tasks"],
        ["--reload", "local"],
    ],
)
def test_no_mode_is_taken_and_then_ignored(file, strict_sqs, arguments):
    """They are for running a supervisor; `--local send` would send elsewhere."""
    done = file.verb(*arguments)
    assert done.returncode == 2
    assert "for running the supervisor, not for" in done.stderr
    assert not strict_sqs.calls


def test_a_queue_that_the_file_has_not_is_told(file, strict_sqs):
    """The message goes there all the same: another server may drain it."""
    strict_sqs.create("elsewhere")
    done = file.verb("send", "report", "--queue", "elsewhere")
    assert done.returncode == 0
    assert done.stderr == "the file has no queue elsewhere: nothing here will run it\n"


def test_settings_of_aws_that_lead_nowhere_are_a_sentence(file):
    """A profile that is not there, no region: for `tasks`, `send` and `check --aws`."""
    file.environment["AWS_PROFILE"] = "nobody"
    sent = file.verb("send", "report")
    assert sent.returncode != 0
    assert "profile" in sent.stderr
    del file.environment["AWS_PROFILE"], file.environment["AWS_DEFAULT_REGION"]
    checked = file.verb("check", "--aws")
    assert checked.returncode == 78
    assert "no region" in checked.stdout
    for done in (sent, checked):
        assert "Traceback" not in done.stdout + done.stderr


def test_a_call_is_sent_by_its_name(file, strict_sqs):
    """By keyword, by position, with options; classes too. Without a supervisor it waits in the queue."""
    for arguments in (
        ["shop.email_customer", '{"to": "ada"}'],
        ["email_customer", "--args", '["bob", 2]', "--options", '{"DelaySeconds": 1}'],
        ["Report", "--args", "[3]"],
    ):
        done = file.verb("send", *arguments)
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(
            r"sent shop\.\w+ to http://127\.0\.0\.1:\d+/\d+/tests: message \S+\n", done.stdout
        ), done.stdout
    sent = [json.loads(data["MessageBody"]) for data in strict_sqs.asked("SendMessage")]
    assert sent == [
        json.loads(call("email_customer", "ada")),
        json.loads(call("email_customer", "bob", 2)),
        json.loads(call("Report", 3)),
    ]
    assert strict_sqs.asked("SendMessage")[1]["DelaySeconds"] == 1


@pytest.mark.slow
def test_wait_shows_it_being_run_and_how_it_ended(file):
    """Its own lines, and what the task prints; exit code 1 with the traceback where it failed; 124 in the end."""
    file.up()
    done = file.verb("send", "email_customer", '{"to": "ada"}', "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mailing ada 1" in done.stdout
    assert "job_done" in done.stdout
    failed = file.verb("send", "fails", '{"why": "not today"}', "--wait")
    assert failed.returncode == 1
    assert "ValueError: not today" in failed.stdout
    assert file.verb("pause", "tests", "again").returncode == 0
    unknown = file.verb("send", "email_customer", '{"to": "ada"}', "--queue", "elsewhere", "--wait")
    assert unknown.returncode == 5
    assert unknown.stderr == (
        "squids-supervisor: nothing was sent: the supervisor's file has no queue elsewhere\n"
    )
    late = file.verb("send", "email_customer", '{"to": "bob"}', "--wait", "--timeout", "1")
    assert late.returncode == 124
    assert "the task did not finish within 1 s; its message stays in the queue until it does" in late.stderr
    waits = "queue again is paused, queue tests is paused: waiting until one is resumed, for at most 1 s"
    assert waits in late.stderr
    assert file.verb("resume").returncode == 0
    wait_until(lambda: "mailing bob 1" in file.text, what=lambda: file.text)
    before = len(file.output)
    assert file.verb("send", "email_customer", '{"to": "eve"}').returncode == 0
    wait_until(lambda: "mailing eve 1" in file.text)
    assert not any("job_" in line for line in file.output[before:]), "nobody follows any more"


@pytest.mark.slow
def test_wait_says_at_once_that_the_queue_is_stopped_and_runs_it_once_it_starts(file):
    file.write({"tests": {}}).up()
    assert file.verb("stop", "tests").returncode == 0
    sending = file.open_verb("send", "email_customer", '{"to": "ada"}', "--wait")
    assert (
        sending.stderr.readline()
        == "squids-supervisor: queue tests is stopped: waiting until it is started\n"
    )
    assert file.verb("start", "tests").returncode == 0
    output, errors = sending.communicate(timeout=60)
    assert sending.returncode == 0, output + errors
    assert "mailing ada 1" in output
    assert errors == ""


@pytest.mark.slow
def test_wait_says_that_the_queue_drains_and_that_it_stopped_meanwhile(file, tmp_path):
    """It waited silently."""
    go = tmp_path / "go"
    (file.directory / "shop.py").write_text(APP + CHATTY)
    file.write({"tests": {}}).up()
    assert file.verb("send", "chatty", json.dumps({"path": str(go)})).returncode == 0
    wait_until(lambda: "and another line" in file.text, what=lambda: file.text)
    says = "squids-supervisor: queue tests is {}: waiting until it is started"
    waiting = ("--wait", "--timeout", "60")
    with file.open_verb("send", "email_customer", '{"to": "ada"}', *waiting) as early:
        assert early.stdout.readline().startswith("sent shop.email_customer to ")
        reader = threading.Thread(target=early.stdout.read)  # The other task prints on.
        reader.start()
        assert file.verb("stop", "tests", "--no-wait").returncode == 0
        late = file.open_verb("send", "email_customer", '{"to": "bob"}', *waiting)
        assert late.stderr.readline() == f"{says.format('stopping')}, for at most 60 s\n"
        assert early.stderr.readline() == f"{says.format('stopping')}\n"
        go.touch()
        assert file.verb("start", "tests").returncode == 0
        output, errors = late.communicate(timeout=60)
        assert (late.returncode, errors) == (0, ""), output
        assert (early.wait(60), early.stderr.read()) == (0, "")
        reader.join()


@pytest.mark.slow
def test_wait_ends_with_its_own_task_though_another_prints_on(file, tmp_path):
    go = tmp_path / "go"
    (file.directory / "shop.py").write_text(APP + CHATTY)
    file.write({"tests": {"workers": 2}}).up()
    assert file.verb("send", "chatty", json.dumps({"path": str(go)})).returncode == 0
    wait_until(lambda: "and another line" in file.text, what=lambda: file.text)
    done = file.verb("send", "email_customer", '{"to": "ada"}', "--wait", "--timeout", "20")
    assert done.returncode == 0, done.stderr
    assert "job_done" in done.stdout
    late = file.verb("send", "chatty", json.dumps({"path": str(go)}), "--wait", "--timeout", "1")
    assert late.returncode == 124, "what others print is no sign of it"
    go.touch()
    assert file.stop() == 0


@pytest.mark.slow
def test_wait_sees_jobs_whatever_the_log_shows(file):
    """`log_level` is of the log, and as before once nobody waits."""
    file.write({"tests": {}}, defaults={"log_level": "CRITICAL"})
    file.up()
    done = file.verb("send", "email_customer", '{"to": "ada"}', "--wait", "--timeout", "20")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "job_done" in done.stdout
    failed = file.verb("send", "fails", '{"why": "not today"}', "--wait", "--timeout", "20")
    assert failed.returncode == 1, failed.stdout + failed.stderr
    before = len(file.output)
    assert file.verb("send", "email_customer", '{"to": "eve"}').returncode == 0
    wait_until(lambda: "mailing eve 1" in file.text)
    assert not any("job_" in line for line in file.output[before:]), file.output[before:]

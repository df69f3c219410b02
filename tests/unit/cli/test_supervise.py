"""What the command line comes to: no flag is taken and then ignored, and --json is JSON whatever happens."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from squids.cli import supervise
from squids.cli.run_supervisor import Mode
from squids.cli.supervise import main
from squids.supervisor.control.verbs import COMMANDS, JSON, JSON_LINES
from squids.supervisor.settings import AppSpec, ProgramSettings, Settings, SupervisorSettings


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["send", "task", "--timeout", "3"], "--timeout: only with --wait"),
        (["--local", "send", "task"], "--local: for running the supervisor, not for send"),
        (["--reload", "status"], "--reload: for running the supervisor, not for status"),
    ],
)
def test_flags_that_would_do_nothing_are_refused(arguments, words, capsys):
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("restrat", "unknown verb restrat; did you mean restart?"),
        ("", f'unknown verb ""; known verbs: {", ".join(COMMANDS)}'),
        ("re start", 'unknown verb "re start"; did you mean restart?'),
        ("stat", "unknown verb stat; did you mean start?"),
        ("zzzz", f"unknown verb zzzz; known verbs: {', '.join(COMMANDS)}"),
        ("sta\x1b[2Jtus", r"unknown verb sta\x1b[2Jtus; did you mean status?"),
    ],
)
def test_an_unknown_verb_is_refused_with_the_one_that_was_meant(verb, words, capsys):
    with pytest.raises(SystemExit) as refused:
        main([verb])
    assert refused.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"squids-supervisor: error: {words}"


@pytest.mark.parametrize("arguments", [["--relo"], ["status", "--jso"], ["systemd", "install", "--dry"]])
def test_an_option_is_not_abbreviated(arguments, capsys):
    """Or a new option would break scripts that shorten an older one."""
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert f"unrecognized arguments: {arguments[-1]}" in capsys.readouterr().err


def test_dev_changes_only_what_the_file_leaves_open():
    program = ProgramSettings("a", "a", AppSpec("shop:app", "/srv"), (("queue", "a"), ("workers", 3)))
    settings = Settings(SupervisorSettings(), (program,))
    made = Mode(dev=True).apply(settings)
    assert dict(made.programs[0].options) == {"queue": "a", "workers": 3, "polling_wait_time": 1}
    assert (made.supervisor.log_format, made.supervisor.log_jobs) == ("brief", True)
    own = replace(settings.supervisor, log_jobs=False, log_format="json")
    made = Mode(dev=True).apply(replace(settings, supervisor=own))
    assert (made.supervisor.log_format, made.supervisor.log_jobs) == ("json", False)
    assert Mode().apply(settings) == settings


WITH_JSON = {name: verb for name, verb in COMMANDS.items() if {JSON, JSON_LINES} & {*verb.arguments}}
WITHOUT_SUPERVISOR = {name: verb for name, verb in WITH_JSON.items() if not verb.local}
POSITIONAL = {"scale": ["emails=2"], "signal": ["TERM", "emails"]}


def json_of(capsys, *arguments):
    """What a verb prints for programs, which is one document or one line, and its exit code."""
    code = main([*arguments, "--json"])
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert printed.out.count("\n") == 1
    assert "Traceback" not in printed.err
    assert found["code"] == code
    return found


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A folder without a configuration file, and no supervisor."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("SQUIDS_CONFIG", raising=False)
    monkeypatch.setattr(supervise, "CONFIG_PATHS", ("./squids.yaml",))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("verb", WITHOUT_SUPERVISOR.values(), ids=WITHOUT_SUPERVISOR)
def test_no_supervisor_is_json_too(verb, empty, capsys):
    """A script that reads the answer with json.load learns why there is none."""
    config = str(empty / "squids.yaml")
    found = json_of(capsys, "-c", config, verb.name, *POSITIONAL.get(verb.name, []))
    assert found["type"] == ("end" if verb.stream else verb.name)
    assert found["code"] == 4
    assert found["error"] == f"{config} does not exist, and no supervisor of it runs"
    (empty / "squids.yaml").write_text("")
    found = json_of(capsys, "-c", config, verb.name, *POSITIONAL.get(verb.name, []))
    assert found["code"] == 4
    assert found["error"].startswith(f"no supervisor of {config} answers")


@pytest.mark.parametrize("verb", WITH_JSON.values(), ids=WITH_JSON)
def test_no_configuration_file_is_json_too(verb, empty, capsys):
    found = json_of(capsys, verb.name, *POSITIONAL.get(verb.name, []))
    assert found["code"] == 78
    assert found["error"].startswith("no configuration file; looked for ")


@pytest.mark.parametrize("verb", ["check", "tasks"])
def test_a_wrong_file_is_json_too(verb, empty, capsys):
    (empty / "squids.yaml").write_text("queues: 3\n")
    found = json_of(capsys, verb)
    assert (found["type"], found["code"]) == (verb, 78)
    assert "queues" in str(found.get("mistakes")) + found["error"]

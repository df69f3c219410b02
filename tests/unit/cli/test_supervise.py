"""What the command line comes to: no flag is taken and then ignored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from squids.cli.run_supervisor import Mode
from squids.cli.supervise import main
from squids.supervisor.settings import AppSpec, ProgramSettings, Settings, SupervisorSettings


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["send", "task", "--timeout", "3"], "--timeout: how long --wait waits"),
        (["--local", "send", "task"], "--local: for running the supervisor, not for send"),
        (["--reload", "status"], "--reload: for running the supervisor, not for status"),
    ],
)
def test_flags_that_would_do_nothing_are_refused(arguments, words, capsys):
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert words in capsys.readouterr().err


def test_dev_changes_only_what_the_file_leaves_open():
    program = ProgramSettings("a", "a", AppSpec("shop:app", "/srv"), (("queue", "a"), ("workers", 3)))
    settings = Settings(SupervisorSettings(), (program,))
    made = Mode(dev=True).of(settings)
    assert dict(made.programs[0].options) == {"queue": "a", "workers": 3, "polling_wait_time": 1}
    assert (made.supervisor.log_format, made.supervisor.log_jobs) == ("brief", True)
    own = replace(settings.supervisor, log_jobs=False, log_format="json")
    made = Mode(dev=True).of(replace(settings, supervisor=own))
    assert (made.supervisor.log_format, made.supervisor.log_jobs) == ("json", False)
    assert Mode().of(settings) == settings

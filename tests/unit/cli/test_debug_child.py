"""The process that `debug` starts: settings of the file, and what fails at its start."""

from __future__ import annotations

import pytest

from squids.cli import debug_child
from squids.exit_codes import ExitCode

SPEC = {
    "app": "shop:app",
    "name": "emails",
    "options": {"queue": "emails", "workers": 8, "prefetch": 20, "visibility_timeout": 90},
    "log_level": "INFO",
    "nice": 0,
    "limits": {},
}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    (tmp_path / "shop.py").write_text("import squids\napp = squids.App('shop')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(debug_child.log_setup, "configure", lambda *_: None)
    monkeypatch.setattr(debug_child, "set_title", lambda *_: None)
    monkeypatch.setattr(debug_child.preload, "load", lambda args: __import__("squids").App("shop"))


@pytest.mark.usefixtures("shop")
def test_one_message_at_a_time_with_the_queues_settings(monkeypatch):
    ran = []
    monkeypatch.setattr(
        debug_child.foreground, "run", lambda app, options, *rest: ran.append((options, rest[0])) or 0
    )
    assert debug_child._run(SPEC) == 0
    ((options, settings),) = ran
    assert (options.workers, settings.limits.workers, settings.limits.prefetch) == (0, 1, 1)
    assert settings.limits.visibility == 90


@pytest.mark.usefixtures("shop")
def test_limits_that_the_system_refuses_are_a_line(capsys):
    assert debug_child._run({**SPEC, "limits": {"nofile": -5}}) == ExitCode.FAILURE
    assert "emails cannot start" in capsys.readouterr().err

"""Which queue `debug` runs, and what it says where it cannot."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from squids.cli import client, debug
from squids.exit_codes import FAILED, NO_SUCH_NAME
from tests.support.fleets import program, settings_of

EMAILS = program("emails")
PAIR = (replace(program("reports:1"), key="reports"), replace(program("reports:2"), key="reports"))


@pytest.fixture
def asked(monkeypatch):
    """What the supervisor is asked, and when a connection is closed; which queues it holds."""
    noted: list[tuple[str, list[str]]] = []
    held: list[str] = []

    def ask(config, verb, queues, **options):
        noted.append((verb, queues))
        try:
            for name in held if verb == "hold" else queues:
                yield {"type": "result", "queue": name, "ok": True, "text": verb}
            if verb == "hold":
                yield {"type": "text", "text": "holding"}
            yield {"type": "end", "code": 0, "error": None}
        finally:
            noted.append((f"end of {verb}", queues))

    monkeypatch.setattr(client, "ask", ask)
    monkeypatch.setattr(debug, "local_environment", lambda config: None)
    monkeypatch.setattr(debug, "read_or_report", lambda config, trusting: settings_of(EMAILS, *PAIR))
    return noted, held


def test_a_queue_is_found_by_its_name_or_its_key():
    settings = settings_of(EMAILS, *PAIR)
    assert debug.find_program(settings, "emails") == EMAILS
    assert debug.find_program(settings, "reports:2") == PAIR[1]
    assert debug.find_program(settings, "reports") == PAIR[0]
    assert debug.find_program(settings, "email") is None


def test_what_is_held_is_resumed_before_the_connection_ends(asked, monkeypatch):
    """What an operator has paused or stopped is not held, and stays so."""
    noted, held = asked
    held.append("reports:1")
    monkeypatch.setattr(debug, "_run", lambda *_: noted.append(("runs", [])) or 7)
    assert debug.debug("squids.yaml", "reports") == 7
    assert noted == [
        ("hold", ["reports"]),
        ("runs", []),
        ("resume", ["reports:1"]),
        ("end of resume", ["reports:1"]),
        ("end of hold", ["reports"]),
    ]


def test_it_is_resumed_whatever_happens(asked, monkeypatch):
    noted, held = asked
    held.append("emails")

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(debug, "_run", fail)
    with pytest.raises(KeyboardInterrupt):
        debug.debug("squids.yaml", "emails")
    assert ("resume", ["emails"]) in noted
    assert noted[-1] == ("end of hold", ["emails"])


def test_an_unknown_queue_gets_a_hint(asked, capsys):
    assert debug.debug("squids.yaml", "email") == NO_SUCH_NAME
    assert "did you mean emails" in capsys.readouterr().err


def test_code_of_another_user_gets_no_terminal(asked, monkeypatch, capsys):
    """It could type into it."""
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    other = replace(EMAILS, app_spec=replace(EMAILS.app_spec, user="root"))
    monkeypatch.setattr(debug, "read_or_report", lambda config, trusting: settings_of(other))
    assert debug.debug("/etc/squids.yaml", "emails") == FAILED
    assert "sudo -u root squids-supervisor -c /etc/squids.yaml debug emails" in capsys.readouterr().err

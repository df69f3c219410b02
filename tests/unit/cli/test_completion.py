"""What a shell is offered."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from squids.cli import completion
from squids.cli.completion import complete, print_completion


def queues(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is offered for a queue, with this file."""
    (folder / "squids.yaml").write_text(text)
    parser = argparse.ArgumentParser()
    below = parser.add_subparsers().add_parser("stop")
    action = below.add_argument("queues", metavar="QUEUE", nargs="*")
    other = below.add_argument("--timeout", metavar="SECONDS")
    monkeypatch.setattr(completion.argcomplete, "autocomplete", lambda *_, **__: None)
    complete(parser)
    assert not hasattr(other, "completer")
    offered: list[str] = action.completer(argparse.Namespace(config=str(folder / "squids.yaml")))
    return offered


def test_queues_are_those_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert queues("queues: {emails: {}, reports: {}}", tmp_path, monkeypatch) == ["emails", "reports"]


@pytest.mark.parametrize("text", ["", "[", "queues: 3", "- a", "app: x"])
def test_a_file_that_is_wrong_offers_nothing_and_says_nothing(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It would be in the midst of a command line."""
    assert queues(text, tmp_path, monkeypatch) == []
    assert capfd.readouterr() == ("", "")


def test_a_name_that_moves_the_cursor_is_not_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert queues('queues: {emails: {}, "a\\e[2J": {}}', tmp_path, monkeypatch) == ["emails"]


def test_without_a_file_nothing_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "find_config", lambda given: None)
    assert queues("queues: {emails: {}}", tmp_path, monkeypatch) == []


def test_each_shell_gets_what_it_has_to_read(capsys: pytest.CaptureFixture[str]) -> None:
    """In its own language."""
    told = []
    for shell in ("bash", "zsh", "fish"):
        assert print_completion(shell) == 0
        told.append(capsys.readouterr().out)
        assert "squids-supervisor" in told[-1]
    assert "function __fish_" in told[2]
    assert not any("function __fish_" in text for text in told[:2])

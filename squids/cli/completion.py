"""Shell completion of `squids-supervisor`: verbs, options, and the file's queues.

The shell runs the command at each TAB with `_ARGCOMPLETE` in its environment, and argcomplete answers.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator

import argcomplete
from argcomplete.shell_integration import shellcode

from squids.cli.supervise import find_config


def print_completion(shell: str) -> int:
    """Print what a shell must evaluate once: `eval "$(squids-supervisor completion bash)"`."""
    print(shellcode(["squids-supervisor"], shell=shell))
    return 0


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell and exit."""
    for action in _actions(parser):
        if action.metavar in ("QUEUE", "QUEUE=N"):
            # argcomplete looks for this attribute, which argparse does not define.
            action.completer = _queues  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, always_complete_options=False)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for subparser in action.choices.values():
                yield from _actions(subparser)


def _queues(parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Return the names of the file's queues, or none if it cannot be read."""
    from squids.supervisor.config.text import read_text

    config = find_config(parsed_args.config)
    if config is None:
        return []
    queues = read_text(config, os.environ).data.get("queues", {})
    return (
        [name for name in queues if isinstance(name, str) and name.isprintable()]
        if isinstance(queues, dict)
        else []
    )

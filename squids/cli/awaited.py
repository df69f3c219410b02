"""Decides what has become of a message, from what a supervisor answers to `send --wait`. Pure.

Its typed answers decide: `jobs`, which consumers report in frames, and `states`. Lines of the log are only
shown, so nothing changes if an application, a log level or a slow reader keeps some of them back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from squids.exit_codes import FAILED, OK
from squids.job import JobAction
from squids.process.protocol import JobChange

Answer = Mapping[str, Any]

EXIT_CODES: dict[str, int] = {
    JobChange.DONE: OK,
    JobChange.FAILED: FAILED,
    JobChange.BAD_MESSAGE: FAILED,
    JobChange.WORKER_LOST: FAILED,
}
"""The exit code for each end of a job. A message that was given back runs later."""

HALTED_UNTIL = {
    "paused": "resumed",
    "stopping": "started",
    "stopped": "started",
    "exited": "started",
    "fatal": "reset",
}
"""States in which a queue receives nothing until an operator acts, and what it then has to be.

One that is stopping may also start again by itself: what is wanted decides.
"""


class Awaited:
    """A message that was sent.

    `first`: the states of its queues before that. `timeout`: of the wait, in seconds, if it has one.
    """

    def __init__(self, message_id: str, first: Answer, timeout: float | None) -> None:
        self._message_id = message_id
        self._states = first
        self._runs = False
        self.exit_code: int | None = None
        """How its job ended; None: it has not."""
        self.halt = halted(first, timeout)
        """Why it may have to wait long, or None."""

    def hear(self, answer: Answer) -> str | None:
        """Take a typed answer. Return why the message may have to wait long from now on, if that is new."""
        if answer["type"] == "states":
            self._states = answer
        for change in self._own_changes(answer):
            self._runs = change == JobChange.STARTED
            if self.exit_code is None:
                self.exit_code = EXIT_CODES.get(change)
        before = self.halt
        self.halt = None if self._runs or self.exit_code is not None else halted(self._states, None)
        return self.halt if before is None else None

    def _own_changes(self, answer: Answer) -> Iterator[str]:
        for pair in answer.get("changes", ()):
            match pair:
                case [self._message_id, str(change)]:
                    yield change

    def shows(self, line: Answer) -> bool:
        """Whether a line of the log is worth showing: not the starts and good ends of others' jobs."""
        details = line["details"]
        is_own = details.get("message_id") == self._message_id
        return is_own or str(details.get("action")) not in (JobAction.STARTED, JobAction.DONE)


def halted(answer: Answer, timeout: float | None) -> str | None:
    """Return why the message may have to wait long, from the states of its queues.

    None if one of them receives, or will without help.
    """
    states, wanted = answer.get("states"), answer.get("wanted")
    known = {name: str(state) for name, state in states.items()} if isinstance(states, dict) else {}
    down = {name for name, what in wanted.items() if what == "down"} if isinstance(wanted, dict) else set()
    halts = [state in HALTED_UNTIL and (state != "stopping" or name in down) for name, state in known.items()]
    if not known or not all(halts):
        return None
    queues = ", ".join(f"queue {name} is {state}" for name, state in sorted(known.items()))
    verbs = " or ".join(dict.fromkeys(HALTED_UNTIL[state] for _, state in sorted(known.items())))
    limit = "" if timeout is None else f", for at most {timeout:g} s"
    return f"{queues}: waiting until {'it is' if len(known) == 1 else 'one is'} {verbs}{limit}"

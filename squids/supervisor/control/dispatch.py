"""Dispatches a request to the function of its verb.

What already holds is a success. A verb is an async generator of answers (see `protocol`); the last has the
type "end" and an exit code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from squids.exit_codes import FAILED, USAGE
from squids.supervisor import events
from squids.supervisor.control import answers, commands, queries
from squids.supervisor.control.answers import Answers
from squids.supervisor.control.context import Context
from squids.supervisor.control.selection import Request, RequestRefused
from squids.supervisor.control.verbs import REMOTE

Carry = Callable[[Context, Request], Answers]


def _function_of(name: str) -> Carry:
    carry: Carry = getattr(queries, name, None) or getattr(commands, name)
    return carry


FUNCTIONS: dict[str, Carry] = {name: _function_of(name) for name in REMOTE}
"""Each verb is a function of its name in `queries` or `commands`."""


class Dispatch:
    """Carries out requests for one supervisor."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def run(self, verb: str, queues: list[str], options: dict[str, Any], uid: int | None) -> Answers:
        """Carry out one request. An internal error fails it, and is logged with its traceback."""
        if verb not in FUNCTIONS:
            yield answers.end(USAGE, f"unknown verb {verb}")
            return
        changes, say = REMOTE[verb].changes, self._context.supervisor.say
        if changes:
            say(events.verb(verb, queues, options, uid))
        try:
            async for answer in FUNCTIONS[verb](self._context, Request(verb, queues, options, uid)):
                yield answer
        except RequestRefused as error:
            if changes:
                say(events.verb(verb, queues, options, uid, str(error)))
            yield answers.end(error.code, str(error))
        except Exception as error:
            bug = events.internal_error(verb, error)
            say(bug)
            yield answers.end(FAILED, bug.text)

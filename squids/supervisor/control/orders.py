"""What operators ask for, carried out: each verb waits for its effect, and says what happened.

What is already so is a success. A verb is an async generator of answers (`control_protocol`), the last of
which is the end, with an exit code.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from squids.supervisor import events
from squids.supervisor.control import protocol as say
from squids.supervisor.control.order_base import Answers, OrderError, end_of, signal_number
from squids.supervisor.control.order_looking import Looking
from squids.supervisor.control.order_steering import Steering
from squids.supervisor.rollout import Rollout
from squids.supervisor.supervisor import Supervisor

FOR_MEMBERS = frozenset(
    {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGUSR1, signal.SIGUSR2}
)
"""Signals that members of `socket_group` may send: those that a consumer ends or reports at. SIGKILL and
SIGSTOP are root's and the owner's."""


def _refuse_harm(options: dict[str, Any]) -> None:
    number = signal_number(options.get("signal"))
    if number not in FOR_MEMBERS:
        names = ", ".join(sorted(signal.Signals(allowed).name for allowed in FOR_MEMBERS))
        raise OrderError(f"members of socket_group may send {names}", say.FAILED)


class Orders:
    """The verbs. `reload` reads the file again."""

    def __init__(self, supervisor: Supervisor, rollout: Rollout) -> None:
        self._supervisor = supervisor
        looking, steering = Looking(supervisor, rollout), Steering(supervisor, rollout)
        self._verbs: dict[str, Callable[[list[str], dict[str, Any]], Answers]] = {
            "status": looking.status,
            "start": steering.start,
            "stop": steering.stop,
            "restart": steering.restart,
            "pause": steering.pause,
            "resume": steering.resume,
            "scale": steering.scale,
            "reload": steering.reload,
            "logs": looking.logs,
            "events": looking.events,
            "follow": looking.follow,
            "why": looking.why,
            "reset": steering.reset,
            "dump": looking.dump,
            "signal": steering.signal,
            "pid": looking.pid,
            "local": looking.local,
            "wait": looking.wait,
            "shutdown": steering.shutdown,
        }

    async def run(self, verb: str, queues: list[str], options: dict[str, Any], peer: int | None) -> Answers:
        """Carry out one order. Never raises for what was asked."""
        order = self._verbs.get(verb)
        if order is None:
            yield end_of(say.USAGE, f"there is no verb {verb}")
            return
        if verb not in ("status", "logs", "events", "follow", "why", "pid", "local", "wait"):
            self._supervisor.say(events.verb(verb, queues, peer))
        try:
            if verb == "signal" and peer not in (None, 0, os.geteuid()):
                _refuse_harm(options)
            async for answer in order(queues, options):
                yield answer
        except OrderError as error:
            yield end_of(error.code, str(error))
        except (TypeError, ValueError) as error:
            yield end_of(say.USAGE, str(error))

"""Checks the types of an answer from an app's process (`app_child`). Pure.

The app's code may run as another user (`user:`) and can answer anything, which is shown to the caller.
"""

from __future__ import annotations

from typing import Any

from squids.process.checks import check_list, check_object, check_text

_OF_A_TASK = ("name", "queue", "signature", "doc", "place")
_OF_A_SENT_MESSAGE = ("message_id", "queue", "url", "task")


def checked(do: str, answer: Any) -> dict[str, Any]:
    """Check and return the answer to `do`. Raises ValueError if it is invalid."""
    for name in ("error", "refused"):
        if name in check_object(answer):
            check_text(answer[name])
            return {name: answer[name]}
    match do:
        case "tasks":
            for task in check_list(answer.get("tasks")):
                check_text(*(check_object(task).get(name) for name in _OF_A_TASK))
        case "check":
            for lists in (answer.get("tasks"), answer.get("queues", {})):
                for queue, texts in check_object(lists).items():
                    check_text(queue, *check_list(texts))
        case _:
            check_text(*(answer.get(name) for name in _OF_A_SENT_MESSAGE))
    return dict(answer)

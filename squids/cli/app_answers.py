"""Whether what an app's own process answers (`app_child`) has the types that it must have. Pure.

The code may be another user's (`user:`), and say anything in that process; what it says is shown to who asks.
"""

from __future__ import annotations

from typing import Any

from squids.process.checks import check_list, check_object, check_text

_OF_A_TASK = ("name", "queue", "signature", "doc", "place")
_OF_A_SENT_MESSAGE = ("message_id", "queue", "url", "task")


def checked(do: str, answer: Any) -> dict[str, Any]:
    """The answer to `do`. ValueError if it is none."""
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

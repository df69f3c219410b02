"""Checks the types of an answer from an app's process (`app_child`). Pure.

The app's code may run as another user (`user:`) and can answer anything, and the caller shows the answer.
"""

from __future__ import annotations

from typing import Any

from squids.process.checks import check_list, check_object, check_text

_TASK_FIELDS = ("name", "queue", "queue_in_code", "signature", "doc", "place")
_SENT_FIELDS = ("message_id", "queue", "url", "task")


def checked(do: str, answer: Any) -> dict[str, Any]:
    """Check and return the answer to `do`. Raises ValueError if it is invalid."""
    for name in ("error", "refused"):
        if name in check_object(answer):
            check_text(answer[name])
            return {name: answer[name]}
    match do:
        case "tasks":
            for task in check_list(answer.get("tasks")):
                check_text(*(check_object(task).get(name) for name in _TASK_FIELDS))
                check_text(*check_list(task.get("aliases", [])))
        case "check":
            for texts_by_queue in (answer.get("tasks"), answer.get("names"), answer.get("queues", {})):
                for queue, texts in check_object(texts_by_queue).items():
                    check_text(queue, *check_list(texts))
        case _:
            check_text(*(answer.get(name) for name in _SENT_FIELDS))
    return dict(answer)

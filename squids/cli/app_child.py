"""Runs in a fresh interpreter per app, for commands: imports the app, and answers a question about it.

With `aws`, `check` also asks SQS about the queues, with the app's own configuration, and changes nothing
there: a call is allowed if SQS refuses it for another reason than access.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from squids.errors import ConfigurationError, SquidsError
from squids.execute import find
from squids.hints import as_word
from squids.pool.preload import load
from squids.process.interpreter import spec_of
from squids.process.no_terminal import refuse_breakpoints
from squids.queues import QueueRef
from squids.registry import innermost, place_of
from squids.sqs import TroubleKind, classify
from squids.task import signature_text
from squids.wire import Call

MIN_RECEIVES = 3
"""With fewer receives, a redrive policy moves messages away after a restart or two."""


def main(argv: list[str]) -> None:
    """Print one line of JSON after a mark, because the app may print, too."""
    spec = spec_of(argv)
    refuse_breakpoints()
    answer: dict[str, Any] = {}
    try:
        app = load(
            {
                "app": spec["app"],
                "logging": spec.get("logging"),
                "directory": os.getcwd(),
                "write_bytecode": False,
            }
        )
        answer = HANDLERS[spec["do"]](app, spec)
    except SquidsError as error:
        answer["error"] = str(error)
    except Exception as error:  # For instance botocore's, for a missing profile.
        answer["error"] = classify(error).text or f"{type(error).__name__}: {error}"
    print(f"\n{spec['mark']}{json.dumps(answer)}", flush=True)
    os._exit(0)  # Whatever the app started.


def check(app: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Return the tasks of each queue and, with `aws`, the problems of each queue."""
    tasks: dict[str, list[str]] = {}
    for name, task in app.tasks.items():
        for queue in dict.fromkeys(app.queue_ref(queue).name for queue in task.queues):
            tasks.setdefault(queue, []).append(name)
    names = {queue: [app.queue_ref(queue).name] for queue in spec["queues"]}
    answer: dict[str, Any] = {"tasks": tasks, "names": names}
    problems_of = queue_problems if spec["aws"] else configuration_problems
    answer["queues"] = {queue: problems_of(app, queue) for queue in spec["queues"]}
    return answer


def tasks(app: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Return each task: name, queue, signature, first line of its docstring, and place."""
    return {"tasks": [_description(app, task) for task in app.tasks.values()]}


def _description(app: Any, task: Any) -> dict[str, Any]:
    doc = inspect.getdoc(innermost(task.target)) or ""
    place = place_of(task.target)
    return {
        "name": task.name,
        "aliases": list(task.aliases),
        "queue": app.queue_ref(task.queue).name,
        "queue_in_code": QueueRef.parse(task.queue).name,
        "signature": signature_text(task.signature),
        "doc": doc.partition("\n")[0],
        "place": "" if place is None else f"{os.path.relpath(place[0])}:{place[1]}",
    }


def send(app: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Send one call."""
    name, known = spec["task"], app.registry.by_any_name
    if name not in known:
        matches = dict.fromkeys(task.name for full, task in known.items() if full.endswith(f".{name}"))
        if len(matches) > 1:
            return {"refused": f"several tasks end in {as_word(name)}: {', '.join(matches)}"}
        name = next(iter(matches), name)
    task = find(Call(name), known)
    try:
        response = task.send_job(
            args=spec["args"], kwargs=spec["kwargs"], options=spec["options"], queue=spec["queue"]
        )
    except TypeError as error:
        return {"refused": f"{error}; its signature is {task.name}{signature_text(task.signature)}"}
    except ConfigurationError:
        raise
    except Exception as error:
        queue = app.queue_ref(spec["queue"] or task.queue).name
        return {"refused": f"to {queue}: {classify(error).text or error}"}
    ref = app.queue_ref(spec["queue"] or task.queue)
    url = app.sqs.queue_url(ref)
    return {"message_id": response["MessageId"], "queue": ref.name, "url": url, "task": task.name}


HANDLERS: dict[str, Callable[[Any, dict[str, Any]], dict[str, Any]]] = {
    "check": check,
    "tasks": tasks,
    "send": send,
}


def configuration_problems(app: Any, queue: str) -> list[str]:
    """Return the problems of a queue that show without asking SQS."""
    mistake = app.sqs.mistake(app.queue_ref(queue))
    return [mistake] if mistake is not None else []


def queue_problems(app: Any, queue: str) -> list[str]:
    """Return the problems of a queue, as far as SQS reports them."""
    ref = app.queue_ref(queue)
    try:
        url = app.sqs.queue_url(ref)
        client = app.sqs.sender(ref).client
    except Exception as error:
        return [classify(error).text]
    problems = []
    for name, call in (
        ("ReceiveMessage", lambda: client.receive_message(QueueUrl=url, MaxNumberOfMessages=0)),
        ("DeleteMessage", lambda: client.delete_message(QueueUrl=url, ReceiptHandle="none")),
        (
            "ChangeMessageVisibility",
            lambda: client.change_message_visibility(QueueUrl=url, ReceiptHandle="none", VisibilityTimeout=0),
        ),
    ):
        problem = _problem(call)
        if problem is not None:
            problems.append(f"{name}: {problem}")
    return problems + _redrive_problems(client, url)


def _problem(call: Any) -> str | None:
    """Return why a call is not allowed, or None. Other refusals of SQS mean that it is allowed."""
    try:
        call()
    except Exception as error:
        trouble = classify(error)
        if trouble.kind in (
            TroubleKind.DENIED,
            TroubleKind.UNREACHABLE,
            TroubleKind.TLS,
            TroubleKind.NO_QUEUE,
            TroubleKind.CREDENTIALS,
            TroubleKind.EXPIRED,
            TroubleKind.CONFIG,
        ):
            return trouble.text
    return None


def _redrive_problems(client: Any, url: str) -> list[str]:
    try:
        answer = client.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    except Exception as error:
        return [f"cannot see its redrive policy: {classify(error).text}"]
    policy = answer.get("Attributes", {}).get("RedrivePolicy")
    if not policy:
        return ["has no dead-letter queue: a message that always fails comes back for ever"]
    receives = int(json.loads(policy).get("maxReceiveCount", 0))
    if receives < MIN_RECEIVES:
        return [f"maxReceiveCount is {receives}: {MIN_RECEIVES} or more survive a restart or two"]
    return []


if __name__ == "__main__":
    main(sys.argv)

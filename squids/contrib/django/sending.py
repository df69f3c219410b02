"""Sends a call once a database transaction is committed, and not if it is rolled back.

The call is checked and encoded at once: what is wrong with it raises where it is made, and a later change of
its arguments does not matter.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ParamSpec

from django.db import transaction

from squids.task import Task
from squids.wire import decode

P = ParamSpec("P")


def send_on_commit(task: Task[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
    """Send a call once the transaction of the default database is committed; at once outside of one.

    Raises TypeError as `send` does. See `send_job_on_commit`.
    """
    send_job_on_commit(task, args, kwargs)


def send_job_on_commit(
    task: Task[..., Any],
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    queue: str | None = None,
    *,
    using: str | None = None,
    robust: bool = False,
) -> None:
    """Send a call with options once the transaction of a database is committed; at once outside of one.

    `using`: the alias of the database; default: "default". `robust` False: what the send raises, the end of
    the transaction raises, which is committed by then, and its later callbacks do not run. `robust` True:
    Django logs it, and the call is lost.

    Raises, before anything is sent, what `send_job` raises then, but for `pre_send` hooks, which run with the
    send. Raises Django's TransactionManagementError with
    autocommit off and no `atomic` block.

    Source: https://docs.djangoproject.com/en/stable/topics/db/transactions/#performing-actions-after-commit
    """
    call = task.checked_call(args, kwargs, copy.deepcopy(options), queue)

    def send_committed() -> None:
        sent = decode(call.text, task.app.json)  # For hooks; the arguments may have changed since.
        task.send_call(replace(call, args=sent.args, kwargs=sent.kwargs))

    transaction.on_commit(send_committed, using=using, robust=robust)

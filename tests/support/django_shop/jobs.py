"""Tasks of Django in a module that nothing imports before a message names one. Needs Django 6."""

import os

from django.tasks import task


@task
def clean(days: int) -> None:
    os.environ["CLEANED"] = str(days)


@task(backend="immediate")
def sweep() -> None:
    os.environ["CLEANED"] = "swept"


@task(backend="immediate", queue_name="not for SQS")
def elsewhere() -> None:
    raise AssertionError("no queue of SQS has this name")


def delete_everything() -> None:
    raise AssertionError("not a task")


another_name = task(delete_everything)

"""Language and time zone: each job starts with those of the settings, and what it activates ends with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.utils import timezone, translation

from squids.job import Job


@contextmanager
def around_language(job: Job) -> Iterator[None]:
    """Deactivate language and time zone for a job, and restore those of the sender if it runs in place."""
    before = translation.get_language()
    translation.deactivate()
    default = translation.get_language()
    try:
        with timezone.override(None):
            yield
    finally:
        if before is None:
            translation.deactivate_all()
        elif before == default:
            translation.deactivate()
        else:
            translation.activate(before)

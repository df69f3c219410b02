"""The exceptions of squids. The docstring of a class is its default message. Pure."""

from __future__ import annotations


class SquidsError(Exception):
    """Something in squids went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())
        self.files: tuple[str, ...] = ()
        """If importing the app failed: the files that the import reached."""


class ConfigurationError(SquidsError):
    """The configuration is wrong, and a restart cannot fix it."""


class AppNotFound(ConfigurationError):
    """The app was not found where --app says."""


class AppImportFailed(SquidsError):
    """Importing the app raised."""


class DuplicateTask(SquidsError, ValueError):
    """Two tasks have one name, and a message could mean either."""


class NeverRan(SquidsError):
    """The task returned a coroutine or a generator, whose work was not done."""


class BadMessage(SquidsError):
    """A message that cannot be run."""


class NotATaskMessage(BadMessage):
    """The message's body is not a task call."""


class UnknownTask(BadMessage):
    """The message names a task that the app does not have."""


class ArgumentMismatch(BadMessage):
    """An argument does not fit the annotation of its parameter."""

"""Flask: each job runs in an app context of its own, as each request does. Extra: `squids[flask]`.

What extensions do at the end of a request, such as removing a database session, they do at the end of a job,
because Flask's teardown functions run.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Unpack

from flask import Flask

import squids
from squids.app import AppOptions
from squids.job import Job
from squids.sqs import SQS

EXTENSION = "squids"
"""The key of `Flask.extensions`."""


class App(squids.App):
    """A squids app whose jobs run in a Flask app context.

    Made at import, so that tasks can be registered; `init_app` adds the Flask app, which a factory may make
    later. The arguments are those of `squids.App`.
    """

    def __init__(
        self, name: str, config: Mapping[str, Any] | None = None, **options: Unpack[AppOptions]
    ) -> None:
        super().__init__(name, config, **options)
        self.flask_app: Flask | None = None
        self.consumer_start(self._check)
        self.worker_start(self._check)
        self.around_task(self._context)

    def init_app(self, flask_app: Flask) -> None:
        """Run jobs in contexts of this Flask app from now on; of several, the last one counts.

        `flask_app.config["SQUIDS"]`, if set, replaces `config` of this app. Raises TypeError if it has an
        unknown key. `flask_app.extensions["squids"]` becomes this app, so `--app` may name the Flask app.
        """
        config = flask_app.config.get("SQUIDS")
        if config is not None:
            self.sqs = SQS(config, self.sqs.send_timeout)
        self.flask_app = flask_app
        flask_app.extensions[EXTENSION] = self

    def _check(self) -> None:
        self._flask()

    def _flask(self) -> Flask:
        if self.flask_app is None:
            raise squids.ConfigurationError(
                f"the app {self.name} has no Flask app: call its init_app in the module, or the factory, "
                "that --app names"
            )
        return self.flask_app

    def _context(self, job: Job) -> AbstractContextManager[Any]:
        return self._flask().app_context()

"""A supervisor, as system tests start it."""

from tests.system.conftest import supervisor as supervisor

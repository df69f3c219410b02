"""Faults, attacks and hostile input against whole processes: slower than the other suites, `make test-faults`."""

from __future__ import annotations

from tests.system.conftest import _no_aws_environment, supervisor

__all__ = ["_no_aws_environment", "supervisor"]

"""How a specification reaches a fresh interpreter."""

from __future__ import annotations

import os

import pytest

from squids.process.interpreter import interpreter_of, spec_of

SPEC = {"options": {"password": "secret"}, "queues": ["q" * 80] * 50_000}


def test_a_specification_of_any_size_is_in_a_file_and_no_argument_shows_it():
    """An argument holds 128 KiB, and everybody may read it."""
    with interpreter_of("squids.process.child_main", SPEC) as (command, inherited):
        assert "secret" not in " ".join(command)
        assert max(map(len, command)) < 2000
        assert os.fstat(inherited).st_nlink == 0
        assert not os.get_inheritable(inherited), "only the child that it is passed to has it"
        assert spec_of(["-c", str(os.dup(inherited))]) == SPEC
    with pytest.raises(OSError):
        os.fstat(inherited)


def test_the_child_has_no_copy_of_it_once_it_is_read():
    with interpreter_of("squids.process.child_main", SPEC) as (_, inherited):
        copy = os.dup(inherited)
        spec_of(["-c", str(copy)])
        with pytest.raises(OSError):
            os.fstat(copy)


def test_a_parent_of_before_an_upgrade_is_told_to_be_restarted():
    """It runs since another version, and passes JSON."""
    with pytest.raises(SystemExit, match="another version of squids: restart"):
        spec_of(["-c", '{"path": null}'])

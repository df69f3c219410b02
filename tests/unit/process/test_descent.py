"""Which pids that others report are believed."""

from __future__ import annotations

import pytest

from squids.process.descent import Claim, Seen, is_pid, why_not

SUPERVISOR, SERVER, WRAPPER, CHILD, STRANGER = 100, 110, 115, 120, 130

PROCESSES = {
    SUPERVISOR: Seen(1, 0, 10.0),
    SERVER: Seen(SUPERVISOR, 65534, 20.0),
    WRAPPER: Seen(SERVER, 65534, 30.0),
    CHILD: Seen(SERVER, 65534, 30.0),
    STRANGER: Seen(1, 65534, 30.0),
}

OURS = Claim(frozenset((SERVER, SUPERVISOR)), 65534, 29.5)


def asked(pid, claim=OURS, **others):
    return why_not(pid, claim, {**PROCESSES, **{int(key[1:]): seen for key, seen in others.items()}}.get)


def test_a_child_of_the_fork_server_is_believed():
    """Also one below a wrapper around the interpreter, and one that its supervisor adopted."""
    assert asked(CHILD) is None
    assert asked(121, _121=Seen(WRAPPER, 65534, 30.0)) is None
    assert asked(122, _122=Seen(SUPERVISOR, 65534, 30.0)) is None


def test_who_is_no_descendant_is_not():
    """Others' processes, and those whose line leads to init, to nobody, or in a circle."""
    why = "it is not a descendant of its fork server"
    assert asked(STRANGER) == why
    assert asked(131, _131=Seen(999, 65534, 30.0)) == why
    assert asked(131, _131=Seen(132, 65534, 30.0), _132=Seen(131, 65534, 30.0)) == why


def test_the_fork_server_and_its_owner_are_nobodys_children():
    """A fork server may not name itself, nor whoever started it."""
    assert asked(SERVER) == "it is the parent, not a child"
    assert asked(SUPERVISOR) == "it is the parent, not a child"


def test_another_users_process_is_not_believed():
    """But where the code runs as root, which may become anybody."""
    assert asked(121, _121=Seen(SERVER, 0, 30.0)) == "it runs as uid 0, not 65534"
    assert asked(121, Claim(OURS.below, 0, 29.5), _121=Seen(SERVER, 33, 30.0)) is None


def test_what_is_older_than_the_request_is_not_the_answer():
    """A second is allowed for rounding; without the time of the request nothing is compared."""
    assert asked(121, _121=Seen(SERVER, 65534, 28.6)) is None
    assert asked(121, _121=Seen(SERVER, 65534, 28.4)) == "it is older than the request for it"
    assert asked(121, Claim(OURS.below, 65534, None), _121=Seen(SERVER, 65534, 1.0)) is None


def test_who_is_not_there():
    """A number that is nobody's."""
    assert asked(4242) == "there is no such process"


@pytest.mark.parametrize(
    ("value", "answer"),
    [(2, True), (4194304, True), (1, False), (0, False), (-1, False), ("7", False), (True, False)],
)
def test_numbers_that_mean_more_than_one_process_are_no_pids(value, answer):
    """-1 is everybody, 0 one's own group, 1 init."""
    assert is_pid(value) is answer

"""Places of what a file says, for people who look for their mistake."""

from __future__ import annotations

from squids.supervisor.config.document import Document, Location, Problem

HERE = Location("squids.yaml", 7, 3)


def test_a_problem_reads_as_compilers_write_it_and_editors_jump_to() -> None:
    assert str(Problem(HERE, ("queues", "emails", "limits", 0), "is odd")) == (
        "squids.yaml:7:3: queues.emails.limits.0: is odd"
    )
    assert str(Problem(HERE, (), "is empty")) == "squids.yaml:7:3: is empty"


def test_a_problem_is_one_line_whatever_the_file_holds() -> None:
    """A line end or tab in a key, a value or a path looked like the next mistake of the list."""
    problem = Problem(Location("a\nb.yaml"), ("queues", "x\ny"), 'not "4\nsquids.yaml:1:1: forged\t\x1b[2J"')
    assert str(problem) == (r'a\nb.yaml:1:1: queues.x\ny: not "4\nsquids.yaml:1:1: forged\t\x1b[2J"')


def test_what_has_no_place_has_that_of_what_is_around_it() -> None:
    """Of a key that is missing there is only the mapping that it is missing in."""
    queue, key, value = (Location("squids.yaml", line, 1) for line in (2, 3, 4))
    text = Document(
        locations={("queues", "emails"): queue, ("queues", "emails", "app"): value},
        keys={("queues", "emails", "app"): key, ("queues", "emails", "only a key"): HERE},
    )
    assert text.location(("queues", "emails", "app")) == value
    assert text.location(("queues", "emails", "app"), key=True) == key
    assert text.location(("queues", "emails", "only a key")) == HERE
    assert text.location(("queues", "emails", "workers", "deeper")) == queue
    assert text.location(("defaults",)) == Location("?")


def test_what_has_no_place_at_all_is_the_files() -> None:
    """Line 1 of the file itself, whatever it includes; or where it begins, if that is known."""
    text = Document(files=["squids.yaml", "more.yaml"])
    assert str(text.location(("queues",))) == "squids.yaml:1:1"
    text.locations[()] = HERE
    assert text.location(("queues",)) == HERE

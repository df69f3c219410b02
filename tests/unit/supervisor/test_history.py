"""What is kept of deaths and last lines."""

from __future__ import annotations

from squids.supervisor.history import CHARACTERS_KEPT, DEATHS_KEPT, LINES_KEPT, Death, History, LastLines


def test_what_a_process_said_last_has_little_room():
    """Many lines, or long ones: the last are kept, and a long one is cut."""
    lines = LastLines()
    for number in range(1000):
        lines.add(str(number))
    assert list(lines) == [str(number) for number in range(1000 - LINES_KEPT, 1000)]
    for _ in range(1000):
        lines.add("x" * 1_000_000)
    kept = list(lines)
    assert sum(map(len, kept)) <= CHARACTERS_KEPT
    assert "xxx ... (995904 more characters) ... xxx" in kept[-1]
    assert Death(0, 1, 1, "exit 1", False, 1.0, lines).as_dict()["lines"] == kept


def test_the_last_deaths_are_kept():
    """Twenty for each program; the last that nobody asked for is found."""
    history = History()
    for number in range(DEATHS_KEPT + 5):
        history.died("q", Death(number, 1, number, f"exit {number}", number % 2 == 0, 1.0))
    assert len(history.deaths("q")) == DEATHS_KEPT
    assert history.last_unasked("q").status == DEATHS_KEPT + 3
    history.forget("q")
    assert history.last_unasked("q") is None

"""When what died is started again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squids.process.restarts import GiveUp, RestartPolicy, Restarts, StartAt
from squids.supervisor.generation import RETRY as FORK_SERVERS
from squids.supervisor.program.failures import REFUSED, policy_of
from squids.supervisor.settings import AppSpec, MaxRestarts, ProgramSettings

POLICY = RestartPolicy(immediate=2, first=1.0, maximum=8.0, give_up_after=7, healthy_after=60.0)


def deaths(count: int, policy: RestartPolicy = POLICY, every: float = 1.0) -> list[StartAt | GiveUp]:
    """The answers to so many deaths in a row, with the longest jitter."""
    restarts = Restarts(policy)
    return [restarts.died(number * every, 1.0) for number in range(count)]


def delays(answers: list[StartAt | GiveUp], every: float = 1.0) -> list[float | None]:
    """How long each waits; None: given up."""
    return [
        answer.at - number * every if isinstance(answer, StartAt) else None
        for number, answer in enumerate(answers)
    ]


def test_the_table():
    """The first deaths are answered at once, then each wait doubles up to the maximum, then it is given up."""
    assert delays(deaths(8)) == [0.0, 0.0, 1.0, 2.0, 4.0, 8.0, None, None]


def test_giving_up_says_after_how_many():
    """Whoever tells a person knows the count."""
    assert deaths(8)[-2:] == [GiveUp(7), GiveUp(8)]


def test_it_may_never_be_given_up():
    """Without a count it goes on at the longest wait, without overflow."""
    policy = RestartPolicy(immediate=0, first=1.0, maximum=8.0, give_up_after=None)
    answers = deaths(3000, policy)
    assert not any(isinstance(answer, GiveUp) for answer in answers)
    assert delays(answers)[-1] == 8.0


def test_progress_forgets():
    """What finished something begins anew."""
    restarts = Restarts(POLICY)
    for number in range(6):
        restarts.died(float(number), 1.0)
    restarts.progress()
    assert restarts.deaths == 0
    assert restarts.died(6.0, 1.0) == StartAt(6.0)


@pytest.mark.parametrize(("pause", "forgotten"), [(59.9, False), (60.0, True), (1e6, True)])
def test_a_long_time_without_a_death_forgets(pause, forgotten):
    """Once a day is not again and again."""
    restarts = Restarts(POLICY)
    for _ in range(4):
        restarts.died(100.0, 1.0)
    assert (restarts.died(100.0 + pause, 1.0) == StartAt(100.0 + pause)) is forgotten


@given(st.floats(0, 1), st.integers(1, 6), st.floats(0, 1e9))
def test_jitter_takes_at_most_half(jitter, count, now):
    """A start is never in the past, and never later than the longest wait."""
    restarts = Restarts(POLICY)
    for _ in range(count):
        answer = restarts.died(now, jitter)
        assert isinstance(answer, StartAt)
    assert isinstance(answer, StartAt)
    assert now <= answer.at <= now + POLICY.maximum
    if count > POLICY.immediate:
        assert answer.at >= now + POLICY.first / 2 - 1e-6


def test_starts_within_a_window_are_limited() -> None:
    """A program's `max_restarts`: the count of starts, whatever the failures between them were."""
    restarts = Restarts(RestartPolicy(immediate=0, first=1.0, most=2, window=10.0))
    assert isinstance(restarts.died(0.0, 1.0), StartAt)
    assert restarts.starts_again(1.0) is None
    assert restarts.died(2.0, 1.0) == GiveUp(2)
    assert isinstance(restarts.died(10.5, 1.0), StartAt)
    restarts.forget()
    assert (restarts.deaths, restarts.starts_again(10.6)) == (0, None)


@pytest.mark.parametrize(("healthy", "deaths"), [(True, 1), (False, 4)])
def test_whoever_knows_whether_it_was_healthy_says_so(healthy: bool, deaths: int) -> None:
    """A program by how long it received, a fork server by how long it was ready; an import never was."""
    restarts = Restarts(RestartPolicy(immediate=0, healthy_after=60.0))
    for number in range(3):
        restarts.died(float(number), 1.0, healthy=False)
    restarts.died(1000.0, 1.0, healthy=healthy)
    assert restarts.deaths == deaths


def program_policy() -> RestartPolicy:
    settings = ProgramSettings("q", "q", AppSpec("shop:app", "/srv"), (), max_restarts=MaxRestarts(3))
    return policy_of(settings)


WORKERS = RestartPolicy(give_up_after=10)
"""As `squids.pool.workers` has it, with one or two workers."""


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        # A worker that dies is replaced at once, then more and more slowly, until its consumer gives up.
        (WORKERS, [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, None]),
        # An import that fails waits from the first failure on, and is tried for ever.
        (FORK_SERVERS, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]),
        # A program's limit is on starts within its window, not on deaths in a row.
        (program_policy(), [1.0, 2.0, 4.0, *[None] * 7]),
        # The system's refusals have no chance in them, and no end.
        (REFUSED, [0.5, 1.0, 2.0, 4.0, 8.0, *[10.0] * 5]),
    ],
    ids=["workers", "fork servers", "programs", "refused processes"],
)
@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_each_user_has_its_delays_and_its_limit(policy, expected, jitter):
    """Ten deaths in a row, one a second. Chance may take half of each delay, but none of a refusal's."""
    restarts = Restarts(policy)
    answers = [restarts.died(float(number), jitter, healthy=False) for number in range(10)]
    part = 1.0 if jitter == 1.0 or policy is REFUSED else 0.5
    assert delays(answers) == [None if delay is None else delay * part for delay in expected]

"""What a file needs of the system's limits."""

from __future__ import annotations

from squids.supervisor.capacity import (
    OWN_DESCRIPTORS,
    descriptors_in_consumer,
    descriptors_needed,
    shortages,
    tasks_needed,
)
from squids.supervisor.fleet import kinds_of_consumers
from squids.supervisor.settings import AppSpec, ProgramSettings

GROUND = AppSpec("shop:app", "/srv")


def programs(count, queue="q{}", **options):
    return [
        ProgramSettings(str(n), str(n), GROUND, tuple(sorted({"queue": queue.format(n), **options}.items())))
        for n in range(count)
    ]


def test_each_consumer_costs_two_descriptors_and_two_for_each_process():
    """Its socket and its pidfd; a pipe for what a process prints, and a socket for what it logs."""
    assert descriptors_needed(programs(10, workers=3), cpus=8) == OWN_DESCRIPTORS + 100
    assert descriptors_needed(programs(10), cpus=8) == OWN_DESCRIPTORS + 200


def test_a_consumer_needs_three_descriptors_for_each_worker_and_never_less_than_64():
    assert [descriptors_in_consumer(workers) for workers in (1, 12, 13, 60)] == [64, 64, 67, 208]


def test_a_limit_that_cannot_hold_the_file_is_named_with_both_numbers():
    many = programs(1000, workers=1)
    (text,) = shortages(many, 2, descriptors=[("ulimit -Hn", 1024)], tasks=[("TasksMax", None)])
    assert "1000 consumers need about 6040 file descriptors, and ulimit -Hn allows 1024" in text
    (text,) = shortages(
        many, 2, descriptors=[("ulimit -Hn", None)], tasks=[("TasksMax", 4915), ("pids", 9999)]
    )
    assert f"about {tasks_needed(many, 2)} processes and threads, and TasksMax allows 4915" in text


def test_limits_that_are_enough_say_nothing():
    assert shortages(programs(10), 2, descriptors=[("a", 120)], tasks=[("b", 60)]) == []


def test_a_fork_server_is_told_of_one_consumer_of_each_kind():
    """What it prepares depends on anything but the queue's name."""
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/{}"
    found = kinds_of_consumers(
        [*programs(2000), *programs(2000, workers=4), *programs(2000, url.replace("{}", "q{}"))]
    )
    assert [options["queue"] for options in found] == ["q0", "q0", url.format("q0")]
    assert all(options["app"] == "shop:app" for options in found)


def test_queues_of_two_regions_are_of_two_kinds():
    arns = [f"arn:aws:sqs:{region}:123456789012:q" for region in ("eu-west-1", "us-east-1")]
    found = kinds_of_consumers([program for arn in arns for program in programs(3, arn)])
    assert [options["queue"] for options in found] == arns

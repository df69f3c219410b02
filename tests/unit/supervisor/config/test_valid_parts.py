"""What is valid of a file is used, so that all its mistakes are found at once."""

from __future__ import annotations

from squids.supervisor.config.text import read_text
from squids.supervisor.config.valid_parts import valid_rules


def test_each_mistake_is_reported_once_and_the_rest_is_valid(tmp_path):
    file = tmp_path / "squids.yaml"
    file.write_text("app: shop:app\nnonsense: 1\nqueues: {a: {workers: many, nice: 5}, b: 7}\n")
    text = read_text(str(file), {})
    problems = list(text.problems)
    rules = valid_rules(text, problems)
    assert sorted(".".join(map(str, problem.path)) for problem in problems) == [
        "nonsense",
        "queues.a.workers",
        "queues.b",
    ]
    assert rules is not None
    assert rules.queues["a"].nice == 5

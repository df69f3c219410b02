"""The workflows of a fork run what `make` has, with each Python that the package promises."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.house.modules import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def commands(path: Path) -> list[str]:
    jobs = yaml.safe_load(path.read_text())["jobs"]
    return [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_target_that_a_workflow_makes_is_there(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in commands(path):
        for made in re.findall(r"^make ([a-z -]+)$", command, re.MULTILINE):
            assert set(made.split()) <= targets


def test_every_suite_is_run() -> None:
    """What `.ci/run` calls, the workflow calls, on one machine or another."""
    run = (ROOT / ".ci" / "run").read_text()
    ours = set(re.findall(r"^ *make ([a-z-]+)$", run, re.MULTILINE)) - {"test"}
    theirs = " ".join(commands(ROOT / ".github" / "workflows" / "ci.yml"))
    assert ours == {"bench-short", "demo", "docs", "test-faults", "test-slow", "test-systemd"}
    assert [made for made in ("lint types imports", "pytest", "coverage", *ours) if made not in theirs] == []


def test_each_promised_python_is_tested() -> None:
    matrix: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["test"][
        "strategy"
    ]["matrix"]
    promised = [
        text.rpartition(" ")[2]
        for text in PYPROJECT["project"]["classifiers"]
        if re.search(r":: 3\.\d+$", text)
    ]
    assert matrix["python"] == promised
    assert PYPROJECT["project"]["requires-python"] == f">={promised[0]}"
    assert PYPROJECT["tool"]["mypy"]["python_version"] == promised[0]


def test_nothing_is_published_until_it_is_switched_on() -> None:
    """And then without a token that could be stolen."""
    release = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    jobs = yaml.safe_load(release)["jobs"]
    assert jobs["build"]["if"] == "vars.RELEASE == 'on'"
    assert jobs["publish"]["needs"] == "build"
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert "secrets." not in release


def test_the_lowest_versions_are_those_of_the_package() -> None:
    """The constraints of one run of the matrix are made of pyproject.toml, and none is missing."""
    made = runpy.run_path(str(ROOT / "scripts" / "lowest_versions.py"))["constraints"](PYPROJECT["project"])
    named = {re.split(r"[>\[;]", text)[0] for text in PYPROJECT["project"]["dependencies"]} | {"moto"}
    assert {line.partition("==")[0] for line in made} == named

"""What followers of a consumer's jobs get. `test_pooled_consumer` tests when they get it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from squids.job import JobEnd
from squids.pool.actions import Notice, Report
from squids.pool.batches import Batch, Entry, Operation
from squids.pool.job_reports import FAILURES, JobReports
from squids.pool.message import HeldMessage
from squids.pool.roster import JobResult
from squids.process.protocol import JobsChanged


def message(name: str) -> HeldMessage:
    return HeldMessage(name, "receipt", '{"task": "shop.mail"}', 1, None, None, 0.0, 60.0)


def never(number: int) -> HeldMessage | None:
    raise AssertionError("nobody wants to know")


def everything_happens(jobs: JobReports, message_of: Any) -> None:
    jobs.handed([message("a"), message("b")], 1)
    jobs.ended(
        [JobResult(1, JobEnd.DONE), JobResult(2, JobEnd.FAILED), JobResult(3, JobEnd.DONE)], message_of
    )
    jobs.reported(Report(Notice.TASK_FAILED, message=message("b")))
    for operation in Operation:
        jobs.returning(Batch(operation, (Entry("b", "receipt", 30), Entry("c", "receipt", 0))))


ALL = [
    [["a", "started"], ["b", "started"]],
    [["a", "done"]],
    [["b", "failed"]],
    [["b", "given_back"], ["c", "given_back"]],
]


def test_several_messages_are_one_frame_and_an_unknown_job_is_left_out():
    sent: list[JobsChanged] = []
    jobs = JobReports()
    jobs.follow(False, sent.append)
    everything_happens(jobs, {1: message("a"), 2: message("b")}.get)
    assert [frame.changes for frame in sent] == ALL


@pytest.mark.parametrize("before", [False, True])
def test_nothing_is_reported_if_no_one_follows(caplog, before):
    """Not even the message of a job is looked up."""
    caplog.set_level(logging.DEBUG, "squids")
    sent: list[JobsChanged] = []
    jobs = JobReports()
    if before:
        jobs.follow(True, sent.append)
        jobs.follow(False, None)
    everything_happens(jobs, never)
    assert (sent, caplog.records) == ([], [])


def test_the_log_alone_gets_starts_and_good_ends(caplog):
    caplog.set_level(logging.INFO, "squids")
    jobs = JobReports()
    jobs.follow(True, None)
    everything_happens(jobs, {1: message("a"), 2: message("b")}.get)
    assert [record.action for record in caplog.records] == ["job_started", "job_started", "job_done"]


@pytest.mark.parametrize("notice", [notice for notice in Notice if notice not in FAILURES])
def test_a_report_that_ends_no_job_is_not_sent(notice):
    sent: list[JobsChanged] = []
    jobs = JobReports()
    jobs.follow(False, sent.append)
    jobs.reported(Report(notice, message=message("a")))
    assert sent == []

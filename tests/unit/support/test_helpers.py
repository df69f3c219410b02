"""The helpers that tests of whole processes stand on: the journal, the process, the servers, waiting."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support import journal, servers
from tests.support.journal import Journal
from tests.support.machines import tree
from tests.support.processes import SquidsProcess, call, cpu_seconds
from tests.support.waiting import wait_until

# waiting


def test_waiting_gives_the_first_true_answer():
    """The condition's own answer is the answer."""
    answers = iter([None, 0, "", "yes"])
    assert wait_until(lambda: next(answers)) == "yes"


def test_waiting_in_vain_says_for_what():
    """After the time there is an AssertionError with the words that were given."""
    with pytest.raises(AssertionError, match="not within 0 s: the moon"):
        wait_until(lambda: False, seconds=0, what="the moon")


# journal


@pytest.fixture
def written(tmp_path):
    """A journal with these lines."""

    def write(*lines: str) -> Journal:
        path = tmp_path / "journal"
        path.write_text("".join(f"{line}\n" for line in lines))
        return Journal(path)

    return write


def test_a_journal_that_nobody_wrote_is_empty(tmp_path):
    """Before the first line there is no file, and no error."""
    assert Journal(tmp_path / "none").lines() == []


def test_lines_of_several_processes_are_whole(tmp_path):
    """Ten processes write a hundred lines each: a thousand whole lines."""
    script = f"{journal.SOURCE}\nfor n in range(100): note('done', n)"
    environment = {**os.environ, "JOURNAL": str(tmp_path / "journal")}
    writers = [subprocess.Popen([sys.executable, "-c", script], env=environment) for _ in range(10)]
    assert [writer.wait() for writer in writers] == [0] * 10
    book = Journal(tmp_path / "journal")
    assert len(book.lines()) == 1000
    assert set(book.pids("done")) == {writer.pid for writer in writers}
    assert book.words("done").count("99") == 10


def test_a_line_that_is_being_written_is_not_read(written):
    """Only what ends in a newline counts."""
    book = written("start a 1")
    with open(book.path, "a") as file:
        file.write("done")
    assert book.lines() == [["start", "a", "1"]]


def test_once_means_once(written):
    """A second run, a missing one, one that was not asked for and one that did not end are each told."""
    good = ["start a 1", "done a 1", "start b 2", "done b 2"]
    written(*good).assert_each_ran_once(["a", "b"])
    for lines in (good[:2], [*good, "start a 1", "done a 1"], [*good, "start c 1", "done c 1"], good[:3]):
        with pytest.raises(AssertionError):
            written(*lines).assert_each_ran_once(["a", "b"])


def test_at_least_once_means_all_and_no_others(written):
    """Twice is well; never, and what nobody asked for, is not."""
    good = ["start a 1", "done a 1", "start a 2", "done a 2"]
    written(*good).assert_each_ran(["a"])
    for names in (["a", "b"], []):
        with pytest.raises(AssertionError):
            written(*good).assert_each_ran(names)


def test_one_at_a_time_means_no_overlap_and_in_order(written):
    """An overlap and a wrong order are told."""
    written("start a 1", "done a 1", "start b 2", "done b 2").assert_one_at_a_time("ab")
    with pytest.raises(AssertionError, match="b began"):
        written("start a 1", "start b 2", "done a 1", "done b 2").assert_one_at_a_time("ab")
    with pytest.raises(AssertionError, match="b began"):
        written("start b 2", "done b 2", "start a 1", "done a 1").assert_one_at_a_time("ab")


# servers


@pytest.mark.parametrize("server", [servers.moto, servers.fauxqs])
def test_a_server_listens_on_loopback_and_is_gone_afterwards(server):
    """Inside the block it answers, on loopback alone; afterwards nobody listens."""
    with server() as url:
        client = servers.client(url)
        client.create_queue(QueueName="q")
        port = int(url.rpartition(":")[2])
        assert _listeners(port) == {"0100007F"}
        client.close()
    assert _listeners(port) == set()


def test_a_server_ends_with_those_who_started_it():
    """Also when the tests are killed, their server ends."""
    script = "import os, tests.support.servers as s\nwith s.moto() as url:\n print(url, flush=True)\n input()"
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=servers.ROOT,
    ) as tests:
        port = int(tests.stdout.readline().rpartition(":")[2])
        tests.kill()
    wait_until(lambda: not _listeners(port), seconds=10, what="the server has ended")


def test_fauxqs_counts_its_calls():
    """Benchmarks ask how many calls a run cost."""
    with servers.fauxqs() as url:
        client = servers.client(url)
        queue = client.create_queue(QueueName="q")["QueueUrl"]
        for _ in range(3):
            client.send_message(QueueUrl=queue, MessageBody="x")
        client.close()
        assert servers.calls_of_fauxqs(url)["SendMessage"] == 3


def _listeners(port: int) -> set[str]:
    """The addresses, as the kernel writes them, on which somebody listens at this port."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as file:
            for line in file.readlines()[1:]:
                address, number = line.split()[1].split(":")
                if int(number, 16) == port and line.split()[3] == "0A":
                    found.add(address)
    return found


# processes


def test_a_process_is_seen_with_all_that_it_started(strict_sqs, squids_process, tmp_path):
    """Main, zygote, workers and what a task started are found; another run's are not; after its end none."""
    strict_sqs.create("tests")
    other = squids_process(strict_sqs.endpoint_url).start("--workers", "1", queue="other")
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "2").ready()
    strict_sqs.put("tests", call("spawn_and_wait", "a", str(tmp_path / "never")))
    wait_until(lambda: process.journal.words("start"))
    process.workers(2)
    found = process.processes()
    assert process.pid in found
    assert int(process.journal.words("child")[0]) in found
    assert len(process.named("zygote")) == 1
    assert not set(found) & set(other.processes())
    process.insist()
    assert process.wait() == 0
    process.nothing_left()
    assert other.processes()


def test_one_that_was_just_forked_is_not_taken_for_its_parent(tmp_path, monkeypatch):
    """It has its parent's title until it has set its own."""
    process = SquidsProcess(tmp_path, {})
    zygote, worker = "squids: tests zygote", "squids: tests worker 1"
    monkeypatch.setattr(process, "_seen", lambda: {7: (zygote, 1), 8: (zygote, 7), 9: (worker, 7)})
    assert (process.named("zygote"), process.named("worker")) == ([7], [9])
    assert set(process.processes()) == {7, 8, 9}


def test_a_run_is_ended_with_its_test(strict_sqs, squids_process, tmp_path):
    """`close` ends main, zygote, workers and what tasks started, and nothing else."""
    strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "1").ready()
    strict_sqs.put("tests", call("spawn_and_wait", "a", str(tmp_path / "never")))
    wait_until(lambda: process.journal.words("start"))
    process.close()
    assert process.processes() == {}


def test_an_action_that_never_comes_shows_what_was_said(strict_sqs, squids_process):
    """A wait in vain shows the output so far."""
    strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "1").ready()
    with pytest.raises(AssertionError, match="action=ready"):
        process.wait_for("no_such_action", seconds=0.1)


def test_cpu_time_of_processes_is_summed():
    """A process that works has used CPU, one that waits has not."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    idle = subprocess.Popen(["sleep", "60"])
    try:
        wait_until(lambda: cpu_seconds([busy.pid, idle.pid]) > 0.3)
        assert cpu_seconds([idle.pid]) < 0.05
    finally:
        for process in (busy, idle):
            process.kill()
            process.wait()


def test_what_is_mounted_below_a_folder_can_be_taken_away(tmp_path):
    """As a debootstrap that was killed left it, one in the other; what only begins with its name stays."""
    outer, inner, other = tmp_path / "a" / "proc", tmp_path / "a" / "proc" / "deep", tmp_path / "ab"
    outer.mkdir(parents=True)
    other.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", outer], capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount")
    inner.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", inner], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", other], check=True)
    try:
        tree.unmount_below(tmp_path / "a")
        assert not outer.is_mount()
        assert other.is_mount()
    finally:
        tree.unmount_below(tmp_path)

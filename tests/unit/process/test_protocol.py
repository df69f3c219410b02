"""The typed frames, and what they are on the wire."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squids.process import protocol
from squids.process.figures import ConsumerFigures, ImportedFile, ImportFacts, RunningJob
from squids.process.frames import FrameReader
from squids.process.protocol import (
    Alive,
    Assign,
    Booted,
    Degraded,
    Drain,
    Exited,
    Figures,
    Follow,
    ForkServerHangs,
    JobChange,
    JobsChanged,
    Kill,
    Output,
    Pause,
    Preloaded,
    PreloadFailed,
    Ready,
    Recall,
    Results,
    Scale,
    Spawn,
    Spawned,
    SpawnFailed,
    Stopping,
    WorkerReady,
    from_wire,
    to_wire,
)

numbers = st.integers(min_value=0, max_value=2**53)
pids = st.integers(min_value=2, max_value=2**22)
payloads = st.lists(st.lists(st.none() | numbers | st.text() | st.floats(allow_nan=False), max_size=4))
files = st.builds(ImportedFile, st.text(), numbers, numbers)
facts = st.none() | st.builds(ImportFacts, st.floats(0, 1e10), st.lists(files).map(tuple))
jobs = st.builds(RunningJob, numbers, st.none() | pids, st.none() | st.text(), st.text(), st.floats(0, 1e10))
seconds = st.none() | st.floats(0, 1e6)
figures = st.builds(
    ConsumerFigures,
    paused=st.booleans(),
    done=numbers,
    p50=seconds,
    p95=seconds,
    running=st.lists(jobs).map(tuple),
    pids=st.lists(pids).map(tuple),
)
frames = st.one_of(
    st.builds(
        Spawn,
        numbers,
        st.text(),
        st.dictionaries(st.text(), st.text() | numbers),
        st.text(),
        st.floats(min_value=0, max_value=1e6),
        numbers,
        st.booleans(),
    ),
    st.builds(Spawned, numbers, pids),
    st.builds(SpawnFailed, numbers, numbers, st.text()),
    st.builds(Kill, numbers, numbers, st.booleans()),
    st.builds(Exited, numbers, pids, st.integers(-64, 255)),
    st.just(WorkerReady()),
    st.builds(Assign, payloads),
    st.builds(Results, payloads),
    st.just(Recall()),
    st.builds(Preloaded, st.text(), facts),
    st.builds(PreloadFailed, st.booleans(), st.text(), st.lists(st.text())),
    st.builds(Output, st.text(), st.none() | numbers, pids),
    st.builds(Booted, facts),
    st.sampled_from([Ready(), Alive()]),
    st.builds(Drain, st.none() | st.floats(0, 1e6)),
    st.builds(Follow, st.booleans(), st.booleans()),
    st.builds(JobsChanged, st.lists(st.tuples(st.text(), st.sampled_from(JobChange)).map(list))),
    st.builds(Degraded, st.none() | st.text()),
    st.builds(Figures, figures),
    st.builds(ForkServerHangs, st.text()),
    st.builds(Stopping, st.text()),
    st.builds(Pause, st.booleans()),
    st.builds(Scale, numbers),
)


@given(frames)
def test_every_frame_is_the_same_on_the_other_side(frame):
    """What is sent is what is received, through JSON."""
    assert from_wire(json.loads(json.dumps(to_wire(frame)))) == frame


def test_the_frames_above_are_all_there_are():
    """A new frame is added to the test above too."""
    names = (
        "Spawn Spawned SpawnFailed Kill Exited WorkerReady Assign Results Recall Preloaded PreloadFailed Output "
        "Booted Ready Degraded Figures Alive ForkServerHangs Stopping Drain Pause Scale Follow "
        "JobsChanged"
    )
    assert {frame.__name__ for frame in protocol._FRAMES.values()} == set(names.split())


def test_figures_of_another_version_are_read():
    """A fresh interpreter imports the squids that is on disk by now. It may tell more, or less."""
    assert from_wire(["figures", {"done": 3, "of a later version": "x"}]) == Figures(ConsumerFigures(done=3))


@pytest.mark.parametrize(
    "changes",
    [None, {}, "m1", [None], ["m1"], [["m1"]], [["m1", "done", 1]], [["m1", "gone"]], [[1, "done"]], [["m1", []]]],
)  # fmt: skip
def test_changes_of_jobs_are_pairs_of_an_id_and_a_change_that_there_is(changes):
    with pytest.raises(ValueError, match="not a frame of ours"):
        from_wire(["jobs_changed", changes])


def test_tags_are_unique():
    """A tag means one frame."""
    assert len(protocol._FRAMES) == len(get_args(protocol.Frame))


@pytest.mark.parametrize(
    "payload", [None, 3, "spawn", [], {}, ["unknown"], ["spawned", 1], ["recall", 1], [["spawn"]], [None, 1]]
)
def test_what_is_no_frame_is_refused(payload):
    """JSON that nobody of ours sent is a ValueError, whatever its shape."""
    with pytest.raises(ValueError, match="not a frame of ours"):
        from_wire(payload)


@pytest.mark.parametrize("pid", [-1, 0, 1, 2**31, 3.5, True, "4242", None, [4242]])
@pytest.mark.parametrize(
    "frame",
    [
        lambda pid: ["spawned", 1, pid],
        lambda pid: ["exited", 1, pid, 0],
        lambda pid: ["figures", {"pids": [pid]}],
    ],
)
def test_a_number_that_means_many_processes_or_init_is_no_pid(frame, pid):
    """kill(2) takes -1 for all processes, and 0 for one's own group."""
    with pytest.raises(ValueError, match="not a frame of ours"):
        from_wire(frame(pid))


def test_the_frame_encoded_in_advance_is_the_frame():
    """What an idle worker sends without encoding it is WorkerReady."""
    assert [from_wire(payload) for payload in FrameReader().feed(protocol.WORKER_READY)] == [WorkerReady()]


@pytest.mark.parametrize(
    "payload",
    [
        ["figures", 7],
        ["figures", {"running": 5}],
        ["figures", {"running": [{}]}],
        ["figures", {"running": [{"worker": 1, "pid": None, "task": 7, "message_id": "m", "started": 1.0}]}],
        ["figures", {"p50": "x"}],
        ["figures", {"p95": float("nan")}],
        ["figures", {"done": True}],
        ["figures", {"done": 10**400}],
        ["figures", {"p50": 10**400}],
        ["figures", {"p50": -1}],
        ["preloaded", "", {"imported_at": 1e300, "files": []}],
        ["exited", 1, 4242, "x"],
        ["figures", {"pids": [1]}],
        ["figures", {"pids": {"1": 4242}}],
        ["figures", {"paused": 1}],
        ["booted", {}],
        ["preloaded", "", {}],
        ["preloaded", "", {"imported_at": "x", "files": []}],
        ["preloaded", "", {"imported_at": 1.0, "files": 5}],
        ["preloaded", "", {"imported_at": 1.0, "files": [["a"]]}],
        ["preloaded", "", {"imported_at": 1.0}],
        ["preloaded", 1, {}],
        ["booted", {"files": 1}],
        ["preload_failed", False, 5, []],
        ["preload_failed", False, "x", 7],
        ["output", 1, 2],
        ["output", "x", -1],
        ["degraded", 1],
        ["stopping", None],
        ["fork_server_hangs", []],
    ],
    ids=lambda payload: str(payload)[:60],
)
def test_what_has_wrong_types_is_no_frame(payload):
    """It is shown beside what others say: a wrong type took `status` from all queues."""
    with pytest.raises(ValueError, match="not a frame of ours"):
        from_wire(payload)

"""What runs in the children of the zygotes under test. Each tells what it knows as a line of JSON."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from squids.process.channel import Channel
from squids.process.protocol import Kill, Spawn, to_wire


def preload(args: dict[str, Any]) -> dict[str, Any]:
    """The preload entry of fresh children."""
    return {"preloaded": args, "by": os.getpid()}


def tell(channel: socket.socket, /, **facts: Any) -> None:
    channel.sendall(json.dumps(facts).encode() + b"\n")


def wait_for_the_end(channel: socket.socket) -> None:
    """Until the owner's end of the socket is closed."""
    channel.setblocking(True)
    while channel.recv(1024):
        pass


def leave_at_once(
    preloaded: Any, channel: socket.socket, descriptors: list[int], args: dict[str, Any]
) -> int:
    return 0


def leave(preloaded: Any, channel: socket.socket, descriptors: list[int], args: dict[str, Any]) -> int:
    return int(args["status"])


def exit_by(preloaded: Any, channel: socket.socket, descriptors: list[int], args: dict[str, Any]) -> int:
    """sys.exit with whatever a program may give it."""
    sys.exit(args["argument"])


def fail(preloaded: Any, channel: socket.socket, descriptors: list[int], args: dict[str, Any]) -> int:
    raise RuntimeError(args["text"])


def leave_politely(
    preloaded: Any, channel: socket.socket, descriptors: list[int], args: dict[str, Any]
) -> int:
    """Leave with something registered for the exit, and something in the buffer of standard output."""
    import atexit

    atexit.register(Path(args["path"]).write_text, "exit function ran")
    print(args["text"], end="")
    return 0


def report(preloaded: Any, channel: socket.socket, descriptors: list[int], args: dict[str, Any]) -> int:
    """All that a test may want to know of this process; then wait."""
    tell(
        channel,
        args=args,
        preloaded=preloaded,
        given=descriptors,
        channel=channel.fileno(),
        descriptors=open_descriptors(),
        inheritable=[number for number in open_descriptors() if os.get_inheritable(number)],
        group=os.getpgid(0),
        pid=os.getpid(),
        parent=os.getppid(),
        signals=signals_of("self"),
        interrupt=signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        terminate=signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        child=signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL,
        directory=os.getcwd(),
        path=sys.path,
        title=Path("/proc/self/cmdline").read_bytes().rstrip(b"\0").decode(),
        faulthandler=__import__("faulthandler").is_enabled(),
    )
    wait_for_the_end(channel)
    return 0


def hold_out(preloaded: Any, channel: socket.socket, descriptors: list[int], args: dict[str, Any]) -> int:
    """Never leave, whatever becomes of the owner."""
    tell(channel, pid=os.getpid())
    while True:
        signal.pause()


def have_helper(preloaded: Any, channel: socket.socket, descriptors: list[int], args: dict[str, Any]) -> int:
    """Start a program in this process's group, or in one of its own; then wait, or leave."""
    helper = subprocess.Popen(["sleep", "600"], start_new_session=args.get("elsewhere", False))
    tell(channel, pid=os.getpid(), helper=helper.pid)
    if args.get("leave"):
        helper.returncode = 0  # It is not waited for; no warning is wanted of it.
        return 7
    wait_for_the_end(channel)
    return 0


def have_children(
    preloaded: Any, channel: socket.socket, descriptors: list[int], args: dict[str, Any]
) -> int:
    """Own a child of the same zygote: tell its pid, kill it when told so, tell its end; then wait."""
    zygote = Channel(socket.socket(fileno=descriptors[0]))
    ours, theirs = socket.socketpair()
    grace = args.get("grace", 0.0)
    entry = f"{__name__}:{args.get('runs', 'hold_out')}"
    zygote.send(Spawn(1, entry, {}, "grandchild", grace, 1), [theirs.fileno()])
    theirs.close()
    tell(channel, told=to_wire(next_frame(zygote)))
    if args.get("kill"):
        zygote.send(Kill(1, signal.SIGKILL))
        tell(channel, told=to_wire(next_frame(zygote)))
    wait_for_the_end(channel)
    ours.close()
    return 0


def next_frame(channel: Channel) -> Any:
    channel._socket.settimeout(20)
    while not (frames := channel.receive()):
        if channel.closed:
            raise RuntimeError("the zygote is gone")
    return frames[0]


def await_end_of(preloaded: Any, channel: socket.socket, descriptors: list[int], args: dict[str, Any]) -> int:
    """Leave with 9 when the further socket ends: for a child that owns children, when the zygote is gone."""
    tell(channel, pid=os.getpid())
    with socket.socket(fileno=descriptors[0]) as further:
        wait_for_the_end(further)
    return 9


def count_programs_descriptors(
    preloaded: Any, channel: socket.socket, descriptors: list[int], args: dict[str, Any]
) -> int:
    """What a program that a task starts carelessly (os.system) finds open."""
    path = Path(args["path"])
    os.system(f"{sys.executable} -S -c \"import os; print(os.listdir('/proc/self/fd'))\" > '{path}'")
    return 0


def write_place(preloaded: Any, channel: socket.socket, descriptors: list[int], args: dict[str, Any]) -> int:
    """Which copy of squids this process runs."""
    Path(args["path"]).write_text(str(sys.modules["squids.process.child_main"].__file__))
    return 0


def open_descriptors(pid: int | str = "self") -> dict[int, str]:
    """What each descriptor leads to. The system's libffi, which ctypes loads, may keep itself open: left out."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue  # The descriptor of the listing itself.
        if "/libffi." not in target:
            found[int(name)] = target
    return found


def signals_of(pid: int | str) -> dict[str, list[int]]:
    """Signals that are pending (of a thread, and shared), blocked, ignored and caught, as the kernel knows it."""
    found = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":\t")
        if name in ("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"):
            bits = int(value, 16)
            found[name] = [number for number in range(1, 65) if bits >> (number - 1) & 1]
    return found

"""A lease holds a writer off for moments only, even when its holder stands still."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitsessiond.store.leases import give_back, take_lease

pytestmark = pytest.mark.skipif(not hasattr(fcntl, "F_SETLEASE"), reason="no leases on this system")

# Holds a lease on argv[1] and stands still inside it, with a keeper if argv[2] says so.
HOLDER = """
import os, signal, sys
from gitsessiond.store.leases import give_back, start_keeper, take_lease
print(start_keeper() if sys.argv[2] == "kept" else 0, flush=True)
for _ in range(int(sys.argv[3])):
    descriptor = os.open(sys.argv[1], os.O_RDONLY)
    assert take_lease(descriptor) == "held"
    os.kill(os.getpid(), signal.SIGSTOP)
    print(give_back(descriptor), flush=True)
    os.close(descriptor)
"""


@contextmanager
def holder(path: Path, kept: str, times: int = 1) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that stands still with a lease on the file; and its keeper's id."""
    command = [sys.executable, "-c", HOLDER, str(path), kept, str(times)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        keeper = int(process.stdout.readline())
        wait_until_stopped(process.pid)
        try:
            yield process, keeper
        finally:
            process.kill()


def wait_until_stopped(pid: int) -> None:
    """Until the process stands still."""
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < end
        time.sleep(0.005)


def open_for_writing(path: Path, patience: float) -> float:
    """Seconds that opening the file for writing takes, or more than ``patience``."""
    started = time.monotonic()
    command = ["timeout", "-s", "KILL", str(patience), "sh", "-c", 'exec 3<>"$0"', str(path)]
    subprocess.run(command, capture_output=True)
    return time.monotonic() - started


def ended(pid: int) -> bool:
    """Whether a process is gone, or a zombie that nobody has waited for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_holder_that_stands_still_holds_no_writer_up(tmp_path: Path) -> None:
    """SIGSTOP exactly inside a lease: the writer goes on, and the holder learns that it did not last; every time."""
    path = tmp_path / "f"
    path.write_bytes(b"x")
    with holder(path, "kept", times=3) as (process, keeper):
        assert keeper > 0 and process.stdout is not None
        for _ in range(3):
            wait_until_stopped(process.pid)
            assert open_for_writing(path, 5) < 1
            process.send_signal(signal.SIGCONT)
            assert process.stdout.readline() == "False\n"
        process.wait(10)
        assert ended_soon(keeper)


def ended_soon(pid: int) -> bool:
    """Whether the process is gone within two seconds."""
    end = time.monotonic() + 2
    while not ended(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return ended(pid)


def test_a_lease_nobody_broke_lasts(tmp_path: Path) -> None:
    """A reader opens the file: the lease is there until it is given back."""
    path = tmp_path / "f"
    path.write_bytes(b"x")
    with holder(path, "kept") as (process, _):
        assert path.read_bytes() == b"x"
        process.send_signal(signal.SIGCONT)
        assert process.stdout is not None and process.stdout.readline() == "True\n"


def test_without_a_keeper_the_writer_waits(tmp_path: Path) -> None:
    """What the keeper is for: else the writer waits for the kernel's patience, 45 seconds."""
    path = tmp_path / "f"
    path.write_bytes(b"x")
    with holder(path, "alone"):
        assert open_for_writing(path, 1) >= 1


def test_the_keeper_ends_with_its_process(tmp_path: Path) -> None:
    """kill -9 of the holder leaves no keeper, and no descriptor of the holder's open."""
    path = tmp_path / "f"
    path.write_bytes(b"x")
    with holder(path, "kept") as (process, keeper):
        process.kill()
        assert ended_soon(keeper)


def test_a_broken_lease_does_not_end_the_process(tmp_path: Path) -> None:
    """A writer that opens while the lease is held is told by a signal that is ignored."""
    path = tmp_path / "f"
    path.write_bytes(b"x")
    descriptor = os.open(path, os.O_RDONLY)
    assert take_lease(descriptor) == "held"
    with pytest.raises(BlockingIOError):
        os.open(path, os.O_WRONLY | os.O_NONBLOCK)  # breaks the lease
    assert give_back(descriptor)
    assert not give_back(descriptor)
    os.close(descriptor)

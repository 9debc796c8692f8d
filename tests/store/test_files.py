"""Reading a file that others write: never half of a save, never in a writer's way."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gitsessiond.store import files
from gitsessiond.store.files import Content, Unread, is_racy, read_file, signature
from gitsessiond.store.leases import give_back

LIMIT = 50 << 20

# Writes the file named by argv[1] argv[2] times, 200 KB of one letter each, as editors do in place.
WRITER = """
import sys
for number in range(int(sys.argv[2])):
    with open(sys.argv[1], "wb") as file:
        file.write(bytes([65 + number % 26]) * 200_000)
"""


def read_until(path: Path, done: Path) -> tuple[int, int]:
    """Read again and again until ``done`` exists; how many contents were torn, and how many whole."""
    torn = whole = 0
    while not done.exists():
        found = read_file(os.fsencode(path), LIMIT)
        if isinstance(found, Content):
            good = len(found.data) == 200_000 and found.data.count(found.data[:1]) == 200_000
            torn, whole = torn + (not good), whole + good
    return torn, whole


def as_nobody(work: Callable[[], tuple[int, int]]) -> Callable[[], tuple[int, int]]:
    """Start ``work`` in a child of another user; returns how to wait for its answer."""
    back, to = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            os.write(to, b"%d %d" % work())
        finally:
            os._exit(0)
    os.close(to)

    def answer() -> tuple[int, int]:
        with open(back, "rb") as pipe:
            torn, whole = pipe.read().split()
        os.waitpid(pid, 0)
        return int(torn), int(whole)

    return answer


def no_lease(_descriptor: int) -> str:
    return "none"


def content(path: Path) -> bytes:
    found = read_file(os.fsencode(path), LIMIT)
    assert isinstance(found, Content), found
    return found.data


@pytest.mark.parametrize("size", [0, 1, 65_536, files.LEASE_LIMIT, files.LEASE_LIMIT + 1, 3 << 20])
def test_reads_the_whole_file(tmp_path: Path, size: int) -> None:
    """Empty, small, at the lease's limit and above it."""
    path = tmp_path / "f"
    path.write_bytes(os.urandom(size))
    found = read_file(os.fsencode(path), LIMIT)
    assert isinstance(found, Content)
    assert found.data == path.read_bytes()
    assert signature(found.stat) == signature(path.stat())


def test_no_torn_content_in_1500_saves(tmp_path: Path) -> None:
    """1,500 back-to-back saves of 200 KB: every content that is returned is one save's, whole."""
    path = tmp_path / "busy"
    path.write_bytes(b"A" * 200_000)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), "1500"])
    torn = whole = 0
    while writer.poll() is None:
        found = read_file(os.fsencode(path), LIMIT)
        if isinstance(found, Content):
            good = len(found.data) == 200_000 and found.data.count(found.data[:1]) == 200_000
            torn, whole = torn + (not good), whole + good
    assert writer.returncode == 0
    assert torn == 0
    assert whole > 0
    assert content(path) == bytes([65 + 1499 % 26]) * 200_000


@pytest.mark.skipif(os.getuid() != 0, reason="another user is needed")
def test_no_torn_content_as_another_user(tmp_path: Path) -> None:
    """Without the right to a lease nothing half-written is returned either."""
    shared = Path("/tmp") / f"gitsessiond-foreign-{os.getpid()}"  # tmp_path is closed to others
    shared.mkdir(mode=0o755)
    try:
        path, done = shared / "busy", shared / "done"
        path.write_bytes(b"A" * 200_000)
        answer = as_nobody(lambda: read_until(path, done))
        subprocess.run([sys.executable, "-c", WRITER, str(path), "1500"], check=True)
        time.sleep(3 * files.UNTOLD_NS / 1e9)  # the reader must see the file at rest at least once
        done.touch()
        torn, whole = answer()
        assert torn == 0
        assert whole > 0
    finally:
        shutil.rmtree(shared)


def test_a_file_open_for_writing_is_busy(tmp_path: Path) -> None:
    """A truncated file is not taken for an empty save while its writer is at it; its close is waited for."""
    path = tmp_path / "f"
    path.write_bytes(b"before")
    with path.open("wb") as writer:
        assert read_file(os.fsencode(path), LIMIT) == Unread("busy", "open for writing")
        writer.write(b"after")
    assert content(path) == b"after"


def test_a_file_kept_open_for_writing_is_read_when_it_rests(tmp_path: Path) -> None:
    """A log that a program never closes is recorded nevertheless, once nothing was written for a while."""
    path = tmp_path / "log"
    with path.open("wb") as writer:
        writer.write(b"line\n")
        writer.flush()
        deadline = time.monotonic() + 10
        while isinstance(found := read_file(os.fsencode(path), LIMIT), Unread):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert found.data == b"line\n"


def test_a_lease_is_given_back_after_the_read(tmp_path: Path) -> None:
    """A writer that does not wait can open the file at once after it was read."""
    path = tmp_path / "f"
    path.write_bytes(b"x")
    content(path)
    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))


def test_content_is_whole_only_if_the_lease_lasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keeper ended the lease of a reader that stood still: what was read may be half of a save."""
    path = tmp_path / "f"
    path.write_bytes(b"x")
    real: Callable[[int, int], bytes] = files._all_bytes

    def stopped(descriptor: int, size: int) -> bytes:
        give_back(descriptor)
        return real(descriptor, size)

    monkeypatch.setattr(files, "_all_bytes", stopped)
    assert read_file(os.fsencode(path), LIMIT) == Unread("busy", "a writer came while it was read")


def test_a_changing_file_without_lease_is_never_half_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a lease a file must have been quiet before and the same after; else it is busy."""
    path = tmp_path / "f"
    path.write_bytes(b"old")
    monkeypatch.setattr(files, "take_lease", no_lease)
    real: Callable[[int, int], bytes] = files._all_bytes

    def disturbed(descriptor: int, size: int) -> bytes:
        data = real(descriptor, size)
        path.write_bytes(data + b"more")
        return data

    monkeypatch.setattr(files, "_all_bytes", disturbed)
    assert read_file(os.fsencode(path), LIMIT) == Unread("busy", "changing while it is read")
    monkeypatch.setattr(files, "_all_bytes", real)
    assert content(path).startswith(b"old")


def test_what_is_no_readable_file_is_told(tmp_path: Path) -> None:
    """Gone, replaced by a link or a directory, too large: each in its own words, and nothing blocks."""
    assert read_file(os.fsencode(tmp_path / "none"), LIMIT) == Unread("gone")
    (tmp_path / "link").symlink_to("none")
    assert read_file(os.fsencode(tmp_path / "link"), LIMIT) == Unread("gone")
    os.mkfifo(tmp_path / "pipe")
    assert read_file(os.fsencode(tmp_path / "pipe"), LIMIT) == Unread("gone", "replaced while it was read")
    (tmp_path / "large").write_bytes(b"12345")
    found = read_file(os.fsencode(tmp_path / "large"), 4)
    assert isinstance(found, Unread) and found.kind == "skipped" and "maxFileSize" in found.why


def test_another_process_lease_makes_a_file_busy(tmp_path: Path) -> None:
    """A write lease of somebody else (Samba takes such) is waited out, not forced."""
    path = tmp_path / "f"
    path.write_bytes(b"x")
    descriptor = os.open(path, os.O_RDWR)
    former = signal.signal(signal.SIGIO, signal.SIG_IGN)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        found = read_file(os.fsencode(path), LIMIT)
        assert isinstance(found, Unread) and found.kind == "busy"
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        os.close(descriptor)
        signal.signal(signal.SIGIO, former)


def test_signatures_show_every_kind_of_change(tmp_path: Path) -> None:
    """Content, times set back, mode, and replacement by an equal file."""
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    seen = {signature(path.stat())}
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_bytes(b"abd")
    os.utime(path, ns=times)
    seen.add(signature(path.stat()))
    path.chmod(0o755)
    seen.add(signature(path.stat()))
    (tmp_path / "g").write_bytes(b"abd")
    os.replace(tmp_path / "g", path)
    seen.add(signature(path.stat()))
    assert len(seen) == 4


def test_a_file_read_right_after_its_change_is_racy(tmp_path: Path) -> None:
    """Within 50 ms of its times a file may change again without showing it."""
    path = tmp_path / "f"
    path.write_bytes(b"x")
    found = path.stat()
    newest = max(found.st_mtime_ns, found.st_ctime_ns)
    assert is_racy(found, newest + 49_000_000)
    assert not is_racy(found, newest + 51_000_000)

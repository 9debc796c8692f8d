"""Every way of saving a file gives one step a save, with the bytes that were saved and no temporary name."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gitsessiond.store.files import IDLE_NS
from gitsessiond.wire.client import Client
from tests.bench import Workbench, wait_for
from tests.scenarios.writers import EDITORS, SEQUENCES, Save, Steps, editor, in_place, lines, save_by, save_each


def begin(bench: Workbench, *paths: str) -> list[Path]:
    """Files under version control, a session, and nothing found but by events."""
    for path in paths:
        bench.write(path, lines(0)[0])
    bench.git("add", "-A")
    bench.git("commit", "-qm", "files")
    bench.git("config", "gitsession.scanEvery", "0")
    bench.run("start", "day", "--here")
    return [bench.root / path for path in paths]


def check(bench: Workbench, paths: set[str], count: int) -> None:
    """``count`` steps changed each file, with the contents of its saves.

    No step holds a name that was there for a moment only, and one scan was made, at the start.
    """
    found = Steps(bench)
    for path in sorted(paths):
        assert found.contents(path) == lines(count)[1:], (path, bench.run("history", "--limit", "100").out)
    assert found.names() == paths | {"a.txt", "src/b.txt", "README"}
    assert bench.daemon()["scans"] == 1
    assert bench.daemon()["overflows"] == 0


ALSO = {"vim-in-place", "nano", "nano-with-lock", "emacs"}  # near others that are shown


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.soak) if name in ALSO else name for name in EDITORS]
)
def test_saves_of_an_editor(bench: Workbench, name: str) -> None:
    """A real editor at a terminal: n saves 200 ms apart are n steps; its swap and lock files are in none."""
    one, path = editor(name), f"{name}.txt"
    (file,) = begin(bench, path)
    inodes = save_by(one, file, 4)
    assert (inodes > 1) == (name == "vim"), "this is not the sequence that was to be shown"
    check(bench, {path}, 4)
    bench.judge(full=False)


def test_saves_by_recorded_sequences(bench: Workbench) -> None:
    """All sequences at the same time, each on a file of its own."""
    paths = {f"src/{name}.txt": save for name, save in SEQUENCES.items()}
    files = begin(bench, *paths)
    save_each(dict(zip(files, paths.values(), strict=True)), 4, apart=0.2)
    check(bench, set(paths), 4)
    bench.judge(full=False)


@pytest.mark.soak
@pytest.mark.alone
@pytest.mark.timeout(600)
@pytest.mark.parametrize("names", [list(SEQUENCES)[row::3] for row in range(3)], ids=" ".join)
def test_many_saves_by_a_recorded_sequence(bench: Workbench, tmp_path: Path, names: list[str]) -> None:
    """Fifty saves 200 ms apart by one sequence alone; others at the same time in repositories of their own."""
    saves, there = dict[Path, Save](), dict[str, Workbench]()
    try:
        for name in names:
            one = there[name] = bench.at(shutil.copytree(bench.root, tmp_path / name / "shop", symlinks=True))
            (file,) = begin(one, f"{name}.txt")
            saves[file] = SEQUENCES[name]
        save_each(saves, 50)
        for name, one in there.items():
            check(one, {f"{name}.txt"}, 50)
    finally:
        for one in there.values():
            one.stop()


# -- torn content ---------------------------------------------------------------------------------------------

SIZE = 200_000
CAP_LEASE, PR_CAPBSET_DROP = 28, 24

# Saves of one letter each, in place; after every thirtieth a moment of rest. The zero byte keeps it from being lines.
WRITER = """
import sys, time
path, count, row = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for number in range(count):
    with open(path, "wb", buffering=0) as file:
        file.write(b"\\0" + bytes([65 + (number + row) % 26]) * 199_999)
    if number % 30 == 29:
        time.sleep(0.25)
"""


def without_leases() -> None:
    """In the child: not even root may take a lease on another user's file from here on (capabilities(7))."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP, CAP_LEASE, 0, 0, 0)


def torn_and_whole(bench: Workbench, count: int, wanted: int, *, foreign: bool) -> tuple[int, int]:
    """How many recorded contents of a file saved back to back are half of a save, and how many are whole.

    ``count`` saves in a row, and as many again until ``wanted`` whole ones are recorded: each row ends in a rest.
    """
    (file,) = begin(bench, "busy.bin")
    if foreign:
        bench.stop()
        os.chown(file, 65534, 65534)
        subprocess.run(["git", "session", "daemon", "start"], cwd=bench.root, check=True, preexec_fn=without_leases)
        bench.status()  # it has begun and looked at the file
    torn = whole = rows = 0
    while whole < wanted and rows < wanted:
        subprocess.run([sys.executable, "-c", WRITER, str(file), str(count), str(rows)], check=True)
        rows += 1
        contents = Steps(bench).contents("busy.bin")
        assert contents[-1] == file.read_bytes()
        torn = sum(len(one) != SIZE or one.count(one[1:2]) != SIZE - 1 for one in contents)
        whole = len(contents) - torn
    whose = "foreign" if foreign else "own"
    print(f"{rows * count} saves of {SIZE} bytes, {whose} file: {torn + whole} recorded, {torn} torn")
    return torn, whole


foreign_or_own = pytest.mark.parametrize(
    "foreign",
    [
        False,
        pytest.param(True, marks=pytest.mark.skipif(os.getuid() != 0, reason="root is needed to give a file away")),
    ],
)


@foreign_or_own
def test_no_half_save_is_recorded(bench: Workbench, foreign: bool) -> None:
    """150 saves of 200 KB back to back; with a lease, and without on a file of another user's."""
    torn, whole = torn_and_whole(bench, 150, 3, foreign=foreign)
    assert torn == 0
    assert whole >= 3, "at each moment of rest there is something to record"


@pytest.mark.soak
@pytest.mark.timeout(600)
@foreign_or_own
def test_no_half_save_of_1500_is_recorded(bench: Workbench, foreign: bool) -> None:
    """1,500 saves of 200 KB back to back."""
    torn, whole = torn_and_whole(bench, 1500, 25, foreign=foreign)
    assert torn == 0
    assert whole >= 25


# -- a daemon that stands still -------------------------------------------------------------------------------


def timed(save: Save, path: Path, content: bytes) -> float:
    """Milliseconds that a save takes its writer."""
    started = time.perf_counter()
    save(path, content)
    return (time.perf_counter() - started) * 1000


def test_a_stopped_daemon_holds_no_writer_up(bench: Workbench) -> None:
    """SIGSTOP of both processes in the middle of a save: every save returns within 100 ms, and is there afterwards."""
    first, second = begin(bench, "src/first.txt", "src/second.txt")
    contents = lines(6)
    in_place(first, contents[1])
    status = bench.daemon()
    pids = [int(status["pid"]), int(status["recorder_pid"])]
    descriptor = os.open(first, os.O_WRONLY | os.O_TRUNC)
    os.write(descriptor, contents[2][:9])
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        started = time.perf_counter()
        os.write(descriptor, contents[2][9:])
        os.close(descriptor)
        took = [(time.perf_counter() - started) * 1000]
        for content in contents[3:]:
            took.append(timed(in_place, first, content))
            took.append(timed(moved_over, second, content))
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    print("milliseconds beside a stopped daemon:", [round(one, 2) for one in took])
    assert max(took) < 100
    steps = Steps(bench)
    assert steps.contents("src/first.txt")[-1] == contents[-1]
    assert steps.contents("src/second.txt")[-1] == contents[-1]
    assert bench.daemon()["scans"] == 1
    bench.judge(full=False)


# In the daemon's processes: the one that has just been granted a lease stops itself, while a marker is there.
STOPPED_INSIDE = """
import fcntl, os, signal
real = fcntl.fcntl
def stopping(descriptor, command, argument=0):
    done = real(descriptor, command, argument)
    if (command, argument) == (fcntl.F_SETLEASE, fcntl.F_RDLCK) and os.path.exists({marker!r}):
        os.unlink({marker!r})
        os.kill(os.getpid(), signal.SIGSTOP)
    return done
fcntl.fcntl = stopping
"""


def test_a_daemon_stopped_inside_a_lease_holds_no_writer_up(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGSTOP of both processes while the recorder holds a lease on the very file: saves return within 100 ms."""
    marker = tmp_path / "stop"
    (tmp_path / "sitecustomize.py").write_text(STOPPED_INSIDE.format(marker=str(marker)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    bench.git("config", "gitsession.controlFiles", "never")  # or front would take leases of its own files
    (file,) = begin(bench, "src/first.txt")
    contents = lines(10)
    status = bench.daemon()
    pids = [int(status["recorder_pid"]), int(status["pid"])]
    took = []
    for number, content in enumerate(contents[1:-1], 1):
        marker.touch()
        in_place(file, content)
        wait_for(lambda: not marker.exists() and stands_still(pids[0]))
        os.kill(pids[1], signal.SIGSTOP)
        try:
            took.append(timed(in_place, file, contents[number + 1]))
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        bench.status()
    print("milliseconds beside a daemon stopped inside a lease:", [round(one, 2) for one in took])
    assert max(took) < 100
    steps = Steps(bench).contents("src/first.txt")
    assert steps[-1] == contents[-1] and set(steps) <= set(contents)
    assert bench.daemon()["recorder_pid"] == pids[0]
    bench.judge(full=False)


def stands_still(pid: int) -> bool:
    """Whether a process is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_save_beside_a_program_that_never_closes(bench: Workbench) -> None:
    """What is saved while another program has the file open for writing is seen by the next command, once it rests."""
    (file,) = begin(bench, "log.txt")
    contents = lines(2)
    with file.open("ab"):
        in_place(file, contents[1])
        in_place(file, contents[2])
        bench.status()
        time.sleep(IDLE_NS / 1e9)
        assert Steps(bench).contents("log.txt")[-1] == contents[2]
        bench.judge(full=False)


@pytest.mark.soak
def test_a_save_beside_an_open_file_needs_no_command(bench: Workbench) -> None:
    """The same without anybody asking."""
    (file,) = begin(bench, "log.txt")
    with file.open("ab"):
        before = bench.daemon()["saves"]
        in_place(file, lines(1)[1])
        wait_for(lambda: bench.daemon()["saves"] > before, 30)


def moved_over(path: Path, content: bytes) -> None:
    """Written beside and renamed over it, without a sync of the disk."""
    temporary = path.with_name("beside.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


# -- questions in the middle of a save -------------------------------------------------------------------------


def two_patches(bench: Workbench) -> tuple[Path, str]:
    """A file with an edit of patch one, patch two in use; its content."""
    base = "".join(f"line {number}\n" for number in range(30))
    bench.write("f.txt", base)
    bench.git("add", "-A")
    bench.git("commit", "-qm", "f")
    bench.run("start", "day", "--here")
    bench.run("patch", "new", "one")
    bench.edit("f.txt", "line 3\n", "one\n")
    bench.run("patch", "new", "two")
    return bench.root / "f.txt", bench.read("f.txt")


def check_two(bench: Workbench, also: str = "") -> None:
    """Patch two changed one line of the file, and did nothing else to it."""
    diff = bench.run("patch", "diff", "two").out.partition("diff --git a/f.txt~")[0]
    assert [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")] == [
        "-line 20",
        "+two",
    ]
    ops = bench.json("patch", "ops", "two")["ops"]
    assert [(op["kind"], op["path"]) for op in ops] == [("modify", "f.txt"), *([("add", also)] if also else [])]
    bench.judge()


@pytest.mark.alone
def test_questions_in_the_middle_of_saves(bench: Workbench) -> None:
    """vim saves while somebody asks all the time: f, which is at f~ for a moment, is neither deleted nor renamed."""
    file, content = two_patches(bench)
    over = threading.Event()

    def ask() -> None:
        client = Client(str(bench.root), autostart=False)
        while not over.is_set():
            client.call("session.status", {})

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for number in range(40):
            backup = file.with_name("f.txt~")
            file.rename(backup)
            time.sleep(number % 4 / 1000)
            in_place(file, content.replace("line 20\n", "two\n" if number % 2 else "three\n").encode())
            time.sleep(number % 3 / 1000)
            backup.unlink()
            time.sleep(0.03)
    finally:
        over.set()
        asker.join()
    check_two(bench)


def test_a_kept_backup_found_by_a_scan(bench: Workbench) -> None:
    """`set backup`, saved while no daemon runs: f is modified, f~ is new, though it is the old f to the file system."""
    file, content = two_patches(bench)
    bench.stop()
    file.rename(file.with_name("f.txt~"))
    file.write_text(content.replace("line 20\n", "two\n"))
    check_two(bench, also="f.txt~")

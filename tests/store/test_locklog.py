"""The file of the journal of locks: what a reader makes of it, wherever its writer was stopped, at any byte."""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gitsessiond.model.errors import GitSessionError, NewerState, StateUnreadable, StoreFailed
from gitsessiond.store import locklog
from gitsessiond.store.locklog import JOURNAL, Damaged, LockLog, LockReader

WRITER = """
import sys
from gitsessiond.store import locklog
locklog.LONGEST = 300
log = locklog.LockLog(sys.argv[1])
for number in range(1, 10**9):
    log.write([number - 1], {number: f'[{number},"{number * 37}"]'})
    print(number, flush=True)
"""


def row(token: int, text: str = "x") -> str:
    return json.dumps([token, text])


def texts(reader: LockReader) -> dict[int, str]:
    return {token: found[1] for token, found in reader.read().items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / JOURNAL


@pytest.fixture
def log(path: Path) -> LockLog:
    return LockLog(str(path))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are written anew after a few lines."""
    monkeypatch.setattr(locklog, "LONGEST", 400)


def test_a_reader_goes_on_where_it_stopped(log: LockLog, path: Path) -> None:
    reader = LockReader(str(path))
    assert reader.read() == {}
    log.write([], {1: row(1), 2: row(2)})
    assert texts(reader) == {1: "x", 2: "x"}
    first = reader.read()[1]
    log.write([2], {3: row(3)})
    log.write([], {3: row(3, "later")})
    assert texts(reader) == {1: "x", 3: "later"}
    assert reader.read()[1] is first, "it was read again"
    log.write([3, 77], {})
    assert texts(reader) == texts(LockReader(str(path))) == {1: "x"}
    path.unlink()
    assert reader.read() == {}


def test_one_change_is_one_line(log: LockLog, path: Path) -> None:
    log.write([], {1: row(1)})
    log.write([1], {2: row(2), 3: row(3)})
    first, *lines = path.read_text().splitlines()
    told = json.loads(first)
    assert (told["gitsessiond"], told["format"]) == ("locks", 1)
    assert [json.loads(line) for line in lines] == [[[], [[1, "x"]]], [[1], [[2, "x"], [3, "x"]]]]


def test_stopped_at_any_byte(log: LockLog, path: Path, tmp_path: Path) -> None:
    """What a writer had told by then is found, and of what it was writing all or nothing; the next writes behind it."""
    log.write([], {1: row(1)})
    states, ends = [{1: "x"}], [path.stat().st_size]
    for token in (2, 3):
        log.write([token - 1], {token: row(token), token + 10: row(token + 10, "caf\u00e9 \udcff")})
        states.append(texts(LockReader(str(path))))
        ends.append(path.stat().st_size)
    content = path.read_bytes()
    cut = tmp_path / "cut"
    for size in range(ends[0], len(content) + 1):
        cut.write_bytes(content[:size])
        expected = states[max(number for number, end in enumerate(ends) if end <= size)]
        assert texts(LockReader(str(cut))) == expected, size
        log_after = LockLog(str(cut))
        log_after.rows = {token: row(token, text) for token, text in expected.items()}
        log_after.write([], {99: row(99)})
        assert texts(LockReader(str(cut))) == expected | {99: "x"}, size
        log_after.close()


def test_a_reader_beside_a_line_that_is_being_written(log: LockLog, path: Path, tmp_path: Path) -> None:
    """It sees the line once it is whole, and reads no byte of it twice."""
    log.write([], {1: row(1)})
    log.write([1], {2: row(2)})
    content, beside = path.read_bytes(), tmp_path / "beside"
    beside.write_bytes(content[:-5])
    reader = LockReader(str(beside))
    assert texts(reader) == {1: "x"}
    with open(beside, "ab") as file:
        file.write(content[-5:])
    assert texts(reader) == {2: "x"}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.usefixtures("short")
def test_readers_who_come_now_and_then(log: LockLog, path: Path, seed: int) -> None:
    """Whatever file is there by then, and where the system gives a new one an old one's inode."""
    rng, held = random.Random(seed), {}
    readers = [LockReader(str(path)) for _ in range(3)]
    sizes, inodes = [], set()
    for token in range(1, 300):
        drops = [one for one in held if rng.random() < 0.4]
        puts = {token: str(rng.random())} | {one: "again" for one in held if one not in drops and rng.random() < 0.2}
        log.write(drops, {one: row(one, text) for one, text in puts.items()})
        held = {one: text for one, text in held.items() if one not in drops} | puts
        for chance, reader in zip((1.0, 0.3, 0.03), readers, strict=True):
            if rng.random() < chance:
                assert texts(reader) == held
        sizes.append(path.stat().st_size)
        inodes.add(path.stat().st_ino)
    assert max(sizes) < 1200 and len(inodes) > 1
    assert len([1 for one, two in pairwise(sizes) if two < one]) > 10
    assert [one.name for one in path.parent.iterdir()] == [JOURNAL]


def test_another_file_of_the_same_name_and_length_is_another(path: Path) -> None:
    """A reader that missed one in between goes by the first line, and not by inode and length."""
    reader = LockReader(str(path))
    for token in (1, 2, 3):
        LockLog(str(path)).write([], {token: row(token)})
        content = path.read_bytes()
        path.write_bytes(content)  # keeps the inode
        assert texts(reader) == {token: "x"}
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(Damaged):
        reader.read()
    path.write_bytes(content)
    assert texts(reader) == {3: "x"}


@pytest.mark.parametrize(
    "line",
    [
        b"", b"x", b"[]", b"[[], [], []]", b"{}", b"[1, 2]", b"[[], [5]]", b"[[], [[]]]", b'[[], [["1"]]]', b"[[[1]], []]",
        b"[[true], []]", b"[[], [[true]]]", b"[[1.0], []]", b"\0" * 50, b"[" * 5000, b"[[], [[1, \xff]]]",
    ],
)  # fmt: skip
def test_a_line_that_says_nothing(log: LockLog, path: Path, line: bytes) -> None:
    """It is told, each time; the file stays for whoever puts it away."""
    log.write([], {1: row(1)})
    with open(path, "ab") as file:
        file.write(line + b"\n")
    reader = LockReader(str(path))
    for _ in range(2):
        with pytest.raises(Damaged) as caught:
            reader.read()
        assert caught.value.hint == "git session doctor" and len(caught.value.message) < 250


@pytest.mark.parametrize(
    ("first", "error"),
    [
        (b"", Damaged), (b"\n", Damaged), (b"5\n", Damaged), (b'{"format": 1}\n', Damaged), (b"SQLite format 3\0\n", Damaged),
        (b'{"gitsessiond": "locks", "format": 0}\n', Damaged), (b'{"gitsessiond": "locks", "format": 1}', Damaged),
        (b'{"gitsessiond": "locks", "format": "x"}\n', Damaged), (b"[" * 5000 + b"\n", Damaged),
        (b'{"gitsessiond": "locks", "format": 2}\n', NewerState), (b'{"gitsessiond": "locks", "format": 1e999}\n', Damaged),
        (b'{"gitsessiond": "locks", "format": 1e300}\n', Damaged), (b'{"gitsessiond": "locks", "format": true}\n', Damaged),
        (b'{"gitsessiond": "locks", "format": 2, "more": "' + b"x" * 2000 + b'"}\n', NewerState),
    ],
)  # fmt: skip
def test_first_lines(path: Path, first: bytes, error: type[GitSessionError]) -> None:
    path.write_bytes(first)
    with pytest.raises(error):
        LockReader(str(path)).read()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file(log: LockLog, path: Path, make: Callable[[Path], None]) -> None:
    """Nobody waits for it, and only a directory has to be put aside by hand before something is written."""
    make(path)
    with pytest.raises(StateUnreadable) as caught:
        LockReader(str(path)).read()
    assert str(caught.value.hint).startswith(f"mv -- {path} ")
    if path.is_dir():
        with pytest.raises(StoreFailed) as refused:
            log.write([], {1: row(1)})
        assert refused.value.hint == f"mv '{path}' '{path}'.aside"
    else:
        log.write([], {1: row(1)})
        assert texts(LockReader(str(path))) == {1: "x"}


def test_what_cannot_be_read(path: Path) -> None:
    path.symlink_to(path)
    with pytest.raises(StoreFailed) as caught:
        LockReader(str(path)).read()
    assert caught.value.hint


def test_a_file_that_is_too_long_is_not_read(log: LockLog, path: Path) -> None:
    log.write([], {1: row(1)})
    os.truncate(path, 1 << 40)
    with pytest.raises(Damaged, match="bytes"):
        LockReader(str(path)).read()


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/full", path), lambda path: path.touch()])
def test_a_draft_that_is_in_the_way(log: LockLog, path: Path, make: Callable[[Path], None]) -> None:
    make(path.parent / (JOURNAL + locklog.DRAFT))
    log.write([], {1: row(1)})
    assert texts(LockReader(str(path))) == {1: "x"} and os.listdir(path.parent) == [JOURNAL]


def test_a_link_in_the_place_of_the_draft_harms_no_file(log: LockLog, path: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    os.link(mine, path.parent / (JOURNAL + locklog.DRAFT))
    log.write([], {1: row(1)})
    assert mine.read_text() == "mine" and texts(LockReader(str(path))) == {1: "x"}


@pytest.mark.parametrize("harm", [os.unlink, lambda path: os.truncate(path, 50), lambda path: os.truncate(path, 5000)])
def test_a_journal_that_somebody_harms_is_whole_after_the_next_change(
    log: LockLog, path: Path, harm: Callable[[Path], None]
) -> None:
    log.write([], {1: row(1)})
    log.write([], {2: row(2)})
    harm(path)
    log.write([1], {3: row(3)})
    assert texts(LockReader(str(path))) == {2: "x", 3: "x"}
    assert not log.is_lost()


def test_a_long_file_of_much_that_is_held_is_not_written_again_and_again(log: LockLog, path: Path, short: None) -> None:
    inodes = set()
    for token in range(200):
        log.write([], {token: row(token)})
        inodes.add(path.stat().st_ino)
    assert len(inodes) < 12


@pytest.fixture
def full() -> Iterator[Callable[[int], None]]:
    """A disk on which no file may be longer than this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_refuses(log: LockLog, path: Path, full: Callable[[int], None]) -> None:
    """In the middle of a line: what was written before counts, and what comes after, in a file without the torn line."""
    full(4000)
    log.write([], {1: row(1)})
    refused = {2: row(2, "y" * 5000)}
    for _ in range(3):
        with pytest.raises(StoreFailed) as caught:
            log.write([1], refused)
        assert caught.value.hint == "df -h ."
        assert texts(LockReader(str(path))) == {1: "x"}
        assert [one.name for one in path.parent.iterdir()] == [JOURNAL]
    assert log.rows == {1: row(1)}
    log.write([], {3: row(3)})
    assert texts(LockReader(str(path))) == {1: "x", 3: "x"}
    full(1 << 20)
    log.write([1], refused)
    log.write([3], {})
    assert {token: len(text) for token, text in texts(LockReader(str(path))).items()} == {2: 5000}


@pytest.mark.usefixtures("short")
def test_a_file_that_cannot_be_shortened_goes_on(log: LockLog, path: Path) -> None:
    (path.parent / (JOURNAL + locklog.DRAFT)).mkdir()
    with pytest.raises(StoreFailed):
        log.write([], {1: row(1)})
    (path.parent / (JOURNAL + locklog.DRAFT)).rmdir()
    log.write([], {1: row(1)})
    (path.parent / (JOURNAL + locklog.DRAFT)).mkdir()
    for token in range(2, 60):
        log.write([token - 1], {token: row(token)})
    assert path.stat().st_size > 1000 and texts(LockReader(str(path))) == {59: "x"}
    (path.parent / (JOURNAL + locklog.DRAFT)).rmdir()
    for token in range(60, 200):
        log.write([token - 1], {token: row(token)})
    assert path.stat().st_size < 1000 and texts(LockReader(str(path))) == {199: "x"}


def test_who_removes_or_exchanges_it_is_found_out(log: LockLog, path: Path) -> None:
    assert not log.is_lost()
    log.write([], {1: row(1)})
    assert not log.is_lost()
    content = path.read_bytes()
    path.rename(path.with_name("mine"))
    assert log.is_lost()
    path.write_bytes(content)
    assert log.is_lost()
    log.close()
    assert not log.is_lost()
    path.unlink()
    assert log.is_lost()


@pytest.mark.usefixtures("short")
def test_killed_between_any_two_calls_of_the_system(path: Path) -> None:
    """Before each open, write, rename of thirty changes, of which some begin a file anew."""
    for number in range(1, 200):
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            log = LockLog(str(path))
            killed_before(number)
            for token in range(1, 31):
                log.write([token - 1], {token: row(token, str(token) * 20)})
                os.write(tell, b".")
            os._exit(0)
        os.close(tell)
        with open(told, "rb") as pipe:
            last = len(pipe.read())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        expected = [{token: str(token) * 20} if token else {} for token in (last, last + 1)]
        assert texts(LockReader(str(path))) in expected, number
        path.unlink(missing_ok=True)
        if code == 0:
            break
        assert code == 9
    assert number > 40


def killed_before(number: int) -> None:
    """Have this process die before the so-manieth of these calls."""
    count = 0

    def wrapped(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: object) -> Any:
            nonlocal count
            count += 1
            if count == number:
                os._exit(9)
            return call(*args)

        return counted

    calls = SimpleNamespace(**vars(os))
    for name in ("open", "write", "rename"):
        setattr(calls, name, wrapped(getattr(os, name)))
    locklog.os = calls  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_a_writer_that_is_killed(path: Path, seed: int) -> None:
    """While a reader goes on beside it: what was told is there, and the next one's file begins whole."""
    rng = random.Random(seed)
    reader, told = LockReader(str(path)), 0
    for _ in range(4 if seed == 1 else 60):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        with writer:
            for _ in range(rng.randrange(1, 2000)):
                told = int(writer.stdout.readline())
                if rng.random() < 0.01:
                    (token,) = reader.read()
                    assert token >= told
            writer.kill()
            told = max([told, *map(int, writer.stdout.read().split("\n")[:-1])])
        for one in (reader, LockReader(str(path))):
            ((token, found),) = one.read().items()
            assert token in (told, told + 1) and found == [token, str(token * 37)]
    assert set(os.listdir(path.parent)) <= {JOURNAL, JOURNAL + locklog.DRAFT}


def test_unreadable_is_state() -> None:
    assert issubclass(Damaged, StateUnreadable)

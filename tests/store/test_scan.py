"""Looking at the whole worktree: complete, quick, and reading no file that did not change."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gitsessiond.model.values import Entry
from gitsessiond.store import contents
from gitsessiond.store.files import SIGNATURE_SIZE
from gitsessiond.store.known import Known, KnownPaths, read_signatures, write_signatures
from tests.conftest import git
from tests.store.recorded import Recorded, as_git_adds

OID = "1" * 40


@pytest.fixture
def wide(repo: Path) -> Path:
    """A repository of 3,000 files in 300 directories."""
    for number in range(3000):
        path = repo / f"pkg{number % 10}" / f"mod{number % 300}" / f"f{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {number}\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "wide")
    return repo


def test_nothing_changed_reads_no_file(wide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan of a worktree at rest opens no file and starts no git child."""
    recorded = Recorded(wide)
    recorded.scan()
    time.sleep(0.06)
    recorded.scan()

    def refuse(*_args: object, **_more: object) -> None:
        raise AssertionError("something was read")

    monkeypatch.setattr(contents, "read_file", refuse)
    monkeypatch.setattr("gitsessiond.store.tracked.run_git", refuse)
    assert recorded.tree.scan().changes == ()
    recorded.close()


def test_a_scan_finds_every_kind_of_change_at_once(wide: Path) -> None:
    """What no event told: new, changed, removed, moved and linked files and directories, all in one."""
    recorded = Recorded(wide)
    recorded.scan()
    (wide / "pkg1" / "mod1" / "f1.py").write_text("changed\n")
    (wide / "pkg2" / "mod2").rename(wide / "pkg2" / "moved")
    (wide / "pkg3" / "mod3" / "f3.py").unlink()
    os.link(wide / "pkg4" / "mod4" / "f4.py", wide / "pkg4" / "hard")
    (wide / "new" / "deep" / "er").mkdir(parents=True)
    (wide / "new" / "deep" / "er" / "f").write_text("x\n")
    (wide / "soft").symlink_to("new")
    recorded.scan()
    assert recorded.entries() == as_git_adds(wide)
    recorded.close()


def test_a_write_through_another_hard_link_is_found(repo: Path, tmp_path: Path) -> None:
    """No event comes for it; the scan sees it."""
    os.link(repo / "a.txt", tmp_path / "elsewhere")
    recorded = Recorded(repo)
    recorded.scan()
    (tmp_path / "elsewhere").write_text("through the other name\n")
    assert [seen.path for seen in recorded.scan().changes] == [b"a.txt"]
    recorded.close()


@pytest.mark.alone
def test_a_scan_is_about_as_quick_as_listing(wide: Path) -> None:
    """Warm, with nothing changed: not more than five times scandir and lstat alone (about 1.4 at rest)."""
    recorded = Recorded(wide)
    recorded.scan()
    time.sleep(0.06)
    recorded.scan()

    def listing() -> int:
        return sum(1 for above, _, names in os.walk(wide) for name in names if os.lstat(os.path.join(above, name)))

    def best_of_three(work: object) -> float:
        times = []
        for _ in range(3):
            started = time.perf_counter()
            assert callable(work)
            work()
            times.append(time.perf_counter() - started)
        return min(times)

    assert best_of_three(recorded.tree.scan) < 5 * best_of_three(listing)
    recorded.close()


def test_ignored_directories_are_not_entered(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """node_modules and its like are neither listed nor asked about file by file."""
    (repo / ".gitignore").write_text("node_modules/\n")
    for number in range(30):
        (repo / "node_modules" / f"m{number}").mkdir(parents=True)
    recorded = Recorded(repo)
    recorded.scan()
    listed: list[bytes] = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or real(path))
    recorded.scan()
    assert not any(b"node_modules" in path for path in listed)
    assert recorded.tree.ignored_directories() == [b"node_modules"]
    recorded.close()


def test_directories_that_need_no_watch_are_known_before_the_first_scan(repo: Path) -> None:
    """The watcher starts with them left out; a directory with a tracked file in it is watched."""
    (repo / ".gitignore").write_text("out/\nmixed/\n")
    for name in ("out/x", "mixed/tracked", "mixed/not", "src/out/y"):
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text("x\n")
    git(repo, "add", "-f", "mixed/tracked")
    recorded = Recorded(repo)
    before = recorded.tree.ignored_directories()
    recorded.scan()
    assert before == recorded.tree.ignored_directories() == [b"out", b"src/out"]
    recorded.close()


def test_known_paths_count_their_directories() -> None:
    """Directories are known as long as a path below them is."""
    known = KnownPaths()
    known.put(b"a/b/c", Known(Entry(0o100644, OID)))
    known.put(b"a/b/.gitignore", Known(Entry(0o100644, OID)), racy=True)
    known.put(b"a/b/c", Known(Entry(0o100755, OID)))
    assert known.directories == {b"a": 2, b"a/b": 2} and known.rules == {b"a/b/.gitignore"}
    assert sorted(known.below(b"a")) == [b"a/b/.gitignore", b"a/b/c"]
    known.remove(b"a/b/.gitignore")
    known.remove(b"a/b/c")
    known.remove(b"a/b/c")
    assert not known and not known.directories and not known.rules and not known.racy


@pytest.mark.parametrize(
    "found",
    [
        Known(Entry(0o100644, OID), None, b"s" * SIGNATURE_SIZE),
        Known(Entry(0o120000, OID), "2" * 40, b"s" * SIGNATURE_SIZE),
        Known(None, "2" * 40, b"s" * SIGNATURE_SIZE),
        Known(Entry(0o160000, OID), None, None),
    ],
)
def test_known_paths_give_back_what_was_put(found: Known) -> None:
    """Packing loses nothing, whichever parts are there."""
    known = KnownPaths()
    known.put(b"p", found)
    assert known[b"p"] == found


def test_kept_signatures_count_only_for_the_same_content(tmp_path: Path) -> None:
    """A signature of other content, a racy one, a damaged or missing file: the path is read again."""
    place = str(tmp_path / "cache" / "wid")
    known = KnownPaths()
    for name, racy in ((b"same", False), (b"other", False), (b"racy", True), (b"new\nline", False)):
        known.put(name, Known(Entry(0o100644, OID), None, b"s" * SIGNATURE_SIZE), racy)
    write_signatures(place, known)
    fresh = KnownPaths()
    for name in (b"same", b"racy", b"new\nline", b"more"):
        fresh.put(name, Known(Entry(0o100644, OID)))
    fresh.put(b"other", Known(Entry(0o100644, "2" * 40)))
    read_signatures(place, fresh)
    assert {name for name, found in fresh.items() if found.sig} == {b"same", b"new\nline"}
    untouched = KnownPaths()
    untouched.put(b"same", Known(Entry(0o100644, OID)))
    content = Path(place).read_bytes()
    for damaged in (b"", content[:-1], b"x" + content[1:], content[:50]):
        Path(place).write_bytes(damaged)
        read_signatures(place, untouched)
    read_signatures(str(tmp_path / "none"), untouched)
    assert untouched[b"same"].sig is None

"""The watch sees what is written, and nothing of what it is told to leave out."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitsessiond.daemon import inotify
from gitsessiond.daemon.inotify import Inotify, WatchLimitError
from gitsessiond.daemon.mailbox import Mailbox, Notice
from gitsessiond.daemon.watch import Shared, Watch
from tests.conftest import git

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify")


class Watched:
    """A watched repository and what the watch has said so far."""

    def __init__(self, repo: Path, *, poll: bool = False) -> None:
        self.repo, self.box, self.seen = repo, Mailbox(), list[Notice]()
        self.known: set[bytes] = set()
        self.cookies = repo.parent / "cookies"
        self.cookies.mkdir()
        shared = Shared(str(self.cookies), str(repo / ".git"), str(repo.parent / "door" / "socket"))
        self.watch = Watch(shared, self.box, self.known.add, poll=poll)
        self.count = 0

    def add(self, *ignored: bytes, repo: Path | None = None) -> None:
        top = repo or self.repo
        self.watch.add(str(top), str(top / ".git"), ignored)
        self.until(lambda: Notice("watched", str(top)) in self.seen)
        self.seen.clear()

    def until(self, what: Callable[[], object], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not what():
            left = end - time.monotonic()
            assert left > 0, ("waited in vain", self.seen[-20:])
            if select.select([self.box], [], [], left)[0]:
                self.seen += self.box.take()

    def barrier(self) -> list[Notice]:
        """All notices of what was done before this call, then none."""
        self.count += 1
        name = f"c{self.count}"
        (self.cookies / name).touch()
        cookie = Notice("cookie", None, name.encode())
        self.until(lambda: cookie in self.seen)
        found = [notice for notice in self.seen if notice.what != "cookie"]
        self.seen.clear()
        return found

    def paths(self, *whats: str) -> set[bytes]:
        """The paths that notices of these kinds name, since the last look."""
        return {notice.path for notice in self.barrier() if notice.what in whats}


@pytest.fixture
def watched(repo: Path) -> Iterator[Watched]:
    made = Watched(repo)
    yield made
    made.watch.close()


def kinds(notices: list[Notice], path: bytes) -> list[str]:
    return [notice.what for notice in notices if notice.path == path]


def test_writing_and_renaming(watched: Watched) -> None:
    """Each way of saving a file ends with a notice that its content is whole."""
    watched.add()
    repo = watched.repo
    (repo / "a.txt").write_text("in place")
    assert "closed" in kinds(watched.barrier(), b"a.txt")
    (repo / "a.tmp").write_text("beside")
    os.rename(repo / "a.tmp", repo / "a.txt")
    seen = watched.barrier()
    assert kinds(seen, b"a.tmp") == ["created", "closed", "gone"]
    assert Notice("moved_in", str(repo), b"a.txt", b"a.tmp") in seen
    os.chmod(repo / "src" / "b.txt", 0o755)
    assert kinds(watched.barrier(), b"src/b.txt") == ["attrib"]
    (repo / "README").unlink()
    assert kinds(watched.barrier(), b"README") == ["gone"]
    os.symlink("a.txt", repo / "link")
    assert kinds(watched.barrier(), b"link") == ["created"]
    os.mkfifo(repo / "pipe")
    assert kinds(watched.barrier(), b"pipe") == ["created"]


def test_reading_is_silent(watched: Watched) -> None:
    """grep causes no notices, git status none but that it took the index's lock."""
    watched.add()
    subprocess.run(["grep", "-r", "line", str(watched.repo)], capture_output=True)
    assert watched.barrier() == []
    git(watched.repo, "status")
    assert {notice.what for notice in watched.barrier()} <= {"rang"}


def test_names_of_any_bytes(watched: Watched) -> None:
    """A name with spaces, newlines and bytes that are not UTF-8 arrives as it is."""
    watched.add()
    name = b"a b\n\xff\xe9'\"\\"
    with open(os.fsencode(watched.repo) + b"/" + name, "wb"):
        pass
    assert watched.paths("closed") == {name}


def test_many_files_in_new_directories(watched: Watched) -> None:
    """2,700 files in 300 new nested directories, written at once: none is missed."""
    watched.add()
    made = set()
    for n in range(300):
        directory = watched.repo / f"new{n % 10}" / f"d{n % 30}" / f"e{n}"
        directory.mkdir(parents=True)
        for k in range(9):
            (directory / f"f{k}").write_text("x")
            made.add(os.fsencode(directory / f"f{k}")[len(os.fsencode(watched.repo)) + 1 :])
    assert watched.paths("created", "closed") >= made


def test_new_directories_one_by_one(watched: Watched) -> None:
    """``mkdir -p a/b/c && echo > f``, each time as fast as it goes, and a later write: seen."""
    watched.add()
    for n in range(60):
        subprocess.run(["sh", "-c", f"mkdir -p x/{n}/y && echo > x/{n}/y/f"], cwd=watched.repo, check=True)
    assert watched.paths("created", "closed") >= {f"x/{n}/y/f".encode() for n in range(60)}
    (watched.repo / "x/7/y/f").write_text("again")
    assert watched.paths("closed") == {b"x/7/y/f"}


def test_directory_renamed(watched: Watched) -> None:
    """A directory's files are told under the new name, the old one as a whole; later saves have the new name."""
    watched.add()
    os.rename(watched.repo / "src", watched.repo / "lib")
    seen = watched.barrier()
    assert Notice("dir", str(watched.repo), b"src/") in seen
    assert "created" in kinds(seen, b"lib/b.txt")
    (watched.repo / "lib" / "b.txt").write_text("new")
    assert watched.paths("closed", "created", "gone") == {b"lib/b.txt"}


@pytest.mark.alone
def test_directory_moved_out(watched: Watched, tmp_path: Path) -> None:
    """What is moved out of the tree is told as a whole, at once, and is not watched any more."""
    watched.add()
    before = watched.watch.count()
    started = time.monotonic()
    os.rename(watched.repo / "src", tmp_path / "elsewhere")
    assert Notice("dir", str(watched.repo), b"src/") in watched.barrier()
    assert time.monotonic() - started < 0.25
    assert watched.watch.count() == before - 1
    (tmp_path / "elsewhere" / "b.txt").write_text("x")
    assert watched.barrier() == []
    os.rename(tmp_path / "elsewhere", watched.repo / "src")
    assert "created" in kinds(watched.barrier(), b"src/b.txt")


@pytest.mark.alone
def test_file_moved_out_delays_nothing(watched: Watched, tmp_path: Path) -> None:
    """A file that leaves the tree is told at once (watchdog's own emitter waits half a second)."""
    watched.add()
    started = time.monotonic()
    os.rename(watched.repo / "a.txt", tmp_path / "a.txt")
    assert kinds(watched.barrier(), b"a.txt") == ["gone"]
    assert time.monotonic() - started < 0.25


def test_deep_tree_deleted(watched: Watched) -> None:
    """Of a deleted tree every file is told, and all its watches are gone."""
    watched.add()
    before = watched.watch.count()
    for n in range(20):
        directory = watched.repo / "deep" / str(n) / "x"
        directory.mkdir(parents=True)
        (directory / "f").write_text("x")
    watched.barrier()
    assert watched.watch.count() == before + 41
    shutil.rmtree(watched.repo / "deep")
    assert watched.paths("gone") == {f"deep/{n}/x/f".encode() for n in range(20)}
    watched.until(lambda: watched.watch.count() == before)


def test_ignored_directories(watched: Watched) -> None:
    """Given ignored directories are not watched, pruned ones no longer, .gitsession always."""
    for name in ("dist", "node_modules", ".gitsession"):
        (watched.repo / name).mkdir()
    watched.add(b"dist", b".gitsession")
    (watched.repo / "dist" / "f").write_text("x")
    (watched.repo / ".gitsession" / "f").write_text("x")
    (watched.repo / "node_modules" / "f").write_text("x")
    assert watched.paths("closed") == {b"node_modules/f", b".gitsession/f"}
    watched.watch.prune(str(watched.repo), [b"node_modules", b".gitsession"])
    watched.barrier()
    (watched.repo / "node_modules" / "f").write_text("x")
    (watched.repo / ".gitsession" / "f").write_text("x")
    assert watched.paths("closed") == {b".gitsession/f"}
    watched.watch.set_ignored(str(watched.repo), [b"node_modules"])
    assert b"dist/f" in watched.paths("created"), "what is no longer ignored is told"
    (watched.repo / "dist" / "f").write_text("x")
    assert watched.paths("closed") == {b"dist/f"}


def test_listing_makes_names_known(watched: Watched) -> None:
    """The files that are there when a worktree is first watched are known, and not told."""
    watched.add()
    assert watched.known == {b"a.txt", b"README", b"src/b.txt"}
    assert watched.barrier() == []


def test_doorbells(watched: Watched) -> None:
    """git's work rings; what is only read, fetched or ours does not."""
    watched.add()
    repo = watched.repo

    def rings() -> bool:
        return any(notice.what == "rang" for notice in watched.barrier())

    def quiet_git(*args: str) -> None:
        git(repo, *args)
        watched.barrier()

    git(repo, "branch", "topic")
    assert rings(), "a branch"
    git(repo, "branch", "team/deep/topic")
    assert rings(), "a branch in new directories"
    git(repo, "update-ref", "refs/heads/team/deep/topic", "HEAD")
    watched.barrier()
    git(repo, "commit", "--allow-empty", "-qm", "two")
    assert rings(), "a commit"
    git(repo, "switch", "-q", "topic")
    assert rings(), "HEAD"
    (repo / "a.txt").write_text("staged")
    watched.barrier()
    git(repo, "add", "a.txt")
    assert rings(), "the index"
    git(repo, "pack-refs", "--all")
    assert rings(), "packed refs"
    lock = repo / ".git" / "index.lock"
    lock.touch()
    assert not rings(), "the lock is only the beginning"
    lock.unlink()
    assert rings(), "work that was given up"
    quiet_git("status")
    git(repo, "update-ref", "refs/gitsession/sessions/x", "HEAD")
    (repo / ".git" / "gitsession").mkdir()
    (repo / ".git" / "gitsession" / "journal.db").write_text("x")
    git(repo, "log")
    assert not rings(), "ours"


def test_linked_worktree(watched: Watched, tmp_path: Path) -> None:
    """A linked worktree's files and its own HEAD and index are seen; so are branches, for all."""
    watched.add()
    linked = tmp_path / "linked"
    git(watched.repo, "worktree", "add", "-q", str(linked), "-b", "other")
    git_dir = watched.repo / ".git" / "worktrees" / "linked"
    watched.watch.add(str(linked), str(git_dir), [])
    watched.until(lambda: Notice("watched", str(linked)) in watched.seen)
    watched.barrier()
    (linked / "a.txt").write_text("x")
    git(linked, "add", "a.txt")
    seen = watched.barrier()
    assert Notice("closed", str(linked), b"a.txt") in seen
    assert Notice("rang", str(linked)) in seen
    watched.watch.remove(str(linked))
    watched.barrier()
    (linked / "a.txt").write_text("y")
    assert watched.barrier() == []


def test_nested_repository(watched: Watched) -> None:
    """Inside a nested repository nothing is told but the path itself, when its HEAD may have moved."""
    git(watched.repo, "init", "-q", "-b", "main", "old")
    git(watched.repo / "old", "commit", "-q", "--allow-empty", "-m", "one")
    watched.add()
    (watched.repo / "old" / "f").write_text("x")
    assert watched.barrier() == []
    git(watched.repo / "old", "commit", "-q", "--allow-empty", "-m", "two")
    assert watched.paths("created") == {b"old"}
    git(watched.repo, "clone", "-q", str(watched.repo / "old"), "new")
    assert b"new" in watched.paths("created")
    (watched.repo / "new" / "f").write_text("x")
    assert watched.barrier() == []
    git(watched.repo / "new", "commit", "-q", "--allow-empty", "-m", "three")
    assert watched.paths("created") == {b"new"}
    shutil.rmtree(watched.repo / "new" / ".git")
    seen = watched.barrier()
    assert Notice("dir", str(watched.repo), b"new/") in seen
    assert "created" in kinds(seen, b"new/f"), "its files are the worktree's now"
    (watched.repo / "new" / "f").write_text("y")
    assert watched.paths("closed") == {b"new/f"}


def test_submodule_among_the_ignored(watched: Watched) -> None:
    """A submodule that the recorder lists as needing no watch still rings for its HEAD."""
    git(watched.repo, "init", "-q", "-b", "main", str(watched.repo.parent / "lib"))
    git(watched.repo.parent / "lib", "commit", "-q", "--allow-empty", "-m", "one")
    git(watched.repo, "submodule", "--quiet", "add", str(watched.repo.parent / "lib"), "lib")
    watched.add(b"lib")
    watched.barrier()
    git(watched.repo / "lib", "commit", "-q", "--allow-empty", "-m", "two")
    assert b"lib" in watched.paths("created")


def test_worktree_and_repository_gone(watched: Watched) -> None:
    """A worktree that is deleted is told, and so is the directory of the cookies."""
    watched.add()
    shutil.rmtree(watched.repo)
    watched.until(lambda: Notice("lost", str(watched.repo)) in watched.seen)
    shutil.rmtree(watched.cookies)
    watched.until(lambda: Notice("lost", None) in watched.seen)


def test_no_inotify_falls_back_to_polling(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an inotify instance the worktree is polled, and the watch says why."""

    def refused(self: Inotify) -> None:
        raise WatchLimitError("no inotify instance")

    monkeypatch.setattr(Inotify, "__init__", refused)
    monkeypatch.setattr("gitsessiond.daemon.watch.POLL_EVERY_S", 0.05)
    polled = Watched(repo)
    polled.add()
    assert polled.watch.is_polled(str(repo))
    assert "no inotify instance" in polled.watch.describe()
    (repo / "a.txt").write_text("changed")
    (repo / "fresh").write_text("x")
    (repo / "README").unlink()
    wanted = {Notice("closed", str(repo), b"a.txt"), Notice("created", str(repo), b"fresh")}
    polled.until(lambda: wanted | {Notice("gone", str(repo), b"README")} <= set(polled.seen))
    polled.watch.close()


def test_watch_limit_is_told(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no more directories can be watched that is said, and the worktree can be polled instead."""
    add = Inotify.add
    monkeypatch.setattr(Inotify, "add", lambda self, path: refuse() if path.endswith(b"src") else add(self, path))

    def refuse() -> int:
        raise WatchLimitError("no more directories can be watched")

    watched.watch.add(str(watched.repo), str(watched.repo / ".git"), [])
    watched.until(lambda: any(notice.what == "limit" for notice in watched.seen))
    watched.watch.poll_instead(str(watched.repo), [], "limit")
    assert watched.watch.is_polled(str(watched.repo))
    assert watched.watch.describe() == "polling (limit)"


def test_no_watch_left_for_gits_own_files_is_no_overflow(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else they would be tried again for that overflow, and again, without end."""
    watched.add()
    add = Inotify.add
    monkeypatch.setattr(Inotify, "add", lambda self, path: refuse() if b"/.git" in path else add(self, path))

    def refuse() -> int:
        raise WatchLimitError("no more directories can be watched")

    watched.watch.look_again()
    assert [notice.what for notice in watched.barrier()] == []


def test_overflow_is_an_event(watched: Watched) -> None:
    """When the kernel drops events, that is told; nothing pretends to be whole."""
    watched.add()
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    assert watched.watch._source is not None
    watched.watch._source.stop()  # the reader sleeps, as under a load that starves it
    for n in range(limit // 2 + 10):
        os.close(os.open(watched.repo / f"f{n % 97}", os.O_CREAT | os.O_WRONLY))
        os.unlink(watched.repo / f"f{n % 97}")
    os.read(watched.watch._source._stop_reading, 1)
    watched.until(lambda: Notice("overflow") in watched.seen)


def test_decode_reads_the_kernels_layout() -> None:
    """wd, mask, cookie, length and a name padded with NULs, one after the other (inotify(7))."""
    raw = inotify.HEAD.pack(1, inotify.CREATE, 0, 16) + b"name".ljust(16, b"\0")
    raw += inotify.HEAD.pack(2, inotify.MOVED_TO, 77, 0)
    assert list(inotify.decode(raw)) == [
        inotify.Record(1, inotify.CREATE, 0, b"name"),
        inotify.Record(2, inotify.MOVED_TO, 77, b""),
    ]

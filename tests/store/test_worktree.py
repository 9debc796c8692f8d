"""What is recorded of a worktree is what ``git add -A`` would store of it, and the disk's own bytes."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.model.errors import NotFound, StoreFailed
from gitsessiond.model.values import EMPTY_BLOB, EXECUTABLE, GITLINK, SYMLINK, Entry
from gitsessiond.store import worktree as worktree_module
from gitsessiond.store.objects import oid_of
from gitsessiond.store.worktree import WorkTree
from tests.conftest import git
from tests.store.recorded import WID, Recorded, as_git_adds, recorded

__all__ = ["recorded"]


def at(repo: Path, path: bytes) -> Path:
    return Path(os.fsdecode(os.path.join(os.fsencode(repo), path)))


def put(repo: Path, path: bytes, data: bytes) -> bytes:
    """Write a file as an editor does; returns its path as an event would."""
    place = at(repo, path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return path


def blob(data: bytes) -> str:
    return oid_of("blob", data)


def test_a_clean_checkout_has_no_changes(recorded: Recorded, repo: Path) -> None:
    """Right after start at HEAD there is nothing to record, and what is known is HEAD's tree."""
    assert recorded.tree.scan().changes == ()
    assert recorded.entries() == as_git_adds(repo)


def test_a_save_is_one_change(recorded: Recorded, repo: Path) -> None:
    """Before and after, with the inode; its content is in the store; the next reading has nothing."""
    path = put(repo, b"a.txt", b"changed\n")
    (seen,) = recorded.read(path).changes
    assert seen.before == Entry(0o100644, git(repo, "rev-parse", "HEAD:a.txt").decode().strip())
    assert seen.after == Entry(0o100644, blob(b"changed\n"))
    assert seen.inode_after == (repo / "a.txt").stat().st_ino
    assert recorded.store.blob(blob(b"changed\n")) == b"changed\n"
    assert recorded.read(path).changes == ()


def test_a_hint_without_change_reads_and_stores_nothing(recorded: Recorded, repo: Path) -> None:
    """Touching a file, or saving the same bytes, is no change."""
    os.utime(repo / "a.txt")
    put(repo, b"src/b.txt", (repo / "src" / "b.txt").read_bytes())
    assert recorded.read(b"a.txt", b"src/b.txt").changes == ()
    assert not recorded.store._pending


@pytest.mark.parametrize(
    "name",
    [b"new\nline", b"caf\xe9", "größe".encode(), b" space ", b'quo"te\\', b"-dash", b":colon", b"tab\there", b"*"],
)
def test_any_file_name_is_recorded(recorded: Recorded, repo: Path, name: bytes) -> None:
    """Whatever bytes a name has, in files and directories: appears, changes, vanishes."""
    for path in (name, name + b".d/" + name):
        put(repo, path, b"one\n")
        assert [seen.path for seen in recorded.read(path).changes] == [path]
        put(repo, path, b"two\n")
        assert recorded.read(path).changes[0].after == Entry(0o100644, blob(b"two\n"))
    assert recorded.entries() == as_git_adds(repo)
    at(repo, name).unlink()
    shutil.rmtree(at(repo, name + b".d"))
    assert len(recorded.read(name, name + b".d").changes) == 2
    assert recorded.scan().changes == ()


def test_case_twins_are_two_files(recorded: Recorded, repo: Path) -> None:
    """``Makefile`` and ``makefile`` have nothing to do with each other."""
    put(repo, b"Twin", b"upper\n")
    put(repo, b"twin", b"lower\n")
    recorded.read(b"Twin", b"twin")
    put(repo, b"TWIN/a", b"x")
    recorded.read(b"TWIN")
    (repo / "twin").unlink()
    assert [seen.path for seen in recorded.read(b"twin").changes] == [b"twin"]
    assert recorded.entries() == as_git_adds(repo)


def test_a_file_becomes_a_directory_and_back(recorded: Recorded, repo: Path) -> None:
    """The old path vanishes and the new ones appear in the same reading, whichever path the hint named."""
    (repo / "a.txt").unlink()
    put(repo, b"a.txt/inner", b"x\n")
    changes = recorded.read(b"a.txt").changes
    assert [(seen.path, seen.after is None) for seen in changes] == [(b"a.txt", True), (b"a.txt/inner", False)]
    shutil.rmtree(repo / "src")
    put(repo, b"src", b"now a file\n")
    changes = recorded.read(b"src/b.txt").changes
    assert [(seen.path, seen.after is None) for seen in changes] == [(b"src", False), (b"src/b.txt", True)]
    shutil.rmtree(repo / "a.txt")
    put(repo, b"a.txt", b"file again\n")
    recorded.read(b"a.txt")
    assert recorded.entries() == as_git_adds(repo)


def test_empty_files_links_and_executable_bits(recorded: Recorded, repo: Path) -> None:
    """Each with git's mode; a link's content is its target, also when it dangles or becomes a file."""
    put(repo, b"empty", b"")
    (repo / "link").symlink_to("nowhere")
    put(repo, b"run", b"#!/bin/sh\n")
    (repo / "run").chmod(0o755)
    (repo / "README").chmod(0o700)
    recorded.read(b"empty", b"link", b"run", b"README")
    found = recorded.entries()
    assert found[b"empty"].oid == EMPTY_BLOB
    assert found[b"link"] == Entry(SYMLINK, blob(b"nowhere"))
    assert found[b"run"].mode == EXECUTABLE and found[b"README"].mode == EXECUTABLE
    (repo / "link").unlink()
    put(repo, b"link", b"a file\n")
    (repo / "run").unlink()
    (repo / "run").symlink_to("README")
    recorded.read(b"link", b"run")
    assert recorded.entries() == as_git_adds(repo)


def test_executable_bits_mean_nothing_without_filemode(recorded: Recorded, repo: Path) -> None:
    """core.fileMode=false keeps the tracked mode, as git add does."""
    git(repo, "config", "core.fileMode", "false")
    (repo / "a.txt").chmod(0o755)
    put(repo, b"a.txt", b"new\n")
    (repo / "a.txt").chmod(0o755)
    put(repo, b"run", b"x")
    (repo / "run").chmod(0o755)
    recorded.scan()
    assert recorded.entries() == as_git_adds(repo)


def test_line_ends_keep_the_disks_bytes(recorded: Recorded, repo: Path) -> None:
    """With CRLF on disk and LF in git both are recorded; a change of the bytes alone is told as one."""
    git(repo, "config", "core.autocrlf", "true")
    put(repo, b"dos.txt", b"one\r\ntwo\r\n")
    (seen,) = recorded.read(b"dos.txt").changes
    assert seen.after == Entry(0o100644, blob(b"one\ntwo\n"))
    assert seen.raw_after == blob(b"one\r\ntwo\r\n")
    assert recorded.raw(b"dos.txt") == b"one\r\ntwo\r\n"
    put(repo, b"dos.txt", b"one\ntwo\r\n")
    (seen,) = recorded.read(b"dos.txt").changes
    assert seen.before == seen.after and seen.raw_after == blob(b"one\ntwo\r\n")
    put(repo, b"dos.txt", b"one\ntwo\n")
    (seen,) = recorded.read(b"dos.txt").changes
    assert seen.raw_after is None
    assert recorded.entries() == as_git_adds(repo)


def test_a_filter_that_cannot_be_run_keeps_the_bytes(recorded: Recorded, repo: Path) -> None:
    """An LFS file's bytes are recorded raw, the path is said to be left out, its entry stays what git has."""
    git(repo, "config", "filter.lfs.process", "false")
    put(repo, b".gitattributes", b"*.bin filter=lfs\n")
    put(repo, b"big.bin", b"media\n")
    reading = recorded.read(b".gitattributes", b"big.bin")
    seen = next(seen for seen in reading.changes if seen.path == b"big.bin")
    assert (seen.after, seen.raw_after) == (None, blob(b"media\n"))
    assert reading.skipped and "lfs" in recorded.tree.skipped[b"big.bin"]
    assert recorded.scan().changes == ()
    pointer = git(repo, "hash-object", "-w", "--stdin", stdin=b"pointer\n").decode().strip()
    git(repo, "config", "--unset", "filter.lfs.process")
    git(repo, "config", "filter.lfs.clean", "sed -e s/.*/pointer/")
    os.utime(repo / "big.bin", (1, 1))  # older than the index, so that git goes by its times
    git(repo, "add", "big.bin")
    git(repo, "config", "filter.lfs.process", "false")
    (seen,) = recorded.scan().changes
    assert seen.after == Entry(0o100644, pointer)
    assert recorded.raw(b"big.bin") == b"media\n"


def test_ignored_files_reach_no_object(recorded: Recorded, repo: Path) -> None:
    """Ignored files and directories are neither read nor stored, and need no watch; tracked ones are never ignored."""
    put(repo, b".gitignore", b"*.log\nbuild/\n")
    put(repo, b"x.log", b"secret in a log\n")
    put(repo, b"build/out", b"secret in a build\n")
    put(repo, b"kept.log", b"tracked\n")
    git(repo, "add", "-f", "kept.log")
    reading = recorded.scan()
    assert [seen.path for seen in reading.changes] == [b".gitignore", b"kept.log"]
    assert reading.prune == (b"build",)
    recorded.read(b"x.log", b"build/out", b"build")
    assert not recorded.store.own_has(blob(b"secret in a log\n"))
    assert not recorded.store.own_has(blob(b"secret in a build\n"))
    put(repo, b"kept.log", b"tracked, changed\n")
    recorded.read(b"kept.log")
    assert recorded.entries() == as_git_adds(repo)


def test_changed_ignore_rules_apply_at_once(recorded: Recorded, repo: Path) -> None:
    """A rule added lets go of untracked paths; a rule removed brings in what it hid; in the same reading."""
    put(repo, b"note.tmp", b"x\n")
    recorded.read(b"note.tmp")
    put(repo, b".gitignore", b"*.tmp\n")
    changes = recorded.read(b".gitignore").changes
    assert [(seen.path, seen.after is None) for seen in changes] == [(b".gitignore", False), (b"note.tmp", True)]
    assert (repo / "note.tmp").exists()
    put(repo, b"src/.gitignore", b"!*.tmp\n")
    put(repo, b"src/deep.tmp", b"y\n")
    assert b"src/deep.tmp" in {seen.path for seen in recorded.read(b"src/.gitignore").changes}
    (repo / ".gitignore").unlink()
    assert b"note.tmp" in {seen.path for seen in recorded.read(b".gitignore").changes}
    (repo / ".git" / "info" / "exclude").write_text("note.*\n")
    assert b"note.tmp" in {seen.path for seen in recorded.read(b"a.txt").changes}
    assert recorded.entries() == as_git_adds(repo)


def test_the_index_decides_what_is_tracked_now(recorded: Recorded, repo: Path) -> None:
    """`git add -f` of an ignored file brings it in, `rm --cached` lets it go: seen at the next reading."""
    put(repo, b".gitignore", b"out/\n")
    put(repo, b"out/x", b"x\n")
    recorded.scan()
    git(repo, "add", "-f", "out/x")
    assert [seen.path for seen in recorded.read().changes] == [b"out/x"]
    git(repo, "rm", "-q", "--cached", "out/x")
    (seen,) = recorded.read().changes
    assert (seen.path, seen.after) == (b"out/x", None)


def test_secrets_are_never_recorded_unless_tracked(recorded: Recorded, repo: Path) -> None:
    """gitsession.never: by default .env, *.pem, id_*, *.key; only for paths git does not track."""
    for name in (b".env", b"sub/.env", b"server.pem", b"id_rsa", b"my.key"):
        put(repo, name, b"secret " + name)
    put(repo, b"tracked.key", b"not secret")
    git(repo, "add", "tracked.key")
    reading = recorded.scan()
    assert [seen.path for seen in reading.changes] == [b"tracked.key"]
    assert {path for path, _ in reading.skipped} == {b".env", b"sub/.env", b"server.pem", b"id_rsa", b"my.key"}
    assert not recorded.store.own_has(blob(b"secret .env"))
    git(repo, "config", "gitsession.never", "*.secret")
    git(repo, "config", "--add", "gitsession.never", "private/")
    put(repo, b"x.secret", b"s")
    put(repo, b"sub/private/deep/x", b"s")
    assert {seen.path for seen in recorded.scan().changes} == {
        b".env", b"sub/.env", b"server.pem", b"id_rsa", b"my.key"
    }  # fmt: skip
    assert set(recorded.tree.skipped) == {b"x.secret", b"sub/private/deep/x"}


def test_new_files_are_guarded(recorded: Recorded, repo: Path) -> None:
    """Large, binary or many new untracked files are recorded and named; tracked and known ones are not."""
    put(repo, b"large.txt", b"x" * ((1 << 20) + 1))
    put(repo, b"bits", b"a\0b")
    put(repo, b"plain", b"text\n")
    put(repo, b"added", b"a\0b")
    git(repo, "add", "added")
    reading = recorded.read(b"large.txt", b"bits", b"plain", b"added")
    assert reading.guarded == {b"large.txt": "large", b"bits": "binary"}
    assert len(reading.changes) == 4
    put(repo, b"bits", b"b\0c")
    assert recorded.read(b"bits").guarded == {}
    for number in range(101):
        put(repo, b"many/%d" % number, b"%d" % number)
    assert recorded.read(b"many").guarded == {b"many/%d" % number: "many" for number in range(101)}
    for number in range(100):
        put(repo, b"few/%d" % number, b"%d" % number)
    assert recorded.read(b"few").guarded == {}


def test_too_large_files_are_left_out_and_told_once(recorded: Recorded, repo: Path) -> None:
    """Over gitsession.maxFileSize nothing is stored; raising the limit brings the file in."""
    git(repo, "config", "gitsession.maxFileSize", "1k")
    put(repo, b"big", b"x" * 2000)
    reading = recorded.read(b"big")
    assert reading.changes == () and [path for path, _ in reading.skipped] == [b"big"]
    assert recorded.scan().skipped == ()
    assert "maxFileSize" in recorded.tree.skipped[b"big"]
    git(repo, "config", "gitsession.maxFileSize", "4k")
    assert [seen.path for seen in recorded.scan().changes] == [b"big"]
    assert recorded.tree.skipped == {}


def test_odd_things_are_told_and_left(recorded: Recorded, repo: Path) -> None:
    """A named pipe does not block, an unreadable directory is no deletion, our own and git's files are not seen."""
    os.mkfifo(repo / "pipe")
    put(repo, b".gitsession/panel", b"ours")
    put(repo, b"sub/.GIT/x", b"git refuses the name")
    reading = recorded.read(b"pipe", b".gitsession/panel", b".git/HEAD", b"sub")
    assert reading.changes == () and dict(reading.skipped) == {b"pipe": "a named pipe"}
    assert recorded.scan().changes == ()


def test_an_unreadable_directory_is_no_deletion(
    recorded: Recorded, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be listed is left as it was recorded, and told once."""
    real = os.scandir

    def refusing(path: bytes) -> object:
        if path.endswith(b"/src"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    reading = recorded.tree.scan()
    assert reading.changes == ()
    assert reading.skipped == ((b"src", "unreadable directory: Permission denied"),)
    assert recorded.tree.scan().skipped == ()


@pytest.mark.parametrize("hints", [(), (b"src/b.txt",), (b"src",)])
def test_a_directory_without_the_right_to_enter_is_no_deletion(
    recorded: Recorded, repo: Path, monkeypatch: pytest.MonkeyPatch, hints: tuple[bytes, ...]
) -> None:
    """`chmod -R 644`: names can still be listed, but nothing of them be known; with hints or without."""
    real_scandir, real_lstat = os.scandir, os.lstat

    class Shut:
        """A name in a directory that may not be entered."""

        def __init__(self, entry: os.DirEntry[bytes]) -> None:
            self.name, self.is_dir = entry.name, entry.is_dir

        def stat(self, *, follow_symlinks: bool) -> os.stat_result:
            raise PermissionError(13, "Permission denied", self.name)

    class Shuts:
        """The names of such a directory."""

        def __init__(self, listing: Any) -> None:
            self.listing = listing

        def __iter__(self) -> Iterator[Shut]:
            return map(Shut, self.listing)

        def __enter__(self) -> Shuts:
            return self

        def __exit__(self, *exc: object) -> None:
            self.listing.close()

    def listed(path: bytes) -> object:
        found = real_scandir(path)
        return Shuts(found) if path.endswith(b"/src") else found

    def looked_at(path: bytes) -> os.stat_result:
        if os.fsencode(path).endswith(b"/src/b.txt"):
            raise PermissionError(13, "Permission denied", path)
        return real_lstat(path)

    monkeypatch.setattr(os, "scandir", listed)
    monkeypatch.setattr(os, "lstat", looked_at)
    reading = recorded.tree.read_paths(hints) if hints else recorded.tree.scan()
    assert reading.changes == ()
    assert reading.skipped == ((b"src", "unreadable directory: Permission denied"),)


def test_a_worktree_that_is_gone_is_no_deletion(recorded: Recorded, repo: Path) -> None:
    """A removed or moved worktree is told as such; not one file counts as deleted."""
    repo.rename(repo.parent / "elsewhere")
    for read in (recorded.tree.scan, lambda: recorded.tree.read_paths([b"a.txt"])):
        with pytest.raises(NotFound, match="is gone"):
            read()
    (repo.parent / "elsewhere").rename(repo)
    assert recorded.tree.scan().changes == ()


def test_a_tree_of_hints_is_looked_at_once(recorded: Recorded, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hints for a directory and everything in it list each directory once."""
    hints = []
    for number in range(40):
        hints += [put(repo, b"new/d%d/e/f" % number, b"x\n"), b"new/d%d" % number, b"new/d%d/e" % number]
    listed: list[bytes] = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or real(path))
    assert len(recorded.read(*hints, b"new").changes) == 40
    assert len(listed) == len(set(listed)) == 81


def test_submodules_are_links_and_never_entered(recorded: Recorded, repo: Path, tmp_path: Path) -> None:
    """A tracked submodule is its HEAD; its files are another repository's; removing it removes the link."""
    inner = tmp_path / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    git(inner, "commit", "-q", "--allow-empty", "-m", "one")
    git(repo, "submodule", "--quiet", "add", str(inner), "lib")
    recorded.scan()
    assert recorded.entries()[b"lib"] == Entry(GITLINK, git(inner, "rev-parse", "HEAD").decode().strip())
    assert b"lib" in recorded.tree.ignored_directories()
    put(repo, b"lib/file", b"not ours\n")
    assert recorded.read(b"lib/file").changes == ()
    git(repo / "lib", "add", "-A")
    git(repo / "lib", "commit", "-q", "-m", "two")
    (seen,) = recorded.read(b"lib/file").changes
    assert seen.after == Entry(GITLINK, git(repo / "lib", "rev-parse", "HEAD").decode().strip())
    assert recorded.entries() == as_git_adds(repo)
    shutil.rmtree(repo / "lib")
    assert [seen.path for seen in recorded.scan().changes] == [b"lib"]
    assert recorded.entries() == as_git_adds(repo)


def test_an_untracked_repository_is_not_entered(recorded: Recorded, repo: Path) -> None:
    """A clone or linked worktree inside the worktree is told and left alone, whichever path the hint names."""
    git(repo, "clone", "-q", ".", "nested")
    git(repo, "worktree", "add", "-q", "-b", "other", "trees/other")
    reading = recorded.scan()
    assert reading.changes == ()
    assert dict(reading.skipped) == {b"nested": "nested repository", b"trees/other": "nested repository"}
    put(repo, b"nested/a.txt", b"theirs\n")
    assert recorded.read(b"nested/a.txt", b"trees/other/a.txt", b"nested/src").changes == ()
    assert set(reading.prune) == {b"nested", b"trees/other"}


def test_paths_behind_a_link_are_not_the_worktrees(recorded: Recorded, repo: Path, tmp_path: Path) -> None:
    """A directory replaced by a link: its files vanish, the link appears, nothing is read through it."""
    shutil.move(repo / "src", tmp_path / "elsewhere")
    (repo / "src").symlink_to(tmp_path / "elsewhere")
    changes = recorded.read(b"src/b.txt").changes
    assert [(seen.path, seen.after is None) for seen in changes] == [(b"src", False), (b"src/b.txt", True)]
    assert recorded.entries() == as_git_adds(repo)


def test_a_sparse_checkout_is_no_deletion(recorded: Recorded, repo: Path) -> None:
    """Paths that git itself left out of the worktree stay recorded."""
    git(repo, "sparse-checkout", "set", "--no-cone", "/*", "!/src/")
    assert not (repo / "src").exists()
    assert recorded.scan().changes == ()
    assert recorded.read(b"src", b"src/b.txt").changes == ()


def test_a_rename_keeps_its_inode_in_one_reading(recorded: Recorded, repo: Path) -> None:
    """Both ends of a rename are in the same reading, with the inode that tells it, however small the chunks."""
    for number in range(20):
        put(repo, b"old/%d" % number, b"%d\n" % number)
    recorded.scan()
    (repo / "old").rename(repo / "new")
    reading = recorded.take(recorded.tree.read_paths([b"old", b"new"], 4))
    while True:
        gone = {seen.inode_before for seen in reading.changes if seen.after is None}
        come = {seen.inode_after for seen in reading.changes if seen.before is None}
        assert gone == come and len(gone) == 2
        if not reading.left:
            break
        reading = recorded.take(recorded.tree.read_paths([], 4))
    assert recorded.entries() == as_git_adds(repo)


def test_large_readings_come_in_pieces(recorded: Recorded, repo: Path) -> None:
    """What is left is told; a new save overtakes what waits; all of it is read in the end."""
    for number in range(50):
        put(repo, b"bulk/%02d" % number, b"%d\n" % number)
    reading = recorded.take(recorded.tree.scan(10))
    assert len(reading.changes) <= 10
    assert reading.left == recorded.tree.left >= 40
    put(repo, b"a.txt", b"urgent\n")
    reading = recorded.take(recorded.tree.read_paths([b"a.txt"], 10))
    assert b"a.txt" in {seen.path for seen in reading.changes}
    while reading.left:
        reading = recorded.take(recorded.tree.read_paths([], 10))
    assert recorded.entries() == as_git_adds(repo)


def test_a_first_look_leaves_nothing_for_later(recorded: Recorded, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much differs when a session starts: it is one reading."""
    monkeypatch.setattr(worktree_module, "CHUNK_FILES", 7)
    monkeypatch.setattr(worktree_module, "CHUNK_BYTES", 100)
    for number in range(50):
        put(repo, b"bulk/%02d" % number, b"%d\n" % number * 9)
    reading = recorded.take(recorded.tree.scan_whole())
    assert len(reading.changes) == 50 and reading.left == 0
    assert recorded.entries() == as_git_adds(repo)


def test_a_reading_that_was_not_recorded_is_read_again(recorded: Recorded, repo: Path) -> None:
    """Without accept nothing is known; after read_again the same changes come, with what changed since."""
    put(repo, b"a.txt", b"one\n")
    reading = recorded.tree.read_paths([b"a.txt"])
    recorded.tree.read_again()
    put(repo, b"src/b.txt", b"two\n")
    again = recorded.read(b"src/b.txt")
    assert [seen.path for seen in again.changes] == [b"a.txt", b"src/b.txt"]
    assert again.changes[0] == reading.changes[0]


def test_a_reading_that_failed_is_read_again(recorded: Recorded, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git or the disk refusing in the middle loses no hint: not while looking, not while reading."""
    put(repo, b"a.txt", b"one\n")
    put(repo, b"new", b"two\n")
    for part, name in ((recorded.tree._rules.ignore, "ignored"), (recorded.tree._contents, "read")):
        with monkeypatch.context() as patch:
            patch.setattr(part, name, refuse)
            with pytest.raises(StoreFailed):
                recorded.tree.read_paths([b"a.txt", b"new"])
            recorded.tree.read_again()
    assert [seen.path for seen in recorded.read().changes] == [b"a.txt", b"new"]


def refuse(*_args: object, **_more: object) -> None:
    raise StoreFailed("git ended", hint="git session doctor")


def test_a_file_being_written_waits_for_its_close(recorded: Recorded, repo: Path) -> None:
    """A truncated file under its writer is no empty save; the next reading has it without being told."""
    with (repo / "a.txt").open("wb") as writer:
        reading = recorded.read(b"a.txt")
        assert reading.changes == () and reading.busy == (b"a.txt",)
        writer.write(b"complete\n")
    (seen,) = recorded.read().changes
    assert seen.after == Entry(0o100644, blob(b"complete\n"))
    assert recorded.tree.busy == frozenset()


def test_a_change_within_the_same_tick_is_found(recorded: Recorded, repo: Path) -> None:
    """A file rewritten right after it was read, with size, times and inode as before, is found by the next scan."""
    put(repo, b"a.txt", b"one\n")
    recorded.read(b"a.txt")
    kept = recorded.tree._known
    (repo / "a.txt").write_bytes(b"two\n")
    found = worktree_module.Known(kept[b"a.txt"].entry, None, None)
    kept.put(b"a.txt", found._replace(sig=signature_now(repo / "a.txt")), racy=True)  # as if no time had passed
    assert [seen.path for seen in recorded.scan().changes] == [b"a.txt"]


def signature_now(path: Path) -> bytes:
    from gitsessiond.store.files import signature

    return signature(path.lstat())


def test_a_start_reads_only_what_changed(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known signatures survive a restart; without them git is trusted for clean files; else all is read."""
    for number in range(150):
        put(repo, b"f/%d" % number, b"%d\n" % number)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "many")
    reads: list[bytes] = []
    from gitsessiond.store import contents

    real = contents.read_file
    monkeypatch.setattr(contents, "read_file", lambda path, limit: reads.append(path) or real(path, limit))
    time.sleep(0.06)  # older than the racy margin
    put(repo, b"f/7", b"dirty\n")
    first = Recorded(repo)
    assert [seen.path for seen in first.scan().changes] == [b"f/7"]
    assert len(reads) == 1
    time.sleep(0.06)
    first.scan()
    work, raw = first.tree_ids()
    first.close()
    reads.clear()
    put(repo, b"f/8", b"dirty too\n")
    second = Recorded(repo, work=None)
    second.tree = WorkTree.open(second.repository, WID, second.store, second.config, work, raw)
    assert [seen.path for seen in second.scan().changes] == [b"f/8"]
    assert len(reads) == 1
    second.close()
    cache = Path(second.repository.state_dir) / "cache" / WID
    cache.write_bytes(cache.read_bytes()[:-40] + b"damaged")
    third = Recorded(repo)
    assert [seen.path for seen in third.scan().changes] == [b"f/7", b"f/8"]
    assert third.entries() == as_git_adds(repo)
    third.close()


def test_nothing_of_the_users_is_written(recorded: Recorded, repo: Path) -> None:
    """Index, objects, refs and files keep bytes, inode and mtime, whatever is read."""
    put(repo, b".gitignore", b"*.log\n")
    put(repo, b"dos.txt", b"a\r\n")
    git(repo, "config", "core.autocrlf", "true")
    before = picture(repo)
    recorded.scan()
    recorded.read(b"a.txt", b"dos.txt")
    assert picture(repo) == before


def picture(repo: Path) -> dict[str, tuple[int, int, int]]:
    """Every file but ours: inode, size, mtime."""
    found = {}
    for path in sorted(repo.rglob("*")):
        if ".git/gitsession" not in str(path) and path.is_file():
            stat = path.lstat()
            found[str(path)] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    return found


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(6, 300))])
def test_random_work_is_recorded_as_git_would_store_it(repo: Path, seed: int) -> None:
    """Writes, deletions, renames, links, modes, rules, staging: by hints or by scans, always `git add -A`."""
    chance = random.Random(seed)
    if seed % 2:
        git(repo, "config", "core.autocrlf", "true")
    recorded = Recorded(repo)
    recorded.scan()
    for turn in range(40):
        hints = [act(repo, chance) for _ in range(chance.randint(1, 4))]
        if chance.random() < 0.3:
            recorded.scan()
        else:
            reading = recorded.read(*[path for hint in hints for path in hint])
            while reading.left:
                reading = recorded.read()
        assert recorded.entries() == as_git_adds(repo), (seed, turn, hints)
        for path in recorded.entries():
            place = at(repo, path)
            if not place.is_symlink():
                assert recorded.raw(path) == place.read_bytes()
    recorded.close()
    print(f"seed {seed}: 40 turns")


DIRECTORIES = [b"", b"src/", b"src/deep/", b"d/", b"build/"]
FILES = [b"a.txt", b"b.txt", b"c.log", b"d", b"e\xe9", b"n\nl"]


def act(repo: Path, chance: random.Random) -> list[bytes]:
    """One thing a person does; returns the paths that events would name."""
    path = chance.choice(DIRECTORIES) + chance.choice(FILES)
    place = at(repo, path)
    deed = chance.choice(["write", "write", "write", "remove", "rename", "link", "mode", "ignore", "stage", "commit"])
    if any(parent.is_file() or parent.is_symlink() for parent in place.parents if repo in parent.parents):
        return []
    if deed == "write" and not place.is_dir():
        if place.is_symlink():
            place.unlink()
        put(repo, path, chance.choice([b"", b"x\n", b"one\r\ntwo\r\n", b"a\0b", b"%d\n" % chance.randrange(99)]))
    elif deed == "remove" and place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    elif deed == "remove" and os.path.lexists(place):
        place.unlink()
    elif deed == "rename" and os.path.lexists(place):
        target = chance.choice(DIRECTORIES) + chance.choice(FILES)
        goal = at(repo, target)
        blocked = goal.exists() or goal.is_symlink() or not goal.parent.is_dir() or goal.parent.is_symlink()
        if blocked or place in goal.parents:
            return []
        place.rename(goal)
        return [path, target]
    elif deed == "link" and not os.path.lexists(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to("src")
    elif deed == "mode" and place.is_file():
        place.chmod(chance.choice([0o644, 0o755]))
    elif deed == "ignore":
        rules = chance.choice([b"", b"*.log\n", b"build/\n", b"/d\n!a.txt\n", b"*.log\nbuild/\nsrc/deep/\n"])
        return [put(repo, chance.choice([b".gitignore", b"src/.gitignore"]), rules)]
    elif deed == "stage":
        git(repo, *chance.choice([("add", "-A"), ("add", "-A", "-f"), ("reset", "-q"), ("add", "-u")]))
        return []
    elif deed == "commit" and chance.random() < 0.5:
        git(repo, "commit", "-q", "-m", "x", check=False)
        return []
    return [path]

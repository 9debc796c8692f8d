"""A commit of some changes by the user's git: the index, the hooks, and what a crash leaves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitsessiond.model.errors import Refused
from gitsessiond.model.values import REGULAR, Entry
from gitsessiond.store import committing
from gitsessiond.store.committing import Committed, Place, Words, commit_changes, finish_commit, place_at
from gitsessiond.store.index import copy_index, set_entries
from gitsessiond.store.repository import open_repository
from gitsessiond.store.store import Store, open_store
from gitsessiond.store.text import merge_text
from tests.conftest import git

Commit = Callable[..., Committed]


@pytest.fixture
def store(repo: Path) -> Iterator[Store]:
    with open_store(open_repository(str(repo))) as opened:
        yield opened


def place_of(repo: Path, store: Store) -> Place:
    return place_at(store, merge_text, str(repo), str(repo / ".git"), head_of(repo))


def head_of(repo: Path) -> str:
    return git(repo, "rev-parse", "HEAD").decode().strip()


def commit(repo: Path, store: Store, files: dict[str, str | None], **words: object) -> Committed:
    """Commit these contents (None: deleted) whatever is on disk."""
    place = place_of(repo, store)
    changed: committing.Changed = {}
    for name, text in files.items():
        after = None if text is None else Entry(REGULAR, put(repo, text))
        found = git(repo, "ls-tree", "HEAD", "--", name).decode().split()
        changed[name.encode()] = (Entry(int(found[0], 8), found[2]) if found else None, after)
    return commit_changes(place, changed, Words(b"words\n", **words))  # type: ignore[arg-type]


def put(repo: Path, text: str) -> str:
    return git(repo, "hash-object", "-w", "--stdin", stdin=text.encode()).decode().strip()


def status(repo: Path) -> list[str]:
    return git(repo, "status", "--porcelain").decode().splitlines()


def lines(*changed: tuple[int, str]) -> str:
    """a.txt of the fixture with some lines replaced."""
    text = {number: f"line {number}" for number in range(1, 11)} | dict(changed)
    return "".join(f"{line}\n" for line in text.values())


def no_files_left(repo: Path) -> bool:
    names = os.listdir(repo / ".git")
    return not [name for name in names if name.startswith("gitsession-") or name == "index.lock"]


def unchanged(path: Path) -> tuple[int, int, int]:
    """What differs after any write to a file."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def test_only_the_changes_are_committed(repo: Path, store: Store) -> None:
    """One commit on top holds the changes and nothing else; files and other dirt stay as they are."""
    before = head_of(repo)
    (repo / "a.txt").write_text(lines((2, "two"), (9, "nine")))
    (repo / "new.txt").write_text("new\n")
    stat = unchanged(repo / "a.txt")
    done = commit(repo, store, {"a.txt": lines((2, "two"))})
    assert done.oid == head_of(repo)
    assert git(repo, "rev-parse", "HEAD~1").decode().strip() == before
    assert git(repo, "show", "HEAD:a.txt").decode() == lines((2, "two"))
    assert git(repo, "log", "-1", "--format=%an %s") == b"Ann words\n"
    assert status(repo) == [" M a.txt", "?? new.txt"]
    assert unchanged(repo / "a.txt") == stat
    assert no_files_left(repo)


def test_add_delete_and_file_for_directory(repo: Path, store: Store) -> None:
    """Added and deleted paths, and a file where a directory was, reach commit and index."""
    (repo / "src/b.txt").unlink()
    (repo / "src").rmdir()
    (repo / "src").write_text("now a file\n")
    (repo / "dir").mkdir()
    (repo / "dir/n.txt").write_text("n\n")
    commit(repo, store, {"src/b.txt": None, "src": "now a file\n", "dir/n.txt": "n\n", "README": None})
    assert git(repo, "ls-tree", "-r", "--name-only", "HEAD").decode().split() == ["a.txt", "dir/n.txt", "src"]
    assert status(repo) == ["?? README"]


def test_staged_for_something_else_stays_staged(repo: Path, store: Store) -> None:
    """What is staged stays staged, at other paths and at other lines of the committed path."""
    (repo / "src/b.txt").write_text("staged\n")
    (repo / "a.txt").write_text(lines((9, "nine")))
    git(repo, "add", "-A")
    (repo / "a.txt").write_text(lines((2, "two"), (9, "nine")))
    done = commit(repo, store, {"a.txt": lines((2, "two"))})
    assert done.clashes == {}
    assert git(repo, "show", "HEAD:src/b.txt") != b"staged\n"
    assert git(repo, "show", ":src/b.txt") == b"staged\n"
    assert git(repo, "show", ":a.txt").decode() == lines((2, "two"), (9, "nine"))
    assert status(repo) == ["M  a.txt", "M  src/b.txt"]


def test_clash_with_what_is_staged_is_told(repo: Path, store: Store) -> None:
    """A staged content that does not go with the commit is unstaged, and told."""
    (repo / "a.txt").write_text(lines((2, "staged")))
    git(repo, "add", "a.txt")
    staged = git(repo, "rev-parse", ":a.txt").decode().strip()
    (repo / "a.txt").write_text(lines((2, "two")))
    done = commit(repo, store, {"a.txt": lines((2, "two"))})
    assert done.clashes == {b"a.txt": Entry(REGULAR, staged)}
    assert status(repo) == []


def test_intent_to_add(repo: Path, store: Store) -> None:
    """`add -N` marks stay, nothing of them clashes; the path that is committed is then an ordinary entry."""
    (repo / "n.txt").write_text("n\n")
    (repo / "m.txt").write_text("m\n")
    git(repo, "add", "-N", "n.txt", "m.txt")
    done = commit(repo, store, {"n.txt": "n\n"})
    assert done.clashes == {} and status(repo) == [" A m.txt"]


def test_hooks_see_exactly_the_commit_and_run_once(repo: Path, store: Store) -> None:
    """pre-commit runs once, on an index with the changes only; its output comes back."""
    hook = repo / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\necho ran >> ../ran\necho said so\ngit diff --cached --name-only >> ../ran\n")
    hook.chmod(0o755)
    (repo / "src/b.txt").write_text("staged\n")
    git(repo, "add", "src/b.txt")
    done = commit(repo, store, {"a.txt": lines((2, "two"))})
    assert (repo.parent / "ran").read_text() == "ran\na.txt\n"
    assert done.output == "said so"


def test_hook_that_changes_the_commit(repo: Path, store: Store) -> None:
    """A formatter in pre-commit that stages its own result: the index agrees with what was committed."""
    hook = repo / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\nsed -i s/two/TWO/ a.txt\ngit add a.txt\n")
    hook.chmod(0o755)
    (repo / "a.txt").write_text(lines((2, "two")))
    commit(repo, store, {"a.txt": lines((2, "two"))})
    assert git(repo, "show", "HEAD:a.txt").decode() == lines((2, "TWO"))
    assert status(repo) == []


def test_refusing_hook_leaves_all_as_it_was(repo: Path, store: Store) -> None:
    """A hook that says no leaves branch and index as they were, and its words are in the error."""
    hook = repo / ".git/hooks/commit-msg"
    hook.write_text("#!/bin/sh\necho no such words >&2\nexit 1\n")
    hook.chmod(0o755)
    (repo / "src/b.txt").write_text("staged\n")
    git(repo, "add", "src/b.txt")
    head, index = head_of(repo), (repo / ".git/index").read_bytes()
    with pytest.raises(Refused, match="no such words"):
        commit(repo, store, {"a.txt": lines((2, "two"))})
    assert (head_of(repo), (repo / ".git/index").read_bytes()) == (head, index)
    assert no_files_left(repo)
    commit(repo, store, {"a.txt": lines((2, "two"))}, no_verify=True)


def test_held_index_refuses(repo: Path, store: Store) -> None:
    """Another git at work is waited for, not fought; its lock is left alone."""
    (repo / ".git/index.lock").touch()
    with pytest.raises(Refused, match="at work"):
        commit(repo, store, {"a.txt": lines((2, "two"))})
    assert (repo / ".git/index.lock").exists()


def test_unmerged_index_refuses(repo: Path, store: Store) -> None:
    """An unmerged path refuses, whoever left it."""
    (repo / "a.txt").write_text(lines((2, "stashed")))
    git(repo, "stash")
    (repo / "a.txt").write_text(lines((2, "two")))
    git(repo, "commit", "-qam", "clash")
    git(repo, "stash", "pop", check=False)
    with pytest.raises(Refused, match="unmerged"):
        commit(repo, store, {"README": "r\n"})
    assert no_files_left(repo)


def test_identity_is_the_askers(repo: Path, store: Store) -> None:
    """Author and committer are who asks, else who git's config names; never the daemon."""
    env = {"GIT_AUTHOR_NAME": "Bob", "GIT_AUTHOR_EMAIL": "bob@example.org", "HOME": os.environ["HOME"]}
    commit(repo, store, {"a.txt": lines((2, "two"))}, env=env)
    assert git(repo, "log", "-1", "--format=%an %cn") == b"Bob Ann\n"


def test_missing_index(repo: Path, store: Store) -> None:
    """A worktree whose index was removed commits just the changes."""
    (repo / ".git/index").unlink()
    commit(repo, store, {"a.txt": lines((2, "two"))})
    assert git(repo, "diff", "--name-status", "HEAD~1", "HEAD") == b"M\ta.txt\n"


@pytest.mark.parametrize("where", ["take_lock", "set_entries", "run_commit", "take_in", "clear"])
def test_crash_is_finished(repo: Path, store: Store, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Wherever a kill strikes, the next look ends with the commit and its index, or with neither."""
    head = head_of(repo)
    (repo / "src/b.txt").write_text("staged\n")
    git(repo, "add", "src/b.txt")
    (repo / "a.txt").write_text(lines((2, "two")))

    def killed(*args: object, **named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(committing, where, killed)
        patch.setattr(committing, "finish_commit", lambda *args, **named: False)
        with pytest.raises(KeyboardInterrupt):
            commit(repo, store, {"a.txt": lines((2, "two"))})
    assert (repo / ".git/index.lock").exists() == (where != "take_lock")
    assert finish_commit(store, merge_text, str(repo), str(repo / ".git"))
    assert no_files_left(repo)
    committed = head_of(repo) != head
    assert committed == (where in ("take_in", "clear"))
    assert status(repo) == (["M  src/b.txt"] if committed else [" M a.txt", "M  src/b.txt"])
    assert finish_commit(store, merge_text, str(repo), str(repo / ".git"))


def test_lock_of_another_is_left_alone(repo: Path, store: Store) -> None:
    """An intent of long ago does not make another git's lock ours."""
    (repo / ".git/gitsession-commit").write_text('{"format": 1, "head": "x", "lock": [1, 2, 3]}')
    (repo / ".git/index.lock").touch()
    assert finish_commit(store, merge_text, str(repo), str(repo / ".git"))
    assert (repo / ".git/index.lock").exists()
    assert not (repo / ".git/gitsession-commit").exists()


def test_a_copied_index_still_doubts_what_was_added_just_now(repo: Path) -> None:
    """A file of the same size, changed in the second in which the index was written, is changed in a copy's heir too."""
    git(repo, "config", "core.trustCTime", "false")
    then = 1_700_000_000
    for text in ("one\n", "two\n"):
        (repo / "racy.txt").write_text(text)
        os.utime(repo / "racy.txt", (then, then))
        if text == "one\n":
            git(repo, "add", "racy.txt")
            os.utime(repo / ".git" / "index", (then, then))
    copy = repo / ".git" / "copy"
    copy_index(str(repo / ".git"), str(copy))
    set_entries(str(repo), str(copy), {b"other.txt": Entry(REGULAR, put(repo, ""))})
    os.replace(copy, repo / ".git" / "index")
    assert b"racy.txt" in git(repo, "diff-files", "--name-only").split()

"""`git session commit`: one ordinary commit with one patch's uncommitted edits."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from gitsessiond.actions.publishing import publish
from gitsessiond.model.commits import trailer_values
from gitsessiond.model.errors import BadRequest, Refused
from gitsessiond.store.chain import read_commit
from tests.actions.desk import P1, Q1, Desk, both_dirty, desk, numbered, text_at
from tests.conftest import git

__all__ = ["both_dirty", "desk"]


@pytest.fixture
def it(both_dirty: Desk) -> Desk:
    return both_dirty


def unchanged(path: Path) -> tuple[int, int, int]:
    """What differs after any write to a file."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def test_only_the_patchs_edits(it: Desk) -> None:
    """The commit is HEAD and p's edits; files stay; q's are uncommitted as before; the step is a commit."""
    stat = unchanged(it.root / "a.txt")
    done = it.commit_patch("p", "Say hello")
    assert done.oid == it.head()
    assert text_at(it, "HEAD", "a.txt") == numbered(P1)
    assert it.status() == [" M a.txt", " M src/b.txt"]
    assert unchanged(it.root / "a.txt") == stat
    assert (it.uncommitted("p"), it.uncommitted("q")) == ([], ["a.txt", "src/b.txt"])
    assert [one.oid for one in it.named("p").series] == [done.oid]
    assert (it.events[-1]["type"], it.events[-1]["by"]) == ("commit", "Ann <ann@example.org>")
    assert it.last_text() == f"{done.oid[:7]} Say hello: 1 edit to p"
    it.check()


def test_trailers(it: Desk) -> None:
    """The words are the given ones and our trailers; a twin has its own patch's and no other."""
    it.commit_patch("q", "Words\n\nBody.\n")
    it.commit_patch("p", "More")
    message = read_commit(it.store, it.head("HEAD~1")).message
    assert message.startswith(b"Words\n\nBody.\n\n")
    assert trailer_values(message, "Patch-Id") == [it.named("q").id]
    assert trailer_values(message, "Session-Id") == [it.session.id]
    twin = read_commit(it.store, it.named("p").series[-1].oid)
    assert twin.oid != it.head()
    assert twin.message == read_commit(it.store, it.head()).message


def test_dependencies_are_trailers(it: Desk) -> None:
    """Direct ones, in the patch's order; git finds them. A landing says the same, and they move no edit of anybody."""
    p, q = it.named("p").id, it.named("q").id
    state = it.live.state
    owners = replace(state.owners, declared=frozenset({(q, p)}))
    publish(it.ctx, it.live, replace(state, owners=owners), "depend")
    it.commit_patch("p", "More")
    it.commit_patch("q", "Words\n\nDepends-On: I0123")
    told = git(it.root, "interpret-trailers", "--parse", stdin=read_commit(it.store, it.head()).message).decode()
    ours = [f"Session-Id: {it.session.id}", f"Patch-Id: {q}", f"Depends-On: {p}"]
    assert told.splitlines() == ["Depends-On: I0123", *ours]
    series = it.named("q").series
    it.git("commit", "-q", "--amend", "--no-edit", "--date=2020-01-01T00:00:00Z", "--trailer", f"Depends-On: {q}")
    assert [it.uncommitted("p"), it.uncommitted("q")] == [[], []] and len(it.named("q").series) == len(series)
    it.land("p")
    it.land("q")
    assert it.git("log", "-1", "--format=%(trailers:only)", "main").strip().splitlines() == ours


def test_every_patch_in_turn(it: Desk) -> None:
    """After a commit of each patch the worktree is clean and each series is its own."""
    it.commit_patch("p", "p")
    done = it.commit_patch("q", "q")
    assert (it.status(), done.files) == ([], 2)
    assert (it.subjects("p"), it.subjects("q")) == (["p"], ["q"])
    assert text_at(it, it.named("q").series[-1].oid, "a.txt") == numbered(Q1)
    it.check()


def test_dependency_first(it: Desk) -> None:
    """Refused while a patch it depends on has uncommitted edits, which is named; committed, it goes."""
    edge = (it.named("q").id, it.named("p").id)
    owners = replace(it.live.state.owners, declared=frozenset({edge}))
    publish(it.ctx, it.live, replace(it.live.state, owners=owners), "patch depend")
    with pytest.raises(Refused, match="q depends on uncommitted edits of p"):
        it.commit_patch("q")
    it.commit_patch("p", "p")
    it.commit_patch("q", "q")
    assert it.named("q").series[-1].oid == it.head()
    it.check()


def test_nothing_to_commit(it: Desk) -> None:
    """A patch without uncommitted edits is refused, and says so."""
    it.commit_patch("p")
    with pytest.raises(Refused, match="nothing to commit"):
        it.commit_patch("p")


def test_unassigned_edits_are_never_taken(it: Desk) -> None:
    """What is nobody's stays uncommitted."""
    it.use(None)
    it.save("n.txt", "n\n")
    it.commit_patch("q", "q")
    assert it.status() == [" M a.txt", "?? n.txt"]
    assert it.unassigned() == [("n.txt", "~none")]


def test_message_of_the_patch(it: Desk) -> None:
    """Without a message the patch's name speaks; an empty one is refused."""
    it.commit_patch("p", None)
    assert git(it.root, "log", "-1", "--format=%s") == b"p\n"
    with pytest.raises(BadRequest, match="empty"):
        it.commit_patch("q", " \n")


def test_refused_while_parked_or_at_work(it: Desk) -> None:
    """Parked, or with git at work, nothing is committed."""
    it.git("switch", "-q", "-c", "other")
    with pytest.raises(Refused, match="parked: HEAD is on other"):
        it.commit_patch("p")
    it.git("switch", "-q", "session/x")
    (it.root / ".git/index.lock").touch()
    with pytest.raises(Refused, match="index") as refused:
        it.commit_patch("p")
    assert refused.value.reason == "index_lock", "by that a command knows to ask again"
    (it.root / ".git/index.lock").unlink()
    it.commit_patch("p")


def test_commit_made_meanwhile_is_adopted_first(it: Desk) -> None:
    """A commit nobody has looked at yet is part of the chain before ours is made."""
    it.git("commit", "-qm", "unseen", "src/b.txt", look=False)
    it.commit_patch("p", "p")
    assert it.chain() == ["unseen", "p"]
    assert (it.subjects("p"), it.subjects("q")) == (["p"], ["unseen"])
    it.check()


def test_hook_that_formats(it: Desk) -> None:
    """Lines a pre-commit hook reformats are the patch's, also on disk."""
    hook = it.root / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\nsed -i 's/p first/P FIRST/' a.txt\ngit show :a.txt | sed 's/p first/P FIRST/' > ../a\n"
                    "git update-index --cacheinfo 100644,$(git hash-object -w ../a),a.txt\n")  # fmt: skip
    hook.chmod(0o755)
    it.commit_patch("p", "p")
    it.look()
    assert it.edits("p") == [("a.txt", (2, 2))]
    assert it.uncommitted("p") == []
    assert text_at(it, "HEAD", "a.txt") == numbered((2, "P FIRST"))
    assert it.status() == [" M a.txt", " M src/b.txt"]
    it.check()


def test_refusing_hook(it: Desk) -> None:
    """A hook that says no leaves session, branch and index as they were."""
    hook = it.root / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\necho tests fail\nexit 1\n")
    hook.chmod(0o755)
    head, number = it.head(), it.live.state.number
    with pytest.raises(Refused, match="tests fail"):
        it.commit_patch("p")
    assert (it.head(), it.live.state.number) == (head, number)
    assert "index.lock" not in os.listdir(it.root / ".git")
    it.commit_patch("p", no_verify=True)


def test_staged_of_another_stays_staged(it: Desk) -> None:
    """What is staged for q stays staged over a commit of p in the same file."""
    it.git("add", "-A")
    it.commit_patch("p", "p")
    assert it.status() == ["M  a.txt", "M  src/b.txt"]
    assert git(it.root, "show", ":a.txt").decode() == numbered(P1, Q1)


def test_clash_with_what_is_staged_is_said(it: Desk) -> None:
    """A staged content that does not go with the commit is unstaged, and said."""
    it.write("a.txt", numbered((2, "other words")))
    it.git("add", "a.txt", look=False)
    it.write("a.txt", numbered(P1, Q1))
    done = it.commit_patch("p", "p")
    assert "unstaged a.txt" in done.output
    assert it.status() == [" M a.txt", " M src/b.txt"]


def test_new_deleted_and_renamed_files(it: Desk) -> None:
    """Whole-file edits of a patch are in its commit, and no others."""
    it.save("new/n.txt", "n\n", "p")
    it.use("p")
    os.rename(it.root / "README", it.root / "READ.ME")
    it.look()
    it.save("q.txt", "q\n", "q")
    it.commit_patch("p", "p")
    listed = git(it.root, "ls-tree", "-r", "--name-only", "HEAD").decode().split()
    assert listed == ["READ.ME", "a.txt", "new/n.txt", "src/b.txt"]
    assert it.status() == [" M a.txt", " M src/b.txt", "?? q.txt"]
    it.check()


def test_crash_is_finished_by_the_next_look(it: Desk) -> None:
    """A lock and an intent of a killed recorder are put right by the first adoption after the restart."""
    git(it.root, "add", "src/b.txt")
    intent = it.root / ".git/gitsession-commit"
    lock = it.root / ".git/index.lock"
    lock.touch()
    found = lock.stat()
    intent.write_text(
        f'{{"format": 1, "head": "{it.head()}", "lock": [{found.st_dev}, {found.st_ino}, {found.st_mtime_ns}]}}'
    )
    it.restart()
    it.adopt()
    assert not lock.exists()
    assert not intent.exists()
    assert it.live.settled is None
    assert it.status() == [" M a.txt", "M  src/b.txt"]

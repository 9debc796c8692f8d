"""Rarer stories of plain git in a session's worktree; the start is that of test_adoption.py.

They run in long runs only, and once more through the installed command (tests/scenarios/test_stories.py).
"""

from __future__ import annotations

import pytest

from tests.actions.desk import Desk, desk, numbered, recorded_text, text_at
from tests.actions.test_adoption import DIRTY, P1, it, move_main, owners, series
from tests.conftest import git

__all__ = ["desk", "it"]
pytestmark = pytest.mark.soak


@pytest.mark.parametrize("how", [["commit", "-n"], ["-c", "core.hooksPath=/nowhere", "commit"]])
def test_09_no_hooks(it: Desk, how: list[str]) -> None:
    """`commit -n`, another `core.hooksPath`: as with hooks, found by the watch."""
    before = owners(it)
    it.git(*how, "-qam", "both")
    assert (it.subjects("p"), it.subjects("q")) == (["p: first", "both"], ["q: first", "both"])
    assert owners(it) == before
    it.check()


def test_12_editor_left_open(it: Desk) -> None:
    """`commit -a` whose editor saves other files and goes away: index.lock was held all the time; nothing is lost."""
    editor = it.root.parent / "editor"
    editor.write_text('#!/bin/sh\necho meanwhile >README\necho both >"$1"\n')
    editor.chmod(0o755)
    it.git("-c", f"alias.edited=!GIT_EDITOR={editor} git commit -qa", "edited")
    assert (it.subjects("p"), it.subjects("q")) == (["p: first", "both"], ["q: first", "both"])
    assert it.status() == [" M README", "?? n.txt"]
    assert recorded_text(it, "README") == "meanwhile\n"
    it.check()


def test_14_moved_and_deleted(it: Desk) -> None:
    """A file that moves stays its patch's, and the deletion of another is the edit of the patch in use."""
    it.save("c.txt", "of p\n", "p")
    it.git("add", "c.txt", look=False)
    it.git("commit", "-qm", "c", "c.txt")
    it.use("q")
    it.git("mv", "c.txt", "d.txt")
    it.git("rm", "-qf", "src/b.txt")
    it.git("commit", "-qm", "moved")
    assert ("d.txt", None) in it.edits("p")
    assert ("src/b.txt", None) in it.edits("q")
    assert (it.subjects("p"), it.subjects("q")) == (["p: first", "c", "moved"], ["q: first", "moved"])
    it.check()


def test_18_pick_of_the_target(it: Desk) -> None:
    """`cherry-pick main`: a commit like any other, of the patch in use; what main has too merges without conflict."""
    move_main(it)
    before = owners(it)
    it.git("cherry-pick", "main")
    assert it.chain() == ["p: first", "q: first", "main moves"]
    assert it.subjects("q") == ["q: first", "main moves"]
    assert [one for one in it.edits("q") if one[0] == "README"] == [("README", (1, 1))]
    assert it.edits("p") == before["p"]
    it.check()
    it.git("merge", "-q", "--no-edit", "main")
    assert it.session.base == it.head("main")
    assert [one for one in it.edits("q") if one[0] == "README"] == []
    it.check()


def test_18_mail(it: Desk) -> None:
    """`am` rings no post-commit; the mail's commit is a commit like any other."""
    tree = it.root.parent / "other"
    git(it.root, "worktree", "add", "-q", "-b", "other", str(tree), "main")
    (tree / "README").write_text("by mail\n")
    git(tree, "commit", "-qam", "by mail")
    git(tree, "format-patch", "-q", "-1", "-o", "mail")
    it.git("am", "-q", str(next((tree / "mail").iterdir())))
    assert it.subjects("q") == ["q: first", "by mail"]
    assert ("README", (1, 1)) in it.edits("q")
    it.check()


def test_33_stash_that_clashes(it: Desk) -> None:
    """`stash pop` onto a commit that changed the same line: markers are recorded and not sorted, then resolved."""
    it.git("stash", "-q")
    it.save("a.txt", numbered(P1, (5, "in the way")), "q")
    it.git("commit", "-qam", "in the way")
    it.git("stash", "pop", "-q", check=False)
    assert "<<<<<<<" in str(recorded_text(it, "a.txt"))
    it.save("a.txt", DIRTY)
    it.git("add", "a.txt")
    assert it.subjects("q")[-1] == "in the way" and it.live.settled is None
    assert "src/b.txt" in it.uncommitted("q")
    it.check()
    it.git("stash", "drop", "-q")
    it.check()


def test_34_stash_popped_elsewhere(it: Desk) -> None:
    """A stash is every worktree's: popped elsewhere its dirt is there; here its edits are remembered, if they return."""
    before = owners(it)
    tree = it.root.parent / "other"
    git(it.root, "worktree", "add", "-q", "-b", "other", str(tree), "session/x")
    it.git("stash", "-q")
    git(tree, "stash", "pop", "-q")
    assert (it.uncommitted("p"), it.uncommitted("q")) == ([], [])
    it.check()
    git(tree, "stash", "-q")
    it.git("stash", "pop", "-q")
    assert owners(it) == before
    it.check()


def test_36_a_file_of_the_target(it: Desk) -> None:
    """`restore --source main a.txt` undoes lines of both: an uncommitted edit of the patch that each line was of."""
    it.git("restore", "--source", "main", "a.txt")
    assert (it.root / "a.txt").read_text() == numbered()
    assert [one for one in it.edits("q") if one[0] == "a.txt"] == []
    assert (it.uncommitted("p"), it.uncommitted("q")) == (["a.txt"], ["src/b.txt"])
    assert (it.subjects("p"), it.subjects("q")) == (["p: first"], ["q: first"])
    it.check()


def test_36_some_of_an_older_file(it: Desk) -> None:
    """`checkout -p HEAD~1 -- src/b.txt` stages and writes what was: q's uncommitted edit."""
    it.git("-c", "interactive.diffFilter=cat", "checkout", "-q", "HEAD~2", "--", "src/b.txt")
    assert it.uncommitted("q") == ["a.txt", "src/b.txt"]
    assert it.subjects("q") == ["q: first"]
    it.check()


@pytest.mark.parametrize("what", [["-D", "session/x"], ["-f", "session/x", "main"]])
def test_42_refused_elsewhere(it: Desk, what: list[str]) -> None:
    """git refuses to delete or move a branch that is checked out: nothing changes."""
    tree = it.root.parent / "other"
    git(it.root, "worktree", "add", "-q", "-b", "other", str(tree), "main")
    before, old = owners(it), series(it)
    git(tree, "branch", *what, check=False)
    it.adopt()
    assert (owners(it), series(it), it.session.parked) == (before, old, None)
    it.check()


DIFF = "--- a/README\n+++ b/README\n@@ -1 +1 @@\n-shop\n+applied\n"


@pytest.mark.parametrize("how", ["--index", "--cached"])
def test_49_applied(it: Desk, how: str) -> None:
    """`apply --index` is a save; `apply --cached` and a commit: its lack on disk is an uncommitted edit of that patch."""
    patch = it.root.parent / "patch"
    patch.write_text(DIFF)
    it.git("apply", how, str(patch))
    it.git("commit", "-qm", "applied")
    assert it.subjects("q") == ["q: first", "applied"]
    assert text_at(it, series(it)["q"][-1], "README") == "applied\n"
    assert ("README" in it.uncommitted("q")) == (how == "--cached")
    assert (" M README" in it.status()) == (how == "--cached")
    it.check()


def test_51_submodule(it: Desk) -> None:
    """A commit in a submodule is a whole-file edit, `submodule update` its undoing; what is in it is another's."""
    lib = it.root.parent / "lib"
    git(it.root, "init", "-q", "-b", "main", str(lib))
    (lib / "l.txt").write_text("1\n")
    git(lib, "add", "l.txt")
    git(lib, "commit", "-qm", "one")
    it.git("submodule", "--quiet", "add", "../lib", "lib", look=False)
    it.git("commit", "-qm", "with lib")
    assert it.subjects("q") == ["q: first", "with lib"]
    assert ("lib", None) in it.edits("q")
    git(it.root / "lib", "commit", "-q", "--allow-empty", "-m", "two")
    it.look()
    assert "lib" in it.uncommitted("q")
    it.check()
    it.git("submodule", "--quiet", "update")
    assert "lib" not in it.uncommitted("q")
    it.check()


def test_53_pushed_to_the_target(it: Desk) -> None:
    """`branch -u main` and a push with push.default=upstream make local main the session's: as landed by hand."""
    it.git("stash", "-q")
    it.git("branch", "-q", "-u", "main")
    it.git("-c", "push.default=upstream", "push", "-q", "--no-verify")
    assert it.head("main") == it.head()
    assert it.chain() == ["p: first", "q: first"]
    it.check()


def test_57_our_refs_in_a_log(it: Desk) -> None:
    """`log --all` lists what is ours too; `--exclude='refs/gitsession/*'` before it leaves that out."""
    whole = git(it.root, "log", "--format=%H", "--all").decode().split()
    without = git(it.root, "log", "--format=%H", "--exclude=refs/gitsession/*", "--all").decode().split()
    assert set(without) < set(whole) and series(it)["q"][0] in whole
    assert set(without) == set(git(it.root, "log", "--format=%H", "session/x").decode().split())
    it.check()

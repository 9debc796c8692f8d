"""Plain git in a session's worktree: what must hold afterwards, by the stories of docs/ownership.md and git itself.

The start is always the same: the chain is ``p: first``, ``q: first``; on disk p and q are both dirty in a.txt, q in
src/b.txt; n.txt is untracked and unassigned; q is in use.
"""

from __future__ import annotations

import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitsessiond.actions import adoption, looking
from gitsessiond.actions.assigning import assign_edits
from gitsessiond.actions.context import Asked
from gitsessiond.actions.patches import ready_patch
from gitsessiond.actions.whereabouts import seek_worktree
from gitsessiond.model.values import is_unassigned
from tests.actions.desk import Desk, desk, numbered, recorded_text, text_at
from tests.conftest import git

__all__ = ["desk"]

P1, P2, Q2 = (2, "p first"), (5, "p dirty"), (9, "q dirty")
DIRTY = numbered(P1, P2, Q2)


@pytest.fixture
def it(desk: Desk) -> Desk:
    """The start of every story."""
    return begin(desk)


def begin(desk: Desk) -> Desk:
    """From two patches to the start."""
    desk.save("a.txt", numbered(P1), "p")
    desk.git("commit", "-qam", "p: first")
    desk.save("src/b.txt", "q first\n", "q")
    desk.git("commit", "-qam", "q: first")
    desk.save("a.txt", numbered(P1, P2), "p")
    desk.save("a.txt", DIRTY, "q")
    desk.save("src/b.txt", "q first\nq dirty\n")
    desk.use(None)
    desk.save("n.txt", "n\n")
    desk.use("q")
    desk.check()
    return desk


def owners(it: Desk) -> dict[str, object]:
    """Every edit with its owner."""
    return {name: it.edits(name) for name in ("p", "q")} | {"~": it.unassigned()}


def series(it: Desk) -> dict[str, tuple[str, ...]]:
    return {name: tuple(one.oid for one in it.named(name).series) for name in ("p", "q")}


def steps(it: Desk) -> int:
    return it.live.state.number


def test_the_start(it: Desk) -> None:
    """Each commit is in its patch's series; the lowest patch has the chain's own commit, the other a twin."""
    assert it.chain() == ["p: first", "q: first"]
    assert it.subjects("p") == ["p: first"]
    assert it.subjects("q") == ["q: first"]
    assert it.named("p").series[0].oid == it.head("HEAD~1")
    assert it.named("q").series[0].oid != it.head()
    assert it.uncommitted("p") == ["a.txt"]
    assert it.uncommitted("q") == ["a.txt", "src/b.txt"]
    assert it.unassigned() == [("n.txt", "~none")]


def test_01_commit_of_one_patch(desk: Desk) -> None:
    """Only q dirty, `commit -am`: q gets one commit more, p none."""
    desk.save("a.txt", numbered(P1), "p")
    desk.git("commit", "-qam", "p: first")
    desk.save("src/b.txt", "q\n", "q")
    before = owners(desk)
    desk.git("commit", "-qam", "q: first")
    assert (desk.subjects("p"), desk.subjects("q")) == (["p: first"], ["q: first"])
    assert owners(desk) == before
    assert desk.status() == []
    desk.check()


def test_02_commit_over_two_patches(it: Desk) -> None:
    """`commit -am both`: each patch gets one commit more; it is said; no edit changes its patch."""
    before = owners(it)
    it.git("commit", "-qam", "both")
    assert (it.subjects("p"), it.subjects("q")) == (["p: first", "both"], ["q: first", "both"])
    assert owners(it) == before
    assert it.last_text() == f"{it.head()[:7]} both: 2 edits to q, 1 to p"
    assert it.status() == ["?? n.txt"]
    it.check()


def test_03_add_all(it: Desk) -> None:
    """`add -A && commit`: the unassigned new file goes to the patch in use."""
    it.git("add", "-A", look=False)
    it.git("commit", "-qm", "agent")
    assert (it.subjects("p"), it.subjects("q")) == (["p: first", "agent"], ["q: first", "agent"])
    assert ("n.txt", None) in it.edits("q")
    assert it.unassigned() == []
    it.check()


def test_03_intent_to_add(it: Desk) -> None:
    """`add -N n.txt; commit -am`: the same."""
    it.git("add", "-N", "n.txt", look=False)
    it.git("commit", "-qam", "agent")
    assert (it.subjects("p"), it.subjects("q")) == (["p: first", "agent"], ["q: first", "agent"])
    assert ("n.txt", None) in it.edits("q")
    assert it.unassigned() == []
    it.check()


def test_03_no_patch_in_use(it: Desk) -> None:
    """With none in use and several open the new file is committed, unassigned and listed."""
    it.use(None)
    it.git("add", "-A", look=False)
    it.git("commit", "-qm", "agent")
    assert it.unassigned() == [("n.txt", "~none")]
    assert "1 unassigned" in it.last_text()
    assert "n.txt" not in git(it.root, "ls-tree", "-r", "--name-only", it.named("q").series[-1].oid).decode()
    it.check()


def test_04_one_hunk(it: Desk) -> None:
    """`commit -p`, one hunk: its owner gets a commit, the rest is uncommitted as before."""
    it.write("a.txt", numbered(P1, P2))
    it.git("add", "a.txt", look=False)
    it.write("a.txt", DIRTY)
    before = owners(it)
    it.git("commit", "-qm", "hunk")
    assert (it.subjects("p"), it.subjects("q")) == (["p: first", "hunk"], ["q: first"])
    assert owners(it) == before
    assert it.uncommitted("p") == []
    assert it.uncommitted("q") == ["a.txt", "src/b.txt"]
    it.check()


def test_05_one_path(it: Desk) -> None:
    """`commit -m x src/b.txt`: q gets a commit, p none."""
    before = owners(it)
    it.git("commit", "-qm", "x", "src/b.txt")
    assert (it.subjects("p"), it.subjects("q")) == (["p: first"], ["q: first", "x"])
    assert owners(it) == before
    assert it.uncommitted("q") == ["a.txt"]
    it.check()


def test_06_staged_then_edited_again(it: Desk) -> None:
    """The staged version is committed; the later edit is uncommitted, and q's."""
    it.git("add", "src/b.txt", look=False)
    it.save("src/b.txt", "q first\nq dirty\nq later\n")
    it.git("commit", "-qm", "staged")
    assert it.subjects("q") == ["q: first", "staged"]
    assert text_at(it, it.named("q").series[-1].oid, "src/b.txt") == "q first\nq dirty\n"
    assert "src/b.txt" in it.uncommitted("q")
    assert it.status() == [" M a.txt", " M src/b.txt", "?? n.txt"]
    it.check()


def test_06_staged_version_never_seen(it: Desk) -> None:
    """A staged version nobody saw on disk counts as an earlier save."""
    it.write("src/b.txt", "q first\nq dirty\nseen by git only\n")
    it.git("add", "src/b.txt", look=False)
    it.write("src/b.txt", "q first\nq dirty\nseen by git only\nq later\n")
    it.git("commit", "-qm", "staged")
    assert text_at(it, it.named("q").series[-1].oid, "src/b.txt") == "q first\nq dirty\nseen by git only\n"
    assert it.uncommitted("q") == ["a.txt", "src/b.txt"]
    it.check()


def test_07_amend_over_two_patches(it: Desk) -> None:
    """`commit -a --amend`: q's commit is replaced, p gets one with the same words; owners kept."""
    before, old = owners(it), series(it)
    it.git("commit", "-qa", "--amend", "--no-edit")
    assert (it.subjects("p"), it.subjects("q")) == (["p: first", "q: first"], ["q: first"])
    assert series(it)["p"][0] == old["p"][0]
    assert owners(it) == before
    it.check()


def test_08_words_only_and_empty(it: Desk) -> None:
    """`--amend -m new --only` changes q's words; an empty commit makes the chain longer and no series."""
    before, old = owners(it), series(it)
    it.git("commit", "-q", "--amend", "-m", "new words", "--only")
    assert it.subjects("q") == ["new words"]
    assert series(it)["p"] == old["p"]
    it.git("commit", "-q", "--allow-empty", "-m", "nothing")
    assert it.chain() == ["p: first", "new words", "nothing"]
    assert it.subjects("q") == ["new words"]
    assert it.last_text().endswith("nothing: no edits")
    assert owners(it) == before
    it.check()


def test_09_commit_by_plumbing(it: Desk) -> None:
    """A commit made without any hook or reflog is adopted all the same."""
    before = owners(it)
    it.git("add", "-u", look=False)
    tree = it.git("write-tree", look=False)
    made = it.git("commit-tree", "-p", "HEAD", "-m", "plumbing", tree, look=False)
    it.git("-c", "core.logAllRefUpdates=false", "update-ref", "refs/heads/session/x", made)
    assert (it.subjects("p"), it.subjects("q")) == (["p: first", "plumbing"], ["q: first", "plumbing"])
    assert owners(it) == before
    it.check()


def test_10_formatter_in_pre_commit(it: Desk) -> None:
    """Lines that pre-commit reformats and stages keep their owner."""
    it.hook("pre-commit", "#!/bin/sh\nsed -i 's/dirty/DIRTY/' a.txt src/b.txt\ngit add -u\n")
    before = owners(it)
    it.git("commit", "-qam", "formatted")
    assert owners(it) == before
    assert text_at(it, it.named("p").series[-1].oid, "a.txt") == numbered(P1, (5, "p DIRTY"))
    assert it.status() == ["?? n.txt"]
    it.check()


def test_10_failing_pre_commit(it: Desk) -> None:
    """A failing pre-commit is a save at most."""
    it.hook("pre-commit", "#!/bin/sh\nexit 1\n")
    before, number = owners(it), steps(it)
    it.git("commit", "-qam", "formatted", check=False)
    assert (owners(it), steps(it)) == (before, number)


def test_11_an_index_left_behind(it: Desk) -> None:
    """pre-commit reformats and adds what is committed by name: git leaves the old version staged; that is told."""
    it.hook("pre-commit", "#!/bin/sh\nsed -i 's/dirty/DIRTY/' src/b.txt\ngit add src/b.txt\n")
    it.git("commit", "-qm", "formatted", "src/b.txt")
    assert "MM src/b.txt" in it.status()
    words = f"git -C {it.root} add -- src/b.txt"
    told = [f"the index would revert src/b.txt: `{words}`"]
    assert it.warnings() == told
    it.check()
    it.git("-C", "src", *shlex.split(words)[1:])
    assert it.warnings() == []


@pytest.mark.soak
def test_11_what_was_staged_and_undone(it: Desk) -> None:
    """A version that is staged, and newer than HEAD's, reverts nothing: neither undone on disk nor never there."""
    it.git("commit", "-qam", "both")
    text = (it.root / "a.txt").read_text()
    it.save("a.txt", text + "staged\n")
    it.git("add", "a.txt")
    it.save("a.txt", text)
    assert it.warnings() == []
    it.git("reset", "-q")
    patch = it.root.parent / "patch"
    patch.write_text("--- a/README\n+++ b/README\n@@ -1 +1 @@\n-shop\n+applied\n")
    it.git("apply", "--cached", str(patch))
    assert "MM README" in it.status() and it.warnings() == []
    it.check()


def move_main(it: Desk, path: str = "README", text: str = "main moved\n") -> str:
    """One commit on main, made elsewhere."""
    tree = it.root.parent / "main"
    git(it.root, "worktree", "add", "-q", str(tree), "main")
    (tree / path).write_text(text)
    git(tree, "commit", "-qam", "main moves")
    git(it.root, "worktree", "remove", "--force", str(tree))
    return it.head("main")


def test_15_merge_of_the_target(it: Desk) -> None:
    """`merge main` is an update: the base is main's tip, the merge no chain member, owners kept."""
    main = move_main(it)
    before = owners(it)
    it.git("merge", "-q", "--no-edit", "main")
    assert it.session.base == main
    assert it.chain() == ["p: first", "q: first"]
    assert owners(it) == before
    assert [git(it.root, "rev-parse", f"{one[0]}~1").decode().strip() for one in series(it).values()] == [main, main]
    assert text_at(it, series(it)["p"][-1], "README") == "main moved\n"
    it.check()
    it.git("commit", "-qam", "both")
    assert it.chain() == ["p: first", "q: first", "both"]
    it.check()


def test_15_merge_in_a_file_of_ours(it: Desk) -> None:
    """A change of main in a file we changed comes into every series, and to no owner."""
    move_main(it, "a.txt", "main 0\n" + numbered())
    it.git("stash", "-q")
    it.git("merge", "-q", "--no-edit", "main")
    it.git("stash", "pop", "-q")
    assert it.edits("p") == [("a.txt", (3, 3)), ("a.txt", (6, 6))]
    assert ("a.txt", (10, 10)) in it.edits("q")
    assert text_at(it, series(it)["p"][-1], "a.txt") == "main 0\n" + numbered(P1)
    it.check()


def test_15_fast_forward(desk: Desk) -> None:
    """Nothing committed: `pull . main` fast-forwards, and the base follows."""
    desk.save("a.txt", numbered(P1), "p")
    main = move_main(desk)
    desk.git("pull", "-q", ".", "main")
    assert (desk.session.base, desk.session.chain) == (main, ())
    assert desk.edits("p") == [("a.txt", (2, 2))]
    desk.check()


def test_16_merge_with_conflict(it: Desk) -> None:
    """While a merge is unresolved saves are provisional; resolved, every edit has the owner it had."""
    move_main(it, "a.txt", numbered((2, "main second")))
    it.git("commit", "-qam", "both")
    before = owners(it)
    it.git("merge", "-q", "main", check=False)
    assert "<<<<<<<" in str(recorded_text(it, "a.txt"))
    assert it.session.parked is None
    it.save("a.txt", DIRTY)
    it.git("add", "a.txt", look=False)
    it.git("commit", "-qm", "merged")
    assert owners(it) == before
    assert it.live.settled is None
    it.check()


def test_16_merge_amended(it: Desk) -> None:
    """Edits amended into a merge of the target are committed; the merge is then a part of the chain."""
    move_main(it)
    it.git("merge", "-q", "--no-edit", "main")
    before = owners(it)
    it.git("commit", "-qa", "--amend", "--no-edit")
    assert len(it.chain()) == 3
    assert (it.uncommitted("p"), it.uncommitted("q"), owners(it)) == ([], [], before)
    assert it.subjects("p")[1:] == ["Merge branch 'main' into session/x"]
    it.check()


def test_19_revert(it: Desk) -> None:
    """`revert` of p's commit is a commit of p, and p's net part is gone."""
    it.git("stash", "-q")
    it.git("revert", "--no-edit", "HEAD~1")
    assert it.subjects("p") == ["p: first", 'Revert "p: first"']
    assert it.subjects("q") == ["q: first"]
    it.check()


def rebase(it: Desk, todo: str, *onto: str, env: str = "", check: bool = True) -> None:
    """`rebase -i` with this todo list; subjects name the commits."""
    script = it.root.parent / "todo"
    lines = []
    for line in todo.strip().splitlines():
        word, _, subject = line.strip().partition(" ")
        found = git(it.root, "log", "--format=%H", f"--grep=^{subject}$", "-1", "HEAD").decode().strip()
        lines.append(f"{word} {found or subject}")
    script.write_text("\n".join(lines) + "\n")
    it.git("-c", f"sequence.editor=cp {script}", "-c", "core.editor=true", "rebase", "-q", "-i", *(onto or ("main",)),
           check=check)  # fmt: skip


def test_20_fixup_and_autosquash(it: Desk) -> None:
    """A fixup of p's commit folded in: p's commit is made anew, q's twin is kept."""
    old = series(it)
    it.git("stash", "-q")
    it.save("a.txt", numbered((2, "p fixed")))
    it.git("commit", "-qa", "--fixup", "HEAD~1")
    it.git("-c", "sequence.editor=true", "rebase", "-q", "-i", "--autosquash", "main")
    assert (it.subjects("p"), it.subjects("q")) == (["p: first"], ["q: first"])
    assert text_at(it, series(it)["p"][-1], "a.txt") == numbered((2, "p fixed"))
    assert series(it)["q"] == old["q"]
    it.check()


def test_21_reorder(it: Desk) -> None:
    """q before p: q's series is now the chain's own commit, p's the twin; owners kept."""
    it.git("commit", "-qam", "both")
    before = owners(it)
    rebase(it, "pick q: first\npick p: first\npick both")
    assert it.chain() == ["q: first", "p: first", "both"]
    assert series(it)["q"][0] == it.session.chain[0]
    assert series(it)["p"][0] != it.session.chain[1]
    assert owners(it) == before
    it.check()


def test_22_dropped_commit(it: Desk) -> None:
    """A dropped commit's edits are gone from disk and said; the patch is empty and open; nothing is put back."""
    it.git("stash", "-q")
    rebase(it, "pick q: first")
    assert (it.chain(), it.edits("p"), it.subjects("p")) == (["q: first"], [], [])
    assert it.named("p").status == "draft"
    assert "p lost" in it.last_text()
    assert "by rebase" in it.last_text()
    assert (it.root / "a.txt").read_text() == numbered()
    it.check()


def test_23_edit_in_a_rebase(it: Desk) -> None:
    """`edit` p's commit, add a line, amend, continue: adopted once at the end; the new line is p's."""
    it.git("stash", "-q")
    rebase(it, "edit p: first\npick q: first")
    number = steps(it)
    it.save("a.txt", numbered(P1, (7, "while it stood there")))
    it.git("commit", "-qa", "--amend", "--no-edit")
    assert it.chain() == ["p: first", "q: first"]
    it.git("rebase", "--continue")
    assert steps(it) > number
    assert it.edits("p") == [("a.txt", (2, 2)), ("a.txt", (7, 7))]
    assert it.subjects("p") == ["p: first"]
    it.check()


def test_24_rebase_aborted(it: Desk) -> None:
    """A rebase stopped and aborted leaves owners and series as they were."""
    it.git("commit", "-qam", "both")
    before, old = owners(it), series(it)
    rebase(it, "edit p: first\npick q: first\npick both")
    assert it.edits("q") != before["q"]
    it.git("rebase", "--abort")
    assert (owners(it), series(it)) == (before, old)
    assert it.live.settled is None
    it.check()


def test_25_reset_author(it: Desk) -> None:
    """`--exec 'commit --amend --reset-author'` changes ids and times; owners are kept."""
    it.git("commit", "-qam", "both")
    before = owners(it)
    it.git(
        "rebase",
        "-q",
        "--exec",
        "GIT_AUTHOR_DATE=2030-01-01T00:00:00Z git commit -q --amend --reset-author --no-edit",
        "main",
    )
    assert it.chain() == ["p: first", "q: first", "both"]
    assert owners(it) == before
    it.check()


@pytest.mark.parametrize(
    "command", [["rebase", "-q", "--autostash", "main"], ["pull", "-q", "--rebase", "--autostash", ".", "main"]]
)
def test_26_rebase_on_the_moved_target(it: Desk, command: list[str]) -> None:
    """`rebase --autostash main`: the base is main's tip, owners kept."""
    main = move_main(it)
    before = owners(it)
    it.git(*command)
    assert it.session.base == main
    assert it.chain() == ["p: first", "q: first"]
    assert owners(it) == before
    assert series(it)["p"] == (it.session.chain[0],)
    it.check()


def test_26_rebase_on_the_upstream(it: Desk, tmp_path: Path) -> None:
    """`pull --rebase origin main` while local main is behind: the base is the upstream's tip."""
    git(it.root, "init", "-q", "--bare", str(tmp_path / "hub"))
    git(it.root, "remote", "add", "origin", str(tmp_path / "hub"))
    old = it.head("main")
    new = move_main(it)
    git(it.root, "push", "-q", "-u", "origin", "main")
    git(it.root, "update-ref", "refs/heads/main", old)
    before = owners(it)
    it.git("pull", "-q", "--rebase", "--autostash", "origin", "main")
    assert (it.session.base, owners(it)) == (new, before)
    assert it.session.foreign == ()
    it.check()


def test_28_rebase_on_another_branch(it: Desk) -> None:
    """`rebase other`: the base stays, other's commits are nobody's and named, p and q as before."""
    base = it.session.base
    tree = it.root.parent / "other"
    git(it.root, "worktree", "add", "-q", "-b", "other", str(tree), "main")
    (tree / "README").write_text("other\n")
    git(tree, "commit", "-qam", "other's")
    before = owners(it)
    it.git("rebase", "-q", "--autostash", "other")
    other = it.head("other")
    assert (it.session.base, it.session.foreign) == (base, (other,))
    assert it.chain() == ["other's", "p: first", "q: first"]
    assert {name: it.edits(name) for name in ("p", "q")} == {name: before[name] for name in ("p", "q")}
    assert ("README", f"~foreign {other} other") in it.unassigned()
    assert (it.subjects("p"), it.subjects("q")) == (["p: first"], ["q: first"])
    it.check()


def test_17_merge_of_another_branch(it: Desk) -> None:
    """`merge other`: what it brings is committed, unassigned, and named after the branch."""
    tree = it.root.parent / "other"
    git(it.root, "worktree", "add", "-q", "-b", "other", str(tree), "main")
    (tree / "README").write_text("other\n")
    git(tree, "commit", "-qam", "other's")
    it.git("merge", "-q", "--no-edit", "other")
    assert ("README", f"~foreign {it.head()} other") in it.unassigned()
    assert it.session.foreign == (it.head(),)
    assert (it.subjects("p"), it.subjects("q")) == (["p: first"], ["q: first"])
    it.check()


@pytest.mark.parametrize("how", [["--soft"], []])
def test_29_reset_keeps_the_files(it: Desk, how: list[str]) -> None:
    """`reset --soft HEAD~1`, `reset HEAD~1`: q's first is uncommitted again and still q's."""
    before = owners(it)
    it.git("reset", "-q", *how, "HEAD~1")
    assert (it.chain(), it.subjects("q")) == (["p: first"], [])
    assert owners(it) == before
    it.check()


def test_30_reset_hard(it: Desk) -> None:
    """`reset --hard HEAD~1` is never fought: what went is said, all of it is recorded, patches stay open."""
    it.git("reset", "-q", "--hard", "HEAD~1")
    assert (it.chain(), it.edits("q")) == (["p: first"], [])
    assert it.edits("p") == [("a.txt", (2, 2))]
    assert "q lost" in it.last_text()
    assert "by reset" in it.last_text()
    assert it.named("q").status == "draft"
    assert it.unassigned() == [("n.txt", "~none")]
    it.check()


def test_30_reset_hard_half_reported(it: Desk) -> None:
    """What git wrote is one step with the move of HEAD, also while the watch has reported only a part of it."""
    it.git("reset", "-q", "--hard", "HEAD~1", look=False)
    it.look("a.txt")
    assert (it.edits("p"), it.edits("q")) == ([("a.txt", (2, 2))], [])
    # git gives the index back a moment before it moves HEAD: a step in between, by a watch, has the other edit's end
    assert "q lost 2 edits by reset" in it.last_text() or (it.watched and "q lost 1 edit by reset" in it.last_text())
    number = steps(it)
    it.look("src/b.txt")
    assert steps(it) == number
    it.check()


def test_30_and_back_again(it: Desk) -> None:
    """Work that a reset took and a second reset brings back has its owners again."""
    it.git("commit", "-qam", "both")
    before, old = owners(it), series(it)
    it.git("reset", "-q", "--hard", "HEAD~2")
    it.git("reset", "-q", "--hard", "ORIG_HEAD")
    assert (owners(it), series(it)) == (before, old)
    it.check()


def test_31_squashed_and_split(it: Desk) -> None:
    """`reset --soft main; commit -am all`: one commit each; `reset HEAD~1` and two commits: split."""
    before = owners(it)
    it.git("reset", "-q", "--soft", "main")
    it.git("commit", "-qam", "all")
    assert (it.subjects("p"), it.subjects("q")) == (["all"], ["all"])
    assert owners(it) == before
    it.git("reset", "-q", "HEAD~1")
    it.git("commit", "-qm", "b", "src/b.txt")
    it.git("commit", "-qm", "a", "a.txt")
    assert (it.subjects("p"), it.subjects("q")) == (["a"], ["b", "a"])
    assert owners(it) == before
    it.check()


@pytest.mark.parametrize("pop", [[], ["--index"]])
@pytest.mark.parametrize("push", [[], ["-u"], ["-k"]])
def test_32_stash_and_pop(it: Desk, push: list[str], pop: list[str]) -> None:
    """`stash; stash pop`: in between the patches have nothing uncommitted; then owners as before."""
    before = owners(it)
    it.git("stash", "-q", *push)
    assert (it.uncommitted("p"), it.uncommitted("q")) == ([], [])
    it.git("stash", "pop", "-q", *pop)
    assert owners(it) == before
    it.check()


@pytest.mark.parametrize("commit", [False, True])
def test_32_restart_between_stash_and_pop(it: Desk, commit: bool) -> None:
    """A restart between stash and pop does not keep edits from finding home: the steps tell whose they were."""
    before = owners(it)
    it.git("stash", "-q", "-u")
    it.restart()
    if commit:
        it.save("README", "shop 2\n")
        it.git("commit", "-qam", "readme")
    it.restart()
    it.git("stash", "pop", "-q")
    assert {**owners(it), "q": [e for e in it.edits("q") if e[0] != "README"]} == before
    it.check()


def test_restart_after_assigning(it: Desk) -> None:
    """What was assigned after a stash is a new edit when it comes back, after a restart as before."""
    it.git("stash", "-q", "-u")
    it.save("README", "shop 2\n")
    assert assign_edits(it.ctx, Asked("assign", {"what": "README", "patch": "p"}, it.who))["moved"]
    it.restart()
    it.git("stash", "pop", "-q")
    assert ("n.txt", None) in it.edits("q")
    it.check()


def test_32_commit_between_stash_and_pop(it: Desk) -> None:
    """A commit between stash and pop does not keep edits from finding home."""
    before = owners(it)
    it.git("stash", "-q")
    it.save("README", "shop 2\n")
    it.git("commit", "-qam", "readme")
    it.git("stash", "pop", "-q")
    assert {**owners(it), "q": [e for e in it.edits("q") if e[0] != "README"]} == before
    it.check()


def test_35_checkout_of_a_file(it: Desk) -> None:
    """`checkout -- a.txt`: p and q lose their uncommitted edits there; committed ones stay."""
    it.git("checkout", "--", "a.txt")
    assert it.edits("p") == [("a.txt", (2, 2))]
    assert [edit for edit in it.edits("q") if edit[0] == "a.txt"] == []
    assert (it.uncommitted("p"), it.uncommitted("q")) == ([], ["src/b.txt"])
    it.check()


def test_37_the_index_alone_says_nothing(it: Desk) -> None:
    """`add`, `restore --staged`, an index that is gone or wrong: no step, never repaired."""
    number = steps(it)
    it.git("add", "-A")
    it.git("restore", "--staged", ".")
    it.git("read-tree", "main")
    (it.root / ".git/index").unlink()
    it.look()
    assert steps(it) == number
    assert not (it.root / ".git/index").exists()


def test_38_switch_with_dirt(it: Desk) -> None:
    """`switch -c other` with dirt parks the session; saves are recorded, not sorted; back, all is as before."""
    before, old = owners(it), series(it)
    it.git("switch", "-q", "-c", "other")
    assert it.session.parked == "HEAD is on other"
    it.save("README", "while parked\n")
    assert recorded_text(it, "README") == "while parked\n"
    assert (owners(it), series(it)) == (before, old)
    it.git("checkout", "-q", "--", "README")
    it.git("switch", "-q", "session/x")
    assert it.session.parked is None
    assert (owners(it), series(it)) == (before, old)
    it.check()


def test_38_edits_brought_back_from_elsewhere(it: Desk) -> None:
    """An edit made while parked and still there on return is sorted then."""
    it.git("switch", "-q", "-c", "other")
    it.save("README", "while parked\n")
    it.git("switch", "-q", "session/x")
    assert ("README", (1, 1)) in it.edits("q")
    it.check()


def test_39_work_on_another_branch(it: Desk) -> None:
    """`stash; switch -c other main; commit; switch back; stash pop`: other's commit is not ours; owners as before."""
    before, old = owners(it), series(it)
    it.git("stash", "-q")
    it.git("switch", "-q", "-c", "other", "main")
    it.save("README", "other\n")
    it.git("commit", "-qam", "other's")
    assert it.chain() == ["p: first", "q: first"]
    it.git("switch", "-q", "session/x")
    assert it.session.parked is None
    it.git("stash", "pop", "-q")
    assert (owners(it), series(it)) == (before, old)
    assert it.chain() == ["p: first", "q: first"]
    it.check()


def test_40_orphan(it: Desk) -> None:
    """`switch --orphan zz`: tracked files vanish; that is no edit."""
    it.git("stash", "-q")
    before, old = owners(it), series(it)
    it.git("switch", "-q", "--orphan", "zz")
    assert it.session.parked == "HEAD is on zz"
    assert (owners(it), series(it)) == (before, old)
    it.git("switch", "-q", "session/x")
    assert (owners(it), series(it), it.session.parked) == (before, old, None)
    it.check()


def test_41_branch_renamed(it: Desk) -> None:
    """`branch -m` here or elsewhere: the new name is the session's branch; nothing is parked."""
    before = owners(it)
    it.git("branch", "-m", "session/x", "feature")
    assert (it.session.branch, it.session.parked) == ("feature", None)
    it.git("commit", "-qam", "both")
    assert it.subjects("p") == ["p: first", "both"]
    assert owners(it) == before
    it.check()


def test_41_target_renamed(it: Desk) -> None:
    """`branch -m main trunk`: patches land on trunk from then on; a target that is deleted is said to be gone."""
    before, base = owners(it), it.head("main")
    it.git("branch", "-m", "main", "trunk")
    assert (it.session.target, it.session.branch, it.session.parked) == ("trunk", "session/x", None)
    assert owners(it) == before and "its target is now trunk" in it.last_text()
    it.land("p")
    assert it.head("trunk~1") == base
    it.git("branch", "-D", "trunk")
    assert it.session.target == "trunk"
    assert [
        words for words in it.warnings() if "trunk does not exist" in words and f"git branch trunk {base[:12]}" in words
    ]
    it.check()


def test_43_branch_moved_from_elsewhere(it: Desk) -> None:
    """`update-ref` of the branch from elsewhere, with nothing in HEAD's reflog, is seen in the ref."""
    before = owners(it)
    git(it.root.parent, "--git-dir", str(it.root / ".git"), "update-ref", "refs/heads/session/x", "main")
    it.adopt()
    assert (it.session.chain, it.subjects("p"), it.subjects("q")) == ((), [], [])
    assert owners(it) == before
    it.check()


def test_44_branch_deleted(it: Desk) -> None:
    """`update-ref -d` of the branch parks the session; series are kept; the ref back, it goes on."""
    before, old, head = owners(it), series(it), it.head()
    it.git("update-ref", "-d", "refs/heads/session/x")
    assert it.session.parked == "session/x has no commit"
    assert series(it) == old
    it.git("update-ref", "refs/heads/session/x", head)
    assert (it.session.parked, owners(it), series(it)) == (None, before, old)


@pytest.fixture
def linked(repo: Path) -> Iterator[Desk]:
    """A session in a worktree of its own, with a commit and an uncommitted edit of p."""
    made = Desk(repo, worktree=True)
    made.patch("p")
    made.save("a.txt", numbered(P1))
    made.git("commit", "-qam", "p: first")
    made.save("a.txt", numbered(P1, P2))
    yield made
    made.store.close()


def test_45_worktree_moved(linked: Desk) -> None:
    """`worktree move`: the session goes on at the new place, with its id."""
    it = linked
    wid, goal = it.session.worktree_id, it.root.with_name("elsewhere")
    git(it.repo, "worktree", "move", str(it.root), str(goal))
    it.adopt()
    assert (it.session.worktree, it.session.worktree_id) == (str(goal), wid)
    it.root = goal
    it.look()
    assert it.edits("p") == [("a.txt", (2, 2)), ("a.txt", (5, 5))]
    it.save("a.txt", numbered(P1, P2, (8, "p again")))
    it.check()


@pytest.mark.parametrize("how", ["remove", "rm"])
def test_46_worktree_removed_and_added_again(linked: Desk, how: str) -> None:
    """A removed worktree leaves the session open with series and last save; added again, it resumes."""
    it = linked
    old, number, wid = it.named("p").series, steps(it), it.session.worktree_id
    if how == "remove":
        git(it.repo, "worktree", "remove", "--force", str(it.root))
    else:
        shutil.rmtree(it.root)
    it.adopt()
    assert it.live.worktree is None
    assert "git worktree add" in str(it.live.lost)
    assert (it.session.status, it.named("p").series, steps(it)) == ("open", old, number)
    assert recorded_text(it, "a.txt") == numbered(P1, P2)
    git(it.repo, "worktree", "prune")
    it.root = it.root.with_name("again")
    git(it.repo, "worktree", "add", "-q", str(it.root), "session/x")
    assert seek_worktree(it.ctx, it.live)
    assert it.session.worktree_id != wid
    it.look()
    assert (it.named("p").series, it.edits("p")) == (old, [("a.txt", (2, 2))])
    it.save("a.txt", numbered(P1, P2))
    it.check()


def test_46_first_checkout_gone(it: Desk) -> None:
    """A checkout whose directory is gone is no edit either."""
    old = series(it)
    os.rename(it.root, it.root.with_name("moved"))
    it.adopt()
    assert it.live.worktree is None
    assert (it.session.status, series(it)) == ("open", old)


def test_47_gc_keeps_every_twin(it: Desk) -> None:
    """Projections deleted, reflogs expired, `gc --prune=now`: every twin is alive; `doctor --fix` makes the refs anew."""
    it.git("commit", "-qam", "both")
    assert it.subjects("q") == ["q: first", "both"]  # adopted: a pruning gc beside a writer is nobody's promise
    for line in git(it.root, "for-each-ref", "--format=%(refname)", "refs/gitsession/patches").decode().split():
        git(it.root, "update-ref", "-d", line)
    git(it.root, "reflog", "expire", "--expire=now", "--all")
    git(it.root, "gc", "-q", "--prune=now")
    for one in (*series(it)["p"], *series(it)["q"]):
        assert git(it.root, "cat-file", "-t", one) == b"commit\n"
    it.mend()
    it.check()


def test_48_clean(it: Desk) -> None:
    """`clean -fdx` takes the untracked file: its edit is gone, the record has it."""
    it.git("clean", "-qfdx")
    assert it.unassigned() == []
    it.check()


def test_50_bisect(it: Desk) -> None:
    """A bisect parks the session and leaves owners as they were."""
    it.git("commit", "-qam", "both")
    before = owners(it)
    it.git("bisect", "start", "HEAD", "main")
    assert str(it.session.parked).startswith("HEAD is detached")
    it.git("bisect", "reset")
    assert (owners(it), it.session.parked) == (before, None)


def test_54_landed_by_hand(it: Desk) -> None:
    """Our own commits merged into the target do not become the base."""
    base = it.session.base
    it.git("commit", "-qam", "both")
    before, old = owners(it), series(it)
    git(it.root, "update-ref", "refs/heads/main", it.head())
    it.adopt()
    assert (it.session.base, owners(it), series(it)) == (base, before, old)


def test_54_landed_before_it_was_seen(it: Desk) -> None:
    """A commit merged into the target before we saw it is still one of ours."""
    base = it.session.base
    it.git("commit", "-qam", "both", look=False)
    git(it.root, "update-ref", "refs/heads/main", it.head())
    it.look()
    assert it.session.base == base
    assert it.chain() == ["p: first", "q: first", "both"]
    it.check()


@pytest.mark.parametrize("looked_before", [False, True])
def test_between_index_and_head(it: Desk, looked_before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """`git switch` has given the index back and not moved HEAD yet: what it wrote is no edit."""
    it.git("commit", "-qam", "both")
    ready_patch(it.ctx, Asked("patch.ready", {"patch": "p"}, it.who))
    before = owners(it)
    if looked_before:
        lock = it.root / ".git/index.lock"
        lock.touch()
        it.look()
        lock.unlink()
    git(it.root, "read-tree", "-m", "-u", "HEAD", "main")
    git_goes_on = Moment(lambda: git(it.root, "symbolic-ref", "HEAD", "refs/heads/main"), it.root / ".git/index")
    monkeypatch.setattr(looking, "time", git_goes_on)
    it.look()
    assert (it.session.parked, git_goes_on.slept) == ("HEAD is on main", 1)
    assert it.named("p").status == "ready"
    it.git("switch", "-q", "session/x")
    assert (it.session.parked, it.named("p").status, owners(it)) == (None, "ready", before)


class Moment:
    """The clock of a look: just after the index was written; who sleeps lets git go on."""

    def __init__(self, go_on: Callable[[], object], index: Path) -> None:
        self.go_on, self.index, self.slept = go_on, index, 0

    def time(self) -> float:
        return self.index.stat().st_mtime + 0.001

    def sleep(self, _seconds: float) -> None:
        self.slept += 1
        self.go_on()


@pytest.mark.alone
def test_nothing_moved_costs_little(it: Desk) -> None:
    """When nothing moved, adoption is a few small reads and no step."""
    it.adopt()
    number, times = steps(it), []
    for _ in range(100):
        began = time.perf_counter()
        it.adopt()
        times.append(time.perf_counter() - began)
    assert steps(it) == number
    assert sorted(times)[50] < 0.0003


def test_first_look_after_a_restart(it: Desk) -> None:
    """A recorder that starts finds owners, series and chain as they were, and makes no step."""
    it.git("commit", "-qam", "both")
    before, old, number = owners(it), series(it), steps(it)
    it.restart()
    it.adopt()
    assert (owners(it), series(it), steps(it)) == (before, old, number)


def test_56_while_nobody_looked(it: Desk) -> None:
    """Edits, a commit, an amend and a reorder while the daemon was dead are adopted at once."""
    before = owners(it)
    it.git("commit", "-qam", "both", look=False)
    it.git("commit", "-q", "--amend", "-m", "both, reworded", look=False)
    it.write("src/b.txt", "q first\nq dirty\nlater\n")
    it.restart()
    it.look()
    assert it.chain() == ["p: first", "q: first", "both, reworded"]
    assert it.edits("p") == before["p"]
    assert it.uncommitted("q") == ["src/b.txt"]
    it.check()


def test_restart_in_a_rebase(it: Desk) -> None:
    """A restart while git is at work still begins again from the last settled owners."""
    it.git("commit", "-qam", "both")
    before = owners(it)
    rebase(it, "edit p: first\npick q: first\npick both")
    it.restart()
    it.git("commit", "-q", "--amend", "-m", "p: reworded")
    it.git("rebase", "--continue")
    assert it.chain() == ["p: reworded", "q: first", "both"]
    assert owners(it) == before
    it.check()


def test_held_index_is_provisional(it: Desk) -> None:
    """While an editor holds `commit -a` open, saves are recorded and sorted, and stand when nothing was committed."""
    lock = it.root / ".git/index.lock"
    lock.touch()
    it.adopt()
    it.save("README", "meanwhile\n")
    assert ("README", (1, 1)) in it.edits("q")
    assert it.live.settled is not None
    lock.unlink()
    it.adopt()
    assert it.live.settled is None
    assert ("README", (1, 1)) in it.edits("q")
    it.check()


def test_13_trailer_is_a_claim(it: Desk) -> None:
    """`--trailer Patch-Id: <p>` moves the commit's edits to p; where that needs q, p depends on q."""
    it.save("src/b.txt", "q first, changed\n")
    it.git("commit", "-qa", "-m", "all for p", "--trailer", f"Patch-Id: {it.named('p').id}")
    assert it.subjects("p") == ["p: first", "all for p"]
    assert it.subjects("q") == ["q: first"]
    assert it.needs("p") == {"q"}
    it.check()


def test_13_trailer_of_no_open_patch(it: Desk) -> None:
    """An unknown id is ignored, and said."""
    before = owners(it)
    it.git("commit", "-qa", "-m", "x", "--trailer", "Patch-Id: zzzzzzzzzzzz")
    assert owners(it) == before
    assert "zzzzzzzzzzzz is no open patch" in it.last_text()


def test_amend_does_not_follow_the_trailer_again(it: Desk) -> None:
    """An edit assigned elsewhere after its commit stays there when the commit is amended."""
    it.git("commit", "-qm", "b", "--trailer", f"Patch-Id: {it.named('p').id}", "src/b.txt")
    before = owners(it)
    it.git("commit", "-qa", "--amend", "--no-edit")
    assert it.edits("p")[0] == ("a.txt", (2, 2))
    assert owners(it) == before


def test_no_patch_at_all(repo: Path) -> None:
    """A plain commit with no patch makes one named after its subject."""
    it = Desk(repo)
    it.save("a.txt", numbered(P1))
    it.git("commit", "-qam", "Fix the second line")
    assert it.subjects("Fix the second line") == ["Fix the second line"]
    assert it.unassigned() == []
    it.save("a.txt", numbered(P1, P2))
    it.git("commit", "-qam", "And the fifth")
    assert it.subjects("Fix the second line") == ["Fix the second line", "And the fifth"]
    assert [patch.name for patch in it.live.state.patches.values()] == ["Fix the second line"]
    it.check()
    it.store.close()


def test_orphaned_chain_commits_survive(it: Desk) -> None:
    """The chain's commits are in our store too: the user's gc may take what an amend let go."""
    it.git("commit", "-qam", "both")
    old = it.head()
    it.git("commit", "-q", "--amend", "-m", "other")
    git(it.root, "reflog", "expire", "--expire=now", "--all")
    git(it.root, "gc", "-q", "--prune=now")
    assert it.store.own_has(old)
    assert not any(is_unassigned(label) and label != "~none" for _, label in it.unassigned())


def test_a_mistake_of_ours_parks(it: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sorting fails, recording goes on, it is said why, and the next start tries again."""
    before = owners(it)

    def broken(*args: object) -> None:
        raise AssertionError("marks do not make the blob")

    with monkeypatch.context() as patch:
        patch.setattr(adoption, "relearn", broken)
        it.git("commit", "-qam", "both")
        assert "marks do not make the blob" in str(it.session.parked)
        it.save("README", "while it is broken\n")
        assert recorded_text(it, "README") == "while it is broken\n"
    it.restart()
    it.adopt()
    assert (it.session.parked, it.chain()) == (None, ["p: first", "q: first", "both"])
    assert it.edits("p") == before["p"]
    assert ("README", (1, 1)) in it.edits("q")


def test_unrelated_head_parks(it: Desk) -> None:
    """A branch moved to a history without a common base parks the session."""
    tree = it.git("write-tree", look=False)
    root = it.git("commit-tree", "-m", "root", tree, look=False)
    it.git("update-ref", "refs/heads/session/x", root)
    assert it.session.parked == "HEAD has no common base with main"


def test_27_landed_then_rebased(desk: Desk) -> None:
    """q landed by us, then `rebase main`: q's commit drops out, a spanning commit is p's part, p's series the chain."""
    it = desk
    it.save("a.txt", numbered(P1), "p")
    it.save("src/b.txt", "q first\n", "q")
    it.git("commit", "-qam", "both")
    it.save("README", "q second\n", "q")
    it.git("commit", "-qam", "q: second")
    it.land("q")
    assert (it.named("q").status, it.session.base) == ("merged", it.head("main~1"))
    it.git("rebase", "-q", "main")
    assert it.session.base == it.head("main")
    assert it.chain() == ["both"]
    assert [one.oid for one in it.named("p").series] == [it.head()]
    assert (it.edits("p"), it.edits("q"), it.unassigned()) == ([("a.txt", (2, 2))], [], [])
    assert it.named("q").status == "merged"
    it.check()


def test_landed_patch_with_another_on_it(desk: Desk) -> None:
    """p landed, q on its lines: after the target is merged in, q's series stands on the new base alone."""
    it = desk
    it.save("a.txt", numbered(P1), "p")
    it.git("commit", "-qam", "p: first")
    it.save("a.txt", numbered((2, "p first"), (3, "q beside")), "q")
    it.git("commit", "-qam", "q: first")
    it.land("p")
    it.git("merge", "-q", "--no-edit", "main")
    assert it.session.base == it.head("main")
    assert [one.of for one in it.named("q").series] == [it.head("HEAD~1")]
    assert git(it.root, "rev-parse", f"{it.named('q').series[0].oid}~1").decode().strip() == it.session.base
    assert it.edits("q") == [("a.txt", (3, 3))]
    it.check()

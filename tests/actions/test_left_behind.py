"""What a session leaves behind is told: edits that no patch had when it was closed, and why no patch had them."""

from __future__ import annotations

from tests.actions.asking import Asking, it

__all__ = ["it"]


def reasons(it: Asking) -> dict[str, str]:
    """The unassigned edits: path and lines, and the code of the reason."""
    rows = it.ask("unassigned")["unassigned"]
    return {f"{row['path']}:{row['lines'] and row['lines'][0]}": row["reason"] for row in rows}


def test_close_tells_of_edits_that_landed_with_no_patch(it: Asking) -> None:
    """A commit's edit that was taken out of its patch stays behind: `close` says so, and its dry run before."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.git("commit", "-qam", "both")
    it.ask("patch.new", name="two")
    it.edit("a.txt", "line 9\n", "LINE 9\n")
    it.ask("assign", what="a.txt:2", patch="-")
    it.ask("patch.ready", patch="two")
    planned = it.ask("session.close", dry_run=True)
    done = it.ask("session.close")
    assert [one["name"] for one in done["merged"]] == ["two"]
    assert "LINE 2" not in it.on_target("a.txt")
    for reply in (planned, done):
        assert [(row["path"], row["lines"], row["code"]) for row in reply["unassigned"]] == [("a.txt", [2, 2], "out")]


def test_close_does_not_tell_of_abandoned_patches_edits(it: Asking) -> None:
    """They are told as that patch, or were given up by somebody who knew."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.patch("two", "a.txt", "line 9\n", "LINE 9\n")
    it.ask("patch.abandon", patch="one")
    done = it.ask("session.close")
    assert [one["name"] for one in done["abandoned"]] == ["two"] and done["unassigned"] == []


def test_an_edit_taken_out_of_its_patch_says_so(it: Asking) -> None:
    """`assign --patch -` gives its own reason; an edit that was nobody's before keeps the one it had."""
    it.ask("patch.new", name="one")
    it.ask("patch.use", patch="-")
    it.edit("a.txt", "line 9\n", "LINE 9\n")
    it.ask("patch.use", patch="one")
    it.edit("a.txt", "line 2\n", "LINE 2\n")
    none = reasons(it)["a.txt:9"]
    done = it.ask("assign", what="a.txt", patch="-")
    assert [edit["lines"] for edit in done["moved"]] == [[2, 2]]
    assert reasons(it) == {"a.txt:2": "assigned to no patch", "a.txt:9": none}
    again = it.ask("assign", what="a.txt", patch="-")
    assert not again["moved"] and len(again["already"]) == 2
    it.ask("assign", what="a.txt", patch="one")
    assert reasons(it) == {}


def test_uninstall_leaves_what_git_tracks(it: Asking) -> None:
    """A file of the person's below .gitsession/ that they committed stays; what is ours beside it goes."""
    mine, ours = it.root / ".gitsession" / "deep" / "mine", it.root / ".gitsession" / "conflicts" / "x" / "a.txt"
    for file in (mine, ours):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("words\n")
    it.git("add", "-f", ".gitsession/deep/mine")
    it.git("commit", "-qm", "mine")
    told = it.ask("uninstall", yes=True)["removed"]
    assert mine.read_text() == "words\n" and [one.name for one in (it.root / ".gitsession").iterdir()] == ["deep"]
    assert f"what git does not track in {it.root}/.gitsession" in told
    it.git("rm", "-q", "-r", ".gitsession")
    ours.parent.mkdir(parents=True)
    assert f"{it.root}/.gitsession" in it.ask("uninstall", yes=True)["removed"] and not ours.parent.parent.exists()


def test_uninstall_goes_on_where_git_cannot_tell_what_it_tracks(it: Asking) -> None:
    """A worktree whose index is broken keeps its .gitsession/, which is told; the others lose theirs."""
    side = it.root.parent / "side"
    it.git("worktree", "add", "-q", "--detach", str(side))
    for root in (it.root, side):
        (root / ".gitsession").mkdir(exist_ok=True)
        (root / ".gitsession" / "x").write_text("words\n")
    (it.root / ".git" / "worktrees" / "side" / "index").write_text("not an index")
    told = it.ask("uninstall", yes=True)
    assert (side / ".gitsession" / "x").exists() and not (it.root / ".gitsession").exists()
    assert [one for one in told["warnings"] if one.startswith(f"{side}/.gitsession stays")]
    assert f"{it.root}/.gitsession" in told["removed"]

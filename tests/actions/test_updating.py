"""``update`` at the desk: the target's commits below everything that is there, or nothing moved and a record."""

from __future__ import annotations

import base64
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.actions.editing import note_open
from gitsessiond.model.errors import Moved, Refused
from gitsessiond.store import moving
from gitsessiond.store.trees import entry_at
from tests.actions.asking import LINES, Asking
from tests.actions.test_editors import held
from tests.conftest import git


@pytest.fixture
def it(repo: Path) -> Any:
    asking = Asking(repo)
    yield asking
    asking.desk.close()


def two(it: Asking) -> None:
    """Two patches in one file, each with a commit and an edit that is not committed."""
    it.start()
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.ask("commit", message="two")
    it.patch("other", "a.txt", "line 9\n", "LINE 9\n")
    it.ask("commit", message="nine")


def test_the_targets_commits_come_in_below(it: Asking) -> None:
    """Files, branch and index are what rebase makes; owners, series and what is staged stay."""
    two(it)
    it.edit("a.txt", "line 10\n", "LINE 10\n")
    it.look()
    (it.root / "new.txt").write_text("staged\n")
    it.git("add", "new.txt")
    it.move_target("a.txt", LINES.replace("line 5", "line five"), ("b.txt", "b of main\n"))
    main = it.rev("main")
    done = it.ask("session.update")
    assert done["updated"] and done["base"] == main and done["commits"] == 1, done
    assert done["files"] == ["a.txt", "b.txt"]
    text = LINES.replace("line 5", "line five").replace("line 2\n", "LINE 2\n").replace("line 9", "LINE 9")
    assert (it.root / "a.txt").read_text() == text.replace("line 10", "LINE 10")
    assert (it.root / "b.txt").read_text() == "b of main\n"
    assert it.git("log", "--format=%s", "main..").split() == ["nine", "two"]
    assert it.git("status", "--porcelain") == " M a.txt\nA  new.txt\n"
    assert it.git("show", "HEAD:a.txt") == text
    assert it.git("reflog", "-1", "--format=%gs").strip() == "gitsession update: main"
    state = it.desk.ctx.sessions[next(iter(it.desk.ctx.sessions))].state
    assert state.session.base == main and len(state.session.chain) == 2
    status = it.ask("session.status")
    assert status["session"]["behind"] == 0
    assert [(p["name"], p["commits"]) for p in status["patches"]] == [("one", 1), ("other", 1)]
    assert it.ask("session.update")["message"] == "x has all of main"


def patch_text(it: Asking, name: str, path: str = "a.txt") -> str:
    """A file as a patch alone has it."""
    live = next(iter(it.desk.ctx.sessions.values()))
    pid = live.patch(name).id
    store = it.desk.ctx.store
    entry = entry_at(store, live.state.trees[pid], path.encode())
    assert entry is not None
    return store.blob(entry.oid).decode()


def stopped(it: Asking) -> list[dict[str, Any]]:
    """An update that stops at conflicts: nothing has moved, and a dry run says the same. Returns them."""
    before, base = it.files(), it.ask("session.status")["session"]["base"]
    dry = it.ask("session.update", dry_run=True)
    done = it.ask("session.update")
    assert not done["updated"] and done["conflicts"], done
    assert [one["path"] for one in dry["conflicts"]] == [one["path"] for one in done["conflicts"]]
    after = it.files()
    assert {path: text for path, text in after.items() if not path.startswith(".gitsession")} == before
    assert it.ask("session.status")["session"]["base"] == base
    conflicts: list[dict[str, Any]] = done["conflicts"]
    return conflicts


def settle(it: Asking, conflict: dict[str, Any], text: str) -> None:
    """Resolve one conflict to this text."""
    it.ask("resolve", id=conflict["id"], how="file", content=base64.b64encode(text.encode()).decode())


def test_markers_are_as_long_as_attributes_say(it: Asking) -> None:
    """conflict-marker-size counts for the conflicts of an update as for those of a merge."""
    (it.root / ".git" / "info" / "attributes").write_text("*.txt conflict-marker-size=12\n")
    it.start()
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.move_target("a.txt", LINES.replace("line 2", "line two"))
    (conflict,) = stopped(it)
    text = (it.root / ".gitsession" / "conflicts" / conflict["id"] / "a.txt").read_text()
    assert "<" * 12 + " main\n" in text and "\n" + "=" * 12 + "\n" in text
    with pytest.raises(Refused, match="conflict marker"):
        settle(it, conflict, "a\n" + ">" * 12 + " x\n")
    settle(it, conflict, "a\n>>>>>>> no marker here\n")
    assert it.ask("session.update")["updated"]


@pytest.mark.parametrize(("how", "line"), [("union", 3), ("union", 9), ("ours", 9)])
def test_where_one_commit_clashed_each_keeps_its_own_edits(it: Asking, how: str, line: int) -> None:
    """The first patch's conflict is resolved; what the second committed in the file stays in the second's commit."""
    it.start()
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.ask("commit", message="one")
    it.patch("two", "a.txt", f"line {line}\n", f"LINE {line}\n")
    it.ask("commit", message="two")
    it.move_target("a.txt", LINES.replace("line 2\n", "line two\n"))
    (conflict,) = stopped(it)
    it.ask("resolve", id=conflict["id"], how=how)
    assert it.ask("session.update")["updated"]
    first = LINES.replace("line 2\n", "line two\nLINE 2\n" if how == "union" else "line two\n")
    last = first.replace(f"line {line}\n", f"LINE {line}\n")
    made = it.git("log", "--reverse", "--format=%H %s", "main..").splitlines()
    assert [one.split()[1] for one in made] == (["one", "two"] if how == "union" else ["two"])
    assert [it.git("show", f"{one.split()[0]}:a.txt") for one in made] == ([first, last] if how == "union" else [last])
    assert it.git("status", "--porcelain") == ""
    (patch,) = (one for one in it.ask("patch.list")["patches"] if one["name"] == "two")
    assert patch["commits"] == 1


@pytest.mark.parametrize("committed", [pytest.param(True, marks=pytest.mark.soak), False])
def test_a_conflict_of_a_patch_is_resolved_and_then_the_update_goes_through(it: Asking, committed: bool) -> None:
    """The record waits, the patch with it; what it is resolved to is the patch's, committed where it was."""
    it.start()
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    if committed:
        it.ask("commit", message="two")
    it.patch("other", "a.txt", "line 9\n", "LINE 9\n")
    it.move_target("a.txt", LINES.replace("line 2", "line two"))
    (conflict,) = stopped(it)
    assert (conflict["path"], conflict["patch"]["name"]) == ("a.txt", "one")
    assert (it.status_of("one"), it.status_of("other")) == ("conflicts", "draft")
    settle(it, conflict, LINES.replace("line 2", "LINE two"))
    assert it.status_of("one") == "draft"
    assert it.ask("session.update")["updated"]
    text = LINES.replace("line 2", "LINE two").replace("line 9", "LINE 9")
    assert (it.root / "a.txt").read_text() == text
    assert patch_text(it, "one") == LINES.replace("line 2", "LINE two")
    assert patch_text(it, "other") == LINES.replace("line 2", "line two").replace("line 9", "LINE 9")
    assert it.git("log", "--format=%s", "main..").split() == (["two"] if committed else [])
    assert it.ask("unassigned")["unassigned"] == [] and it.ask("conflicts")["conflicts"] == []
    assert it.merge("one")["merged"] and it.merge("other")["merged"]
    assert it.on_target("a.txt") == text


def test_each_owner_has_its_conflict(it: Asking) -> None:
    """Two patches, unassigned edits and what is staged, all at once; each resolved by itself."""
    it.start()
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.patch("other", "a.txt", "line 9\n", "LINE 9\n")
    (it.root / "u.txt").write_text("u\n")
    (it.root / "s.txt").write_text("s\n")
    it.look()
    it.git("add", "s.txt")
    it.ask("assign", what="u.txt", patch="-")
    it.ask("assign", what="s.txt", patch="-")
    (it.root / "s.txt").write_text("s of main\n")
    it.look()
    it.move_target(
        "a.txt",
        LINES.replace("line 2", "line two").replace("line 9", "line nine"),
        ("u.txt", "u of main\n"),
        ("s.txt", "s of main\n"),
    )
    found = stopped(it)
    told = [(one["path"], one["patch"]["name"] if one["patch"] else one["labels"][2]) for one in found]
    assert told == [
        ("a.txt", "one"),
        ("a.txt", "other"),
        ("u.txt", "unassigned edits (x)"),
        ("s.txt", "staged (x)"),
    ]
    both = LINES.replace("line 2", "LINE two").replace("line 9", "LINE nine")
    settle(it, found[0], LINES.replace("line 2", "LINE two").replace("line 9", "line nine"))
    settle(it, found[1], LINES.replace("line 2", "line two").replace("line 9", "LINE nine"))
    settle(it, found[2], "u of both\n")
    assert len(stopped(it)) == 1
    it.ask("resolve", id=found[3]["id"], how="theirs")
    assert it.ask("session.update")["updated"]
    assert (it.root / "a.txt").read_text() == both
    assert (it.root / "u.txt").read_text() == "u of both\n"
    assert it.git("show", ":s.txt") == "s\n" and (it.root / "s.txt").read_text() == "s of main\n"
    assert patch_text(it, "one") == both.replace("LINE nine", "line nine")
    assert patch_text(it, "other") == both.replace("LINE two", "line two")
    assert [row["path"] for row in it.ask("unassigned")["unassigned"]] == ["u.txt"]


def test_a_merged_patch_and_one_landed_by_others(it: Asking) -> None:
    """Ours is part of the base afterwards; one that was picked or squashed elsewhere is merged, what needs it goes on."""
    it.start()
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.merge("one")
    it.patch("picked", "a.txt", "line 5\n", "LINE 5\n")
    it.ask("patch.new", name="upon")
    it.ask("patch.use", patch="upon", strict=True)
    it.edit("a.txt", "LINE 5\n", "LINE 5!\n")
    text = LINES.replace("line 2", "LINE 2")
    it.move_target("a.txt", text.replace("line 5", "LINE 5"), ("b.txt", "more\n"))
    done = it.ask("session.update")
    assert done["updated"] and [one["name"] for one in done["merged"]] == ["picked"]
    assert (it.status_of("one"), it.status_of("picked"), it.status_of("upon")) == ("merged", "merged", "draft")
    assert patch_text(it, "upon") == text.replace("line 5", "LINE 5!")
    assert it.merge("upon")["merged"] and it.on_target("a.txt") == text.replace("line 5", "LINE 5!")


@pytest.mark.soak
def test_a_target_that_was_rewritten(it: Asking) -> None:
    """A force-push takes commits away: what the session stood on goes, what it had landed is open again."""
    it.start()
    start = it.rev("main")
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.merge("one")
    it.move_target("gone.txt", "will go\n")
    assert it.ask("session.update")["updated"] and (it.root / "gone.txt").exists()
    it.patch("other", "a.txt", "line 9\n", "LINE 9\n")
    it.ask("commit", message="nine")
    it.git("update-ref", "refs/heads/main", start)
    it.move_target("kept.txt", "kept\n")
    done = it.ask("session.update")
    assert done["updated"], done
    assert any("rewritten" in note for note in done["notes"])
    assert not (it.root / "gone.txt").exists() and (it.root / "kept.txt").exists()
    assert (it.root / "a.txt").read_text() == LINES.replace("line 9", "LINE 9")


def test_no_history_in_common_is_refused(it: Asking) -> None:
    """And a target that is gone."""
    it.start()
    tree = it.rev("main^{tree}")
    orphan = it.git("commit-tree", tree, "-m", "other").strip()
    it.git("update-ref", "refs/heads/main", orphan)
    with pytest.raises(Refused, match="no commit in common"):
        it.ask("session.update")
    it.git("update-ref", "-d", "refs/heads/main")
    with pytest.raises(Refused, match="does not exist"):
        it.ask("session.update")


def test_what_is_not_recorded_is_not_written_over(it: Asking) -> None:
    """An ignored file where main has a new one: refused, named, nothing moved."""
    (it.root / ".gitignore").write_text("*.log\n")
    it.git("add", ".gitignore")
    it.git("commit", "-qm", "ignore")
    it.start()
    (it.root / "x.log").write_text("mine\n")
    it.git("branch", "-f", "aside", "main")
    it.move_target(".gitignore", "", ("x.log", "of main\n"))
    before = it.files()
    with pytest.raises(Refused, match=r"x\.log is in the way"):
        it.ask("session.update")
    assert it.files() == before and (it.root / "x.log").read_text() == "mine\n"
    (it.root / "x.log").unlink()
    assert it.ask("session.update")["updated"] and (it.root / "x.log").read_text() == "of main\n"


@pytest.mark.parametrize("how", ["large", "pipe", "filter"])
def test_edits_that_cannot_be_recorded_are_not_written_over(it: Asking, how: str) -> None:
    """Refused before anything moves, with the reason, after a restart too; without them the target's is taken."""
    if how == "filter":
        it.git("config", "filter.own.process", "cat")
        (it.root / ".git" / "info" / "attributes").write_text("a.txt filter=own\n")
    it.start()
    it.patch("one", "src/b.txt", "b 2\n", "b of one\n")
    was = (it.root / "a.txt").read_bytes()
    if how == "large":
        it.git("config", "gitsession.maxFileSize", "40")
    if how == "pipe":
        (it.root / "a.txt").unlink()
        os.mkfifo(it.root / "a.txt")
    else:
        (it.root / "a.txt").write_text("mine\n" * 20)
    main = it.git("rev-parse", "main")
    it.move_target("a.txt", LINES.replace("line 5", "line five"))
    for _ in range(2):
        with pytest.raises(Refused, match=r"a\.txt has edits that are not recorded") as caught:
            it.ask("session.update")
        assert caught.value.hint == f"git -C {it.root} stash push -- a.txt"
        assert it.rev("HEAD") == main.strip()
        assert how == "pipe" or (it.root / "a.txt").read_text() == "mine\n" * 20
        it.restart()
    (it.root / "a.txt").unlink()
    (it.root / "a.txt").write_bytes(was)
    assert it.ask("session.update")["files"] == ["a.txt"]
    assert (it.root / "a.txt").read_text() == LINES.replace("line 5", "line five")
    assert it.merge("one")["files"] == 1


def test_a_save_made_meanwhile_is_kept(it: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody saves while files are written: put back, recorded, worked out again."""
    two(it)
    it.move_target("a.txt", LINES.replace("line 5", "line five"), ("0.txt", "first\n"))
    real, count = moving.write_files, []

    def saving(*args: Any, **more: Any) -> None:
        if not count:
            it.edit("a.txt", "line 7\n", "line 7, saved\n")
        count.append(1)
        real(*args, **more)

    monkeypatch.setattr(moving, "write_files", saving)
    assert it.ask("session.update")["updated"]
    assert len(count) > 1
    text = (it.root / "a.txt").read_text()
    assert "line 7, saved" in text and "line five" in text and "LINE 2" in text
    assert (it.root / "0.txt").read_text() == "first\n"


@pytest.mark.soak
def test_one_who_saves_at_every_try_is_told(it: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three tries; then everything is as it was, and the saves are there."""
    two(it)
    it.move_target("a.txt", LINES.replace("line 5", "line five"), ("0.txt", "first\n"))
    head, real, count = it.rev("HEAD"), moving.write_files, []

    def saving(tree: Any, wanted: Any, *args: Any) -> None:
        if b"a.txt" in wanted:
            count.append(1)
            (it.root / "a.txt").write_text(f"save {len(count)}\n" + (it.root / "a.txt").read_text())
        real(tree, wanted, *args)

    monkeypatch.setattr(moving, "write_files", saving)
    with pytest.raises(Moved):
        it.ask("session.update")
    assert it.rev("HEAD") == head and not (it.root / "0.txt").exists()
    assert (it.root / "a.txt").read_text().startswith("save 3\nsave 2\nsave 1\n")
    assert not list((it.root / ".git").glob("*.lock")) and not list((it.root / ".git").glob("gitsession-update*"))


def test_files_with_unsaved_changes_are_named(it: Asking) -> None:
    """vim's swap file and emacs' link beside a file that changes; what a process that ended left is no news."""
    two(it)
    it.move_target("a.txt", LINES.replace("line 5", "line five"), ("README", "more\n"), ("c.txt", "c\n"))
    host, me = socket.gethostname().encode(), os.getpid()
    for name, pid in (("a.txt", me), ("c.txt", 2**22 + 1)):
        block = bytearray(4096)
        block[:12], block[24:28], block[1007] = b"b0VIM 9.0\0\0\0", pid.to_bytes(4, "little"), 0x55
        block[68 : 68 + len(host)] = host
        (it.root / f".{name}.swp").write_bytes(bytes(block))
    os.symlink(b"me@" + host + b".%d:1700000000" % me, it.root / ".#README")
    found = it.ask("session.update", dry_run=True)["unsaved"]
    assert [one["path"] for one in found] == ["README", "a.txt"] and all(one["program"] for one in found)
    note_open(it.desk.ctx, [held(it, "c.txt", "nvim", modified=True), held(it, "src/b.txt", "nvim", modified=True)])
    found = it.ask("session.update", dry_run=True)["unsaved"]  # Neovim's swap files are elsewhere: front knows
    assert [(one["path"], one["program"]) for one in found][1:] == [("a.txt", found[1]["program"]), ("c.txt", "nvim")]


@pytest.mark.parametrize("way", ["merge", pytest.param("squash", marks=pytest.mark.soak)])
def test_a_revert_after_the_base_took_the_landing_in(it: Asking, way: str) -> None:
    """The target loses the patch, the session keeps its files: the patch has its edits again, and what built on it."""
    it.start()
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.ask("commit", message="two")
    it.edit("a.txt", "line 4\n", "LINE 4\n")
    it.patch("other", "a.txt", "line 9\n", "LINE 9\n")
    it.ask("commit", message="nine")
    it.merge("one", strategy=way)
    it.move_target("b.txt", "b\n")
    assert it.ask("session.update")["updated"]
    it.ask("patch.new", name="upon")
    it.edit("a.txt", "LINE 2\n", "LINE 2!\n")
    text, mine = (it.root / "a.txt").read_text(), LINES.replace("line 2", "LINE 2").replace("line 4", "LINE 4")
    times = (it.root / "a.txt").stat().st_mtime_ns
    assert it.ask("revert", patch="one")["reverted"]
    assert it.on_target("a.txt") == LINES and it.on_target("b.txt") == "b\n"
    assert (it.root / "a.txt").read_text() == text and (it.root / "a.txt").stat().st_mtime_ns == times
    session = it.ask("session.status")["session"]
    assert session["base"] == it.rev("main") and session["behind"] == 0
    assert it.git("log", "--format=%s", "main..").split() == ["nine", "one"]
    assert it.git("status", "--porcelain") == " M a.txt\n"
    assert (it.status_of("one"), it.status_of("other")) == ("draft", "draft")
    assert patch_text(it, "one") == mine
    assert patch_text(it, "other") == LINES.replace("line 9", "LINE 9")
    assert patch_text(it, "upon") == mine.replace("LINE 2", "LINE 2!")
    assert it.ask("unassigned")["unassigned"] == []
    for name in ("one", "other", "upon"):
        assert it.merge(name, strategy=way)["merged"]
    assert it.on_target("a.txt") == text


def test_an_edit_under_a_deletion_is_kept_where_main_deleted_too(it: Asking) -> None:
    """one edits a file, upon deletes it, main deletes it: resolved to one's text, one has it, and upon deletes that."""
    it.start()
    it.patch("one", "src/b.txt", "b 3", "B 3")
    it.ask("patch.new", name="upon")
    it.ask("patch.use", patch="upon", strict=True)
    (it.root / "src" / "b.txt").unlink()
    it.look()
    it.move_target("src/b.txt", None)
    (conflict,) = stopped(it)
    settle(it, conflict, "kept\n")
    if (more := it.ask("session.update"))["conflicts"]:
        it.ask("resolve", id=more["conflicts"][0]["id"], how="theirs")
        assert it.ask("session.update")["updated"]
    assert patch_text(it, "one", "src/b.txt") == "kept\n" and not (it.root / "src" / "b.txt").exists()
    assert it.merge("one")["merged"] and it.on_target("src/b.txt") == "kept\n"


def test_a_path_left_out_of_the_worktree_stays_out(it: Asking) -> None:
    """main changes a file that a sparse checkout has not: it is no edit of anybody, and not written."""
    it.start()
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.git("update-index", "--skip-worktree", "src/b.txt")
    (it.root / "src" / "b.txt").unlink()
    it.move_target("src/b.txt", "of main\n")
    assert it.ask("session.update")["updated"]
    assert not (it.root / "src" / "b.txt").exists() and it.git("status", "--porcelain") == " M a.txt\n"
    assert it.git("ls-files", "-t", "src/b.txt").startswith("S ") and it.git("show", ":src/b.txt") == "of main\n"
    assert [op["path"] for op in it.ask("patch.ops", patch="one")["ops"]] == ["a.txt"]
    assert it.merge("one")["merged"] and it.on_target("src/b.txt") == "of main\n"


def test_a_conflict_ends_when_main_moves_away(it: Asking) -> None:
    """main drops the commit that clashed: the patch waits for nobody, whether another clashes now or none."""
    it.start()
    start = it.rev("main")
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.patch("other", "a.txt", "line 9\n", "LINE 9\n")
    for old, name, waiting in (("line 2", "one", "other"), ("line 9", "other", "one")):
        it.git("update-ref", "refs/heads/main", start)
        it.move_target("a.txt", LINES.replace(old, "of main"))
        assert [one["patch"]["name"] for one in stopped(it)] == [name]
        assert (it.status_of(name), it.status_of(waiting)) == ("conflicts", "draft")
    it.git("update-ref", "refs/heads/main", start)
    assert it.ask("session.update")["message"] == "x has all of main"
    assert (it.status_of("other"), it.ask("conflicts")["conflicts"]) == ("draft", [])


def test_a_shallow_clone_is_told_to_fetch_the_rest(repo: Path) -> None:
    """The target came without what it has in common with the session: the hint, carried out, lets the update through."""
    clone = repo.parent / "shallow"
    git(repo.parent, "clone", "-q", "--depth", "1", f"file://{repo}", str(clone))
    it = Asking(clone)
    it.start()
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    for text in ("b\n", "b b\n"):
        (repo / "new.txt").write_text(text)
        git(repo, "add", "-A")
        git(repo, "commit", "-q", "-m", text)
    git(clone, "fetch", "-q", "--depth", "1", "origin", "+main:main")
    with pytest.raises(Refused, match="shallow clone") as refused:
        it.ask("session.update")
    assert refused.value.hint == "git fetch --unshallow"
    git(clone, *str(refused.value.hint).split()[1:], "-q")
    assert it.ask("session.update")["updated"]
    assert (clone / "new.txt").read_text() == "b b\n" and "LINE 2" in (clone / "a.txt").read_text()
    it.desk.close()

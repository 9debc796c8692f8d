"""Conflicts: nothing moves, everything is kept, and a resolution is used by the next merge."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.model.errors import NotFound, Refused
from tests.actions.asking import LINES, Asking, it
from tests.conftest import git
from tests.shapes import edited, text

__all__ = ["it"]

OURS, THEIRS = LINES.replace("line 2", "ours 2"), LINES.replace("line 2", "theirs 2")


@pytest.fixture
def clash(it: Asking) -> dict[str, Any]:
    """Patch ``one`` and main changed the same line; the conflict."""
    it.patch("one", "a.txt", "line 2", "theirs 2")
    it.ask("patch.ready", patch="one")
    it.move_target("a.txt", OURS)
    (conflict,) = it.ask("merge", patch="one")["conflicts"]
    return dict(conflict)


def marked_file(it: Asking, conflict: dict[str, Any]) -> Path:
    return it.root / ".gitsession" / "conflicts" / conflict["id"] / conflict["path"]


def test_a_conflict_moves_nothing(it: Asking, clash: dict[str, Any]) -> None:
    """Target, files and series stay; the patch waits in status conflicts with one record for the path."""
    assert it.on_target("a.txt") == OURS and (it.root / "a.txt").read_text() == THEIRS
    assert it.status_of("one") == "conflicts"
    assert (clash["kind"], clash["shape"], clash["path"], clash["status"]) == (
        "git_merge", "content", "a.txt", "open",
    )  # fmt: skip
    shown = it.ask("conflict.show", id=clash["id"][:5])
    assert (shown["base"], shown["ours"], shown["theirs"]) == (LINES, OURS, THEIRS)
    assert it.git("status", "--porcelain") == ""


def test_the_conflict_lies_in_a_file_with_markers(it: Asking, clash: dict[str, Any]) -> None:
    """diff3 markers labelled by target and patch; git does not see the file."""
    text = marked_file(it, clash).read_text()
    assert text == it.ask("conflict.show", id=clash["id"])["marked"]
    assert "<<<<<<< main\nours 2\n||||||| base\nline 2\n=======\ntheirs 2\n>>>>>>> one (x)\n" in text
    assert it.git("status", "--porcelain", "--untracked-files=all") == ""


def test_other_patches_are_not_blocked(it: Asking, clash: dict[str, Any]) -> None:
    """A patch beside it merges while the conflict is open."""
    it.patch("two", "src/b.txt", "b 3", "B 3")
    assert it.merge("two")["merged"] and it.status_of("one") == "conflicts"


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ("ours", "ours 2\n"),
        ("theirs", "theirs 2\n"),
        ("base", "line 2\n"),
        ("union", "ours 2\ntheirs 2\n"),
        ("file", "both\n"),
    ],
)
def test_each_way_to_resolve_lands_so(it: Asking, clash: dict[str, Any], how: str, line: str) -> None:
    """The resolution is used by the next merge; until then no file and no branch changes."""
    wanted = LINES.replace("line 2\n", line)
    content = base64.b64encode(wanted.encode()).decode() if how == "file" else None
    before = it.files()
    reply = it.ask("resolve", id=clash["id"], how=how, content=content)
    assert reply["left"] == [] and reply["patch"]["status"] == "ready"
    assert (reply["conflict"]["status"], reply["conflict"]["how"]) == ("resolved", how)
    assert it.files() == before and not marked_file(it, clash).exists()
    merged = it.ask("merge", patch="one")
    assert merged["merged"]
    assert it.on_target("a.txt") == wanted


def test_saving_the_file_without_markers_resolves(it: Asking, clash: dict[str, Any]) -> None:
    """Any editor does; a save that still has a marker does nothing, a later save replaces the first."""
    file = marked_file(it, clash)
    control = f".gitsession/conflicts/{clash['id']}/a.txt"
    file.write_text(file.read_text().replace("<<<<<<< main\n", ""))
    it.look(control)
    assert it.status_of("one") == "conflicts"
    file.write_text(LINES.replace("line 2", "both"))
    it.look(control)
    assert it.status_of("one") == "ready"
    file.write_text(LINES.replace("line 2", "both 2"))
    it.look(control)
    assert it.ask("merge", patch="one")["merged"]
    assert it.on_target("a.txt") == LINES.replace("line 2", "both 2")
    assert not file.exists()


def test_an_empty_save_resolves_nothing(it: Asking, clash: dict[str, Any]) -> None:
    """Some editors truncate before they write, and a slip empties a file; to mean it takes a command."""
    file = marked_file(it, clash)
    control = f".gitsession/conflicts/{clash['id']}/a.txt"
    file.write_bytes(b"")
    it.look(control)
    assert [one["id"] for one in it.ask("conflicts")["conflicts"]] == [clash["id"]]
    assert it.status_of("one") == "conflicts"
    file.write_text(THEIRS)
    it.look(control)
    assert it.status_of("one") == "ready"
    file.write_bytes(b"")
    it.look(control)
    assert it.ask("merge", patch="one")["merged"]
    assert it.on_target("a.txt") == THEIRS


def test_an_empty_resolution_is_one_when_it_is_given(it: Asking, clash: dict[str, Any]) -> None:
    """By a command it is meant."""
    it.ask("resolve", id=clash["id"], how="file", content="")
    assert it.ask("merge", patch="one")["merged"]
    assert it.on_target("a.txt") == ""


def test_a_resolution_saved_unwatched_is_found(it: Asking, clash: dict[str, Any]) -> None:
    """The daemon was not there when the file was saved: the next command sees it."""
    marked_file(it, clash).write_text(THEIRS)
    it.restart()
    assert it.ask("conflicts")["conflicts"] == []
    assert it.ask("merge", patch="one")["merged"]


def test_markers_left_over_are_refused(it: Asking, clash: dict[str, Any]) -> None:
    """The line is named, and the conflict stays open."""
    left = base64.b64encode(b"line 1\n>>>>>>> one (x)\n").decode()
    with pytest.raises(Refused, match="line 2"):
        it.ask("resolve", id=clash["id"], how="file", content=left)
    assert it.status_of("one") == "conflicts"


def test_a_resolution_is_stale_when_a_side_changed(it: Asking, clash: dict[str, Any]) -> None:
    """The target's line changed again: there is a new conflict, and the old resolution is not used."""
    it.ask("resolve", id=clash["id"], how="ours")
    it.move_target("a.txt", LINES.replace("line 2", "ours again"))
    (conflict,) = it.ask("merge", patch="one")["conflicts"]
    assert conflict["id"] != clash["id"] and it.status_of("one") == "conflicts"
    found = {one["id"]: one["status"] for one in it.ask("conflicts", all=True)["conflicts"]}
    assert found == {clash["id"]: "stale", conflict["id"]: "open"}
    with pytest.raises(Refused, match="no more"):
        it.ask("resolve", id=clash["id"], how="ours")


def test_merging_again_keeps_the_same_record(it: Asking, clash: dict[str, Any]) -> None:
    """Nothing changed: it is the same conflict with the same id, and the marked file keeps an edit."""
    file = marked_file(it, clash)
    file.write_text(file.read_text().replace("theirs 2", "half way"))
    (again,) = it.ask("merge", patch="one")["conflicts"]
    assert again["id"] == clash["id"] and "half way" in file.read_text()


def test_a_conflict_that_vanished_is_no_obstacle(it: Asking, clash: dict[str, Any]) -> None:
    """The target changed its line back: the patch merges, its record is stale."""
    it.move_target("a.txt", LINES)
    assert it.ask("merge", patch="one")["merged"]
    (one,) = it.ask("conflicts", all=True)["conflicts"]
    assert one["status"] == "stale" and not marked_file(it, clash).exists()


def test_several_conflicts_are_settled_one_by_one(it: Asking) -> None:
    """The patch has its former status when none is left open; a draft that was merged with --ready is ready."""
    it.ask("patch.new", name="one")
    it.edit("a.txt", "line 2", "theirs 2")
    it.edit("src/b.txt", "b 3", "theirs 3")
    it.look()
    it.move_target("a.txt", OURS, ("src/b.txt", "b of main\n"))
    first, second = it.merge("one")["conflicts"]
    left = it.ask("resolve", id=first["id"], how="theirs")["left"]
    assert [one["id"] for one in left] == [second["id"]] and it.status_of("one") == "conflicts"
    again = it.ask("merge", patch="one")["conflicts"]
    assert [one["id"] for one in again] == [second["id"]]
    it.ask("resolve", id=second["id"], how="ours")
    assert it.status_of("one") == "ready" and it.ask("merge", patch="one")["merged"]
    assert "theirs 2" in it.on_target("a.txt") and it.on_target("src/b.txt") == "b of main\n"


@pytest.mark.parametrize(("how", "there"), [("ours", False), ("theirs", True)])
def test_modified_here_deleted_there(it: Asking, how: str, there: bool) -> None:
    """One side deleted the file: either side can be taken whole."""
    it.patch("one", "a.txt", "line 2", "theirs 2")
    it.move_target("a.txt", None)
    (conflict,) = it.merge("one")["conflicts"]
    assert conflict["shape"] == "modify/delete" and conflict["ours"]["oid"] is None
    with pytest.raises(Refused, match="no two texts"):
        it.ask("resolve", id=conflict["id"], how="union")
    it.ask("resolve", id=conflict["id"], how=how)
    assert it.ask("merge", patch="one")["merged"]
    assert ("a.txt" in it.git("ls-tree", "--name-only", "main").split()) == there


def test_both_added(it: Asking) -> None:
    """The same new path with other content: no base to take."""
    it.ask("patch.new", name="one")
    (it.root / "new.txt").write_text("theirs\n")
    it.look()
    it.move_target("new.txt", "ours\n")
    (conflict,) = it.merge("one")["conflicts"]
    assert conflict["shape"] == "add/add"
    with pytest.raises(Refused, match="no base"):
        it.ask("resolve", id=conflict["id"], how="base")
    it.ask("resolve", id=conflict["id"], how="union")
    it.ask("merge", patch="one")
    assert it.on_target("new.txt") == "ours\ntheirs\n"


def test_binary_content(repo: Path) -> None:
    """It has no lines: its file has one for each side; a side, or a whole new content."""
    (repo / "logo").write_bytes(b"\0base")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "logo")
    it = Asking(repo)
    it.start()
    it.ask("patch.new", name="one")
    (it.root / "logo").write_bytes(b"\0theirs")
    it.look()
    it.move_target("logo", b"\0ours")
    (conflict,) = it.merge("one")["conflicts"]
    assert conflict["shape"] == "binary"
    shown = it.ask("conflict.show", id=conflict["id"])
    assert shown["marked"] is None and marked_file(it, conflict).read_text() == shown["text"]
    assert "file logo (blob" in shown["text"]
    it.ask("resolve", id=conflict["id"], how="file", content=base64.b64encode(b"\0both").decode())
    it.ask("merge", patch="one")
    assert it.on_target("logo") == "\0both"
    it.desk.close()


def test_renamed_both_ways(it: Asking) -> None:
    """One record for the file under its three names; the side that is taken keeps its name."""
    it.ask("patch.new", name="one")
    (it.root / "a.txt").rename(it.root / "theirs.txt")
    it.look()
    it.move_target("a.txt", None, ("ours.txt", LINES))
    (conflict,) = it.merge("one")["conflicts"]
    assert conflict["shape"] == "rename/rename"
    assert (conflict["ours"]["path"], conflict["theirs"]["path"]) == ("ours.txt", "theirs.txt")
    assert conflict["resolved_as"] is None
    done = it.ask("resolve", id=conflict["id"], how="theirs")
    assert done["conflict"]["resolved_as"] == "theirs.txt"
    it.ask("merge", patch="one")
    names = it.git("ls-tree", "--name-only", "main").split()
    assert "theirs.txt" in names and not {"a.txt", "ours.txt"} & set(names)


def test_a_text_for_a_file_renamed_both_ways_says_its_name(it: Asking) -> None:
    """A saved or united text is at the target's name, and the reply says so; a deletion is nowhere."""
    it.ask("patch.new", name="one")
    (it.root / "a.txt").rename(it.root / "theirs.txt")
    it.edit("theirs.txt", "line 2\n", "LINE 2\n")
    it.look()
    it.move_target("a.txt", None, ("ours.txt", LINES))
    (conflict,) = it.merge("one")["conflicts"]
    text = base64.b64encode(b"both\n").decode()
    assert it.ask("resolve", id=conflict["id"], how="delete")["conflict"]["resolved_as"] is None
    done = it.ask("resolve", id=conflict["id"], how="file", content=text)
    assert done["conflict"]["resolved_as"] == "ours.txt"
    assert it.merge("one")["merged"] and it.on_target("ours.txt") == "both\n"


def test_lines_that_look_like_markers(it: Asking) -> None:
    """Markers are longer than any line of the text that looks like one."""
    it.ask("patch.new", name="one")
    (it.root / "doc.txt").write_text("Title\n=======\ntheirs\n")
    it.look()
    it.move_target("doc.txt", "Title\n=======\nours\n")
    (conflict,) = it.merge("one")["conflicts"]
    text = marked_file(it, conflict).read_text()
    assert text.startswith("<<<<<<<< main\n") and "\n========\n" in text
    marked_file(it, conflict).write_text("Title\n=======\nboth\n")
    it.look(f".gitsession/conflicts/{conflict['id']}/doc.txt")
    assert it.status_of("one") == "ready"


def test_a_restart_keeps_conflicts_and_resolutions(it: Asking, clash: dict[str, Any]) -> None:
    """Records and sides come from the journal; the marked file is still there."""
    it.restart()
    shown = it.ask("conflict.show", id=clash["id"])
    assert shown["theirs"] == THEIRS and marked_file(it, clash).exists()
    it.ask("resolve", id=clash["id"], how="theirs")
    it.restart()
    assert it.ask("merge", patch="one")["merged"] and it.on_target("a.txt") == THEIRS


def test_an_unknown_conflict_is_told(it: Asking) -> None:
    """Exit 10 with the command that lists them."""
    with pytest.raises(NotFound):
        it.ask("conflict.show", id="kkkkkkkkkkkk")


def test_a_resolution_is_remembered(it: Asking, clash: dict[str, Any]) -> None:
    """The target went on and came back: the same three sides are resolved as before, without asking again."""
    it.ask("resolve", id=clash["id"], how="union")
    it.move_target("a.txt", LINES.replace("line 2", "in between"))
    assert it.ask("merge", patch="one")["conflicts"]
    it.move_target("a.txt", OURS)
    assert it.ask("merge", patch="one")["merged"]
    assert it.on_target("a.txt") == LINES.replace("line 2", "ours 2\ntheirs 2")


def test_conflicts_end_with_their_patch(it: Asking, clash: dict[str, Any]) -> None:
    """An abandoned patch has no open conflict, and comes back without."""
    it.ask("patch.abandon", patch="one")
    assert it.ask("conflicts")["conflicts"] == []
    it.ask("patch.reopen", patch="one")
    assert it.status_of("one") == "draft"
    (conflict,) = it.merge("one")["conflicts"]
    assert conflict["id"] == clash["id"]


def test_a_marked_file_that_was_cleaned_away_is_made_again(it: Asking, clash: dict[str, Any]) -> None:
    """`git clean -fdx` takes .gitsession/; the record is elsewhere."""
    it.git("clean", "-q", "-fdx")
    assert not marked_file(it, clash).exists()
    assert it.ask("conflict.show", id=clash["id"])["file"]
    assert marked_file(it, clash).exists()


@pytest.mark.parametrize("linked", [".gitsession", ".gitsession/conflicts", ".gitsession/conflicts/ID"])
def test_a_marked_file_behind_a_link_is_nobodys(it: Asking, clash: dict[str, Any], tmp_path: Path, linked: str) -> None:
    """Whatever directory is a link: nothing is written behind it, taken as an answer, or removed."""
    link, outside = it.root / linked.replace("ID", clash["id"]), tmp_path / "outside"
    link.rename(outside)
    link.symlink_to(outside)
    it.ask("conflicts")
    (file,) = outside.rglob("a.txt")
    file.unlink()
    assert it.ask("conflict.show", id=clash["id"])["at"] is None and not file.exists()
    file.write_text(LINES.replace("line 2", "both 2"))
    it.look(f".gitsession/conflicts/{clash['id']}/a.txt")
    assert len(it.ask("conflicts")["conflicts"]) == 1 and it.status_of("one") == "conflicts"
    it.ask("resolve", id=clash["id"], how="file", content=sent(file.read_text()))
    assert it.ask("conflict.reopen", id=clash["id"])["conflict"]["status"] == "open" and file.exists()
    it.ask("resolve", id=clash["id"], how="ours")
    assert it.merge("one")["merged"] and file.exists() and link.is_symlink()


def test_only_the_marked_file_itself_is_removed(it: Asking, clash: dict[str, Any]) -> None:
    """What else somebody put beside it stays."""
    beside = marked_file(it, clash).with_name("notes")
    beside.write_text("mine\n")
    it.ask("resolve", id=clash["id"], how="ours")
    assert beside.read_text() == "mine\n" and not marked_file(it, clash).exists()


def test_a_marked_file_that_git_tracks_is_no_answer(it: Asking, clash: dict[str, Any]) -> None:
    """It is content of the repository, whatever it says."""
    file = marked_file(it, clash)
    file.write_text(LINES.replace("line 2", "both 2"))
    it.git("add", "-f", str(file))
    it.look(str(file.relative_to(it.root)))
    assert len(it.ask("conflicts")["conflicts"]) == 1 and it.status_of("one") == "conflicts"


def test_edits_in_the_meantime_make_it_a_draft(it: Asking, clash: dict[str, Any]) -> None:
    """What was declared ready is not what is there now, also when the conflicts are settled afterwards."""
    it.edit("a.txt", "theirs 2", "theirs too")
    it.ask("resolve", id=clash["id"], how="ours")
    assert it.status_of("one") == "draft"


def sent(content: str) -> str:
    return base64.b64encode(content.encode()).decode()


def test_an_answer_that_comes_too_late_is_refused_and_offered(it: Asking, clash: dict[str, Any]) -> None:
    """The target moved after the merge: nothing is settled by it, and the same lines' next clash has it at hand."""
    it.move_target("a.txt", OURS.replace("line 9", "nine"))
    with pytest.raises(Refused, match="has moved since"):
        it.ask("resolve", id=clash["id"], how="file", content=sent(LINES.replace("line 2", "both 2")))
    found = it.ask("conflicts", all=True)["conflicts"]
    assert [(one["status"], one["how"]) for one in found] == [("stale", "file")] and it.status_of("one") == "ready"
    (again,) = it.ask("merge", patch="one")["conflicts"]
    assert again["id"] != clash["id"]
    shown = it.ask("conflict.show", id=again["id"])
    assert shown["remembered"] and shown["hunks"][0]["remembered"] == "both 2\n"
    assert it.status_of("one") == "conflicts", "it is offered, not applied"
    it.ask("resolve", id=again["id"], how="remembered")
    assert it.ask("merge", patch="one")["merged"]
    assert it.on_target("a.txt") == LINES.replace("line 2", "both 2").replace("line 9", "nine")


@pytest.mark.soak
def test_a_save_that_comes_too_late_is_kept_and_told(it: Asking, clash: dict[str, Any]) -> None:
    """Nobody's text is taken away: the file stays, an event says why, the answer is remembered."""
    it.move_target("a.txt", OURS.replace("line 9", "nine"))
    file = marked_file(it, clash)
    file.write_text(LINES.replace("line 2", "both 2"))
    it.told.clear()
    it.look(f".gitsession/conflicts/{clash['id']}/a.txt")
    assert any(told.get("event", {}).get("type") == "not_resolved" for told in it.told), it.told
    (again,) = it.ask("merge", patch="one")["conflicts"]
    assert it.ask("conflict.show", id=again["id"])["hunks"][0]["remembered"] == "both 2\n"


@pytest.mark.soak
def test_half_a_resolution_is_never_taken_away(it: Asking, clash: dict[str, Any]) -> None:
    """A marked file with edits in it stays, also when its conflict is no more."""
    file = marked_file(it, clash)
    file.write_text(file.read_text().replace("theirs 2", "half way"))
    it.move_target("a.txt", LINES)
    assert it.ask("merge", patch="one")["merged"]
    assert "half way" in file.read_text()


def test_what_was_settled_in_half_a_resolution_is_offered_again(it: Asking) -> None:
    """The target moves on before the file is done: the new conflict knows the place that was, not the other."""
    it.patch("one", "a.txt", "line 2\n", "theirs 2\n")
    it.edit("a.txt", "line 8\n", "theirs 8\n")
    it.look()
    it.ask("patch.ready", patch="one")
    moved = LINES.replace("line 2\n", "ours 2\n").replace("line 8\n", "ours 8\n")
    it.move_target("a.txt", moved)
    (conflict,) = it.ask("merge", patch="one")["conflicts"]
    file = marked_file(it, conflict)
    text = file.read_text()
    first = text[text.index("<<<<<<<") : text.index("line 3")]
    file.write_text(text.replace(first, "both 2\n"))
    it.look(str(file.relative_to(it.root)))
    it.move_target("a.txt", moved.replace("line 5\n", "line five\n"))
    (again,) = it.ask("merge", patch="one")["conflicts"]
    assert again["id"] != conflict["id"]
    shown = it.ask("conflict.show", id=again["id"])["hunks"]
    assert [hunk["remembered"] for hunk in shown] == ["both 2\n", None]


def test_half_a_resolution_comes_back_after_git_clean(it: Asking, clash: dict[str, Any]) -> None:
    """What was settled so far is recorded as it is saved, outlasts a restart, and goes when the conflict is settled."""
    file = marked_file(it, clash)
    fresh = file.read_text()
    half = fresh.replace("theirs 2", "half way")
    file.write_text(half)
    control = str(file.relative_to(it.root))
    it.look(control)
    number = it.ask("session.status")["session"]["step"]
    it.look(control)
    assert it.ask("session.status")["session"]["step"] == number  # the same again is no step
    it.git("clean", "-qfdx")
    assert not file.exists()
    it.restart()
    assert it.ask("conflict.show", id=clash["id"])["text"] == half and file.read_text() == half
    assert it.ask("conflict.show", id=clash["id"])["marked"] == fresh
    file.write_text(fresh)
    it.ask("conflicts")
    it.git("clean", "-qfdx")
    it.ask("conflicts")
    assert file.read_text() == fresh
    file.write_text(half)
    it.look(control)
    it.ask("resolve", id=clash["id"], how="theirs")
    live = next(iter(it.desk.ctx.sessions.values()))
    assert "begun" not in live.state.sides[clash["id"]]
    assert it.ask("merge", patch="one")["merged"]


@pytest.mark.soak
def test_uninstall_tells_of_conflicts_and_takes_no_half_resolution(it: Asking, clash: dict[str, Any]) -> None:
    """Records stay and their files come back; what was typed into one goes only with --yes."""
    file = marked_file(it, clash)
    before = file.read_text()
    file.write_text(before.replace("theirs 2", "half way"))
    with pytest.raises(Refused, match="recorded nowhere"):
        it.ask("uninstall")
    file.write_text(before)
    assert "1 conflict is open" in it.ask("uninstall")["warnings"][0] and not file.exists()
    it.ask("conflicts")
    assert file.read_text() == before


@pytest.mark.soak
def test_what_another_session_resolved_is_offered(it: Asking, clash: dict[str, Any]) -> None:
    """Place by place: known ones by word, the others by choice; nothing known is refused."""
    it.ask("resolve", id=clash["id"], how="union")
    it.ask("merge", patch="one")
    it.git("branch", "other", "main~1")
    wide = it.root.parent / "wide"
    it.ask("session.start", name="y", worktree=str(wide), target="other", **{"from": "main~1^"})
    (wide / "a.txt").write_text(THEIRS.replace("line 9", "theirs 9"))
    side = Asking.__new__(Asking)
    side.root, side.env, side.told, side.desk = wide, {}, it.told, it.desk
    side.ask("patch.new", name="two")
    made = edited(it.root, "other^{tree}", {"a.txt": text(OURS.replace("line 9", "ours 9"))})
    it.git("update-ref", "refs/heads/other", it.git("commit-tree", made, "-p", "other", "-m", "upstream").strip())
    (conflict,) = side.merge("two")["conflicts"]
    shown = side.ask("conflict.show", id=conflict["id"])
    assert [hunk["remembered"] for hunk in shown["hunks"]] == ["ours 2\ntheirs 2\n", None] and not shown["remembered"]
    with pytest.raises(Refused, match="1 of 2 places"):
        side.ask("resolve", id=conflict["id"], how="remembered")
    side.ask("resolve", id=conflict["id"], how="hunks", hunks=["remembered", "theirs"])
    assert side.ask("merge", patch="two")["merged"]
    assert git(wide, "show", "other:a.txt").decode() == LINES.replace("line 2", "ours 2\ntheirs 2").replace(
        "line 9", "theirs 9"
    )


def test_markers_are_as_long_as_attributes_say(it: Asking) -> None:
    """conflict-marker-size counts for the file and for what is left over; the record keeps it."""
    (it.root / ".git" / "info" / "attributes").write_text("*.txt conflict-marker-size=12\n")
    it.patch("one", "a.txt", "line 2", "theirs 2")
    it.move_target("a.txt", OURS)
    (conflict,) = it.merge("one")["conflicts"]
    text = marked_file(it, conflict).read_text()
    assert "<" * 12 + " main\n" in text and "=" * 12 + "\n" in text
    (it.root / ".git" / "info" / "attributes").unlink()
    with pytest.raises(Refused, match="conflict marker"):
        it.ask("resolve", id=conflict["id"], how="file", content=sent("a\n" + ">" * 12 + " x\n"))
    it.ask("resolve", id=conflict["id"], how="file", content=sent("a\n>>>>>>> no marker here\n"))
    it.ask("merge", patch="one")
    assert it.on_target("a.txt") == "a\n>>>>>>> no marker here\n"


@pytest.mark.soak
def test_gc_and_doctor_take_nothing_of_a_conflict(it: Asking, clash: dict[str, Any]) -> None:
    """The target went back, so nothing in the repository holds its side: the record does."""
    it.git("update-ref", "refs/heads/main", "main~1")
    it.git("reflog", "expire", "--expire=now", "--all")
    it.git("gc", "-q", "--prune=now")
    checks = it.ask("doctor", fix=True)["checks"]
    assert not [check for check in checks if not check["ok"] and not check["fixed"]]
    it.restart()
    shown = it.ask("conflict.show", id=clash["id"])
    assert (shown["base"], shown["ours"], shown["theirs"]) == (LINES, OURS, THEIRS)


@pytest.mark.soak
def test_renames_that_come_to_one_name_and_clash_inside(repo: Path) -> None:
    """git leaves markers of its own in such a side: it is not taken whole, and they are not taken for its text."""
    (repo / "row.txt").write_text(LINES.replace("line", "row"))
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "row")
    it = Asking(repo)
    it.start()
    it.ask("patch.new", name="one")
    (it.root / "row.txt").rename(it.root / "c.txt")
    it.edit("a.txt", "line 2", "theirs 2")
    it.look()
    it.move_target("a.txt", None, ("c.txt", OURS))
    (conflict,) = it.merge("one")["conflicts"]
    shown = it.ask("conflict.show", id=conflict["id"])
    assert conflict["path"] == "c.txt" and "<<<<<<< main:c.txt" in shown["ours"]
    with pytest.raises(Refused, match="conflicts of its own"):
        it.ask("resolve", id=conflict["id"], how="ours")
    with pytest.raises(Refused, match="conflict marker"):
        it.ask("resolve", id=conflict["id"], how="file", content=sent(shown["ours"]))
    it.ask("resolve", id=conflict["id"], how="file", content=sent("c\n"))
    assert it.ask("merge", patch="one")["merged"] and it.on_target("c.txt") == "c\n"
    it.desk.close()


@pytest.mark.soak
@pytest.mark.parametrize("way", ["ours", "theirs"])
def test_a_path_cannot_become_a_file_and_a_directory(it: Asking, way: str) -> None:
    """main made a file of a directory that the patch works in: answers that exclude each other are refused."""
    it.patch("one", "src/b.txt", "b 3", "B 3")
    tree = edited(it.root, "main^{tree}", {"src/b.txt": None, "src": text("file\n")})
    it.git("update-ref", "refs/heads/main", it.git("commit-tree", tree, "-p", "main", "-m", "upstream").strip())
    found = {one["path"]: one for one in it.merge("one")["conflicts"]}
    assert {path: one["shape"] for path, one in found.items()} == {
        "src": "directory/file", "src/b.txt": "modify/delete",
    }  # fmt: skip
    shown = it.ask("conflict.show", id=found["src"]["id"])
    assert (shown["told"]["theirs"], shown["told"]["ours"][:8]) == ("directory", "file src")
    it.ask("resolve", id=found["src"]["id"], how="ours")
    with pytest.raises(Refused, match="cannot be a file and a directory"):
        it.ask("resolve", id=found["src/b.txt"]["id"], how="theirs")
    it.ask("resolve", id=found["src"]["id"], how=way)
    it.ask("resolve", id=found["src/b.txt"]["id"], how=way)
    assert it.ask("merge", patch="one")["merged"]
    listed = it.git("ls-tree", "-r", "--name-only", "main").split()
    assert listed == ["README", "a.txt", "src" if way == "ours" else "src/b.txt"]


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["squash", "rebase"])
def test_a_clash_of_another_strategy_is_no_other_clash(it: Asking, kind: str) -> None:
    """Found by a merge with --strategy, settled without a word of it, and used by the same merge again."""
    it.patch("one", "a.txt", "line 2", "theirs 2")
    it.ask("commit", message="first", patch="one")
    it.edit("a.txt", "line 9", "theirs 9")
    it.ask("commit", message="second", patch="one")
    it.move_target("a.txt", OURS)
    (conflict,) = it.merge("one", strategy=kind)["conflicts"]
    it.ask("resolve", id=conflict["id"], how="hunks", hunks=["theirs"])
    assert it.merge("one", strategy=kind)["merged"]
    assert it.on_target("a.txt") == THEIRS.replace("line 9", "theirs 9")

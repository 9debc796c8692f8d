"""What git combines by itself is on record, and a person may have a say in it after all."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from gitsessiond.model.errors import NotFound, Refused, StateUnreadable
from tests.actions.asking import LINES, Asking, it

__all__ = ["it"]

THEIRS, OURS = LINES.replace("line 2", "LINE 2"), LINES.replace("line 8", "ours 8")
BOTH = OURS.replace("line 2", "LINE 2")
OWN = "own words\n"
WAYS = ["merge", *[pytest.param(way, marks=pytest.mark.soak) for way in ("rebase", "squash")]]


def apart(it: Asking, **more: Any) -> None:
    """Patch ``one`` and main change the same file, lines far from each other."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.move_target("a.txt", OURS)


def automatic(it: Asking) -> list[dict[str, Any]]:
    """The records of what git combined, those that count."""
    found = it.ask("conflicts", all=True)["conflicts"]
    return [one for one in found if one["how"] == "auto" and one["status"] == "resolved"]


def reopened(it: Asking) -> dict[str, Any]:
    """The only such record, an open conflict again."""
    (one,) = automatic(it)
    reply = it.ask("conflict.reopen", id=one["id"][:6])
    assert reply["reopened"] and reply["conflict"]["id"] == one["id"] and reply["conflict"]["status"] == "open"
    return dict(reply["conflict"])


def stopped(it: Asking) -> None:
    """A merge that stops at ``src/b.txt`` and has combined ``a.txt``."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.edit("src/b.txt", "b 3", "theirs 3")
    it.look()
    text = (it.root / "src/b.txt").read_text().replace("theirs 3", "ours 3")
    it.move_target("a.txt", OURS, ("src/b.txt", text))
    (conflict,) = it.merge("one")["conflicts"]
    assert conflict["path"] == "src/b.txt"
    assert it.status_of("one") == "conflicts"


def resolve(it: Asking, one: dict[str, Any], text: str) -> dict[str, Any]:
    return it.ask("resolve", id=one["id"], how="file", content=base64.b64encode(text.encode()).decode())


@pytest.mark.parametrize("way", WAYS)
def test_what_git_combined_is_recorded_when_it_lands(it: Asking, way: str) -> None:
    """Its three sides and what came of it; nobody is told of it unasked."""
    apart(it)
    reply = it.merge("one", strategy=way)
    assert reply["merged"] and reply["conflicts"] == [] and reply["warnings"] == []
    assert it.on_target("a.txt") == BOTH
    assert it.ask("conflicts")["conflicts"] == [] and it.ask("session.status")["conflicts"] == []
    (one,) = automatic(it)
    assert (one["path"], one["shape"], one["kind"], one["resolved_by"]) == ("a.txt", "content", "git_merge", "auto")
    assert one["message"] == "Auto-merging a.txt" and one["resolved_as"] == "a.txt"
    shown = it.ask("conflict.show", id=one["id"])
    assert (shown["base"], shown["ours"], shown["theirs"], shown["result"]) == (LINES, OURS, THEIRS, BOTH)
    assert shown["file"] is None
    it.restart()
    assert automatic(it) == [one]


@pytest.mark.soak
def test_what_one_side_changed_is_no_record(it: Asking) -> None:
    """Only what both changed, and differently, is combined."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.edit("src/b.txt", "b 3", "theirs 3")
    it.look()
    it.move_target("a.txt", THEIRS)
    assert it.merge("one")["merged"]
    assert it.ask("conflicts", all=True)["conflicts"] == []


@pytest.mark.soak
def test_a_rename_and_an_edit_are_combined(it: Asking) -> None:
    """All three sides are at the new name, as git lists them."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.move_target("a.txt", None, ("moved.txt", LINES))
    assert it.merge("one")["merged"]
    assert it.on_target("moved.txt") == THEIRS
    (one,) = automatic(it)
    assert one["path"] == "moved.txt" and [one[side]["path"] for side in ("base", "ours", "theirs")] == [None] * 3
    shown = it.ask("conflict.show", id=one["id"])
    assert (shown["base"], shown["ours"], shown["theirs"], shown["result"]) == (LINES, LINES, THEIRS, THEIRS)


@pytest.mark.soak
def test_a_mode_and_content_are_combined(it: Asking) -> None:
    """The record has the modes of the sides and of what came of them."""
    it.ask("patch.new", name="one")
    (it.root / "a.txt").chmod(0o755)
    it.look()
    it.move_target("a.txt", OURS)
    assert it.merge("one")["merged"]
    (one,) = automatic(it)
    assert [one[side]["mode"] for side in ("base", "ours", "theirs")] == ["100644", "100644", "100755"]
    assert it.git("ls-tree", "main", "a.txt").startswith("100755 ")


@pytest.mark.soak
def test_a_merge_that_stops_records_what_it_combined(it: Asking) -> None:
    """Beside the clash, which alone is shown; reopened, both are to be resolved, and exactly that lands."""
    stopped(it)
    (clash,) = it.ask("conflicts")["conflicts"]
    one = reopened(it)
    assert {found["path"] for found in it.ask("conflicts")["conflicts"]} == {"a.txt", "src/b.txt"}
    it.ask("resolve", id=clash["id"], how="theirs")
    assert it.status_of("one") == "conflicts"
    assert not it.merge("one")["merged"]
    assert resolve(it, one, OWN)["patch"]["status"] == "ready"
    assert it.merge("one")["merged"] and it.on_target("a.txt") == OWN and "theirs 3" in it.on_target("src/b.txt")


@pytest.mark.soak
def test_a_stop_again_makes_no_second_record(it: Asking) -> None:
    """The same sides are the same record; where a side moved on, the old one is stale."""
    stopped(it)
    (one,) = automatic(it)
    it.merge("one")
    assert automatic(it) == [one]
    it.move_target("a.txt", OURS.replace("line 5", "ours 5"))
    it.merge("one")
    (other,) = automatic(it)
    assert other["id"] != one["id"]
    with pytest.raises(Refused, match="no more"):
        it.ask("conflict.reopen", id=one["id"])


@pytest.mark.parametrize("way", WAYS)
def test_a_reopened_one_lands_what_is_given(it: Asking, way: str) -> None:
    """Refused until it is resolved; then its bytes, whatever git would make of the sides."""
    stopped(it)
    one = reopened(it)
    file = it.root / ".gitsession" / "conflicts" / one["id"] / "a.txt"
    assert file.read_text().count("<<<<<<< main\n") == 2
    (clash,) = [found for found in it.ask("conflicts")["conflicts"] if found["id"] != one["id"]]
    it.ask("resolve", id=clash["id"], how="ours")
    reply = it.merge("one", strategy=way)
    assert not reply["merged"] and [found["id"] for found in reply["conflicts"]] == [one["id"]]
    file.write_text(OWN)
    assert it.ask("conflicts")["conflicts"] == [] and not automatic(it)
    assert it.merge("one", strategy=way)["merged"]
    assert it.on_target("a.txt") == OWN


@pytest.mark.soak
def test_places_of_a_reopened_one_are_chosen_one_by_one(it: Asking) -> None:
    """Each change of either side is a place, also where git saw no conflict."""
    stopped(it)
    one = reopened(it)
    shown = it.ask("conflict.show", id=one["id"])
    assert [(hunk["ours"], hunk["theirs"]) for hunk in shown["hunks"]] == [
        ("line 2\n", "LINE 2\n"), ("ours 8\n", "line 8\n"),
    ]  # fmt: skip
    it.ask("resolve", id=one["id"], how="hunks", hunks=["ours", "theirs"])
    (clash,) = it.ask("conflicts")["conflicts"]
    it.ask("resolve", id=clash["id"], how="theirs")
    assert it.merge("one")["merged"] and it.on_target("a.txt") == LINES


@pytest.mark.soak
def test_reopening_is_taken_back_by_the_answer_it_had(it: Asking) -> None:
    """``--remembered``; once more, it is said that it is open already."""
    stopped(it)
    one = reopened(it)
    assert not it.ask("conflict.reopen", id=one["id"])["reopened"]
    assert it.ask("conflict.show", id=one["id"])["remembered"]
    it.ask("resolve", id=one["id"], how="remembered")
    (clash,) = it.ask("conflicts")["conflicts"]
    it.ask("resolve", id=clash["id"], how="theirs")
    assert it.merge("one")["merged"] and it.on_target("a.txt") == BOTH


@pytest.mark.soak
def test_an_answer_of_a_person_is_reopened(it: Asking) -> None:
    """Also one that was saved: its file has markers again, and the answer is offered."""
    stopped(it)
    (clash,) = it.ask("conflicts")["conflicts"]
    file = it.root / ".gitsession" / "conflicts" / clash["id"] / "src" / "b.txt"
    fresh = file.read_text()
    file.write_text("mine\n")
    assert it.ask("conflicts")["conflicts"] == []
    reply = it.ask("conflict.reopen", id=clash["id"])
    assert reply["reopened"] and reply["patch"]["status"] == "conflicts" and file.read_text() == fresh
    assert [one["id"] for one in it.ask("conflicts")["conflicts"]] == [clash["id"]]
    it.ask("resolve", id=clash["id"], how="remembered")
    assert it.merge("one")["merged"] and it.on_target("src/b.txt") == "mine\n"


def test_what_has_landed_is_not_reopened_until_it_is_reverted(it: Asking) -> None:
    """The hint names the revert; after it the same sides ask."""
    apart(it)
    it.merge("one")
    (one,) = automatic(it)
    with pytest.raises(Refused, match="merged into main") as refused:
        it.ask("conflict.reopen", id=one["id"])
    assert refused.value.hint == "git session revert one"
    it.ask("revert", patch="one")
    assert reopened(it)["id"] == one["id"] and it.status_of("one") == "conflicts"
    reply = it.merge("one")
    assert [found["id"] for found in reply["conflicts"]] == [one["id"]]
    resolve(it, one, OWN)
    assert it.merge("one")["merged"] and it.on_target("a.txt") == OWN


@pytest.mark.soak
def test_a_path_somebody_took_on_asks_with_other_sides_too(it: Asking) -> None:
    """What was given for other sides is not landed, and git does not decide it by the way."""
    stopped(it)
    one = reopened(it)
    (clash,) = [found for found in it.ask("conflicts")["conflicts"] if found["id"] != one["id"]]
    it.ask("resolve", id=clash["id"], how="theirs")
    resolve(it, one, OWN)
    it.move_target("a.txt", OURS.replace("line 5", "ours 5"))
    assert it.ask("patch.validate", patch="one")["blockers"][0]["code"] == "conflicts"
    (other,) = it.merge("one")["conflicts"]
    assert other["path"] == "a.txt" and other["id"] != one["id"]
    resolve(it, other, "newer\n")
    assert it.ask("patch.validate", patch="one")["blockers"] == []
    assert it.merge("one")["merged"] and it.on_target("a.txt") == "newer\n"


@pytest.mark.soak
def test_an_automatic_one_is_resolved_once_it_is_reopened(it: Asking) -> None:
    """Else an answer would count for nothing; an unknown id is told."""
    stopped(it)
    (one,) = automatic(it)
    with pytest.raises(Refused, match="by itself"):
        resolve(it, one, OWN)
    with pytest.raises(NotFound):
        it.ask("conflict.reopen", id="kkkkkkkkkkkk")


@pytest.mark.soak
def test_a_revert_records_what_it_combined(it: Asking) -> None:
    """As a merge does, under its own kind."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.merge("one")
    it.move_target("a.txt", BOTH)
    assert it.ask("revert", patch="one")["reverted"] and it.on_target("a.txt") == OURS
    (one,) = automatic(it)
    assert one["kind"] == "git_revert" and it.ask("conflict.show", id=one["id"])["result"] == OURS
    with pytest.raises(Refused, match="already"):
        it.ask("conflict.reopen", id=one["id"])


@pytest.mark.soak
def test_of_many_only_the_first_are_recorded(it: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer of the merge says so."""
    monkeypatch.setattr("gitsessiond.actions.combining.MOST", 1)
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    (it.root / "src/b.txt").chmod(0o755)
    it.look()
    it.move_target("a.txt", OURS, ("src/b.txt", "b\n" + (it.root / "src/b.txt").read_text()))
    reply = it.merge("one")
    assert reply["merged"] and reply["warnings"] == [
        "2 files were combined automatically; 1 of them in `git session conflicts --all`"
    ]
    assert [one["path"] for one in automatic(it)] == ["a.txt"]


@pytest.mark.soak
def test_what_the_target_has_already_is_nothing_to_tell(it: Asking) -> None:
    """Both sides changed the file, but nothing lands."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.move_target("a.txt", BOTH)
    reply = it.merge("one")
    assert reply["merged"] and reply["warnings"] == [] and "already" in reply["message"]


@pytest.mark.soak
def test_what_is_too_large_is_not_recorded(it: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the merge wait for it; its answer says so."""
    monkeypatch.setattr("gitsessiond.actions.combining.LARGEST", len(LINES) * 4 - 1)
    apart(it)
    reply = it.merge("one")
    assert reply["warnings"] == ["1 file was combined automatically; 0 of them in `git session conflicts --all`"]
    assert automatic(it) == []


@pytest.mark.soak
def test_the_oldest_records_go(it: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session has so many at a time; the others are in its history."""
    monkeypatch.setattr("gitsessiond.actions.combining.KEPT", 0)
    apart(it)
    assert it.merge("one")["merged"] and automatic(it) == []


@pytest.mark.soak
def test_a_landing_that_was_cut_off_is_recorded_whole(it: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the target's move and the step: the next start records both."""
    apart(it)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("gitsessiond.actions.landings.record_merged", killed)
        with pytest.raises(KeyboardInterrupt):
            it.merge("one")
    assert it.on_target("a.txt") == BOTH
    it.restart()
    assert it.status_of("one") == "merged"
    (one,) = automatic(it)
    assert it.ask("conflict.show", id=one["id"])["result"] == BOTH


def test_what_was_reopened_is_asked_where_git_finds_no_single_base(it: Asking) -> None:
    """A series with a merge in it, landing by history after a stop by its sum: nothing lands unasked."""
    it.patch("p", "a.txt", "line 2\n", "P2\n")
    it.patch("q", "a.txt", "line 9\n", "Q9\n")
    it.ask("patch.new", name="c")
    it.ask("patch.use", patch="c", strict=True)
    it.edit("a.txt", "P2\n", "P2 c\n")
    it.edit("a.txt", "Q9\n", "Q9 c\n")
    it.edit("src/b.txt", "b 3", "theirs 3")
    it.look()
    for name in "pqc":
        it.ask("patch.ready", patch=name)
    assert it.merge("p")["merged"] and it.merge("q")["merged"]
    there = (it.root / "src/b.txt").read_text().replace("theirs 3", "ours 3")
    it.move_target("a.txt", it.on_target("a.txt").replace("line 5", "ours 5"), ("src/b.txt", there))
    (clash,) = it.merge("c", strategy="squash")["conflicts"]
    one = next(found for found in automatic(it) if found["patch"]["name"] == "c")
    it.ask("conflict.reopen", id=one["id"])
    it.ask("resolve", id=clash["id"], how="theirs")
    reply = it.merge("c")
    assert not reply["merged"] and [found["path"] for found in reply["conflicts"]] == ["a.txt"]
    resolve(it, reply["conflicts"][0], OWN)
    assert it.merge("c")["merged"] and it.on_target("a.txt") == OWN and "theirs 3" in it.on_target("src/b.txt")


@pytest.mark.soak
def test_what_was_reopened_is_asked_where_history_is_replaced(it: Asking) -> None:
    """``git replace`` anywhere in the repository: git may see other commits than ours; an answer counts too."""
    stopped(it)
    one = reopened(it)
    (clash,) = [found for found in it.ask("conflicts")["conflicts"] if found["id"] != one["id"]]
    it.ask("resolve", id=clash["id"], how="theirs")
    made = [it.git("commit-tree", "-m", words, it.rev("HEAD^{tree}")).strip() for words in "xy"]
    it.git("replace", *made)
    assert [found["path"] for found in it.merge("one")["conflicts"]] == ["a.txt"]
    resolve(it, one, OWN)
    assert it.merge("one")["merged"] and it.on_target("a.txt") == OWN


def combined_by_attribute(it: Asking) -> None:
    """A merge that stops at ``src/b.txt`` and combines the same line of ``a.txt``, which the next would not."""
    attributes = it.root / ".git" / "info" / "attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text("a.txt merge=union\n")
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.edit("src/b.txt", "b 3", "theirs 3")
    it.look()
    there = (it.root / "src/b.txt").read_text().replace("theirs 3", "ours 3")
    it.move_target("a.txt", LINES.replace("line 2\n", "ours 2\n"), ("src/b.txt", there))
    (clash,) = it.merge("one")["conflicts"]
    assert clash["path"] == "src/b.txt" and [found["path"] for found in automatic(it)] == ["a.txt"]
    attributes.unlink()


def test_what_git_combined_answers_no_conflict(it: Asking) -> None:
    """An attribute combined the file; without it the same sides clash, and are asked for."""
    combined_by_attribute(it)
    reply = it.merge("one")
    assert [found["path"] for found in reply["conflicts"]] == ["a.txt", "src/b.txt"] and automatic(it) == []
    for found in reply["conflicts"]:
        it.ask("resolve", id=found["id"], how="theirs")
    assert it.merge("one")["merged"] and it.on_target("a.txt") == THEIRS


@pytest.mark.soak
def test_what_git_combined_answers_no_conflict_of_an_update(it: Asking) -> None:
    """As of a merge."""
    combined_by_attribute(it)
    assert [found["path"] for found in it.ask("session.update")["conflicts"]] == ["a.txt", "src/b.txt"]


def test_a_revert_that_combined_is_proposed_to_nobody(it: Asking) -> None:
    """It went through: ``status`` names no revert, before the patch is merged again or after, nor is one given up."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.merge("one")
    it.move_target("a.txt", BOTH)
    assert it.ask("revert", patch="one")["reverted"]
    (one,) = automatic(it)
    assert one["kind"] == "git_revert" and not any("revert" in hint for hint in it.ask("session.status")["hints"])
    assert it.merge("one")["merged"]
    assert not any("revert" in hint for hint in it.ask("session.status")["hints"])
    with pytest.raises(Refused, match="no revert of one has conflicts"):
        it.ask("revert", patch="one", abort=True)


def test_reopening_keeps_what_is_in_the_file_and_nowhere_else(it: Asking) -> None:
    """Edited again after it was saved as the answer, a marker left: that is the beginning of the next answer."""
    stopped(it)
    (clash,) = it.ask("conflicts")["conflicts"]
    file = it.root / ".gitsession" / "conflicts" / clash["id"] / "src" / "b.txt"
    half = file.read_text() + "an hour of work\n"
    file.write_text("mine\n")
    assert it.ask("conflicts")["conflicts"] == []
    file.write_text(half)
    assert it.ask("conflict.reopen", id=clash["id"])["reopened"] and file.read_text() == half
    file.unlink()
    assert [one["id"] for one in it.ask("conflicts")["conflicts"]] == [clash["id"]] and file.read_text() == half


@pytest.mark.soak
def test_reopening_is_not_undone_by_a_file_that_has_the_answer(it: Asking) -> None:
    """Also where it says it in other bytes, as an editor ends a link's target with a line's end."""
    it.ask("patch.new", name="one")
    (it.root / "link").symlink_to("a.txt")
    it.look()
    it.move_target("link.txt", "elsewhere")
    it.git("update-index", "--add", "--cacheinfo", f"120000,{it.rev('main:link.txt')},link")
    commit = it.git("commit-tree", "-p", "main", "-m", "link", it.git("write-tree").strip()).strip()
    it.git("update-index", "--force-remove", "link")
    it.git("update-ref", "refs/heads/main", commit)
    (clash,) = it.merge("one")["conflicts"]
    file = it.root / ".gitsession" / "conflicts" / clash["id"] / "link"
    file.write_text("b.txt\n")
    assert it.ask("conflicts")["conflicts"] == []
    it.ask("conflict.reopen", id=clash["id"])
    assert [one["id"] for one in it.ask("conflicts")["conflicts"]] == [clash["id"]]


@pytest.mark.parametrize("verb", ["merge", pytest.param("revert", marks=pytest.mark.soak)])
def test_what_cannot_be_recorded_keeps_no_landing_from_the_record(
    it: Asking, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """A side that a partial clone cannot fetch now, say: the landing is recorded without what git combined."""

    def offline(_: object) -> list[Any]:
        raise StateUnreadable("a promised object could not be fetched", hint="git fetch")

    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    if verb == "revert":
        it.merge("one")
    it.move_target("a.txt", OURS if verb == "merge" else BOTH)
    with monkeypatch.context() as patched:
        patched.setattr("gitsessiond.actions.combining.worth_keeping", offline)
        reply = it.merge("one") if verb == "merge" else it.ask("revert", patch="one")
    assert reply["merged" if verb == "merge" else "reverted"]
    assert it.status_of("one") == ("merged" if verb == "merge" else "draft")
    assert it.on_target("a.txt") == (BOTH if verb == "merge" else OURS) and automatic(it) == []


@pytest.mark.soak
def test_a_short_id_is_of_the_open_conflict(it: Asking) -> None:
    """Of several that begin so; to be reopened, of the only one that is resolved."""
    stopped(it)
    (clash,), (auto,) = it.ask("conflicts")["conflicts"], automatic(it)
    (live,) = it.desk.ctx.sessions.values()
    state, short = live.state, str(clash["id"][:4])
    alike = state.conflicts[auto["id"]].model_copy(update={"id": short + "k" * 8})
    sides = {**state.sides, alike.id: state.sides[auto["id"]]}
    live.state = replace(state, conflicts={**state.conflicts, alike.id: alike}, sides=sides)
    assert it.ask("conflict.show", id=short)["conflict"]["id"] == clash["id"]
    hint = next(one for one in it.ask("session.status")["hints"] if "conflict show" in one)
    assert clash["id"].startswith(hint.split()[-1]) and not alike.id.startswith(hint.split()[-1])
    assert it.ask("conflict.reopen", id=short)["conflict"]["id"] == alike.id
    with pytest.raises(NotFound, match="2 conflicts begin"):
        it.ask("conflict.show", id=short)


def test_what_was_reopened_waits_where_a_commit_before_it_clashes(it: Asking) -> None:
    """A rebase stops at the first commit that clashes: what was reopened of a later one is still asked for."""
    it.ask("patch.new", name="one")
    it.edit("src/b.txt", "b 3", "theirs 3")
    it.ask("commit", message="first", patch="one", no_verify=False)
    it.edit("a.txt", "line 2\n", "LINE 2\n")
    it.look()
    there = (it.root / "src/b.txt").read_text().replace("theirs 3", "ours 3")
    it.move_target("a.txt", OURS, ("src/b.txt", there))
    (clash,) = it.merge("one", strategy="squash")["conflicts"]
    one = reopened(it)
    assert [found["path"] for found in it.merge("one", strategy="rebase")["conflicts"]] == ["src/b.txt"]
    it.ask("resolve", id=clash["id"], how="theirs")
    assert [found["id"] for found in it.merge("one", strategy="rebase")["conflicts"]] == [one["id"]]
    resolve(it, one, OWN)
    assert it.merge("one", strategy="rebase")["merged"] and it.on_target("a.txt") == OWN


@pytest.mark.soak
def test_what_git_combined_in_a_shallow_clone_is_recorded(it: Asking) -> None:
    """And of a series with merges in it, as long as git finds one merge base."""
    (it.root / ".git" / "shallow").write_text(it.git("rev-list", "--max-parents=0", "main"))
    apart(it)
    assert it.merge("one")["merged"] and it.on_target("a.txt") == BOTH
    (one,) = automatic(it)
    assert it.ask("conflict.show", id=one["id"])["result"] == BOTH

"""Events of a patch as a whole: its status changed, it can be merged now, it cannot any more. Each once."""

from __future__ import annotations

from typing import Any

from tests.actions.asking import Asking, it

__all__ = ["it"]


def heard(it: Asking, name: str) -> list[tuple[Any, ...]]:
    """What was told of a patch since the last time, besides the steps."""
    found = []
    for told in it.told:
        event = told.get("event", {})
        if event.get("type", "").startswith("patch_") and event["patch"]["name"] == name:
            found.append((event["type"], *(event[key] for key in ("from", "to", "blockers") if key in event)))
    it.told.clear()
    return found


def test_ready_and_a_draft_again_by_a_save(it: Asking) -> None:
    """`patch ready` is told, and that a later save takes it back; more saves say nothing more."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    assert heard(it, "one") == []
    it.ask("patch.ready", patch="one")
    assert heard(it, "one") == [("patch_status_changed", "draft", "ready"), ("patch_ready",)]
    for old, new in (("LINE 2\n", "Line 2\n"), ("Line 2\n", "LiNe 2\n")):
        it.edit("a.txt", old, new)
        it.look()
    assert heard(it, "one") == [("patch_status_changed", "ready", "draft")]


def test_a_dependency_that_is_merged_makes_ready(it: Asking) -> None:
    """Declared ready beside an unmerged dependency is not told as ready; its merge tells it."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.patch("two", "a.txt", "line 9\n", "LINE 9\n")
    it.ask("patch.depend", patch="two", on="one")
    it.ask("commit", message="one's", patch="one")
    it.ask("patch.ready", patch="two")
    assert heard(it, "two") == [("patch_status_changed", "draft", "ready")]
    it.merge("one")
    assert heard(it, "two") == [("patch_ready",)]


def test_a_ready_patch_is_blocked_by_what_comes_later(it: Asking) -> None:
    """A dependency declared later, and a conflict; a merge ends it all."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.ask("patch.ready", patch="one")
    it.patch("below", "a.txt", "line 9\n", "LINE 9\n")
    heard(it, "one")
    it.ask("patch.depend", patch="one", on="below")
    assert heard(it, "one") == [("patch_blocked", ["dependency"])]
    it.ask("patch.depend", patch="one", on="below", remove=True)
    assert heard(it, "one") == [("patch_ready",)]
    it.move_target("a.txt", (it.root / "a.txt").read_text().replace("LINE 2", "theirs").replace("LINE 9", "line 9"))
    assert not it.merge("one")["merged"]
    assert heard(it, "one") == [("patch_status_changed", "ready", "conflicts"), ("patch_blocked", ["conflicts"])]
    (conflict,) = it.ask("conflicts")["conflicts"]
    it.ask("resolve", id=conflict["id"], how="theirs")
    assert heard(it, "one") == [("patch_status_changed", "conflicts", "ready"), ("patch_ready",)]
    assert it.merge("one")["merged"]
    assert heard(it, "one") == [("patch_status_changed", "ready", "merged")]


def kinds(it: Asking, beginning: str) -> list[tuple[Any, ...]]:
    """The events of this kind since the last time."""
    found = [told["event"] for told in it.told if told.get("event", {}).get("type", "").startswith(beginning)]
    it.told.clear()
    return [tuple(event.get(key) for key in ("type", "kind", "path", "automatic")) for event in found]


def test_conflicts_are_told_once_each(it: Asking) -> None:
    """Found, settled, open again; a step that changes nothing of them tells nothing."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.ask("patch.ready", patch="one")
    it.move_target("a.txt", (it.root / "a.txt").read_text().replace("LINE 2", "theirs"))
    assert kinds(it, "conflict_") == []
    assert not it.merge("one")["merged"]
    assert kinds(it, "conflict_") == [("conflict_detected", "git_merge", "a.txt", None)]
    assert not it.merge("one")["merged"]
    assert kinds(it, "conflict_") == []
    (conflict,) = it.ask("conflicts")["conflicts"]
    it.ask("resolve", id=conflict["id"], how="theirs")
    assert kinds(it, "conflict_") == [("conflict_resolved", "git_merge", "a.txt", False)]
    it.ask("conflict.reopen", id=conflict["id"])
    assert kinds(it, "conflict_") == [("conflict_reopened", "git_merge", "a.txt", None)]


def files(it: Asking) -> list[tuple[Any, ...]]:
    """What was told of files since the last time."""
    found = [told["event"] for told in it.told if told.get("event", {}).get("type") == "file_changed"]
    it.told.clear()
    return [(event["path"], event.get("change") or event["more"]) for event in found]


def test_every_changed_file_is_told_once(it: Asking) -> None:
    """Made, changed, deleted; of very many the rest in one event."""
    it.told.clear()
    (it.root / "new.txt").write_text("new\n")
    it.edit("a.txt", "line 2\n", "LINE 2\n")
    it.look()
    it.look()
    assert sorted(files(it)) == [("a.txt", "modified"), ("new.txt", "added")]
    (it.root / "new.txt").unlink()
    it.look()
    assert files(it) == [("new.txt", "deleted")]
    for number in range(103):
        (it.root / f"f{number:03}").write_text("x\n")
    it.look()
    told = files(it)
    assert len(told) == 101 and told[-1] == (None, 3)

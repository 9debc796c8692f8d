"""Numbers of editors, what is told of them, and what is done by their number."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest

from gitsessiond.actions.editing import note_open
from gitsessiond.model.errors import BadRequest, NotFound, Refused
from tests.actions.asking import Asking, it

__all__ = ["it"]


def held(it: Asking, path: str, program: str = "vim", **changes: Any) -> dict[str, Any]:
    """A row of front's."""
    return {
        "worktree": changes.pop("worktree", os.path.realpath(it.root)), "path": path, "since": "2026-01-02T03:04:05Z",
        "program": program, "pid": 7, "user": "ann", "host": None, "state": "open", "modified": False,
        "sources": {"program": "process", "state": "process", "modified": "swap file"},
    } | changes  # fmt: skip


def told(it: Asking, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Front tells who has what; the editors as they are shown then."""
    note_open(it.desk.ctx, list(rows))
    return list(it.ask("editors")["editors"])


def test_numbers_are_never_used_again(it: Asking) -> None:
    """A, B and C opened, B closed, D opened: that is editor 4. B has its own again."""
    a, b, c, d = (held(it, path) for path in ("a.txt", "src/b.txt", "README", "new.txt"))
    assert [one["number"] for one in told(it, a, b, c)] == [1, 2, 3]
    assert [(one["path"], one["number"]) for one in told(it, a, c, d)] == [("a.txt", 1), ("README", 3), ("new.txt", 4)]
    it.edit("src/b.txt", "b 1\n", "b one\n")
    assert [one["number"] for one in told(it, a, c, d)] == [1, 2, 3, 4]
    it.restart()
    assert [one["number"] for one in told(it, d, held(it, "e.txt"))] == [4, 5]


def test_a_row_says_where_each_field_comes_from(it: Asking) -> None:
    it.ask("patch.new", name="p")
    (opened,) = told(it, held(it, "a.txt"))
    assert opened["changed"] is False and opened["patch"] is None and opened["last_saved_at"] is None
    assert opened["sources"] == {
        "program": "process", "state": "process", "modified": "swap file", "last_saved_at": "unknown"
    }  # fmt: skip
    it.edit("a.txt", "line 2\n", "line two\n")
    (one,) = told(it, held(it, "a.txt", modified=True))
    assert (one["modified"], one["patch"]["name"], one["program"], one["pid"]) == (True, "p", "vim", 7)
    assert one["sources"]["last_saved_at"] == "recorded" and one["last_saved_at"]
    (one,) = told(it)
    assert (one["state"], one["program"], one["modified"], set(one["sources"].values())) == (
        "unknown", None, False, {"unknown", "recorded"},
    )  # fmt: skip


def test_several_editors_of_a_file(it: Asking) -> None:
    """The one with unsaved changes is told first, then one that has it open; one that quit is no other."""
    rows = [
        held(it, "a.txt", "nano", state="quit", modified=None),
        held(it, "a.txt", "emacs"),
        held(it, "a.txt", "vim", modified=True),
        held(it, "a.txt", "nvim", state="crashed", modified=True),
    ]
    (one,) = told(it, *rows)
    assert (one["program"], [other["program"] for other in one["others"]]) == ("vim", ["emacs", "nvim"])
    assert told(it, rows[0]) == [] and told(it, rows[3])[0]["state"] == "crashed"
    assert told(it, held(it, "a.txt", state="crashed", modified=False)) == []  # nothing is lost there


def test_switch_uses_the_patch_of_an_editor(it: Asking) -> None:
    """Where its edits went; one without a patch leaves the one in use, one of several patches is a question."""
    it.patch("p", "a.txt", "line 2\n", "line two\n")
    it.patch("q", "src/b.txt", "b 2\n", "b two\n")
    done = it.ask("editors.switch", editor=1)
    assert done["used"] and done["patch"]["name"] == "p" and done["file"].endswith("/shop/a.txt")
    status = it.ask("session.status")
    assert status["current_editor"] == 1 and status["session"]["patch_in_use"] == done["patch"]["id"]
    assert not it.ask("editors.switch", editor=1)["used"]
    told(it, held(it, "README"))
    done = it.ask("editors.switch", editor=3)
    assert not done["used"] and done["patch"]["name"] == "p" and done["editor"]["patches"] == []
    it.ask("patch.use", patch="q")
    it.edit("a.txt", "line 9\n", "line nine\n")
    assert it.ask("editors.switch", editor=1)["patch"]["name"] == "q"
    it.ask("patch.use", patch="-")
    with pytest.raises(Refused, match="editor 1 has edits of p and q") as refused:
        it.ask("editors.switch", editor=1)
    assert refused.value.hint == "git session patch use p\ngit session patch use q"


def test_by_the_number_of_an_editor(it: Asking) -> None:
    """`assign --from-editor` and `patch new --from-editor` mean its file, wherever one stands."""
    it.edit("a.txt", "line 2\n", "line two\n")
    it.edit("src/b.txt", "b 2\n", "b two\n")
    it.look()
    numbers = {one["path"]: one["number"] for one in it.ask("editors")["editors"]}
    assert [one["path"] for one in it.ask("assign", editor=numbers["src/b.txt"])["pending"]] == ["src/b.txt"]
    made = it.ask("patch.new", name="p", editor=numbers["src/b.txt"])
    assert [one["path"] for one in made["taken"]] == ["src/b.txt"] and made["left"]
    it.ask("patch.new", name="none")
    moved = it.ask("assign", editor=numbers["a.txt"], patch="none")["moved"]
    assert [one["path"] for one in moved] == ["a.txt"]
    for args, error in (({"editor": 99}, NotFound), ({"editor": "1"}, BadRequest), ({"editor": True}, BadRequest)):
        with pytest.raises(error):
            it.ask("assign", patch="p", **args)
        with pytest.raises(error):
            it.ask("editors.switch", **args)
    with pytest.raises(BadRequest):
        it.ask("assign", editor=1, what="a.txt", patch="p")
    with pytest.raises(BadRequest):
        it.ask("patch.new", name="z", editor=1, take=[])


def test_a_path_in_two_sessions(it: Asking) -> None:
    """Open in both, or open here and changed there: a row in each, and the list says with whom."""
    it.ask("session.start", name="two", worktree=str(it.root.parent / "two"))
    two = os.path.realpath(it.root.parent / "two")

    def rows() -> list[tuple[Any, ...]]:
        out = []
        for name in ("x", "two"):
            found = it.ask("session.status", session=name)["collisions"]
            out += [(name, one["path"], one["level"], one["program"], one["modified"]) for one in found]
        listed = {one["name"]: one["collisions"] for one in it.ask("session.list")["sessions"]}
        told = [(name, one["paths"]) for name in ("x", "two") for one in listed[name]]
        assert sorted(told) == sorted(Counter(row[0] for row in out).items())
        return out

    note_open(it.desk.ctx, [held(it, "a.txt"), held(it, "README")])
    assert rows() == []
    note_open(it.desk.ctx, [held(it, "a.txt"), held(it, "a.txt", "nano", worktree=two, modified=True)])
    assert rows() == [("x", "a.txt", "open", "nano", True), ("two", "a.txt", "open", "vim", False)]
    note_open(it.desk.ctx, [held(it, "a.txt", "nano", worktree=two, modified=True)])
    it.edit("a.txt", "line 2\n", "line two\n")
    assert rows() == [("x", "a.txt", "open", "nano", True), ("two", "a.txt", "path", None, False)]


def test_how_a_file_is_marked_is_told_of_files_here(it: Asking) -> None:
    """Text as intent, what git has as lockable or binary by X; a path outside means nothing."""
    (it.root / ".gitattributes").write_text("src/** lockable\n")
    (it.root / "logo.png").write_bytes(b"\0\1")
    it.look("logo.png")
    found = it.ask("editors.mode", paths=["a.txt", "src/b.txt", "logo.png", "new.txt"])["modes"]
    assert [(one["mode"], one["why"]) for one in found] == [
        ("intent", None), ("X", "lockable"), ("X", "binary"), ("intent", None),
    ]  # fmt: skip
    for paths in (["../x"], ["/etc/passwd"], [""], ['"../x"'], ["a.txt", "src/../../x"], []):
        with pytest.raises(BadRequest):
            it.ask("editors.mode", paths=paths)

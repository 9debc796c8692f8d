"""Commands on recorded edits: assign, take, discard, a merge's leftovers, the rows a person sees."""

from __future__ import annotations

from gitsessiond.model.ownership import (
    assign,
    discard_patch,
    live_overlay,
    merged_outside,
    take,
    unassigned_rows,
    uncommitted_paths,
)
from gitsessiond.model.values import EXECUTABLE, Entry
from tests.model.many_files import Desk
from tests.model.test_ownership import TEN, line


def test_unassigned_edits_are_rows_with_choices() -> None:
    """Neighbouring unassigned edits are one row with the lines on disk; merged patches are no choice."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n"), "n": b"new\n"})
    desk.save({"a": line(3, b"three\n", line(2, b"two\n"))})
    desk.save({"a": line(9, b"", line(3, b"three\n", line(2, b"two\n")))})
    desk.end("q", "merged")
    rows = unassigned_rows(desk.owners)
    assert [(row.path, row.kind, row.lines, row.label) for row in rows] == [
        (b"a", "line", (2, 3), "~none"),
        (b"a", "line", (9, 8), "~none"),
        (b"n", "add", None, "~none"),
    ]
    assert rows[0].choices == ("p", "r")


def test_assign_by_lines_by_path_and_all() -> None:
    """Lines move alone, a path's unassigned edits together, --all takes the rest."""
    desk = Desk({"a": TEN, "b": TEN})
    desk.save({"a": line(2, b"two\n"), "b": line(2, b"two\n"), "n": b"new\n"})
    desk.save({"a": line(8, b"eight\n", line(2, b"two\n"))})
    done = assign(desk.owners, "p", desk.how(), path=b"a", lines=(8, 8))
    desk.owners = done.owners
    assert [(one.owner, one.lines) for one in done.moved] == [("p", (8, 8))]
    assert desk.text(desk.of("p"), "a") == line(8, b"eight\n")
    desk.owners = assign(desk.owners, "q", desk.how(), path=b"n").owners
    assert desk.of("q") == {**desk.base, b"n": desk.entry(b"new\n")}
    desk.owners = assign(desk.owners, "r", desk.how()).owners
    assert unassigned_rows(desk.owners) == []
    desk.check()


def test_assign_of_a_path_moves_its_one_owners_edits_and_refuses_several() -> None:
    """Without unassigned edits a path means all of its edits, of one owner only."""
    desk = Desk({"a": TEN, "b": TEN})
    desk.save({"a": line(2, b"two\n"), "b": line(2, b"two\n")}, current="p")
    desk.save({"b": line(8, b"eight\n", line(2, b"two\n"))}, current="q")
    done = assign(desk.owners, "r", desk.how(), path=b"a")
    assert [one.owner for one in done.moved] == ["r"]
    done = assign(desk.owners, "r", desk.how(), path=b"b")
    assert (done.moved, done.owners) == ((), desk.owners)
    assert done.refused[0].why == "several p q"


def test_assign_takes_a_rename_and_a_mode_along() -> None:
    """Whole-file facts of a path move with it."""
    desk = Desk({"a": TEN})
    desk.save({"b": Entry(EXECUTABLE, desk.base[b"a"].oid)}, current="p", renames={"b": "a"})
    desk.owners = assign(desk.owners, "q", desk.how(), path=b"b").owners
    desk.check()
    assert desk.of("q") == desk.disk
    assert desk.of("p") == desk.base


def test_assign_that_would_close_a_circle_is_refused() -> None:
    """q needs p in one file: p's edit under q's in another cannot turn the other way round."""
    desk = Desk({"a": TEN, "b": TEN})
    desk.save({"a": line(2, b"two\n")}, claim="p")
    desk.save({"a": line(2, b"deux\n")}, claim="q")
    desk.save({"b": line(2, b"two\n")}, claim="q")
    desk.save({"b": line(2, b"deux\n")}, claim="r")
    done = assign(desk.owners, "p", desk.how(), path=b"b", labels={"r"})
    assert [one.why for one in done.refused] == ["cycle q p"]
    assert done.owners is desk.owners
    done = assign(desk.owners, "p", desk.how(), path=b"b", labels={"q", "r"})
    assert done.moved and not done.refused


def test_a_line_of_an_unassigned_new_file_does_not_move_alone() -> None:
    """A patch cannot have lines in a file that is nobody's."""
    desk = Desk({})
    desk.save({"n": TEN})
    done = assign(desk.owners, "p", desk.how(), path=b"n", lines=(2, 3))
    assert [one.why for one in done.refused] == ["whole"]


def test_the_first_patch_takes_what_only_lacked_one() -> None:
    """Edits without a patch are taken; what was there before, guarded or foreign needs a word."""
    desk = Desk({"a": TEN, "b": TEN})
    desk.save({"b": line(2, b"two\n")}, nobody="~before")
    desk.save({"a": line(2, b"two\n"), "n": b"new\n"})
    desk.save({"big": b"big\n"}, forced=lambda path: "~guard large")
    done = take(desk.owners, "p", desk.how(), None)
    assert sorted(one.path for one in done.moved) == [b"a", b"n"]
    done = take(desk.owners, "p", desk.how(), [b"b", b"big"], everything=True)
    assert sorted(one.path for one in done.moved) == [b"b", b"big"]


def test_a_commits_edits_move_by_its_bit() -> None:
    """``assign COMMIT`` moves what that commit brought, of any owner, and nothing else."""
    desk = Desk({"a": TEN, "b": TEN})
    desk.save({"a": line(2, b"two\n")}, current="p")
    desk.commit()
    desk.save({"a": line(8, b"eight\n", line(2, b"two\n")), "n": b"new\n"}, current="p")
    desk.save({"b": line(2, b"two\n")}, current="q")
    desk.commit()
    done = assign(desk.owners, "r", desk.how(), bit=1)
    desk.owners = done.owners
    desk.check()
    assert desk.of("p") == desk.commits[0]
    assert desk.of("q") == desk.base
    assert desk.of("r")[b"n"] == desk.entry(b"new\n")
    done = assign(desk.owners, "q", desk.how(), bit=0, labels={"~none"})
    assert done.moved == ()


def test_what_a_merge_left_outside_is_nobodys() -> None:
    """Edits of a merged patch that its merged commit does not hold become unassigned."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n")}, current="p")
    desk.commit()
    desk.save({"a": line(8, b"eight\n", line(2, b"two\n")), "n": b"new\n"}, current="p")
    desk.end("p", "merged")
    desk.owners = merged_outside(desk.owners, "p", 0)
    desk.check()
    assert desk.version({"p"}) == desk.commits[0]
    assert [row.label for row in unassigned_rows(desk.owners)] == ["~merged p", "~merged p"]


def test_a_discarded_patch_leaves_all_but_its_edits() -> None:
    """Files are then what the others make; refused, and said, while something lies on it."""
    desk = Desk({"a": TEN, "b": TEN})
    desk.save({"a": line(2, b"two\n"), "n": b"new\n", "b": None}, current="p")
    desk.save({"a": line(8, b"eight\n", line(2, b"two\n"))}, current="q")
    wanted = desk.version({"q"})
    done = discard_patch(desk.owners, "p", desk.how())
    assert done.refused == ()
    assert desk.tree(live_overlay(done.owners, desk.tools)) == wanted
    desk.save({"a": line(8, b"eight\n", line(2, b"deux\n"))}, claim="r")
    done = discard_patch(desk.owners, "p", desk.how())
    assert done.owners is desk.owners
    assert "builds r" in [one.why for one in done.refused]


def test_discarding_what_is_committed_is_an_uncommitted_edit() -> None:
    """A discarded patch takes back what commits hold: the tip still has it, the disk does not."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n"), "n": b"new\n"}, current="p")
    desk.commit()
    done = discard_patch(desk.owners, "p", desk.how())
    desk.owners, desk.disk = done.owners, dict(desk.base)
    desk.check()
    assert uncommitted_paths(desk.owners, "p", 0) == [b"a", b"n"]

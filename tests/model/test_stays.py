"""One path, one file: who takes a path needs whoever left it, and what would put two files at one path is nobody's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitsessiond.model import fileset
from gitsessiond.model.files import File
from gitsessiond.model.fileset import Files
from gitsessiond.model.graph import graph_of
from gitsessiond.model.ownership import assign, judge, merged_outside, take, with_uncommitted
from gitsessiond.model.registers import Fact
from gitsessiond.model.stays import stays_of
from gitsessiond.model.values import REGULAR, Entry
from tests.model.many_files import Desk, went

FILES = {"a": b"of a\n", "b": b"of b\n", "c": b"of c\n", "dir/d": b"of d\n"}


@pytest.fixture
def desk() -> Desk:
    return Desk(FILES, "pqrs")


def move(desk: Desk, renames: dict[str, str], **who: str) -> list[tuple[str, str]]:
    """One save that only renames; new path -> old path."""
    return went(desk.save({new: desk.disk[old.encode()] for new, old in renames.items()}, renames=renames, **who))


def test_a_swap_is_not_split_over_two_patches(desk: Desk) -> None:
    """Each half takes what the other left; the half that is assigned away would close a circle."""
    move(desk, {"a": "b", "b": "a"}, current="q")
    done = assign(desk.owners, "p", desk.how(), path=b"a")
    assert done.moved == ()
    assert [one.why for one in done.refused] == ["cycle p q"]


def test_a_swap_over_a_third_place_is_not_split_either(desk: Desk) -> None:
    desk.save({"c": None}, claim="p")
    move(desk, {"c": "b"}, current="q")
    move(desk, {"b": "dir/d"}, current="q")
    move(desk, {"dir/d": "c"}, current="q")
    assert desk.edges() == set()
    assert not assign(desk.owners, "p", desk.how(), path=b"b").moved


def test_two_patches_that_swap_in_one_save_have_neither_half(desk: Desk) -> None:
    """Each file is the one's who moved it before; without the other's half either would take a place that is not free."""
    move(desk, {"x": "a"}, current="p")
    move(desk, {"y": "b"}, current="q")
    desk.commit()
    assert move(desk, {"x": "y", "y": "x"}) == [("~cycle q p", "cycle q p"), ("~cycle q p", "cycle q p")]
    assert desk.edges() == set()


def test_a_move_and_edits_of_one_change_close_no_circle(desk: Desk) -> None:
    """p's new file comes to a place of q and q edits it: p would need q for the place, q needs p for the file."""
    desk.save({"c": None}, claim="q")
    desk.save({"new": b"one\ntwo\n"}, claim="p")
    found = desk.save({"c": b"one\ntwo\nq\n"}, renames={"c": "new"}, current="q")
    assert [placed.owner for placed in found.placed] == ["~cycle q p", "q"]


def test_an_edit_that_would_close_a_circle_with_a_place_is_refused(desk: Desk) -> None:
    """q needs p for the place; so p cannot have lines that lie on q's."""
    desk.save({"a": None}, claim="p")
    desk.save({"a": b"q\n"}, claim="q")
    desk.save({"b": b"of b\nq\n"}, claim="q")
    assert went(desk.save({"b": b"of b\np\n"}, claim="p")) == [("~cycle q p", "cycle q p")]
    desk.save({"b": b"of b\nr\n"}, claim="r")
    done = assign(desk.owners, "p", desk.how(), path=b"b", lines=(2, 2))
    assert [one.why for one in done.refused][:1] in (["cycle q p"], ["on"])


def test_who_was_first_at_a_place_that_both_left_stays_first(desk: Desk) -> None:
    """While r's file was there it was certain that r needs q; that s moves it away changes no patch's needs."""
    desk.save({"new": b"p\n"}, claim="p")
    move(desk, {"x": "new"}, claim="q")
    desk.save({"new": b"r\n"}, claim="r")
    assert desk.edges() == {"q>p", "r>q"}
    move(desk, {"y": "new"}, claim="s")
    assert desk.edges() == {"q>p", "r>q", "s>r"}


def test_a_directory_takes_the_place_of_a_file_and_the_other_way(desk: Desk) -> None:
    desk.save({"dir/d": None}, claim="p")
    desk.save({"dir": b"q\n"}, claim="q")
    desk.save({"a": None}, claim="q")
    desk.save({"a/b/c": b"r\n"}, claim="r")
    assert desk.edges() == {"q>p", "r>q"}
    assert [one.why for one in assign(desk.owners, "~by", desk.how(), labels=["q"]).refused] == ["builds r"]
    assert [(stay.path, stay.taker, stay.leaver) for stay in stays_of(desk.file("dir"))] == [(b"dir", "q", None)]


def test_a_file_does_not_come_back_to_a_place_that_another_patch_had_since(desk: Desk) -> None:
    """Committed, q's stay there is a fact; p's version with its file back would have both at that commit."""
    desk.save({"a": None}, claim="p")
    desk.save({"a": b"q\n"}, claim="q")
    desk.commit()
    move(desk, {"x": "a"}, claim="q")
    found = went(desk.save({"a": b"of a\n"}, claim="p"))
    assert [owner[:1] for owner, _ in found] == ["~"]
    assert desk.edges() == {"q>p"}


def test_a_file_is_not_taken_as_never_moved_while_its_place_was_another_ones(desk: Desk) -> None:
    """An editor's undo brings the earlier record back, but not where a patch has its file there in some version."""
    desk.remember = True
    move(desk, {"x": "a"}, claim="p")
    desk.save({"a": b"q\n"}, claim="q")
    move(desk, {"y": "a"}, claim="r")
    move(desk, {"a": "x"})
    assert "q>p" in desk.edges()
    assert desk.of("q")[b"a"] == desk.of("r")[b"y"]


def test_what_a_commit_has_beside_a_moved_file_gives_way_to_it(desk: Desk) -> None:
    """Only the new name of q's rename was committed, as a copy; q's commit then moves the file there."""
    move(desk, {"new": "a"}, current="q")
    desk.save({"a": b"in its place\n"}, current="q")
    desk.commit({**desk.base, b"new": desk.disk[b"new"]}, current="p")
    desk.commit(desk.tree(with_uncommitted(desk.owners, "q", 0, desk.tools)), current="q")
    assert desk.commits[-1] == desk.disk
    assert desk.version({"q"}, 1) == desk.of("q")


def test_a_commit_without_the_leave_does_not_hold_the_taking(desk: Desk) -> None:
    """r moved b away, q moved c there, nobody deleted it: of all that the commit has the deletion only."""
    move(desk, {"x": "b"}, claim="r")
    move(desk, {"b": "c"}, claim="q")
    desk.save({"b": None}, claim="~by")
    desk.commit({path: entry for path, entry in desk.base.items() if path != b"c"}, current="p")
    assert desk.version({"q", "r"}, 0) == desk.base
    assert desk.of("q")[b"b"] == desk.base[b"c"]


def test_a_commit_with_the_taking_and_not_the_leave_has_the_place_taken_away(desk: Desk) -> None:
    """q moved a to b, which r deleted, and p made another a, which alone is committed: p's version has not both."""
    desk.save({"b": None}, claim="r")
    move(desk, {"b": "a"}, claim="q")
    desk.save({"b": b"nobody's\nof a\n"}, claim="~by")
    desk.save({"a": b"p\n"}, claim="p")
    desk.commit({**desk.base, b"a": desk.disk[b"a"]}, current="r")
    assert desk.version({"p", "q", "r"}, 0) == desk.commits[0]
    assert desk.of("p")[b"b"] == desk.base[b"a"]


def test_a_chain_of_unassigned_moves_is_given_as_one(desk: Desk) -> None:
    """Each takes what the one before left; the first patch takes all."""
    move(desk, {"x": "b"})
    move(desk, {"b": "a"})
    desk.save({"a": b"new\n"})
    done = take(desk.owners, "p", desk.how(), None)
    assert done.refused == ()
    desk.owners = done.owners
    assert desk.of("p") == desk.disk


def test_an_unassigned_swap_is_given_as_one(desk: Desk) -> None:
    move(desk, {"a": "b", "b": "a"})
    done = take(desk.owners, "p", desk.how(), None)
    assert done.refused == ()
    desk.owners = done.owners
    assert desk.of("p") == desk.disk
    assert not graph_of(desk.owners).clashes


def test_a_file_that_no_version_ever_had_is_dropped(desk: Desk) -> None:
    """p made it, a commit holds that nobody deleted it again, but not that it was there: given to p, it never was."""
    desk.save({"x": b"p\n"}, claim="p")
    desk.save({"x": None}, claim="~by")
    made = replace(desk.file("x"), path=(Fact("p", b"x"), Fact("~by", None, 1)))
    desk.owners = replace(desk.owners, files=Files({made.id: made}))
    assert not assign(desk.owners, "p", desk.how(), labels=["~by"]).owners.files
    assert not merged_outside(desk.owners, "p", None).files


def test_the_same_line_added_by_two_patches_is_two_lines() -> None:
    """git would take two equal additions for one; so the patches come to need each other, one way."""
    desk = Desk({"a": b"n\nn\n"}, "pq")
    desk.save({"a": b"n\nn\nn\n"}, claim="p")
    desk.save({"a": b"z\nn\nn\nn\n"}, claim="q")
    desk.save({"a": b"n\nn\nn\nn\n"}, claim="q")
    assert desk.edges() == set()
    assert desk.of("p") == desk.of("q")
    assert graph_of(judge(desk.owners, desk.tools)).edges


def test_of_two_files_at_one_path_none_is_forgotten() -> None:
    """A lookup by path has one of them, one on disk first; when that one is gone it has the other."""
    gone = File("k", b"a", Entry(REGULAR, "1" * 40), path=(Fact("p", None),))
    new = File("l", None, None, path=(Fact("q", b"a"),), mode=(Fact("q", REGULAR),))
    files = Files({"l": new, "k": gone})
    assert files.by(fileset.changed_path) == {b"a": new}
    assert files.changed([], ["l"]).by(fileset.changed_path) == {b"a": gone}
    deleted = files.changed([replace(new, path=(Fact("q", b"a", 1), Fact("q", None)))])
    assert deleted.by(fileset.deleted).keys() == {b"a"}
    assert deleted.changed([], [deleted.by(fileset.deleted)[b"a"].id]).by(fileset.deleted).keys() == {b"a"}

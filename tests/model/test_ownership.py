"""Saves over several files: whose each edit is, and what every patch's version follows to be."""

from __future__ import annotations

from gitsessiond.model.graph import graph_of
from gitsessiond.model.ownership import edits_of, ops_of, uncommitted_paths, with_uncommitted
from gitsessiond.model.values import EXECUTABLE, SYMLINK, Entry
from tests.model.many_files import Desk, went

TEN = b"".join(b"line %d\n" % n for n in range(1, 11))


def line(n: int, new: bytes, text: bytes = TEN) -> bytes:
    """``text`` with line ``n`` replaced; an empty ``new`` deletes it."""
    lines = text.splitlines(keepends=True)
    return b"".join([*lines[: n - 1], new, *lines[n:]])


def test_each_edit_goes_to_the_patch_in_use_and_each_version_holds_its_own() -> None:
    """Two patches change one file far apart: each version has its own edit, neither needs the other."""
    desk = Desk({"a.py": TEN})
    assert went(desk.save({"a.py": line(2, b"two\n")}, current="p")) == [("p", "current")]
    assert went(desk.save({"a.py": line(8, b"eight\n", line(2, b"two\n"))}, current="q")) == [("q", "current")]
    assert desk.text(desk.of("p"), "a.py") == line(2, b"two\n")
    assert desk.text(desk.of("q"), "a.py") == line(8, b"eight\n")
    assert desk.edges() == set()


def test_an_edit_on_a_patchs_lines_stays_with_it() -> None:
    """An edit of a patch's own line goes to that patch, whichever is in use."""
    desk = Desk({"a.py": TEN})
    desk.save({"a.py": line(2, b"two\n")}, current="p")
    assert went(desk.save({"a.py": line(2, b"deux\n")}, current="q")) == [("p", "lines")]


def test_touching_edits_make_the_later_need_the_earlier() -> None:
    """An edit beside another patch's makes its patch depend on that one, and keeps the direction."""
    desk = Desk({"a.py": TEN})
    desk.save({"a.py": line(2, b"two\n")}, current="q")
    desk.save({"a.py": line(3, b"three\n", line(2, b"two\n"))}, current="p")
    assert desk.edges() == {"p>q"}
    desk.save({"a.py": line(2, b"deux\n", line(3, b"three\n"))}, current="q")
    assert desk.edges() == {"p>q"}
    desk.save({"a.py": line(2, b"deux\n")}, current="p")
    assert desk.edges() == set()


def test_a_new_file_is_its_makers_and_edits_in_it_need_him() -> None:
    """All of a new file is its maker's; who edits it under a claim depends on the maker."""
    desk = Desk({})
    assert went(desk.save({"n.py": TEN}, current="p")) == [("p", "current")]
    desk.save({"n.py": line(5, b"five\n")}, claim="q")
    assert desk.edges() == {"q>p"}
    assert desk.of("p") == {b"n.py": desk.entry(TEN)}
    assert desk.version({"q"}) == {}
    assert [op.kind for op in ops_of(desk.owners, "p", desk.tools)] == ["add"]
    assert [op.kind for op in ops_of(desk.owners, "q", desk.tools)] == ["modify"]


def test_guards_put_a_new_file_aside() -> None:
    """A guarded new file is nobody's, whatever is in use, and edits of it stay so."""
    desk = Desk({})
    done = desk.save({"n.py": TEN}, current="p", forced=lambda path: "~guard large")
    assert went(done) == [("~guard large", "guard large")]
    assert went(desk.save({"n.py": line(5, b"five\n")}, claim="q"))[0][0].startswith("~")
    assert desk.of("q") == {}


def test_a_deletion_goes_to_the_patch_with_edits_in_the_file() -> None:
    """A deleted file: the one patch with edits in it, none: the one in use, several: nobody's."""
    desk = Desk({"a": TEN, "b": TEN, "c": TEN})
    assert went(desk.save({"a": None}, current="q")) == [("q", "current")]
    desk.save({"b": line(2, b"two\n")}, current="p")
    assert went(desk.save({"b": None}, current="q")) == [("p", "file")]
    desk.save({"c": line(2, b"two\n")}, current="p")
    desk.save({"c": line(8, b"eight\n", line(2, b"two\n"))}, current="q")
    assert went(desk.save({"c": None}, current="q")) == [("~file p q", "file p q")]
    assert desk.of("q") == {b"b": desk.base[b"b"], b"c": desk.entry(line(8, b"eight\n"))}


def test_a_claimed_deletion_needs_everyone_in_the_file() -> None:
    """A patch that deletes a file by claim depends on all patches with edits in it."""
    desk = Desk({"c": TEN})
    desk.save({"c": line(2, b"two\n")}, current="p")
    desk.save({"c": line(8, b"eight\n", line(2, b"two\n"))}, current="q")
    assert went(desk.save({"c": None}, claim="r")) == [("r", "claim")]
    assert desk.edges() == {"r>p", "r>q"}


def test_a_recreated_file_cancels_its_deletion() -> None:
    """What comes back is compared with what was there: the deletion goes, the difference is an ordinary edit."""
    desk = Desk({"a": TEN})
    desk.save({"a": None}, current="p")
    done = desk.save({"a": line(8, b"eight\n")}, current="q")
    assert went(done) == [("p", "returned"), ("q", "current")]
    assert desk.of("p") == desk.base
    assert desk.text(desk.of("q"), "a") == line(8, b"eight\n")


def test_a_rename_keeps_the_weave() -> None:
    """Others' edits before and after a rename follow the file, and need nothing."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n")}, current="q")
    text = line(2, b"two\n")
    assert went(desk.save({"b": text}, current="p", renames={"b": "a"})) == [("p", "current")]
    text = line(8, b"eight\n", text)
    desk.save({"b": text}, current="q")
    assert desk.of("p") == {b"b": desk.entry(TEN)}
    assert desk.of("q") == {b"a": desk.entry(text)}
    assert [(op.kind, op.path, op.old_path) for op in ops_of(desk.owners, "p", desk.tools)] == [("rename", b"b", b"a")]


def test_a_new_file_in_a_renamed_ones_place_needs_the_rename() -> None:
    """A patch that takes a path needs the patch that freed it, files and directories alike."""
    desk = Desk({"a": TEN})
    desk.save({"b": TEN}, current="p", renames={"b": "a"})
    desk.save({"a": b"new\n"}, current="q")
    assert desk.edges() == {"q>p"}
    desk = Desk({"d/x": TEN})
    desk.save({"x": TEN}, current="p", renames={"x": "d/x"})
    desk.save({"d": b"new\n"}, current="q")
    assert desk.edges() == {"q>p"}


def test_a_swap_of_two_files_follows_both() -> None:
    """Two files swapped in one save keep their lines and owners."""
    desk = Desk({"a": TEN, "b": b"other\n"})
    desk.save({"a": line(2, b"two\n")}, current="q")
    desk.save({"a": b"other\n", "b": line(2, b"two\n")}, current="p", renames={"a": "b", "b": "a"})
    assert desk.of("p") == {b"a": desk.entry(b"other\n"), b"b": desk.entry(TEN)}


def test_mode_and_lines_are_independent() -> None:
    """A chmod by one patch and an edit by another need nothing of each other."""
    desk = Desk({"a": TEN})
    desk.save({"a": Entry(EXECUTABLE, desk.base[b"a"].oid)}, current="p")
    desk.save({"a": line(2, b"two\n")}, current="q")
    assert desk.edges() == set()
    assert desk.of("p") == {b"a": desk.entry(TEN, EXECUTABLE)}
    assert desk.of("q") == {b"a": desk.entry(line(2, b"two\n"))}
    assert [op.kind for op in ops_of(desk.owners, "p", desk.tools)] == ["chmod"]


def test_a_binary_file_is_written_as_a_whole() -> None:
    """Another patch's write of a binary is nobody's without a claim, and depends with one."""
    desk = Desk({"a": b"\0one"})
    desk.save({"a": b"\0two"}, current="p")
    assert went(desk.save({"a": b"\0three"}, current="q")) == [("~file p", "file p")]
    desk.save({"a": b"\0two"}, current="q")
    assert went(desk.save({"a": b"\0three"}, claim="q")) == [("q", "claim")]
    assert desk.edges() == {"q>p"}
    assert went(desk.save({"a": b"\0two"}, current="r")) == [("q", "returned")]
    assert desk.edges() == set()


def test_text_that_becomes_binary_or_a_link_is_an_edit_over_all() -> None:
    """A change of kind goes to the one patch with lines in the file; several: nobody's."""
    desk = Desk({"a": TEN, "b": TEN})
    desk.save({"a": line(2, b"two\n")}, current="p")
    link = Entry(SYMLINK, desk.blobs.put(b"target"))
    assert went(desk.save({"a": link}, current="q")) == [("p", "file")]
    assert desk.of("p") == {b"a": link, b"b": desk.base[b"b"]}
    desk.save({"b": line(2, b"two\n")}, current="p")
    desk.save({"b": line(8, b"eight\n", line(2, b"two\n"))}, current="q")
    assert went(desk.save({"b": b"\0"}, current="q")) == [("~file p q", "file p q")]
    assert went(desk.save({"b": line(8, b"eight\n", line(2, b"two\n"))}, current="r"))[0][0] == "~file p q"
    assert desk.text(desk.of("p"), "b") == line(2, b"two\n")


def test_a_claim_that_closes_a_circle_over_two_files_is_refused() -> None:
    """q needs p in one file; p, claimed over q's line in another, stays nobody's."""
    desk = Desk({"a": TEN, "b": TEN})
    desk.save({"a": line(2, b"two\n")}, claim="p")
    desk.save({"a": line(2, b"deux\n")}, claim="q")
    desk.save({"b": line(2, b"two\n")}, claim="q")
    assert desk.edges() == {"q>p"}
    assert went(desk.save({"b": line(2, b"deux\n")}, claim="p")) == [("~cycle q p", "cycle q p")]


def test_what_returns_has_its_owners_again() -> None:
    """A file that had this content before gets the owners it had then; a dropped new file too."""
    desk = Desk({"a": TEN})
    desk.remember = True
    desk.save({"a": line(2, b"two\n"), "n": b"new\n"}, current="p")
    desk.save({"a": line(8, b"eight\n", line(2, b"two\n"))}, current="q")
    desk.save({"a": TEN, "n": None}, current="r")
    assert desk.of("p") == desk.base
    done = desk.save({"a": line(8, b"eight\n", line(2, b"two\n")), "n": b"new\n"}, current="r")
    assert {owner for owner, _ in went(done)} == {"p", "q"}
    assert desk.of("p") == {b"a": desk.entry(line(2, b"two\n")), b"n": desk.entry(b"new\n")}


def test_an_abandoned_patchs_edits_count_as_nobodys() -> None:
    """Edits over an abandoned patch are unassigned; reopened, it has what it had."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n")}, current="p")
    desk.end("p", "abandoned")
    assert went(desk.save({"a": line(2, b"deux\n")}, current="q"))[0][0] == "~on"
    desk.end("p", "open")
    assert desk.text(desk.of("p"), "a") == line(2, b"two\n")


def test_a_merged_patchs_lines_count_as_base() -> None:
    """Edits over a merged patch go to the patch in use, which needs it, and never to the merged one."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n")}, current="p")
    desk.end("p", "merged")
    assert went(desk.save({"a": line(2, b"deux\n")}, current="q")) == [("q", "current")]
    assert desk.edges() == {"q>p"}


def test_a_commit_marks_what_it_holds() -> None:
    """After a commit of everything nothing is uncommitted; a later edit of one patch is."""
    desk = Desk({"a": TEN, "b": TEN})
    desk.save({"a": line(2, b"two\n"), "n": b"new\n"}, current="p")
    desk.save({"b": line(8, b"eight\n")}, current="q")
    assert uncommitted_paths(desk.owners, "p", None) == [b"a", b"n"]
    desk.commit()
    assert uncommitted_paths(desk.owners, "p", 0) == []
    assert uncommitted_paths(desk.owners, "q", 0) == []
    desk.save({"a": line(8, b"eight\n", line(2, b"two\n"))}, current="p")
    assert uncommitted_paths(desk.owners, "p", 0) == [b"a"]
    assert with_uncommitted(desk.owners, "q", 0, desk.tools)[b"a"] == desk.commits[0][b"a"]
    assert with_uncommitted(desk.owners, "p", 0, desk.tools)[b"a"] == desk.disk[b"a"]


def test_a_commit_of_one_patch_takes_only_its_edits() -> None:
    """The overlay of one patch's uncommitted edits, committed, leaves the other's edits as they were."""
    desk = Desk({"a": TEN, "b": TEN})
    desk.save({"a": line(2, b"two\n")}, current="p")
    desk.save({"a": line(8, b"eight\n", line(2, b"two\n")), "b": None}, current="q")
    tree = desk.tree(with_uncommitted(desk.owners, "p", None, desk.tools))
    assert tree == {b"a": desk.entry(line(2, b"two\n")), b"b": desk.base[b"b"]}
    desk.commit(tree)
    assert uncommitted_paths(desk.owners, "p", 0) == []
    assert uncommitted_paths(desk.owners, "q", 0) == [b"a", b"b"]


def test_a_commit_never_seen_on_disk_is_learnt() -> None:
    """Edits, a file and a deletion that only a commit has get an owner; the disk stays as it is."""
    desk = Desk({"a": TEN, "b": TEN})
    desk.commit({b"a": desk.entry(line(2, b"two\n")), b"n": desk.entry(b"new\n")}, current="p")
    assert desk.disk == desk.base
    assert desk.version({"p"}, 0) == desk.commits[0]
    assert desk.version({"q"}, 0) == desk.base
    desk.save({"a": line(2, b"two\n"), "n": b"new\n", "b": None}, current="q")
    assert uncommitted_paths(desk.owners, "p", 0) == []
    assert desk.of("q") == desk.base


def test_a_committed_rename_is_found() -> None:
    """A rename on disk is in the commit that has it; one that only the commit has is paired by content."""
    desk = Desk({"a": TEN, "b": b"bee\n"})
    desk.save({"c": line(2, b"two\n")}, current="p", renames={"c": "a"})
    desk.commit()
    assert uncommitted_paths(desk.owners, "p", 0) == []
    tree = dict(desk.disk)
    tree[b"d"] = tree.pop(b"b")
    desk.commit(tree, current="q")
    assert [placed.kind for placed in edits_of(desk.owners, "q")] == ["rename"]
    assert desk.version({"q"}, 1) == {b"a": desk.base[b"a"], b"d": desk.base[b"b"]}


def test_a_committed_dependency_stays_while_its_commit_does() -> None:
    """Edits that touched in a commit keep the edge, though lines put between them part them on disk."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n")}, current="q")
    desk.save({"a": line(3, b"three\n", line(2, b"two\n"))}, current="p")
    desk.commit()
    desk.save({"a": line(2, b"two\nbetween\n", line(3, b"three\n"))}, claim="r")
    edges = graph_of(desk.owners).edges
    assert edges["p", "q"].kind == "committed"

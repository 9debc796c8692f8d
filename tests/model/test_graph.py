"""Dependencies over several files, what lays them and what takes them away."""

from __future__ import annotations

from dataclasses import replace

from gitsessiond.model.graph import graph_of
from gitsessiond.model.ownership import judge
from gitsessiond.model.values import Entry
from tests.model.many_files import Desk
from tests.model.test_ownership import TEN, line


def test_order_is_dependencies_first() -> None:
    """Every patch comes after those it needs, else in the order of creation."""
    desk = Desk({"a": TEN}, "pqrs")
    desk.owners = replace(desk.owners, declared=frozenset({("p", "r"), ("r", "s")}))
    graph = graph_of(desk.owners)
    assert graph.order() == ["s", "r", "p", "q"]
    assert graph.closure("p") == {"r", "s"}
    assert graph.needs("p", "s") and not graph.needs("s", "p")


def test_an_edge_says_its_kind_and_place() -> None:
    """A hard edge names path and line, a touch edge its path."""
    desk = Desk({"a": TEN, "b": TEN})
    desk.save({"a": line(4, b"four\n"), "b": line(4, b"four\n")}, claim="q")
    desk.save({"a": line(4, b"vier\n")}, claim="p")
    desk.save({"b": line(5, b"five\n", line(4, b"four\n"))}, claim="r")
    edges = graph_of(desk.owners).edges
    assert edges["p", "q"] == ("hard", b"a", 4)
    assert edges["r", "q"][:2] == ("touch", b"b")


def test_an_edge_in_one_file_lets_lines_part_two_edits_in_another() -> None:
    """p and q touch only where r's line is missing; as soon as both need r they do not."""
    desk = Desk({"a": TEN, "b": TEN})
    desk.save({"a": line(5, b"five\nsix\n")}, claim="r")
    text = line(5, b"five\nsix\n")
    desk.save({"a": text.replace(b"five\nsix\n", b"five\nfive.1\nsix\n")}, claim="r")
    desk.save({"a": line(4, b"four\n", line(5, b"five\nfive.1\nsix\n"))}, claim="p")
    assert "p>r" in desk.edges()


def test_nothing_merged_comes_to_need_what_is_open() -> None:
    """Where a merged patch and an open one touch, the open one depends."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n")}, current="q")
    desk.save({"a": line(3, b"three\n", line(2, b"two\n"))}, current="p")
    assert desk.edges() == {"p>q"}
    desk.end("p", "merged")
    assert desk.edges() == {"q>p"}


def test_the_judge_parts_what_git_would_not_merge() -> None:
    """Repetitive lines that touch nowhere and yet merge to another text get an edge, once."""
    text = b"a\n" * 6
    desk = Desk({"a": text})
    desk.save({"a": b"a\nx\n" + b"a\n" * 5}, claim="p")
    desk.save({"a": b"a\nx\n" + b"a\n" * 4}, claim="q")
    before = desk.edges()
    desk.owners = judge(desk.owners, desk.tools)
    after = judge(desk.owners, desk.tools)
    assert after is desk.owners
    assert before <= desk.edges()
    desk.check()


def test_the_judge_knows_what_git_makes_of_renames() -> None:
    """An exact rename merges with another patch's edit; one with changes in it, or of a copy's content, does not."""
    desk = Desk({"a": TEN})
    desk.save({"b": TEN}, current="p", renames={"b": "a"})
    desk.save({"b": line(8, b"eight\n")}, current="q")
    assert judge(desk.owners, desk.tools) is desk.owners
    desk.save({"b": line(2, b"two\n", line(8, b"eight\n"))}, current="p")
    desk.owners = judge(desk.owners, desk.tools)
    assert desk.edges() == {"q>p"}

    desk = Desk({"a": TEN})
    desk.save({"b": TEN, "c": TEN}, current="p", renames={"b": "a"})
    desk.save({"b": line(8, b"eight\n")}, current="q")
    desk.owners = judge(desk.owners, desk.tools)
    assert len(desk.edges()) == 1


def test_the_judge_sees_a_file_in_a_renamed_ones_place() -> None:
    """A new file where a renamed one was hides the rename from git: edits of that one then need the new file."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(8, b"eight\n")}, current="r")
    desk.save({"b": line(8, b"eight\n")}, current="p", renames={"b": "a"})
    desk.save({"a": b"new\n"}, current="q")
    assert desk.edges() == {"q>p"}
    desk.owners = judge(desk.owners, desk.tools)
    edges = desk.edges()
    assert edges & {"q>r", "r>q"}


def test_a_symlink_needs_no_judge() -> None:
    """Whole contents of two patches are never merged: the second needs the first."""
    desk = Desk({})
    desk.save({"l": Entry(0o120000, desk.blobs.put(b"one"))}, current="p")
    desk.save({"l": Entry(0o120000, desk.blobs.put(b"two"))}, claim="q")
    assert desk.edges() == {"q>p"}
    assert judge(desk.owners, desk.tools) is desk.owners


def brought_back() -> Desk:
    """q deletes the file and r brings it back, both committed; only then p edits it."""
    desk = Desk({"a": TEN}, "qrp")
    desk.save({"a": None}, claim="q")
    desk.commit()
    desk.save({"a": TEN}, claim="r")
    desk.commit()
    desk.save({"a": line(5, b"five\n")}, claim="p")
    return desk


def test_who_edits_a_file_that_came_back_needs_who_brought_it_back() -> None:
    """Where only git's merge puts an edit above the deletion, the edit is above the return as well."""
    desk = brought_back()
    desk.owners = judge(desk.owners, desk.tools)
    assert desk.edges() == {"r>q", "p>q", "p>r"}
    assert desk.text(desk.of("p"), "a") == line(5, b"five\n")
    desk.check()
    assert judge(desk.owners, desk.tools) is desk.owners


def test_nothing_merged_comes_to_need_who_brings_a_file_back() -> None:
    """A merged edit that git's merge put above a merged deletion stays free of an open patch's return."""
    desk = brought_back()
    desk.end("q", "merged")
    desk.end("p", "merged")
    desk.owners = judge(desk.owners, desk.tools)
    assert desk.edges() == {"r>q", "p>q"}

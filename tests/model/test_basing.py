"""The base moves: target's commits come in below the session's edits."""

from __future__ import annotations

from collections.abc import Mapping

from gitsessiond.model.ownership import MovedBase, live_overlay, move_base, ops_of, uncommitted_paths
from gitsessiond.model.values import EXECUTABLE, Change, Entry
from tests.model.many_files import Desk, Tree
from tests.model.test_ownership import TEN, line


def rebase(desk: Desk, new: Mapping[str, bytes | Entry | None]) -> MovedBase:
    """Change these paths of the base; disk and owners follow."""
    base: Tree = dict(desk.base)
    for path, found in new.items():
        if found is None:
            del base[path.encode()]
        else:
            base[path.encode()] = desk.entry(found) if isinstance(found, bytes) else found
    paths = sorted(desk.base.keys() | base.keys())
    changes = [Change(p, desk.base.get(p), base.get(p)) for p in paths if desk.base.get(p) != base.get(p)]
    done = move_base(desk.owners, changes, desk.tools)
    desk.owners, desk.base = done.owners, base
    desk.disk = desk.tree(live_overlay(desk.owners, desk.tools))
    assert desk.version(()) == base
    return done


def test_edits_stay_over_a_new_base() -> None:
    """Lines changed elsewhere in the file come in, every version is over them."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n")}, current="p")
    desk.save({"a": line(9, b"nine\n", line(2, b"two\n"))}, current="q")
    assert rebase(desk, {"a": line(6, b"six\n")}).contested == ()
    assert desk.text(desk.of("p"), "a") == line(2, b"two\n", line(6, b"six\n"))
    assert desk.text(desk.of("q"), "a") == line(9, b"nine\n", line(6, b"six\n"))


def test_an_edit_the_base_contradicts_stays_and_is_named() -> None:
    """The user's text is kept; its owner is named with the path."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n")}, current="p")
    done = rebase(desk, {"a": line(2, b"zwei\n")})
    assert done.contested == ((b"a", "p"),)
    assert desk.text(desk.disk, "a") == line(2, b"two\n")


def test_what_a_merged_patch_did_is_in_the_base() -> None:
    """After its merge came back with the base a patch owns nothing there, and its dependents stand on the base."""
    desk = Desk({"a": TEN, "b": TEN})
    desk.save({"c": line(2, b"two\n"), "n": b"new\n", "b": None}, current="p", renames={"c": "a"})
    desk.save({"c": line(2, b"deux\n")}, claim="q")
    landed = desk.of("p")
    desk.end("p", "merged")
    done = rebase(desk, {"a": None, "b": None, "c": landed[b"c"], "n": b"new\n"})
    assert done.contested == ()
    assert ops_of(desk.owners, "p", desk.tools) == []
    assert desk.edges() == set()
    assert desk.of("q") == {b"c": desk.entry(line(2, b"deux\n")), b"n": desk.entry(b"new\n")}


def test_a_merged_patch_that_the_base_lacks_stays_a_layer() -> None:
    """A base from before the merge does not take the patch's lines away."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n")}, current="p")
    desk.end("p", "merged")
    rebase(desk, {"a": line(9, b"nine\n")})
    assert desk.text(desk.disk, "a") == line(2, b"two\n", line(9, b"nine\n"))
    assert desk.text(desk.of("p"), "a") == desk.text(desk.disk, "a")


def test_the_same_edit_in_the_base_leaves_nothing_to_own() -> None:
    """Identical edits, deletions, renames, modes and new files vanish from their patch."""
    desk = Desk({"a": TEN, "b": TEN, "c": b"\0c", "d": b"dee\n"})
    desk.save({"a": line(2, b"two\n"), "b": None, "n": b"new\n"}, current="p")
    desk.save({"e": b"dee\n", "c": Entry(EXECUTABLE, desk.base[b"c"].oid)}, current="p", renames={"e": "d"})
    same = {path.decode(): entry for path, entry in desk.disk.items() if desk.base.get(path) != entry}
    done = rebase(desk, {**same, "b": None, "d": None})
    assert done.contested == ()
    assert ops_of(desk.owners, "p", desk.tools) == []


def test_a_file_the_base_deleted_lives_on_with_its_edits() -> None:
    """With edits it becomes its patch's own new file, contested; without, it goes."""
    desk = Desk({"a": TEN, "b": TEN})
    desk.save({"a": line(2, b"two\n"), "b": line(3, b"three\n")}, current="p")
    desk.save({"b": TEN}, current="p")
    done = rebase(desk, {"a": None, "b": None})
    assert done.contested == ((b"a", "p"),)
    assert desk.of("p") == {b"a": desk.entry(line(2, b"two\n"))}
    assert [op.kind for op in ops_of(desk.owners, "p", desk.tools)] == ["add"]


def test_a_new_file_of_both_is_contested() -> None:
    """Base and patch made the same path: the patch's text stays over the base's."""
    desk = Desk({})
    desk.save({"n": b"one\ntwo\n"}, current="p")
    assert rebase(desk, {"n": b"eins\n"}).contested == ((b"n", "p"),)
    assert [op.kind for op in ops_of(desk.owners, "p", desk.tools)] == ["modify"]


def test_a_base_rename_is_followed() -> None:
    """Edits of a file that the base renamed are in the file's new place."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n")}, current="p")
    rebase(desk, {"a": None, "b": TEN})
    assert desk.of("p") == {b"b": desk.entry(line(2, b"two\n"))}


def test_what_commits_hold_is_found_over_the_new_base() -> None:
    """Edits committed before the base moved are so afterwards."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n")}, current="p")
    desk.commit()
    rebase(desk, {"a": line(9, b"nine\n")})
    assert uncommitted_paths(desk.owners, "p", 0) == []
    assert desk.text(desk.version({"p"}, 0), "a") == line(2, b"two\n", line(9, b"nine\n"))


def test_a_base_that_turns_a_file_binary_is_contested() -> None:
    """Lines over a base that is lines no more stay as their patch's text."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n")}, current="p")
    assert rebase(desk, {"a": b"\0"}).contested == ((b"a", "p"),)
    assert desk.text(desk.of("p"), "a") == line(2, b"two\n")

"""What git combined by itself is told from the trees alone, renames included."""

from __future__ import annotations

from pathlib import Path

from gitsessiond.model.values import REGULAR, Entry
from gitsessiond.store.combined import Combined, combined_in
from gitsessiond.store.layers import Layer
from gitsessiond.store.merge import git_merge_trees
from gitsessiond.store.picking import Three
from gitsessiond.store.repository import open_repository
from gitsessiond.store.trees import edit_tree
from tests.store.test_merge_walk import InMemory, reached

Texts = dict[str, bytes]


def text(word: str, *changed: tuple[int, str]) -> bytes:
    """Twenty lines, some of them other ones."""
    lines = {n: f"{word} {n}\n" for n in range(20)} | {n: f"{line}\n" for n, line in changed}
    return "".join(lines.values()).encode()


def told(repo: Path, base: Texts, ours: Texts, theirs: Texts) -> tuple[dict[bytes, tuple[bytes, ...]], bool]:
    """By path the contents of the three sides and of the result, as far as they are there; whether git merged all."""
    store = InMemory()
    three = Three(*(
        edit_tree(store, None, {name.encode(): Entry(REGULAR, store.put("blob", data)) for name, data in one.items()})
        for one in (base, ours, theirs)
    ))  # fmt: skip
    merge = git_merge_trees(open_repository(str(repo)), *three, objects=reached(store, three))
    layer = Layer(store, merge.made)

    def contents(one: Combined) -> tuple[bytes, ...]:
        sides = [side.entry for side in (one.clash.base, one.clash.ours, one.clash.theirs) if side is not None]
        return tuple(layer.read(entry.oid).data for entry in [*sides, one.result])

    return {one.clash.path: contents(one) for one in combined_in(layer, three, merge)}, merge.tree is not None


def test_each_of_several_renames_is_told_apart(repo: Path) -> None:
    """Two files renamed by one side and edited by both: which became which is seen by what came of them."""
    f, h = text("f"), text("h")
    mine, other = text("f", (1, "mine")), text("h", (1, "mine"))
    found, clean = told(
        repo, {"f": f, "h": h}, {"y": mine, "x": other}, {"f": text("f", (15, "t")), "h": text("h", (15, "t"))}
    )
    assert clean and found == {
        b"y": (f, mine, text("f", (15, "t")), text("f", (1, "mine"), (15, "t"))),
        b"x": (h, other, text("h", (15, "t")), text("h", (1, "mine"), (15, "t"))),
    }


def test_a_file_that_both_renamed_alike(repo: Path) -> None:
    """Its base is what both took away."""
    f, mine, other = text("f"), text("f", (1, "mine")), text("f", (15, "t"))
    found, clean = told(repo, {"f": f}, {"x": mine}, {"x": other})
    assert clean and found == {b"x": (f, mine, other, text("f", (1, "mine"), (15, "t")))}


def test_what_clashes_or_is_of_one_side_is_not_told(repo: Path) -> None:
    """Of a merge with a conflict the rest is."""
    f = text("f")
    base = {"clash": f, "both": f, "one": f, "same": f, "gone": f}
    ours = {"clash": text("f", (1, "o")), "both": text("f", (1, "o")), "one": f, "same": text("s"), "gone": text("g")}
    theirs = {"clash": text("f", (1, "t")), "both": text("f", (15, "t")), "one": text("t"), "same": text("s")}
    found, clean = told(repo, base, ours, theirs)
    assert not clean and found == {
        b"both": (f, text("f", (1, "o")), text("f", (15, "t")), text("f", (1, "o"), (15, "t")))
    }

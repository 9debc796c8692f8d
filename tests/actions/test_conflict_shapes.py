"""Every shape of conflict: told, shown, settled in each way, and landed as git's merge with the same choice by hand."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from gitsessiond.faces.cli.panel import panel_lines
from gitsessiond.faces.cli.terminal import Look
from gitsessiond.model.errors import Refused
from tests.actions.asking import Asking
from tests.conftest import git
from tests.shapes import Item, Shape, Tree, edited, merged_by_hand, put, shapes, submodule, ten, text


class Clashing(Asking):
    """One patch that clashes with main in every shape at once."""

    def __init__(self, repo: Path, only: str = "") -> None:
        commits = submodule(repo / "sub")
        self.shapes = {name: one for name, one in shapes(commits).items() if only in name}
        for one in self.shapes.values():
            put(repo, one.base)
        git(repo, "add", "-A")
        git(repo, "commit", "-q", "-m", "base")
        super().__init__(repo)
        self.start()
        self.ask("patch.new", name="one")
        for one in self.shapes.values():
            put(repo, one.theirs)
        (repo / "beside").write_text("what clashes with nothing\n")
        self.look()
        self.ask("patch.ready", patch="one")
        for path in [row["path"] for row in self.ask("unassigned")["unassigned"]]:
            self.ask("assign", what=path, patch="one")  # large or binary new files are nobody's at first
        self.to_main({path: item for one in self.shapes.values() for path, item in one.ours.items()})

    def to_main(self, edits: Tree) -> None:
        """A commit on main that nobody's worktree made."""
        tree = edited(self.root, self.rev("main^{tree}"), edits)
        commit = self.git("commit-tree", tree, "-p", self.rev("main"), "-m", "upstream").strip()
        self.git("update-ref", "refs/heads/main", commit)

    def conflicts(self) -> dict[str, dict[str, Any]]:
        """Merge; the conflicts by the names of their shapes."""
        found = {one["path"]: one for one in self.merge("one")["conflicts"]}
        named = {name: found.pop(one.path) for name, one in self.shapes.items()}
        assert not found, found
        return named

    def landed(self, choice: Tree) -> None:
        """Merge again; the target must be what git makes of it by hand."""
        before = self.rev("main")
        done = self.ask("merge", patch="one")
        assert done["merged"], done
        assert self.rev("main^{tree}") == merged_by_hand(self.root, before, self.rev("main^2"), choice)


@pytest.fixture
def it(repo: Path) -> Iterator[Clashing]:
    clashing = Clashing(repo)
    yield clashing
    clashing.desk.close()


def as_in(side: Literal["ours", "theirs"], one: Shape) -> Tree:
    """The paths of a shape as one side has them."""
    return {path: getattr(one, side).get(path) for path in {*one.base, *one.ours, *one.theirs}}


def test_every_shape_is_told_and_lands_as_one_side(it: Clashing) -> None:
    """Record, panel, marked file and JSON tell the shape; each side taken whole lands as that side."""
    found = it.conflicts()
    assert {name: one["shape"] for name, one in found.items()} == {name: one.shape for name, one in it.shapes.items()}
    panel = "\n".join(panel_lines(it.ask("session.status"), Look(ascii=True)))
    for name, conflict in found.items():
        shown = it.ask("conflict.show", id=conflict["id"])
        file = it.root / shown["file"]
        assert file.read_text() == shown["text"] and "<<<<<<< main\n" in shown["text"], name
        assert f"{conflict['path']} ({conflict['shape']}, in one)" in panel
        assert "oid" not in shown["told"]["ours"] and shown["told"]["ours"] != shown["told"]["theirs"], name
    for n, (name, conflict) in enumerate(found.items()):
        it.ask("resolve", id=conflict["id"], how=("ours", "theirs")[n % 2])
        assert not (it.root / ".gitsession" / "conflicts" / conflict["id"]).exists(), name
    sides = dict(zip(it.shapes, ("ours", "theirs") * len(it.shapes), strict=False))
    it.landed({path: item for name, one in it.shapes.items() for path, item in as_in(sides[name], one).items()})


def test_every_shape_is_settled_by_saving_its_file(it: Clashing) -> None:
    """A text without markers is the result; of a clash without lines the line of one side is."""
    choice: dict[str, Any] = {}
    for n, (name, conflict) in enumerate(it.conflicts().items()):
        shown = it.ask("conflict.show", id=conflict["id"])
        one, side = it.shapes[name], ("theirs", "ours")[n % 2]
        choice |= as_in(side, one)
        if shown["hunks"]:
            (it.root / shown["file"]).write_text(f"settled {name}\n")
            at = conflict["ours"]["path"] or conflict["theirs"]["path"] or conflict["path"]
            choice |= dict.fromkeys(as_in("ours", one)) | {at: text(f"settled {name}\n")}
        else:
            (it.root / shown["file"]).write_text(shown["told"][side] + "\n")
        it.look(shown["file"])
        assert not [other for other in it.ask("conflicts")["conflicts"] if other["id"] == conflict["id"]], name
    it.landed(choice)


@pytest.fixture
def only(repo: Path, request: pytest.FixtureRequest) -> Iterator[Clashing]:
    clashing = Clashing(repo, request.param)
    yield clashing
    clashing.desk.close()


@pytest.mark.soak
@pytest.mark.parametrize("only", ["submodule"], indirect=True)
def test_a_submodule_is_resolved_to_a_commit(only: Clashing) -> None:
    """Any commit may be named; content of a file is none."""
    (conflict,) = only.conflicts().values()
    with pytest.raises(Refused, match="is the id of a commit"):
        only.ask("resolve", id=conflict["id"], how="file", content=base64.b64encode(b"words\n").decode())
    named = b"Subproject commit " + b"1" * 40 + b"\n"
    only.ask("resolve", id=conflict["id"], how="file", content=base64.b64encode(named).decode())
    assert only.ask("merge", patch="one")["merged"]
    assert only.git("ls-tree", "main", "sub") == f"160000 commit {'1' * 40}\tsub\n"


WAYS: tuple[str, ...] = ("ours", "theirs", "base", "union", "delete", "file")
TEXT = b"a resolution\n"


def by_way(way: str, name: str, one: Shape, conflict: dict[str, Any]) -> Tree | None:
    """What a shape's paths are to be when it is resolved so; None: the way is refused for it."""
    every = {*one.base, *one.ours, *one.theirs}
    if way in ("ours", "theirs"):
        return as_in(way, one)  # type: ignore[arg-type]
    if way == "base":
        return {path: one.base.get(path) for path in every} if one.base else None
    if way == "delete":
        return None if one.shape == "directory/file" else dict.fromkeys(every)
    at = conflict["ours"]["path"] or conflict["theirs"]["path"] or conflict["path"]
    mode = "100755" if one.shape == "mode" else "120000" if name == "link" else "100644"
    if way == "file":
        return (
            None
            if one.shape == "submodule"
            else dict.fromkeys(every)
            | {at: Item("100644" if name == "mode" else mode, TEXT.rstrip() if name == "link" else TEXT)}
        )
    if name == "add-add":
        return {at: text("ours\ntheirs\n")}
    if name in ("content", "renamed-and-changed"):
        both = ten("c" if name == "content" else "rc", "ours").content
        first = both.partition(b" ours\n")[0].split(b"\n")[-1]
        return dict.fromkeys(every) | {
            at: text(both.replace(first + b" ours\n", first + b" ours\n" + first + b" theirs\n"))
        }
    return None


@pytest.mark.soak
@pytest.mark.parametrize("way", WAYS)
def test_every_shape_in_every_way(it: Clashing, way: str) -> None:
    """Each way fits a shape, and lands as by hand, or is refused with words; then the patch's side is taken."""
    choice: dict[str, Any] = {}
    refused = 0
    for name, conflict in it.conflicts().items():
        wanted = by_way(way, name, it.shapes[name], conflict)
        content = base64.b64encode(TEXT).decode() if way == "file" else None
        if wanted is None:
            with pytest.raises(Refused):
                it.ask("resolve", id=conflict["id"], how=way, content=content)
            it.ask("resolve", id=conflict["id"], how="theirs")
            wanted, refused = as_in("theirs", it.shapes[name]), refused + 1
        else:
            it.ask("resolve", id=conflict["id"], how=way, content=content)
        choice |= wanted
    it.landed(choice)
    print(f"{way}: {len(it.shapes) - refused} shapes settled so, {refused} refused")


class Reverting(Clashing):
    """A patch that is merged, and whose revert clashes with what main did since in every shape at once."""

    def __init__(self, repo: Path) -> None:
        commits = submodule(repo / "sub")
        self.shapes = shapes(commits)
        for one in self.shapes.values():
            put(repo, one.theirs)
        git(repo, "add", "-A")
        git(repo, "commit", "-q", "-m", "before")
        Asking.__init__(self, repo)
        self.start()
        self.ask("patch.new", name="one")
        for one in self.shapes.values():
            put(repo, dict.fromkeys(one.theirs) | dict(one.base))
        self.look()
        for path in [row["path"] for row in self.ask("unassigned")["unassigned"]]:
            self.ask("assign", what=path, patch="one")
        assert self.merge("one", strategy="squash")["merged"]
        landed = self.rev("main")
        self.without = self.git("commit-tree", self.rev("main~1^{tree}"), "-p", landed, "-m", "without").strip()
        self.to_main({path: item for one in self.shapes.values() for path, item in one.ours.items()})

    def conflicts(self) -> dict[str, dict[str, Any]]:
        found = {one["path"]: one for one in self.ask("revert", patch="one")["conflicts"]}
        return {name: found.pop(one.path) for name, one in self.shapes.items()}

    def landed(self, choice: Tree) -> None:
        before = self.rev("main")
        done = self.ask("revert", patch="one")
        assert done["reverted"], done
        assert self.rev("main^{tree}") == merged_by_hand(self.root, before, self.without, choice)


@pytest.mark.soak
def test_every_shape_of_a_revert_is_told_and_settled(repo: Path) -> None:
    """As those of a merge: the same shapes, sides and files, and what lands is git's with the same choice by hand."""
    it = Reverting(repo)
    found = it.conflicts()
    assert {name: one["shape"] for name, one in found.items()} == {name: one.shape for name, one in it.shapes.items()}
    panel = "\n".join(panel_lines(it.ask("session.status"), Look(ascii=True)))
    sides = dict(zip(it.shapes, ("ours", "theirs") * len(it.shapes), strict=False))
    for name, conflict in found.items():
        shown = it.ask("conflict.show", id=conflict["id"])
        assert (it.root / shown["file"]).read_text() == shown["text"] and "<<<<<<< main\n" in shown["text"], name
        assert f"{conflict['path']} ({conflict['shape']}, revert of one)" in panel
        it.ask("resolve", id=conflict["id"], how=sides[name])
    it.landed({path: item for name, one in it.shapes.items() for path, item in as_in(sides[name], one).items()})
    assert it.ask("conflicts")["conflicts"] == [] and it.status_of("one") == "draft"
    it.desk.close()

"""What tools say of writes that they do not spell out whole: a file moved and edited, a notebook's cell."""

from __future__ import annotations

import json

from tests.actions.asking import Asking, it
from tests.actions.test_agents import Agent, edits, loose, owned

__all__ = ["it"]


def test_a_moved_file_has_what_was_told_of_it_and_no_more(it: Asking) -> None:
    """A person's line that came meanwhile, in the file as it was or as it is, stays nobody's."""
    it.ask("patch.new", name="mine")
    codex = Agent(it, "codex")
    name = codex.before("a.txt", "b.txt")["patch"]["name"]
    it.edit("a.txt", "line 2\n", "a person's\n")
    it.look()
    it.edit("a.txt", "line 9\n", "LINE 9\n")
    (it.root / "a.txt").rename(it.root / "b.txt")
    it.look()
    it.edit("b.txt", "line 5\n", "a person's too\n")
    moved = {"path": "b.txt", "from": "a.txt", "pieces": [["line 9\n", "LINE 9\n"]]}
    codex.after(writes=[{"path": "a.txt", "deleted": True}, moved])
    assert edits(it, name) == [("b.txt", None), ("b.txt", (9, 9))] and edits(it, "mine") == []
    assert {lines for _, lines, _ in loose(it)} == {(2, 2), (5, 5)} and owned(it)
    codex.before("b.txt", "c.txt")
    (it.root / "b.txt").rename(it.root / "c.txt")
    codex.after(writes=[{"path": "b.txt", "deleted": True}, {"path": "c.txt", "from": "b.txt", "pieces": []}])
    assert edits(it, name) == [("c.txt", None), ("c.txt", (9, 9))] and len(loose(it)) == 2 and owned(it)


def test_a_notebook_has_the_cell_that_was_told(it: Asking) -> None:
    """With what the tool clears in that cell; what a person saves in another one meanwhile is nobody's."""

    def cell(name: str, *lines: str, run: int | None = None) -> dict[str, object]:
        output = [] if run is None else [{"name": "stdout", "text": [f"{run}\n"]}]
        return {
            **{"cell_type": "code", "execution_count": run, "id": name, "metadata": {"tags": []}, "outputs": output},
            "source": list(lines),
        }

    def save(*cells: dict[str, object]) -> None:
        (it.root / "n.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4}, indent=1) + "\n")
        it.look()

    it.ask("patch.new", name="mine")
    one, two, three = cell("a", "x = 1\n", "y = 1", run=1), cell("b", "u = 1\n", "v", run=2), cell("c", "z", run=3)
    save(one, two, three)
    assert len(edits(it, "mine")) == 1
    claude = Agent(it, "claude")
    claude.before("n.ipynb")
    save(one, two, three | {"source": ["a person's"], "execution_count": None})
    save(one, cell("b", "u = 1\nv = 2\nw"), three | {"source": ["a person's"], "execution_count": None})
    told = claude.after(writes=[{"path": "n.ipynb", "cell": "u = 1\nv = 2\nw"}])
    name = told["patch"]["name"]
    text = (it.root / "n.ipynb").read_text().splitlines()
    mine = {text[row - 1].strip() for _, at in edits(it, name) if at for row in range(at[0], at[1] + 1)}
    assert '"execution_count": null,' in mine and any("v = 2" in one for one in mine)
    assert not any("person" in one for one in mine) and len(loose(it)) == 2 and owned(it), (mine, loose(it))
    claude.before("n.ipynb")
    save(one, cell("b", "u = 1\nv = 2\nw"))
    assert claude.after(writes=[{"path": "n.ipynb"}])["placed"] == []  # a cell taken away: nothing says which


def test_what_a_strict_patch_has_is_not_said_to_be_left(it: Asking) -> None:
    """A person's edit during an agent's test run has its patch; what nobody has is said."""
    it.ask("patch.new", name="mine")
    it.ask("patch.use", patch="mine", strict=True)
    claude = Agent(it, "claude")

    told = claude.shell("pytest -q", lambda: it.edit("a.txt", "line 3\n", "a person's\n"))
    assert told["left"] == [] and edits(it, "mine") == [("a.txt", (3, 3))]
    it.ask("patch.use", patch="-")
    told = claude.shell("pytest -q", lambda: it.edit("a.txt", "line 7\n", "anybody's\n"))
    assert [one["path"] for one in told["left"]] == ["a.txt"] and loose(it) == [("a.txt", (7, 7), "shell")]

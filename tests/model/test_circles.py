"""No command and no save makes patches need each other, whatever was before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitsessiond.model.fileset import Files
from gitsessiond.model.graph import graph_of
from gitsessiond.model.ownership import assign
from gitsessiond.model.registers import Fact
from gitsessiond.model.values import EXECUTABLE, REGULAR
from tests.model.many_files import Desk
from tests.model.test_ownership import TEN, line


@pytest.fixture
def desk() -> Desk:
    """q needs p for b; p's committed deletion of a is undone by nobody, and an unassigned edit is in a."""
    made = Desk({"a": TEN, "b": TEN})
    made.save({"b": line(2, b"two\n")}, claim="p")
    made.save({"b": line(2, b"deux\n")}, claim="q")
    made.save({"a": None}, claim="p")
    made.commit()
    made.save({"a": TEN}, claim="r")
    made.owners = assign(made.owners, "~by", made.how(), path=b"a", labels=["r"]).owners
    made.save({"a": line(5, b"five\n")}, current="q")
    assert made.edges() == {"q>p"}
    return made


def test_an_edit_in_a_file_that_is_back_by_nobodys_doing_is_under_the_deletion(desk: Desk) -> None:
    """Without the unassigned return p deletes the edit; q, which p would need for it, needs p already."""
    done = assign(desk.owners, "q", desk.how(), path=b"a", lines=(5, 5))
    assert done.moved == ()
    assert [one.why for one in done.refused] == ["cycle q p"]


def test_a_return_that_is_nobodys_goes_again_without_new_needs(desk: Desk) -> None:
    """r may have the edit, below the deletion; the file deleted once more by nobody lays and takes no edge."""
    assert assign(desk.owners, "r", desk.how(), path=b"a", lines=(5, 5)).moved
    desk.owners = assign(desk.owners, "r", desk.how(), path=b"a", lines=(5, 5)).owners
    before = graph_of(desk.owners).edges
    assert desk.edges() == {"q>p", "p>r"}
    desk.save({"a": None}, claim="~x")
    assert graph_of(desk.owners).edges.keys() == before.keys()


def test_needs_that_close_a_circle_are_left_out_and_known() -> None:
    """No command makes such a record; one that is read all the same keeps the other need, and says so."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n")}, claim="p")
    desk.save({"a": line(2, b"deux\n")}, claim="q")
    file = desk.file("a")
    stack: tuple[Fact[int | None], ...] = (Fact("q", EXECUTABLE), Fact("p", REGULAR))
    graph = graph_of(replace(desk.owners, files=Files({file.id: replace(file, mode=stack)})))
    assert graph.edges.keys() | graph.left_out == {("q", "p"), ("p", "q")}
    assert len(graph.edges) == 1
    assert len(graph.order()) == 3

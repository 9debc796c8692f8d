"""Arguments that could mean two things, and numbers that mean none."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitsessiond.model.errors import NotFound
from tests.actions.asking import Asking


def test_a_file_whose_name_looks_like_lines_is_assigned_by_it(repo: Path) -> None:
    """A recorded path is meant before lines of a shorter one."""
    it = Asking(repo)
    it.start()
    (repo / "a:3-4").write_text("one\n")
    it.look()
    assert [row["path"] for row in it.ask("assign", what="a:3-4")["pending"]] == ["a:3-4"]
    assert [one["path"] for one in it.ask("assign", what="a:3-4", new="p")["moved"]] == ["a:3-4"]
    it.desk.close()


def test_there_is_no_step_0(repo: Path) -> None:
    """Steps count from 1; 0 is not the first."""
    it = Asking(repo)
    it.start()
    with pytest.raises(NotFound, match="no step 0"):
        it.ask("restore", path="a.txt", at="0")
    it.desk.close()

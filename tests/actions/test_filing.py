"""``session.files``: what is told at once is bounded, and all of it is told in the end."""

from __future__ import annotations

from typing import Any

import pytest

from gitsessiond.actions import filing
from gitsessiond.actions.context import Asked
from tests.actions.desk import Desk, both_dirty, desk

__all__ = ["both_dirty", "desk"]


def told(it: Desk, known: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The patches by name."""
    reply = filing.show_files(it.ctx, Asked("session.files", {"known": known}, it.who))
    return {it.live.state.patches[one["id"]].name: one for one in reply["patches"]}


def test_diffs_beyond_what_is_told_at_once_come_next_time(both_dirty: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut at first, and whole with the next answer, when the others are known."""
    it = both_dirty
    it.patch("empty")
    whole = told(it, {})
    sizes = {name: len(one["diff"]) for name, one in whole.items()}
    assert min(sizes["p"], sizes["q"]) > 50 and whole["q"]["diff_left"] == 0
    monkeypatch.setattr(filing, "MOST_DIFFS", max(sizes.values()) + 10)
    first = told(it, {})
    assert sum(len(one["diff"]) for one in first.values()) <= max(sizes.values()) + 10
    assert [name for name, one in first.items() if one["diff_left"]] == ["q"]
    second = told(it, {one["id"]: one["key"] for one in first.values()})
    assert "diff" not in second["p"] and second["q"] == whole["q"]


def test_more_rows_than_any_list_has_may_be_asked_for(both_dirty: Desk) -> None:
    """They are all told."""
    for most in (2**31, 2**63, 10**400):
        reply = filing.show_files(both_dirty.ctx, Asked("session.files", {"most": most}, both_dirty.who))
        assert reply["status"]["left"]["editors"] == 0

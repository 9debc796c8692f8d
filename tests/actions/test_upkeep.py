"""What is left to do where gitsessiond is taken out of a repository."""

from __future__ import annotations

from tests.actions.asking import Asking, it

__all__ = ["it"]


def test_uninstall_names_the_sessions_that_go_on(it: Asking) -> None:
    """Those that are open; of ended ones there is nothing to say."""
    goes_on = "on being recorded; the next git session command that changes something makes .gitsession/ again"
    assert it.ask("uninstall")["warnings"] == [f"session x is open and goes {goes_on}"]
    it.ask("session.start", name="y", worktree=True)
    assert it.ask("uninstall")["warnings"] == [f"sessions x and y are open and go {goes_on}"]
    it.ask("session.abandon")
    assert it.ask("uninstall")["warnings"] == [f"session y is open and goes {goes_on}"]

"""The hooks of coding agents in the settings of several worktrees of one repository."""

from __future__ import annotations

from tests.actions.asking import Asking, it

__all__ = ["it"]


def test_worktrees_named_alike_are_told_apart(it: Asking) -> None:
    """A linked one called `main` beside the main one: each file comes back as it was, or goes."""
    top, side = it.root, it.root.parent / "main"
    it.git("worktree", "add", "-q", "--detach", str(side))
    (top / ".claude").mkdir()
    (top / ".claude/settings.json").write_text('{"model": "x"}')
    for verb in ("install", "uninstall"):
        for it.root in (top, side):
            assert it.ask(f"hooks.agent.{verb}", agent="claude")["changed"]
    assert (top / ".claude/settings.json").read_text() == '{"model": "x"}' and not (side / ".claude").exists()

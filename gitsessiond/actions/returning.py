"""The way back to a session that is parked: what a person types, as things are."""

from __future__ import annotations

from shlex import quote

from gitsessiond.actions.context import Live
from gitsessiond.store.head import branch_tip, read_head


def way_back(live: Live) -> str:
    """The command that ends a session's being parked: to its branch, or the branch made again where it was."""
    session = live.state.session
    if live.worktree is None:
        return f"git switch {quote(session.branch)}"
    at = live.worktree.repository
    head = read_head(at.git_dir, at.common_dir)
    last = session.chain[-1] if session.chain else session.base
    if head.stands_on == session.branch:
        if head.oid is None:
            return f"git update-ref {quote(f'refs/heads/{session.branch}')} {last}"
        return "git status"  # git is at work there, and says how to go on
    if branch_tip(at.common_dir, session.branch) is None:
        return f"git switch -c {quote(session.branch)} {last[:12]}"
    return f"git switch {quote(session.branch)}"

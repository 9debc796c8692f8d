"""The way on, or back to a session that is parked: what a person types, as things are."""

from __future__ import annotations

import os
from shlex import join, quote

from gitsessiond.actions.context import Live
from gitsessiond.model.names import unquote_path
from gitsessiond.model.records import Session
from gitsessiond.store.head import branch_tip, command_at_work, read_head
from gitsessiond.store.repository import linked_git_dirs


def way_back(live: Live) -> str:
    """The command that ends a session's being parked: to its branch, or the branch made again where it was."""
    session = live.state.session
    if live.worktree is None:
        return f"git switch {quote(session.branch)}"
    at = live.worktree.repository
    head = read_head(at.git_dir, at.common_dir)
    last = last_commit(session)
    if head.stands_on == session.branch:
        if head.oid is None:
            return f"git update-ref {quote(f'refs/heads/{session.branch}')} {last}"
        return (going_on(live) or ["git status"])[0]
    if branch_tip(at.common_dir, session.branch) is None:
        return f"git switch -c {quote(session.branch)} {last[:12]}"
    return f"git switch {quote(session.branch)}"


def worktree_again(common_dir: str, session: Session) -> str:
    """The command that brings a session's worktree back where it was, its branch made again if that is gone too."""
    path = os.fsdecode(unquote_path(session.worktree))
    words = ["git", "worktree", "add"]
    if path in linked_git_dirs(common_dir):
        words.append("-f")  # git still knows of the one whose directory was removed
    where = "DIR" if os.path.lexists(path) else path
    if branch_tip(common_dir, session.branch) is None:
        return join([*words, "-b", session.branch, where, last_commit(session)[:12]])
    return join([*words, where, session.branch])


def last_commit(session: Session) -> str:
    """Where the session's branch was."""
    return session.chain[-1] if session.chain else session.base


def stopped_command(live: Live) -> str | None:
    """The git command that stopped in the session's worktree and waits to be gone on with."""
    return command_at_work(live.worktree.repository.git_dir) if live.worktree is not None else None


def going_on(live: Live) -> list[str]:
    """What git itself waits for in the session's worktree: to go on, or to go back."""
    command = stopped_command(live)
    return [f"git {command} --continue", f"git {command} --abort"] if command else []

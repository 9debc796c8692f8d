"""Where a session's worktree is: followed by its git directory when it moves, found again when it was added anew."""

from __future__ import annotations

import os
from dataclasses import replace

from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.starting import open_tree, worktree_id
from gitsessiond.model.names import is_id, quote_path
from gitsessiond.store.head import read_head
from gitsessiond.store.repository import open_repository


def is_there(worktree: str, git_dir: str) -> bool:
    """Whether a worktree still is where it was: its files and its git directory; not while git is making it."""
    if not (os.path.lexists(os.path.join(worktree, ".git")) and os.path.isdir(git_dir)):
        return False
    # Source: builtin/worktree.c of git, add_worktree: locked first, and an index last, when the files are there.
    return os.path.lexists(f"{git_dir}/index") or not os.path.lexists(f"{git_dir}/locked")


def seek_worktree(ctx: Context, live: Live) -> bool:
    """Give a session without a worktree the one that is its own now; whether there is one.

    That is the worktree with the session's id in its git directory (``git worktree move``), else one that stands
    on the session's branch (removed and added again): that gets an id of its own.

    Raises:
        GitSessionError: it cannot be opened, or the step could not be recorded.
    """
    session = live.state.session
    path = worktree_of(ctx.repository.common_dir, session.worktree_id, session.branch)
    if path is None:
        return False
    at = open_repository(path)
    wid = worktree_id(at, ctx.new_id())
    update = {"worktree": quote_path(os.fsencode(at.worktree)), "worktree_id": wid}
    if update != {"worktree": session.worktree, "worktree_id": session.worktree_id}:
        state = replace(live.state, session=session.model_copy(update=update))
        publish(ctx, live, state, "adopt", by="git", text=f"the worktree is now {update['worktree']}", facts=update)
    state = live.state
    live.worktree = open_tree(ctx, at, wid, state.work, state.raw)
    live.head_seen, live.lost = None, None
    return True


def worktree_of(common_dir: str, wid: str, branch: str) -> str | None:
    """The directory of the worktree with this id, else of one without any id that stands on the branch.

    Source: gitrepository-layout(5), ``worktrees/<id>/gitdir``.
    """
    on_branch = None
    for git_dir, path in git_dirs(common_dir):
        if not is_there(path, git_dir):
            continue
        found = read_wid(git_dir)
        if found == wid:
            return path
        if not is_id(found) and read_head(git_dir, common_dir).stands_on == branch:
            on_branch = on_branch or path
    return on_branch


def git_dirs(common_dir: str) -> list[tuple[str, str]]:
    """Every worktree's git directory with the directory of its files; the main one first, if it is no bare one."""
    main = [(common_dir, os.path.dirname(common_dir))] if os.path.basename(common_dir) == ".git" else []
    linked = []
    try:
        names = sorted(os.listdir(os.path.join(common_dir, "worktrees")))
    except OSError:
        names = []
    for name in names:
        git_dir = os.path.join(common_dir, "worktrees", name)
        try:
            with open(os.path.join(git_dir, "gitdir"), "rb") as file:
                dot_git = os.fsdecode(file.read().rstrip(b"\n"))
        except OSError:
            continue  # a half-made or half-removed worktree
        linked.append((git_dir, os.path.dirname(os.path.join(git_dir, dot_git))))
    return main + linked


def read_wid(git_dir: str) -> str:
    """The id in a worktree's git directory; empty when there is none."""
    try:
        with open(os.path.join(git_dir, "gitsession-wid"), encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""

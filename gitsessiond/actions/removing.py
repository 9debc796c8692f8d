"""``close --remove``: a linked worktree goes, if nothing in it would be lost."""

from __future__ import annotations

import os
from collections.abc import Iterator

from gitsessiond.actions.adoption import adopt
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.saves import record_reading
from gitsessiond.model.errors import Refused, disk_refused
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.git import run_git
from gitsessiond.store.trees import diff_trees

OURS = (b".git", b".gitsession")  # at the top


def refuse_unrecorded(live: Live) -> None:
    """Raise Refused when the worktree cannot be removed without losing something: a file that nobody recorded,
    whether git ignores it or we leave it out. The checkout a session was started in is never removed.
    """
    if live.state.session.here:
        raise Refused("this session lives in its first checkout, which is not ours to remove", hint="git session close")
    if live.worktree is None:
        return
    hint = "move them away, or git session close"
    if live.worktree.busy:
        raise Refused(f"{quote_path(min(live.worktree.busy))} is being written", hint="git session close --remove")
    left = sorted(unrecorded(live))
    if left:
        count = "1 file there is" if len(left) == 1 else f"{len(left)} files there are"
        raise Refused(f"{count} recorded nowhere, {quote_path(left[0])} for one", hint=hint)


def unrecorded(live: Live) -> Iterator[bytes]:
    """The files of a session's worktree that its record does not have, those of submodules and clones too."""
    assert live.worktree is not None
    root, known = os.fsencode(live.worktree.repository.worktree), live.worktree.known
    for above, directories, files in os.walk(root, onerror=_refused):
        below = above[len(root) + 1 :]
        if not below:
            directories[:] = [name for name in directories if name not in OURS]
        names = [name for name in files if below or name not in OURS]
        names += [name for name in directories if os.path.islink(os.path.join(above, name))]
        yield from (path for path in (os.path.join(below, name) for name in names) if path not in known)
    yield from live.worktree.unrecorded(known)


def _refused(exc: OSError) -> None:
    """A directory that cannot be looked into may hold anything."""
    raise disk_refused("the worktree cannot be looked at", exc)


def record_rest(ctx: Context, live: Live) -> None:
    """Record what was saved since the last look."""
    if live.worktree is None:
        return
    reading = live.worktree.scan_whole()
    if not adopt(ctx, live, reading):
        record_reading(ctx, live, reading)
        live.worktree.accept(reading)


def taken_uncommitted(ctx: Context, live: Live) -> list[str]:
    """The recorded files that differ from the session's last commit: without the worktree only the record has them."""
    session = live.state.session
    tip = tree_of_commit(ctx.store, session.chain[-1] if session.chain else session.base)
    return [quote_path(change.path) for change in diff_trees(ctx.store, tip, live.state.work)]


def remove_worktree(ctx: Context, live: Live, *, keep_branch: bool) -> None:
    """Remove the linked worktree of a closed session, all of which is recorded; its branch when all is merged.

    ``keep_branch``: the record has more than the branch, and comes back to a worktree on it.
    """
    path = os.fsdecode(unquote_path(live.state.session.worktree))
    run_git(["worktree", "remove", "--force", path], git_dir=ctx.repository.common_dir)
    if not keep_branch and all(patch.status == "merged" for patch in live.state.patches.values()):
        run_git(["branch", "-D", live.state.session.branch], git_dir=ctx.repository.common_dir, check=False)

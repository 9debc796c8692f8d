"""Paths that the next plain ``git commit`` would put back to an older version, because git's index is old there.

A pre-commit hook that reformats a file which is committed by name leaves such an index: HEAD and the file have the new
version, the index the one from before. git shows ``MM`` and says nothing; the index is the user's, so it is told, not
repaired. Told is only what is certain: the index holds content that was on disk before HEAD came to what it has.
"""

from __future__ import annotations

from gitsessiond.actions.context import Context, Live
from gitsessiond.model.errors import GitSessionError
from gitsessiond.model.records import Session, decode
from gitsessiond.model.values import Entry
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.config import signature_of
from gitsessiond.store.head import read_head
from gitsessiond.store.history import state_trees, steps_of
from gitsessiond.store.index import staged_changes
from gitsessiond.store.trees import entry_at

STEPS = 400  # looked at for the content of the index; what is older is not told


def would_revert(ctx: Context, live: Live) -> list[bytes]:
    """These paths, in git's order. Costs a stat while index and HEAD stay as they are."""
    if live.worktree is None or live.state.session.parked is not None:
        return []
    at = live.worktree.repository
    index = f"{at.git_dir}/index"
    head = read_head(at.git_dir, at.common_dir)
    seen = (signature_of(index), head.oid)
    if head.oid is None or head.at_work or seen[0] is None:
        return []
    if live.staged_seen is None or live.staged_seen[0] != seen:
        try:
            staged = staged_changes(at.worktree, index, head.oid)
        except GitSessionError:
            staged = {}  # unmerged, or unreadable: told elsewhere
        live.staged_seen = (seen, staged, {})
    _, staged, verdicts = live.staged_seen
    found = []
    for path, one in staged.items():
        if one.in_head is None or one.in_index is None or entry_at(ctx.store, live.state.work, path) != one.in_head:
            continue
        if path not in verdicts:
            verdicts[path] = was_before(ctx, live, path, one.in_index, one.in_head)
        if verdicts[path]:
            found.append(path)
    return found


def was_before(ctx: Context, live: Live, path: bytes, staged: Entry, committed: Entry) -> bool:
    """Whether ``staged`` was on disk before HEAD came to have ``committed``."""
    heads: dict[str, Entry | None] = {}
    came = False  # going back: HEAD had something else here
    for number, step in enumerate(steps_of(ctx.store, live.state)):
        if number >= STEPS:
            break
        record = entry_at(ctx.store, step.tree, b"session.json")
        if record is None:
            break
        session = decode(Session, ctx.store.blob(record.oid), "session.json")
        tip = session.chain[-1] if session.chain else session.base
        if tip not in heads:
            heads[tip] = entry_at(ctx.store, tree_of_commit(ctx.store, tip), path)
        came = came or heads[tip] != committed
        work, _ = state_trees(ctx.store, step.step)
        if came and entry_at(ctx.store, work, path) == staged:
            return True
    return False

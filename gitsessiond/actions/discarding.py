"""``patch abandon --discard``: a patch's edits leave the files."""

from __future__ import annotations

from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.saves import how_for, record_reading
from gitsessiond.model.errors import Refused
from gitsessiond.model.names import quote_path
from gitsessiond.model.ownership import discard_patch
from gitsessiond.model.records import Patch
from gitsessiond.model.versions import live_overlay
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.trees import file_at
from gitsessiond.store.writing import write_files


def take_out(ctx: Context, live: Live, patch: Patch, by: str) -> None:
    """Write the files without a patch's edits, and record that as a save: its own lines it takes back itself.

    Raises:
        Refused: no worktree, other edits build on these, or a save came in between.
    """
    if live.worktree is None:
        raise Refused("the session has no worktree", hint="git session status")
    done = discard_patch(live.state.owners, patch.id, how_for(ctx, live, live.state, {}))
    if done.refused:
        where = quote_path(done.refused[0].path)
        raise Refused(
            f"other edits build on those of {patch.name} in {where}",
            hint=f"git session patch abandon {patch.id[:4]}",
        )
    before, after = live_overlay(live.state.owners, ctx.tools), live_overlay(done.owners, ctx.tools)
    base = tree_of_commit(ctx.store, live.state.session.base)
    wanted = {
        path: after[path] if path in after else file_at(ctx.store, base, path)
        for path in before.keys() | after.keys()
        if path not in after or path not in before or before[path] != after[path]
    }
    if wanted:
        now = {path: file_at(ctx.store, live.state.work, path) for path in wanted}
        write_files(live.worktree, wanted, now, {}, ctx.store)
        reading = live.worktree.read_paths(sorted(wanted))
        record_reading(ctx, live, reading, verb="restore", by=by)
        live.worktree.accept(reading)

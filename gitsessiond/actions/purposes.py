"""What both sides of a conflict were for: the patch in its words, the target in those of its commits."""

from __future__ import annotations

from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.mergeable import target_tip
from gitsessiond.model.errors import GitSessionError
from gitsessiond.model.names import unquote_path
from gitsessiond.model.records import Conflict
from gitsessiond.store.chain import read_commit
from gitsessiond.store.git import run_git

MOST = 5  # commits named of either side, the newest first
LOG = ("--literal-pathspecs", "log", "--first-parent", "-m", f"-{MOST}", "--format=%h %an: %s")


def purposes(ctx: Context, live: Live, conflict: Conflict) -> dict[str, list[str]]:
    """For ``ours`` and ``theirs`` a few sentences each."""
    return {"ours": target_words(ctx, live, conflict), "theirs": patch_words(ctx, live, conflict)}


def patch_words(ctx: Context, live: Live, conflict: Conflict) -> list[str]:
    """The patch's description, else its name; and the subjects of its commits."""
    patch = live.state.patches.get(conflict.patch or "")
    if patch is None:
        return []
    own = [read_commit(ctx.store, one.oid).subject for one in reversed(patch.series) if one.of is not None]
    said = patch.description or patch.name
    if conflict.kind == "git_revert":
        return [f"as it was before {patch.name}: {said}"]
    return [said, *(subject for subject in dict.fromkeys(own[:MOST]) if subject not in said)]


def target_words(ctx: Context, live: Live, conflict: Conflict) -> list[str]:
    """The commits that brought the target its side since the session's base (of a revert: since the landing).

    Those of a merge by the merge's words.
    """
    patch = live.state.patches.get(conflict.patch or "")
    landed = patch.merge_commit if patch is not None and conflict.kind == "git_revert" else None
    names = {side.path for side in (conflict.base, conflict.ours) if side.path is not None}
    paths = [unquote_path(name) for name in {conflict.path, *names}]
    try:
        tip = target_tip(ctx, live.state.session.target)
        told = run_git(
            [*LOG, f"{landed or live.state.session.base}..{tip}", "--", *paths],
            cwd=ctx.repository.worktree,
        ).out
    except GitSessionError:
        return []  # the words are a help, not a condition
    return told.decode("utf-8", "replace").splitlines()

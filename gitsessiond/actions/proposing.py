"""What to type next, as ``status`` proposes it."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote as shell_word
from typing import Any

from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.mergeable import trouble_with_target
from gitsessiond.actions.returning import going_on, way_back, worktree_again
from gitsessiond.actions.taking_back import reverts_of
from gitsessiond.model.conflicts import LOCK
from gitsessiond.model.hints import command_words
from gitsessiond.model.names import short_id
from gitsessiond.store.steps import State


def next_commands(ctx: Context, live: Live | None, state: State, reply: Mapping[str, Any]) -> list[str]:
    """The next useful commands, most useful first; never empty."""
    session, patches = state.session, reply["patches"]
    if session.status != "open":
        return ["git session list --all"]
    if reply["session"]["git_at_work"] and live is not None:
        return going_on(live)
    if session.parked and live is not None:
        return [way_back(live)]
    hints: list[str] = []
    if reply["session"]["state"] == "no worktree":
        hints.append(worktree_again(ctx.repository.common_dir, session))
    clashes = [one for one in reply["conflicts"] if one["kind"] != LOCK]
    if clashes:
        hints.append(command_words("conflict", "show", short_id(clashes[0]["id"], state.conflicts)))
    trouble = trouble_with_target(ctx, session)
    if trouble is not None and trouble.hint is not None:
        hints += trouble.hint.splitlines()
    else:
        hints += [f"git session revert {shell_word(state.patches[pid].name)}" for pid in settled_reverts(state)]
        hints += [f"git session merge {shell_word(name)}" for name in reply["ready"]]
    going = [p for p in patches if p["status"] not in ("merged", "abandoned")]
    if reply["unassigned"]:
        codes = {row["code"] for row in reply["unassigned"]} | set(reply.get("left", {}).get("codes", ()))
        first = not patches and codes == {"none"}
        alone = "git session patch new NAME" if first else "git session patch new NAME --take"
        hints.append("git session assign --all" if going else alone)
    failed = [p for p in going if any(one["code"] == "check" for one in p["blockers"])]
    hints += [f"git session patch show {shell_word(p['name'])}" for p in failed]
    drafts = [p for p in going if p["status"] == "draft" and p["ops"]]
    blocked_first = sorted(drafts, key=lambda p: len(p["blockers"]))
    if trouble is None:
        hints += [f"git session merge {shell_word(p['name'])} --ready" for p in blocked_first[:1] if not p["blockers"]]
    if reply["session"]["behind"]:
        hints.append("git session update")
    if not patches and not reply["unassigned"]:
        hints.append("git session patch new NAME")
    if not going and not hints and (reply["session"]["upstream"] or {}).get("ahead"):
        hints.append("git session push")
    if patches and not going:
        hints.append("git session close")
    return hints or ["git session history"]


def settled_reverts(state: State) -> list[str]:
    """The patches whose revert stopped at conflicts that are all resolved now."""
    found = [pid for pid in state.patches if reverts_of(state, pid)]
    return [pid for pid in found if all(one.status == "resolved" for one in reverts_of(state, pid))]

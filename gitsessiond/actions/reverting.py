"""``revert``: what a merged patch brought to its target is taken back there, and the patch is open again.

One commit on the target, by git's three-way merge away from what landed; the session's files, branch and edits stay
as they are. Where the session stands on the landing already (an update took it in), the revert is brought in as well,
with the patch's edits put back on it as one commit of its own: again no file changes. Where the target changed the
same lines since, nothing moves: the conflicts are recorded, and once they are resolved ``revert`` goes through. After
a revert by hand it finds that there is nothing left to take back.
"""

from __future__ import annotations

from shlex import quote
from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.asked import refuse_parked, status_words
from gitsessiond.actions.checking import Merged, check_due, check_wanted
from gitsessiond.actions.clash_files import write_control_files
from gitsessiond.actions.combining import Made
from gitsessiond.actions.commits import place_of
from gitsessiond.actions.conflicts import take_all_saved
from gitsessiond.actions.context import Asked, Context, Live, Who
from gitsessiond.actions.landings import Landing, finish_interrupted, land_patch
from gitsessiond.actions.mergeable import as_told, target_tip
from gitsessiond.actions.merges import TRIES, Plan
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.reopening import record_reverted
from gitsessiond.actions.sessions import patch_reply
from gitsessiond.actions.strategies import own_commits
from gitsessiond.actions.taking_back import clash_words, record_clash, reverts_of, try_revert, without_reverts
from gitsessiond.actions.updating import bring_in
from gitsessiond.actions.wording import home_of, seen_by_hook
from gitsessiond.model.errors import GitSessionError, Moved, Refused
from gitsessiond.model.graph import graph_of
from gitsessiond.model.ownership import edits_of
from gitsessiond.model.records import Patch
from gitsessiond.model.strategies import revert_message
from gitsessiond.store.chain import CommitGraph, tree_of_commit
from gitsessiond.store.identity import identity_of
from gitsessiond.store.landing import find_place
from gitsessiond.store.trees import diff_trees


def revert_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``revert P [--no-verify]``; conflicts are an answer, not an error.

    With ``abort`` the conflicts of a revert that did not go through are given up.

    Raises:
        Refused: not merged, another merged patch builds on it, the session stands on the merge itself, or the check
            failed on the target without the patch.
        Moved: the target moved at each of three tries.
    """
    ctx = as_told(ctx, asked.who)
    finish_interrupted(ctx)
    live, who = ctx.live(asked), asked.who
    take_all_saved(ctx, live)
    refuse_parked(live)
    patch = live.patch(asked.text("patch"))
    if asked.flag("abort"):
        return give_up_revert(ctx, live, patch, identity_of(who.env, who.cwd))
    revertible(ctx, live, patch)
    target = live.state.session.target
    message = revert_message(live.state.session, patch, landed_words(ctx, patch))
    again = f"git session revert {quote(patch.name)} --no-verify"
    wanted = check_wanted(ctx, tuple(asked.texts("ran")), no_verify=asked.flag("no_verify"))
    words = seen_by_hook(ctx, live, message, who, "the revert", again, no_verify=asked.flag("no_verify"))
    for _ in range(TRIES):
        plan = plan_revert(ctx, live, patch)
        landing = plan.landing
        if landing is None:
            return conflicted(ctx, live, plan, patch, who, words.output)
        if not landing.changes:
            refuse_left_over(ctx, live, patch, has_taken_in(ctx, live, patch))
            record_reverted(ctx, live, patch.id, landing.old, identity_of(who.env, who.cwd))
            return reply_of(
                ctx, live, patch.id, None, 0, f"{target} has nothing of {patch.name} any more", words.output
            )
        if wanted is not None:
            due = check_due(ctx, live, patch.id, wanted, Merged(landing.old, landing.layer, landing.tree), revert=True)
            if due is not None:
                return reply_of(ctx, live, patch.id, None, 0, "", "") | {"reverted": False, "check_due": due}
        try:
            commit, told = land_patch(ctx, live, landing, words, who)
        except Moved:
            continue
        if has_taken_in(ctx, live, patch):
            told = "\n".join([told, *taken_back_here(ctx, live, who)])
        output = "\n".join(part for part in (words.output, told) if part)
        files = len(landing.changes)
        return reply_of(ctx, live, patch.id, commit, files, f"{patch.name} reverted on {target}", output)
    raise Moved(f"{target} moved {TRIES} times while {patch.name} was reverted", hint="run the command again")


def reply_of(
    ctx: Context, live: Live, pid: str, commit: str | None, files: int, message: str, output: str
) -> dict[str, Any]:
    """What ``revert`` answers when it is done."""
    return {
        "reverted": True,
        "patch": patch_reply(live.state, live.state.patches[pid], ctx=ctx),
        "target": live.state.session.target,
        "commit": commit,
        "files": files,
        "conflicts": [],
        "message": message,
        "output": output,
    }


def conflicted(ctx: Context, live: Live, plan: Plan, patch: Patch, who: Who, output: str) -> dict[str, Any]:
    """The answer of a revert that clashes, the conflicts recorded; nothing else has moved."""
    assert plan.layer is not None
    still_open = record_clash(
        ctx, live, patch, plan.clashes, Made(plan.combined, plan.layer), identity_of(who.env, who.cwd), whole=plan.whole
    )
    message = f"the revert of {patch.name} {clash_words(live.state.session.target, still_open)}"
    done = reply_of(ctx, live, patch.id, None, 0, message, output)
    return done | {"reverted": False, "conflicts": [views.conflict_view(live.state, one) for one in still_open]}


def give_up_revert(ctx: Context, live: Live, patch: Patch, by: str) -> dict[str, Any]:
    """``revert P --abort``: its conflicts do not count any more; nothing else changes.

    Raises:
        Refused: there are none.
    """
    if not reverts_of(live.state, patch.id):
        raise Refused(f"no revert of {patch.name} has conflicts", hint="git session conflicts")
    text = f"{patch.name}: its revert was given up"
    facts = {"patch": {"id": patch.id, "name": patch.name}, "aborted": True}
    publish(ctx, live, without_reverts(live.state, patch.id, given_up=True), "revert", by=by, text=text, facts=facts)
    write_control_files(ctx, live)
    return reply_of(ctx, live, patch.id, None, 0, text, "") | {"reverted": False}


def revertible(ctx: Context, live: Live, patch: Patch) -> Patch:
    """The patch, when its landing can be taken back.

    Raises:
        Refused: it is not merged, a merged patch builds on it, or its edits are the session's base by now.
    """
    state = live.state
    if patch.status != "merged" or patch.merge_commit is None:
        raise Refused(f"patch {patch.name} is {status_words(patch)}, not merged", hint="git session patch list")
    graph = graph_of(state.owners)
    above = [one for one in graph.order() if patch.id in graph.closure(one) and state.patches[one].status == "merged"]
    if above:
        last = state.patches[above[-1]]
        raise Refused(
            f"{last.name} is merged and builds on {patch.name}", hint=f"git session revert {quote(last.name)}"
        )
    if has_taken_in(ctx, live, patch):
        refuse_left_over(ctx, live, patch, bool(edits_of(state.owners, patch.id)))
        place_of(ctx, live)
        if target_tip(ctx, state.session.target) != state.session.base:
            raise Refused(
                f"{state.session.name} stands on an older {state.session.target} that has {patch.name}",
                hint="git session update",
            )
    else:
        refuse_left_over(ctx, live, patch, not edits_of(state.owners, patch.id))
    return patch


def has_taken_in(ctx: Context, live: Live, patch: Patch) -> bool:
    """Whether a patch's landing is a part of the session's base, and its edits are no patch's any more."""
    state = live.state
    landed = patch.merge_commit
    return landed is not None and CommitGraph(ctx.repository.common_dir).within(landed, state.session.base)


def refuse_left_over(ctx: Context, live: Live, patch: Patch, it_is: bool) -> None:
    """Raise Refused when the edits of a patch can no longer be told from the base's."""
    session = live.state.session
    if it_is:
        raise Refused(
            f"{session.name} stands on a {session.target} that has {patch.name}: its edits are no patch's any more",
            hint=f"{where_of(ctx, session.target)}{revert_by_hand(ctx, patch)}",
        )


def taken_back_here(ctx: Context, live: Live, who: Who) -> list[str]:
    """Bring the revert into the session that had taken the landing in; what is left to do is told."""
    try:
        done = bring_in(ctx, live, who)
    except GitSessionError as exc:  # the target has it; the session takes it as soon as it can
        return [yet_to_take(exc.message)]
    return [] if done["updated"] else [yet_to_take(done["message"])]


def yet_to_take(why: str) -> str:
    """What is left to do in a session whose target has lost what it had taken in."""
    return f"the session has yet to take the revert in: {why}; `git session update` does"


def plan_revert(ctx: Context, live: Live, patch: Patch) -> Plan:
    """The target as it is now without what the patch brought, in objects only; known resolutions are used.

    Raises:
        Refused: the target is gone, or git is in the middle of something where it is checked out.
        StoreFailed: git failed.
    """
    target = live.state.session.target
    old, place = target_tip(ctx, target), find_place(ctx.repository, target)
    tried = try_revert(ctx, live, patch, old, place.worktree if place else home_of(ctx, live))
    layer, tree = tried.layer, tried.tree
    if tree is None:
        return Plan(None, tried.clashes, layer, tried.combined, tried.whole)
    changes = tuple(diff_trees(layer, tree_of_commit(ctx.store, old), tree))
    landing = Landing(patch, target, old, patch.series[-1].oid, place, layer, tree, changes, "revert")
    return Plan(landing._replace(combined=tried.combined), (), layer)


def landed_words(ctx: Context, patch: Patch) -> str:
    """What is reverted, by its ids."""
    if patch.merge_strategy == "rebase" and patch.merge_onto is not None and patch.merge_commit is not None:
        count = CommitGraph(ctx.repository.common_dir).count_beyond(patch.merge_onto, patch.merge_commit)
        return f"{count} commits up to {patch.merge_commit}" if count > 1 else f"commit {patch.merge_commit}"
    if patch.merge_onto is not None:
        return f"commit {patch.merge_commit}"
    return "commits " + " ".join(facts.oid for facts in own_commits(ctx, patch))


def revert_by_hand(ctx: Context, patch: Patch) -> str:
    """The git command that does the same."""
    if patch.merge_strategy == "merge":
        return f"revert -m 1 {str(patch.merge_commit)[:12]}"
    if patch.merge_strategy == "squash":
        return f"revert {str(patch.merge_commit)[:12]}"
    if patch.merge_strategy == "rebase":
        return f"revert {str(patch.merge_onto)[:12]}..{str(patch.merge_commit)[:12]}"
    return "revert COMMIT"


def where_of(ctx: Context, target: str) -> str:
    """The beginning of a git command in the worktree that has the target, which is a person's to make if none has."""
    place = find_place(ctx.repository, target)
    return f"git -C {quote(place.worktree)} " if place else f"on {target}: git "

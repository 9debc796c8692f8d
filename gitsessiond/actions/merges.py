"""``merge``: one patch alone onto the target, as a merge commit; and what ``patch validate`` can tell of it.

Planning makes objects and moves nothing; landing decides nothing (:mod:`gitsessiond.actions.landings`). A target
that moves in between is planned for again, three times. A conflict moves nothing but the session: the patch's
status becomes ``conflicts``, with one record for each path.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.checking import Merged, check_due, check_wanted
from gitsessiond.actions.clash_files import write_control_files
from gitsessiond.actions.clashing import with_patch, with_records
from gitsessiond.actions.combining import Clash, Made, beyond_words, with_automatic
from gitsessiond.actions.commits import commit_patch
from gitsessiond.actions.conflicts import take_all_saved
from gitsessiond.actions.contests import refuse_settled_rebase, review, try_settled
from gitsessiond.actions.context import Context, Live, Who
from gitsessiond.actions.landings import (
    Landing,
    finish_interrupted,
    land_patch,
    record_merged,
)
from gitsessiond.actions.lockedrefs import refuse_locked
from gitsessiond.actions.mergeable import (
    as_told,
    chosen_strategy,
    is_draft,
    mergeable,
    refuse_empty,
    refuse_foreign_base,
    target_tip,
)
from gitsessiond.actions.predicting import (
    Validation,
    check_place,
    notice_landed,
    predict,
    refuse_in_the_way,
    refuse_lost,
    validate_patch,
)
from gitsessiond.actions.publishing import patch_trees, publish
from gitsessiond.actions.sessions import patch_reply
from gitsessiond.actions.strategies import strategy_words, unsigned_note
from gitsessiond.actions.wording import home_of, landing_words
from gitsessiond.model.conflicts import place_words
from gitsessiond.model.errors import Moved
from gitsessiond.model.names import unquote_path
from gitsessiond.model.ownership import uncommitted_paths
from gitsessiond.model.records import Conflict
from gitsessiond.model.strategies import Strategy
from gitsessiond.store.authoring import Asker, signs
from gitsessiond.store.chain import CommitGraph, tree_of_commit
from gitsessiond.store.combined import Combined
from gitsessiond.store.identity import identity_of
from gitsessiond.store.landing import find_place
from gitsessiond.store.layers import LandingLayer
from gitsessiond.store.trees import diff_trees

__all__ = ["Validation", "finish_interrupted", "merge_patch", "notice_landed", "validate_patch"]

TRIES = 3


@dataclass(frozen=True)
class Plan:
    """What a merge would do; nothing of it is visible yet."""

    landing: Landing | None  # None: it clashes
    clashes: tuple[Clash, ...] = ()  # those not resolved
    layer: LandingLayer | None = None
    combined: tuple[Combined, ...] = ()  # beside the clashes
    whole: bool = True  # False: it was not tried beyond them


def merge_patch(
    ctx: Context, live: Live, pid: str, who: Who, *,
    ready: bool, dry_run: bool, no_verify: bool, strategy: str = "", ran: tuple[str, ...] = (),
) -> dict[str, Any]:  # fmt: skip
    """Merge one patch into the session's target; conflicts are an answer, not an error, and so is a check to be run.

    ``strategy``: else as ``gitsession.merge`` says. ``ran``: trees on which the asker has just run the check.

    Raises:
        BadRequest: no such strategy.
        Refused: not ready, a dependency is not merged, nothing to merge, no target, its files are in the way, or
            the check failed. Nothing has moved (uncommitted edits of the patch may have been committed).
        Locked: somebody has locked the target, or the lock that the asker works under is no more.
        Moved: the target moved at each of three tries.
        StoreFailed: git or the disk refused.
    """
    ctx = as_told(ctx, who)
    finish_interrupted(ctx)
    take_all_saved(ctx, live)
    kind = chosen_strategy(ctx, strategy)
    patch = mergeable(ctx, live, pid, ready or dry_run)
    target = live.state.session.target
    place = find_place(ctx.repository, target)
    refuse_locked(ctx, target, who)
    refuse_foreign_base(ctx, live, tip := target_tip(ctx, target), place)
    refuse_lost(ctx, live, pid, tip)
    waiting = review(ctx, live, pid)
    if waiting:
        return waiting_reply(ctx, live, pid, waiting, dry_run=dry_run)
    refuse_settled_rebase(ctx, live.state, pid, kind)
    check_place(ctx, live, pid)
    if dry_run:
        return dry_reply(ctx, live, pid, kind)
    uncommitted = bool(uncommitted_paths(live.state.owners, pid, live.tip_bit()))
    wanted = check_wanted(ctx, ran, no_verify=no_verify)
    if not uncommitted:
        refuse_empty(ctx, live, pid)
    elif place is not None or wanted is not None:  # a refusal must come before the commit
        ahead = predict(ctx, live, pid, kind)
        refuse_in_the_way(ctx, live, ahead)
        if wanted is not None and ahead.merged is not None:
            due = check_due(ctx, live, pid, wanted, ahead.merged)
            if due is not None:
                return reply_of(ctx, live, pid, check_due=due)
    words = landing_words(ctx, live, patch, kind, who, uncommitted=uncommitted, no_verify=no_verify)
    output = [words.output]
    if uncommitted:
        output.insert(0, commit_patch(ctx, live, pid, None, who, no_verify=no_verify).output)
        patch = mergeable(ctx, live, pid, True)  # what it is committed beside, it may need from now on
        refuse_empty(ctx, live, pid)
    sign = kind == "rebase" and signs(ctx.config, Asker(who.env, home_of(ctx, live)))
    for _ in range(TRIES):
        plan = plan_merge(ctx, live, pid, kind, sign=sign)
        if plan.landing is None:
            return conflicted(ctx, live, plan, pid, "ready" if ready else None, identity_of(who.env, who.cwd))
        if not plan.landing.changes:
            record_merged(ctx, live, pid, plan.landing.old, identity_of(who.env, who.cwd))
            message = f"{target} has all of {patch.name} already"
            return merged_reply(ctx, live, pid, plan, plan.landing.old, message, output)
        if wanted is not None:
            merged = Merged(plan.landing.old, plan.landing.layer, plan.landing.tree)
            due = check_due(ctx, live, pid, wanted, merged)
            if due is not None:
                return reply_of(ctx, live, pid, check_due=due)
        try:
            commit, told = land_patch(ctx, live, plan.landing, words, who)
        except Moved:
            continue
        message = f"{patch.name} merged into {target}{strategy_words(kind)}"
        return merged_reply(ctx, live, pid, plan, commit, message, [*output, told])
    raise Moved(f"{target} moved {TRIES} times while {patch.name} was merged", hint="run the command again")


def merged_reply(
    ctx: Context, live: Live, pid: str, plan: Plan, commit: str, message: str, output: Iterable[str]
) -> dict[str, Any]:
    """The answer of a merge that landed."""
    files = len(plan.landing.changes) if plan.landing else 0
    how, onto = live.state.patches[pid].merge_strategy, live.state.patches[pid].merge_onto
    commits = 1 if onto else 0
    if how == "rebase" and onto:
        commits = CommitGraph(ctx.repository.common_dir).count_beyond(onto, commit)
    warnings = unsigned_note(ctx, live.state, pid) if how == "merge" else []
    if files:
        warnings += beyond_words(live.state, pid, plan.combined)
    return reply_of(
        ctx, live, pid, merged=True, commit=commit, files=files, strategy=how, commits=commits, message=message,
        warnings=warnings,
        output="\n".join(part for part in output if part),
    )  # fmt: skip


def reply_of(ctx: Context, live: Live, pid: str, **facts: Any) -> dict[str, Any]:
    """What ``merge`` answers; ``facts`` are what differs from a merge that did not happen."""
    return {
        "merged": False,
        "patch": patch_reply(live.state, live.state.patches[pid], ctx=ctx),
        "target": live.state.session.target,
        "commit": None,
        "strategy": None,
        "commits": 0,
        "files": 0,
        "conflicts": [],
        "dry_run": False,
        "message": "",
        "output": "",
        "warnings": [],
        **facts,
    }


# Plans.


def plan_merge(ctx: Context, live: Live, pid: str, kind: Strategy = "merge", *, sign: bool = False) -> Plan:
    """Put a patch on the target as it is now, in objects only; known resolutions are used.

    Raises:
        Refused: the target is gone, or git is in the middle of something where it is checked out.
        StoreFailed: git failed.
    """
    state = live.state
    patch, target = state.patches[pid], state.session.target
    old, tip = target_tip(ctx, target), patch.series[-1].oid
    place = find_place(ctx.repository, target)
    cwd = place.worktree if place else home_of(ctx, live)
    tried = try_settled(ctx, live, patch, kind, old, cwd, sign=sign)
    layer, tree = tried.layer, tried.tree
    if tree is None:
        return Plan(None, tried.clashes, layer, tried.combined, tried.whole)
    changes = tuple(diff_trees(layer, tree_of_commit(ctx.store, old), tree))
    landing = Landing(patch, target, old, tip, place, layer, tree, changes, kind, tried.onto, tried.picks)
    return Plan(landing._replace(combined=tried.combined), (), layer, tried.combined)


def conflicted(ctx: Context, live: Live, plan: Plan, pid: str, declared: str | None, by: str) -> dict[str, Any]:
    """Record the conflicts of a merge; nothing else has moved."""
    assert plan.layer is not None
    state = live.state
    patch = state.patches[pid]
    records = [record for _, record in plan.clashes]
    former = declared or (patch.former if patch.status == "conflicts" else patch.status)
    state = with_patch(state, patch.model_copy(update={"status": "conflicts", "former": former}))
    state = with_records(ctx, state, records, pid, plan.layer, whole=plan.whole)
    state = with_automatic(ctx, state, pid, Made(plan.combined, plan.layer))
    paths = place_words(unquote_path(record.path) for record in records if record.status == "open")
    text = f"{patch.name} conflicts with {state.session.target} in {paths}"
    facts = {"patch": {"id": pid, "name": patch.name}, "conflicts": [record.id for record in records]}
    publish(ctx, live, state, "merge", by=by, text=text, facts=facts)
    write_control_files(ctx, live)
    still_open = [record for record in records if record.status == "open"]
    shown = [views.conflict_view(live.state, record) for record in still_open]
    return reply_of(ctx, live, pid, conflicts=shown, message=text)


def waiting_reply(ctx: Context, live: Live, pid: str, waiting: Iterable[Conflict], *, dry_run: bool) -> dict[str, Any]:
    """The answer while edits that the target contradicts are not settled; nothing has moved."""
    state = live.state
    shown = [views.conflict_view(state, record) for record in waiting]
    paths = place_words(unquote_path(record.path) for record in waiting)
    message = f"{state.patches[pid].name} conflicts with {state.session.target} in {paths}"
    return reply_of(ctx, live, pid, conflicts=shown, message=message, dry_run=dry_run)


def dry_reply(ctx: Context, live: Live, pid: str, kind: Strategy) -> dict[str, Any]:
    """What merging would do, its uncommitted edits included."""
    state = live.state
    before, after = patch_trees(ctx, state, pid)
    if before == after:
        refuse_empty(ctx, live, pid)
    predicted = predict(ctx, live, pid, kind)
    records = [record for _, record in predicted.clashes]
    shown = [views.conflict_view(state, one) for one in records if one.status != "resolved"]
    refuse_in_the_way(ctx, live, predicted)
    word = "would conflict with" if shown else "would merge into"
    message = f"{state.patches[pid].name} {word} {state.session.target}"
    message += " once it is ready" if is_draft(state.patches[pid]) and not shown else ""
    return reply_of(
        ctx, live, pid, conflicts=shown, strategy=kind, files=len(predicted.changes), dry_run=True, message=message,
        warnings=unsigned_note(ctx, state, pid) if kind == "merge" else [],
    )  # fmt: skip

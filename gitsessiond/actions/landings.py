"""A patch on its target: the merge commit, the landing, and the record of it; also after a crash.

Order (docs/format.md, "Order of writes"): the commit's objects into the repository, the intent, the target, the
step that says so, and last the intent is forgotten. A crash in between is put right by
:func:`finish_interrupted`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from gitsessiond.actions.clash_files import write_control_files
from gitsessiond.actions.clashing import with_patch, without_open
from gitsessiond.actions.combining import Made, with_automatic
from gitsessiond.actions.contests import try_settled
from gitsessiond.actions.context import Context, Live, Who
from gitsessiond.actions.lockedrefs import refuse_locked
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.reopening import record_reverted
from gitsessiond.actions.strategies import strategy_words
from gitsessiond.actions.taking_back import try_revert
from gitsessiond.actions.wording import Words, has_hook, home_of
from gitsessiond.model.commits import CommitFacts
from gitsessiond.model.errors import GitSessionError, Refused, StateUnreadable, StoreFailed
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.ownership import merged_outside, set_state
from gitsessiond.model.records import Patch
from gitsessiond.model.strategies import HowLanded, LandingKind
from gitsessiond.model.values import Change
from gitsessiond.store.authoring import Asker, person_of, signs
from gitsessiond.store.combined import Combined
from gitsessiond.store.git import KeptGit
from gitsessiond.store.identity import asker_env, identity_of
from gitsessiond.store.intents import Intent, forget_intent, read_intents
from gitsessiond.store.landing import How, Place, Unfinished, check_place, land, mover
from gitsessiond.store.layers import LandingLayer
from gitsessiond.store.merge import sweep_scratch
from gitsessiond.store.outlasting import TAKEN_TIMES, held, outlast_gc
from gitsessiond.store.picking import Pick, write_picks
from gitsessiond.store.resuming import Settled, settle_intent
from gitsessiond.store.steps import State


class Landing(NamedTuple):
    """What is to land: a patch, on a target at ``old``, with this merged tree."""

    patch: Patch
    target: str
    old: str
    tip: str
    place: Place | None
    layer: LandingLayer
    tree: str
    changes: tuple[Change, ...]  # from ``old`` to ``tree``; none: the target has all of the patch already
    kind: LandingKind = "merge"
    onto: str | None = None  # by rebase: the commit that the picks go on
    picks: tuple[Pick, ...] = ()
    combined: tuple[Combined, ...] = ()  # what git combined by itself; is recorded with the landing


def land_patch(ctx: Context, live: Live, landing: Landing, words: Words, who: Who) -> tuple[str, str]:
    """Land, and record it; returns the landing commit and what the post-merge hook said.

    Raises:
        Moved: the target moved meanwhile; nothing has happened.
        Locked: somebody has locked the target, or the lock it is to land under is no more; nothing has happened.
        Refused: something in the target's worktree is in the way; nothing has happened.
        StoreFailed: git or the disk refused. What was begun is finished at the next merge or start.
    """
    how = how_to(ctx, landing.patch.name, landing.place.worktree if landing.place else "", landing.kind, who.env)
    how = replace(how, check=partial(refuse_locked, ctx, landing.target, who))
    mark, asker = ctx.new_id(), Asker(who.env, home_of(ctx, live), who.tty)
    with mover(ctx.repository, landing.place, how, mark) as refs:  # it starts while the commits are made
        made = make_commits(ctx, landing, words, asker)
        commit = made.oid
        if landing.place is not None:
            check_place(landing.place, landing.changes)
        intent = Intent(
            id=mark,
            session=live.sid,
            patch=landing.patch.id,
            target=landing.target,
            old=landing.old,
            new=commit,
            worktree=quote_path(os.fsencode(landing.place.worktree)) if landing.place else None,
            at=ctx.now(),
            by=identity_of(who.env, who.cwd)
            if landing.kind == "rebase"
            else person_of(made.author).decode("utf-8", "replace"),
            strategy=landing.kind,
        )
        output = land_patiently(ctx, landing, intent, how, refs)
    outlast_gc(ctx.repository.common_dir, partial(landing.layer.to_repository, [commit]))
    record_landing(ctx, live, intent, Made(landing.combined, landing.layer))
    forget_intent(ctx.repository.state_dir, intent)
    return commit, output


def land_patiently(ctx: Context, landing: Landing, intent: Intent, how: How, refs: KeptGit) -> str:
    """Carry an intent out, again where a gc took objects away under git; raises as :func:`land`."""
    put_back = partial(landing.layer.to_repository, [intent.new])
    for left in reversed(range(TAKEN_TIMES)):
        with held(ctx.repository.common_dir, intent.new, put_back):
            try:
                return land(ctx.repository, intent, landing.place, how, refs)
            except Unfinished:
                put_back()
                if settle_intent(ctx.repository, intent, how).outcome != "landed":
                    raise
                return ""
            except StoreFailed:
                if not put_back() or not left:
                    raise
    raise AssertionError("the last try returns or raises")


def make_commits(ctx: Context, landing: Landing, words: Words, asker: Asker) -> CommitFacts:
    """The commits of a landing, again where a gc took away what the commit was being made of; the last of them."""
    for _ in range(TAKEN_TIMES):
        try:
            return make_once(ctx, landing, words, asker)
        except (StateUnreadable, Refused):
            if not landing.layer.to_repository([landing.tree]):
                raise
    return make_once(ctx, landing, words, asker)


def make_once(ctx: Context, landing: Landing, words: Words, asker: Asker) -> CommitFacts:
    """The commits of a landing and all they reach, durably in the repository; the last of them."""
    if landing.kind == "rebase":
        assert landing.onto is not None
        return write_picks(landing.layer, landing.onto, landing.picks, asker, sign=signs(ctx.config, asker))
    parents = (landing.old, landing.tip) if landing.kind == "merge" else (landing.old,)
    return ctx.committer.make(landing.layer, landing.tree, parents, words.message, asker)


def record_landing(ctx: Context, live: Live, intent: Intent, made: Made) -> None:
    """Record what an intent brought to the target, and what git combined for it."""
    if intent.strategy == "revert":
        record_reverted(ctx, live, intent.patch, intent.new, intent.by, made)
    else:
        how = intent.strategy
        record_merged(ctx, live, intent.patch, intent.new, intent.by, how=how, onto=intent.old, made=made)


def made_again(ctx: Context, live: Live, patch: Patch, intent: Intent) -> Made:
    """What git combined for a landing that a crash cut off: it is tried once more, as it was."""
    worktree = os.fsdecode(unquote_path(intent.worktree)) if intent.worktree else home_of(ctx, live)
    try:
        if intent.strategy == "revert":
            tried = try_revert(ctx, live, patch, intent.old, worktree)
        else:
            tried = try_settled(ctx, live, patch, intent.strategy, intent.old, worktree, sign=False)
    except GitSessionError:
        return Made((), LandingLayer(ctx.store, {}))  # the landing itself is what has to be on record
    return Made(tried.combined, tried.layer)


def how_for(ctx: Context, intent: Intent, patch: Patch | None, env: Mapping[str, str]) -> How:
    """Who lands an intent, as git's reflogs are to know it."""
    worktree = os.fsdecode(unquote_path(intent.worktree)) if intent.worktree else ""
    return how_to(ctx, patch.name if patch else intent.patch, worktree, intent.strategy, env)


def how_to(ctx: Context, name: str, worktree: str, kind: LandingKind, env: Mapping[str, str]) -> How:
    """Who lands the patch of that name; ``worktree``: where the target is checked out, if anywhere."""
    return How(
        env=asker_env(env),
        why=f"gitsession revert {name}" if kind == "revert" else f"gitsession merge {name}{strategy_words(kind)}",
        submodules=ctx.config.flag("submodule.recurse"),
        hook=kind != "revert" and has_hook(ctx, worktree, "post-merge"),
        squash=kind == "squash",
    )


def record_merged(
    ctx: Context,
    live: Live,
    pid: str,
    commit: str,
    by: str,
    verb: str = "merge",
    *,
    how: HowLanded = "elsewhere",
    onto: str | None = None,
    made: Made | None = None,
) -> None:
    """Record that the target has a patch: its later edits become nobody's, its conflicts are over."""
    patch, target = live.state.patches[pid], live.state.session.target
    patch = patch.model_copy(update={"merge_strategy": how, "merge_onto": onto, "reverted_in": None})
    state = merged_state(ctx, live.state, patch, commit, live.tip_bit())
    if made is not None:
        state = with_automatic(ctx, state, pid, made)
    live.memory.forget()
    facts = {"patch": {"id": pid, "name": patch.name}, "target": target, "commit": commit, "strategy": how}
    publish(ctx, live, state, verb, by=by, text=f"{patch.name} into {target}{strategy_words(how)}", facts=facts)
    write_control_files(ctx, live)


def merged_state(ctx: Context, state: State, patch: Patch, commit: str, tip_bit: int | None) -> State:
    """The State with this patch merged: out of use, without claims, its series frozen as it is."""
    merged = patch.model_copy(
        update={"status": "merged", "former": None, "merged_at": ctx.now(), "merge_commit": commit}
    )
    session = state.session
    in_use = None if session.patch_in_use == patch.id else session.patch_in_use
    claims = tuple(claim for claim in session.claims if claim.patch != patch.id)
    owners = set_state(merged_outside(state.owners, patch.id, tip_bit), patch.id, "merged")
    state = replace(
        with_patch(state, merged),
        session=session.model_copy(update={"patch_in_use": in_use, "claims": claims}),
        owners=owners,
    )
    return without_open(state, patch.id)


def finish_interrupted(ctx: Context) -> None:
    """Put right every landing that a crash cut off, and record what became of it.

    What git is still at work on stays for the next merge or start.

    Raises:
        StateUnreadable: an intent cannot be read.
        StoreFailed: the record could not be written; nothing is forgotten.
    """
    sweep_scratch(ctx.repository.state_dir)
    for intent in read_intents(ctx.repository.state_dir):
        live = ctx.sessions.get(intent.session)
        patch = live.state.patches.get(intent.patch) if live else None
        try:
            done = settle_intent(ctx.repository, intent, how_for(ctx, intent, patch, {}))
        except StoreFailed as exc:
            done = Settled("busy", exc.message)  # other sessions go on meanwhile
        if done.outcome == "busy":
            ctx.tell({"type": "merge_unfinished", "session": intent.session, "message": done.words})
            continue
        if live is not None and patch is not None:
            if done.outcome == "landed" and (patch.status == "merged") == (intent.strategy == "revert"):
                record_landing(ctx, live, intent, made_again(ctx, live, patch, intent))
            elif done.outcome == "stopped":
                text = f"{patch.name} was cut off: {done.words}"
                verb = "revert" if intent.strategy == "revert" else "merge"
                publish(ctx, live, live.state, verb, by=intent.by, text=text, facts={"stopped": done.words})
        forget_intent(ctx.repository.state_dir, intent)

"""A patch on its target: the merge commit, the landing, and the record of it; also after a crash.

Order (docs/format.md, "Order of writes"): the commit's objects into the repository, the intent, the target, the
step that says so, and last the intent is forgotten. A crash in between is put right by
:func:`finish_interrupted`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from gitsessiond.actions.clashing import with_patch, without_open, write_control_files
from gitsessiond.actions.context import Context, Live, Who
from gitsessiond.actions.publishing import publish
from gitsessiond.model.commits import PATCH_TRAILER, SESSION_TRAILER, with_trailers
from gitsessiond.model.errors import Refused, StoreFailed
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.ownership import merged_outside, set_state
from gitsessiond.model.records import Patch
from gitsessiond.model.values import Change
from gitsessiond.store.authoring import Asker, person_of
from gitsessiond.store.git import run_git
from gitsessiond.store.identity import identity_env
from gitsessiond.store.intents import Intent, forget_intent, read_intents
from gitsessiond.store.landing import How, Place, Unfinished, check_place, land
from gitsessiond.store.layers import LandingLayer
from gitsessiond.store.merge import sweep_scratch
from gitsessiond.store.resuming import Settled, settle_intent
from gitsessiond.store.steps import State


class Words(NamedTuple):
    """The message of a merge commit, and what the commit-msg hook said."""

    message: bytes
    output: str = ""


def home_of(ctx: Context, live: Live) -> str:
    """Where git children of a session run: its worktree, else the one the daemon was started in, if there."""
    home = live.worktree.repository.worktree if live.worktree else ctx.repository.worktree
    return home if os.path.isdir(home) else ctx.repository.common_dir


def merge_words(ctx: Context, live: Live, patch: Patch, who: Who, *, no_verify: bool) -> Words:
    """The message of the merge commit, after the user's commit-msg hook has seen it.

    Raises:
        Refused: the hook said no.
    """
    session = live.state.session
    subject = f"Merge patch '{patch.name}' of session '{session.name}'"
    text = f"{subject}\n\n{patch.description}" if patch.description.strip() else subject
    trailers = [(SESSION_TRAILER, session.id), (PATCH_TRAILER, patch.id)]
    message = with_trailers(text.encode("utf-8", "surrogateescape"), trailers)
    if no_verify or not has_hook(ctx, home_of(ctx, live), "commit-msg"):
        return Words(message)
    with tempfile.NamedTemporaryFile(dir=ctx.repository.state_dir, prefix="message-") as file:
        file.write(message)
        file.flush()
        told = run_git(
            ["hook", "run", "--ignore-missing", "commit-msg", "--", file.name],
            cwd=home_of(ctx, live),
            env={**identity_env(who.env), "GIT_EDITOR": ":"},
            check=False,
            timeout=None,  # hooks take as long as they take
        )
        if told.code != 0:
            raise Refused(
                f"the commit-msg hook refused the merge commit: {told.words() or f'exit {told.code}'}",
                hint=f"git session merge {patch.name} --no-verify",
            )
        with open(file.name, "rb") as edited:
            return Words(edited.read(), told.words())


def has_hook(ctx: Context, worktree: str, name: str) -> bool:
    """Whether git would run a hook of this name (githooks(5): ``core.hooksPath`` is from the worktree's root)."""
    home = ctx.config.get("core.hooksPath")
    directory = os.path.join(ctx.repository.common_dir, "hooks")
    if home:
        directory = os.path.join(worktree, os.path.expanduser(home))
    return os.access(os.path.join(directory, name), os.X_OK)


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


def land_patch(ctx: Context, live: Live, landing: Landing, words: Words, who: Who) -> tuple[str, str]:
    """Land, and record it; returns the landing commit and what the post-merge hook said.

    Raises:
        Moved: the target moved meanwhile; nothing has happened.
        Refused: something in the target's worktree is in the way; nothing has happened.
        StoreFailed: git or the disk refused. What was begun is finished at the next merge or start.
    """
    asker = Asker(who.env, home_of(ctx, live), who.tty)
    made = ctx.committer.make(landing.layer, landing.tree, (landing.old, landing.tip), words.message, asker)
    commit = made.oid
    if landing.place is not None:
        check_place(landing.place, landing.changes)
    intent = Intent(
        id=ctx.new_id(),
        session=live.sid,
        patch=landing.patch.id,
        target=landing.target,
        old=landing.old,
        new=commit,
        worktree=quote_path(os.fsencode(landing.place.worktree)) if landing.place else None,
        at=ctx.now(),
        by=person_of(made.author).decode("utf-8", "replace"),
    )
    how = how_for(ctx, intent, landing.patch, who.env)
    try:
        output = land(ctx.repository, intent, landing.place, how)
    except Unfinished:
        if settle_intent(ctx.repository, intent, how).outcome != "landed":
            raise
        output = ""
    record_merged(ctx, live, intent.patch, commit, intent.by)
    forget_intent(ctx.repository.state_dir, intent)
    return commit, output


def how_for(ctx: Context, intent: Intent, patch: Patch | None, env: Mapping[str, str]) -> How:
    """Who lands, as git's reflogs are to know it."""
    name = patch.name if patch else intent.patch
    worktree = os.fsdecode(unquote_path(intent.worktree)) if intent.worktree else ""
    return How(
        env=identity_env(env),
        why=f"gitsession merge {name}",
        submodules=ctx.config.flag("submodule.recurse"),
        hook=has_hook(ctx, worktree, "post-merge"),
    )


def record_merged(ctx: Context, live: Live, pid: str, commit: str, by: str, verb: str = "merge") -> None:
    """Record that the target has a patch: its later edits become nobody's, its conflicts are over."""
    patch, target = live.state.patches[pid], live.state.session.target
    state = merged_state(ctx, live.state, patch, commit, live.tip_bit())
    live.memory.forget()
    facts = {"patch": {"id": pid, "name": patch.name}, "target": target, "commit": commit}
    publish(ctx, live, state, verb, by=by, text=f"{patch.name} into {target}", facts=facts)
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
            if done.outcome == "landed" and patch.status != "merged":
                record_merged(ctx, live, patch.id, intent.new, intent.by)
            elif done.outcome == "stopped":
                text = f"{patch.name} was cut off: {done.words}"
                publish(ctx, live, live.state, "merge", by=intent.by, text=text, facts={"stopped": done.words})
        forget_intent(ctx.repository.state_dir, intent)

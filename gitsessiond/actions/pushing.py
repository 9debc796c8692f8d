"""``push``: the session's target to a remote; and the remote's commits into the target, where both have gone on.

The push itself is run by the client (docs/decisions/publish.md). When the remote refused it because it has commits
that the target lacks, the client fetches these and asks here for them to be merged: planned in objects, landed as any
merge is (:mod:`gitsessiond.store.landing`), moved or not at all. Nothing is ever forced.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.landings import finish_interrupted
from gitsessiond.actions.lockedrefs import refuse_locked
from gitsessiond.actions.mergeable import as_told, target_tip
from gitsessiond.actions.wording import has_hook, home_of, seen_by_hook
from gitsessiond.model.conflicts import place_words
from gitsessiond.model.errors import BadRequest, Conflicted, Moved, Refused
from gitsessiond.model.hints import in_turn
from gitsessiond.model.names import quote_path
from gitsessiond.model.records import Session
from gitsessiond.store.authoring import Asker, person_of
from gitsessiond.store.chain import CommitGraph, tree_of_commit
from gitsessiond.store.identity import asker_env
from gitsessiond.store.intents import Intent, forget_intent
from gitsessiond.store.landing import How, Place, check_place, find_place, land
from gitsessiond.store.layers import LandingLayer
from gitsessiond.store.merge import git_merge
from gitsessiond.store.outlasting import held
from gitsessiond.store.trees import diff_trees
from gitsessiond.store.upstreams import push_remote

TRIES = 3


class Fetched(NamedTuple):
    """A commit of a remote's branch."""

    commit: str
    remote: str
    branch: str

    @property
    def name(self) -> str:
        """As git abbreviates it."""
        return f"{self.remote}/{self.branch}"


def plan_push(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``push``: which branch goes to which remote.

    Raises:
        NotFound: no such remote.
        Refused: there is no remote, or no target.
        Locked: somebody has locked the target, or the lock that the asker works under is no more.
    """
    ctx = as_told(ctx, asked.who)
    session = ctx.live(asked).state.session
    refuse_locked(ctx, session.target, asked.who)
    remote = push_remote(ctx.config, session.target, asked.text("remote"))
    return {"remote": remote, "target": session.target, "commit": target_tip(ctx, session.target)}


def merge_fetched(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``push.merge``: the remote's commit into the target; ``behind``: the target has nothing that it lacks.

    Raises:
        BadRequest: it is no commit.
        Refused: pull is configured not to merge, or the target's worktree has something in the way.
        Conflicted: both changed the same lines; nothing has moved.
        Moved: the target moved at each of three tries.
    """
    ctx = as_told(ctx, asked.who)
    finish_interrupted(ctx)
    live = ctx.live(asked)
    fetched = Fetched(*(asked.text(name) for name in ("commit", "remote", "branch")))
    graph, theirs = CommitGraph(ctx.repository.common_dir), fetched.commit
    if not graph.has_commit(theirs):
        raise BadRequest(f"{theirs!r} is no commit here", hint="git session push")
    target = live.state.session.target
    refuse_locked(ctx, target, asked.who)
    for _ in range(TRIES):
        old = target_tip(ctx, target)
        reply = {"commit": old, "merged": False, "behind": 0, "pull": forward_words(ctx, target, fetched), "output": ""}
        if graph.within(theirs, old):
            return reply
        if graph.within(old, theirs):
            return reply | {"behind": graph.count_beyond(old, theirs)}
        refuse_configured(ctx, live.state.session, fetched)
        try:
            commit, output = merge_into_target(ctx, live, asked, old, fetched)
        except Moved:
            continue
        return reply | {"commit": commit, "merged": True, "output": output}
    raise Moved(f"{target} moved {TRIES} times while {fetched.name} was merged into it", hint="git session push")


def refuse_configured(ctx: Context, session: Session, fetched: Fetched) -> None:
    """Raise Refused where the person's git does not merge when it pulls."""
    target = session.target
    told = ctx.config.get(f"branch.{target}.rebase") or ctx.config.get("pull.rebase") or "false"
    rebase = told.lower() not in ("false", "no", "off", "0")
    if ctx.config.get("pull.ff") == "only":
        why = "pull.ff = only"
    elif rebase:
        why = f"pull.rebase = {told}"
    else:
        return
    raise Refused(
        f"the remote has commits that {target} lacks, and {why} does not let us merge them; nothing was pushed",
        hint=pull_words(ctx, session, fetched, f"--rebase={told}" if rebase else "--no-rebase"),
    )


def pull_words(ctx: Context, session: Session, fetched: Fetched, how: str) -> str:
    """How a person brings the remote's commits into the target; through the session's worktree where no other has it.

    ``how`` is always said: git refuses to choose itself, and by it goes over a ``pull.ff = only``.
    """
    place = find_place(ctx.repository, session.target)
    words = ("pull", how, fetched.remote, fetched.branch)
    if place is not None:
        return shlex.join(("git", "-C", place.worktree, *words))
    there, back = (shlex.join(("git", "switch", branch)) for branch in (session.target, session.branch))
    return in_turn(there, shlex.join(("git", *words)), back)


def forward_words(ctx: Context, target: str, fetched: Fetched) -> str:
    """How a person brings a target that is merely behind up to a remote's branch."""
    place = find_place(ctx.repository, target)
    words = (fetched.remote, f"{fetched.branch}:{target}") if place is None else (fetched.remote, fetched.branch)
    if place is None:
        return shlex.join(("git", "fetch", *words))
    return shlex.join(("git", "-C", place.worktree, "pull", "--ff-only", *words))


def merge_into_target(ctx: Context, live: Live, asked: Asked, old: str, fetched: Fetched) -> tuple[str, str]:
    """One merge commit, landed on the target; returns it and what hooks said.

    Raises:
        Refused, Conflicted, Moved: as :func:`merge_fetched`.
        StoreFailed: git or the disk refused. What was begun is finished at the next merge or start.
    """
    target, who = live.state.session.target, asked.who
    place = find_place(ctx.repository, target)
    cwd = place.worktree if place else home_of(ctx, live)
    merge = git_merge(ctx.repository, old, fetched.commit, labels=(target, fetched.name), cwd=cwd)
    if merge.tree is None:
        paths = place_words(clash.path for clash in merge.conflicts)
        raise Conflicted(
            f"{target} and {fetched.name} clash in {paths}; nothing was pushed",
            hint=pull_words(ctx, live.state.session, fetched, "--no-rebase"),
        )
    layer = LandingLayer(ctx.store, merge.made)
    message = f"Merge branch '{fetched.branch}' of {fetched.remote}\n".encode("utf-8", "surrogateescape")
    words = seen_by_hook(
        ctx, live, message, who, "the merge", "git session push --no-verify", no_verify=asked.flag("no_verify")
    )
    made = ctx.committer.make(layer, merge.tree, (old, fetched.commit), words.message, Asker(who.env, cwd, who.tty))
    if place is not None:
        check_place(place, diff_trees(layer, tree_of_commit(ctx.store, old), merge.tree))
    intent = Intent(
        id=ctx.new_id(), session=live.sid, patch=live.sid, target=target, old=old, new=made.oid,
        worktree=quote_path(os.fsencode(place.worktree)) if place else None, at=ctx.now(),
        by=person_of(made.author).decode("utf-8", "replace"),
    )  # fmt: skip
    with held(ctx.repository.common_dir, made.oid, partial(layer.to_repository, [made.oid])):
        told = land(ctx.repository, intent, place, how_of(ctx, asked, place, fetched.name))
    forget_intent(ctx.repository.state_dir, intent)
    return made.oid, "\n".join(part for part in (words.output, told) if part)


def how_of(ctx: Context, asked: Asked, place: Place | None, name: str) -> How:
    """Who lands, as git's reflogs are to know it."""
    hook = place is not None and has_hook(ctx, place.worktree, "post-merge")
    submodules = ctx.config.flag("submodule.recurse")
    how = How(asker_env(asked.who.env), f"gitsession push: merge {name}", submodules, hook)
    return replace(how, check=partial(refuse_locked, ctx, ctx.live(asked).state.session.target, asked.who))

"""``publish``: which commits of which patches go to which branches of a remote, and what is remembered of it.

The push itself is run by the client, where the person's terminal, ssh agent and credentials are
(docs/decisions/publish.md). So this is asked twice: :func:`plan_publication` makes the commits, says what each branch
is expected to be at, and records what is about to be tried; :func:`record_publication` records what came of it. A
client that was killed in between leaves ``tried`` behind, and the next one asks the remote first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from shlex import quote
from typing import Any, NamedTuple

from gitsessiond.actions.asked import refuse_ended
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.lockedrefs import refuse_locked
from gitsessiond.actions.mergeable import as_told
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.replanting import ground_for, plant
from gitsessiond.actions.sessions import patch_reply
from gitsessiond.model.errors import BadRequest, Moved, Refused
from gitsessiond.model.graph import graph_of
from gitsessiond.model.hints import in_turn
from gitsessiond.model.names import slug_of
from gitsessiond.model.ownership import uncommitted_paths
from gitsessiond.model.reasons import listed
from gitsessiond.model.records import Patch, Publication
from gitsessiond.store.identity import identity_of
from gitsessiond.store.steps import State
from gitsessiond.store.upstreams import check_branch_name, is_branch_name, is_remote, push_remote

MOST_TRIED = 8
OID = re.compile(r"^[0-9a-f]{40}$")


class Row(NamedTuple):
    """One branch to be pushed: a patch's commits, and where the branch is expected to be (None: nowhere)."""

    patch: Patch
    branch: str
    commit: str
    known: Publication  # what is remembered of it
    expected: str | None = None


def plan_publication(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``publish``: commits and expectations for a patch and the open ones it needs, a dependency first.

    ``heads`` is what the client found the remote's branches at; while it is not given and something must be known of
    them, ``ask`` names the branches, and nothing is recorded.

    Raises:
        BadRequest: no such branch name, or one for two patches.
        NotFound: no such remote.
        Refused: the patch or one it needs has ended, nothing is committed, no remote, the target itself is named,
            the remote has such a branch already, or the commits need some that the remote does not have.
        Moved: somebody else pushed to a branch.
    """
    ctx = as_told(ctx, asked.who)
    live = ctx.live(asked)
    patch = live.patch(asked.text("patch"))
    if patch.status == "merged":
        raise Refused(f"{patch.name} is merged into {live.state.session.target}", hint="git session push")
    refuse_ended(patch)
    stack, notes = stack_of(live, patch)
    remote = push_remote(ctx.config, live.state.session.target, asked.text("remote") or remote_before(ctx, patch))
    ground = ground_for(ctx, live.state.session, remote)
    branches = branches_of(live, stack, remote, asked.text("branch") if asked.args.get("branch") is not None else None)
    for branch in branches:
        refuse_locked(ctx, branch, asked.who)
    commits = plant(ctx, live, ground, stack)
    rows = [
        Row(one, branch, commits[one.id], known_of(one, remote, branch))
        for one, branch in zip(stack, branches, strict=True)
    ]
    reply = {
        "patch": patch_reply(live.state, patch, ctx=ctx),
        "remote": remote,
        "target": live.state.session.target,
        "onto": ground.onto,
        "ask": None,
        "branches": [],
        "notes": [*ground.notes, *notes, *uncommitted_notes(live, stack), *unsigned_notes(ctx, live, stack, commits)],
    }
    heads, over = heads_of(asked), asked.text("replace")
    if heads is None and (over or any(set(row.known.tried) - {row.commit} for row in rows)):
        return reply | {"ask": [row.branch for row in rows]}
    rows = [row._replace(expected=expected_at(row, remote, heads, over)) for row in rows]
    by = identity_of(asked.who.env, asked.who.cwd)
    record_tries(ctx, live, rows, by)
    return reply | {"branches": [row_view(row) for row in rows]}


def unsigned_notes(ctx: Context, live: Live, stack: Sequence[Patch], commits: Mapping[str, str]) -> list[str]:
    """What goes out unsigned although the user's git signs: commits made from a part of theirs, or put elsewhere."""
    made = [patch.name for patch in stack if commits[patch.id] not in live.state.session.chain]
    if not made or not ctx.config.flag("commit.gpgSign"):
        return []
    return [f"commits of {listed(made)} are not signed, being made from what is on {live.state.session.branch}"]


def record_publication(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``published``: which of the branches are now at the commits that were pushed; the others are as they were.

    Raises:
        BadRequest: the results are no such thing.
    """
    live = ctx.live(asked)
    patch = live.patch(asked.text("patch"))
    remote, url = asked.text("remote"), asked.text("url")
    by = identity_of(asked.who.env, asked.who.cwd)
    state, told = live.state, []
    for one in results_of(asked):
        if one.patch not in state.patches:
            continue
        now = known_of(state.patches[one.patch], remote, one.branch).model_copy(update={"tried": ()})
        if one.landed:
            now = now.model_copy(update={"oid": one.commit, "tip": one.tip, "at": ctx.now(), "by": by})
            told.append(f"{state.patches[one.patch].name} to {remote} as {one.branch}")
            if one.patch == patch.id and url.isascii() and url:
                now = now.model_copy(update={"url": url})
        state = with_publication(state, one.patch, now)
    if state is not live.state:
        publish(ctx, live, state, "publish", by=by, text=", ".join(told) or f"{patch.name} was not published")
    return {"patch": patch_reply(live.state, live.state.patches[patch.id], ctx=ctx)}


class Result(NamedTuple):
    """What became of one branch, as the client tells."""

    patch: str
    branch: str
    commit: str
    tip: str  # the last commit of the series when the push was planned
    landed: bool


def results_of(asked: Asked) -> list[Result]:
    """What the client tells of each branch.

    Raises:
        BadRequest: it is no such thing.
    """
    wrong = BadRequest("results must name patch, branch, commit and tip", hint="see docs/protocol.md")
    found = asked.args.get("results")
    if not isinstance(found, list):
        raise wrong
    out = []
    for one in found:
        told = one if isinstance(one, Mapping) else {}
        patch, branch, commit, tip = (str(told.get(name)) for name in ("patch", "branch", "commit", "tip"))
        if not is_branch_name(branch) or not OID.match(commit) or not OID.match(tip):
            raise wrong
        out.append(Result(patch, branch, commit, tip, told.get("landed") is True))
    return out


def stack_of(live: Live, patch: Patch) -> tuple[list[Patch], list[str]]:
    """The patches to publish, a dependency first, and what is to be said of those left out.

    Raises:
        Refused: nothing of the patch is committed, or it needs an abandoned one.
    """
    if not any(commit.of for commit in patch.series):
        raise Refused(
            f"nothing of {patch.name} is committed yet", hint=f"git session commit --patch {quote(patch.name)} -m TEXT"
        )
    graph, patches = graph_of(live.state.owners), live.state.patches
    needs = graph.closure(patch.id)
    stack, notes = [], []
    for pid in graph.order():
        one = patches[pid]
        if pid not in needs or one.status == "merged":
            continue
        if one.status == "abandoned":
            raise Refused(
                f"{patch.name} depends on {one.name}, which is abandoned",
                hint=f"git session patch reopen {quote(one.name)}",
            )
        if any(commit.of for commit in one.series):
            stack.append(one)
        else:
            notes.append(f"{one.name}, which {patch.name} needs, has no commit yet and is not published")
    return [*stack, patch], notes


def remote_before(ctx: Context, patch: Patch) -> str:
    """The remote a patch was published to last, if it is there still; else nothing."""
    known = (one.remote for one in reversed(patch.published) if one.oid and is_remote(ctx.config, one.remote))
    return next(known, "")


def branches_of(live: Live, stack: Sequence[Patch], remote: str, wanted: str | None) -> list[str]:
    """The branch of each patch of a stack, the last of which may be given one: as before, else the patch's name.

    Raises:
        BadRequest: two patches would have one.
        Refused: it is the target's own.
    """
    out: list[str] = []
    for one in stack:
        before = [known.branch for known in one.published if known.remote == remote and known.oid]
        branch = before[-1] if before else branch_for(one)
        if one is stack[-1] and wanted is not None:
            branch = check_branch_name(wanted)
        if branch == live.state.session.target:
            raise Refused(
                f"{branch} is what patches merge into, not a branch to publish one to",
                hint=f"git session publish {quote(one.name)} --branch NAME",
            )
        if branch in out:
            other = stack[out.index(branch)].name
            raise BadRequest(
                f"{one.name} and {other} would both be {branch}",
                hint=f"git session publish {quote(one.name if one is stack[-1] else other)} --branch NAME",
            )
        out.append(branch)
    return out


def branch_for(patch: Patch) -> str:
    """The patch's name where git takes it for a branch's, else what is left of it; HEAD is a name that git keeps."""
    names = (patch.name, slug_of(patch.name), f"patch-{slug_of(patch.name)}")
    return next(name for name in names if is_branch_name(name))


def known_of(patch: Patch, remote: str, branch: str) -> Publication:
    """What is remembered of a branch; of a new one, nothing."""
    for one in patch.published:
        if (one.remote, one.branch) == (remote, branch):
            return one
    return Publication(remote=remote, branch=branch)


def heads_of(asked: Asked) -> Mapping[str, str | None] | None:
    """What the client found the remote's branches at; None: it has not looked.

    Raises:
        BadRequest: it is no such thing.
    """
    heads = asked.args.get("heads")
    if heads is None:
        return None
    if not isinstance(heads, Mapping) or not all(value is None or isinstance(value, str) for value in heads.values()):
        raise BadRequest("heads must name commits by branch", hint="see docs/protocol.md")
    return heads


def expected_at(row: Row, remote: str, heads: Mapping[str, str | None] | None, over: str) -> str | None:
    """Where a branch must be for the push to go on; None: it must not exist.

    Raises:
        Moved: somebody else pushed to it.
        Refused: it exists, and is none of ours.
    """
    if heads is None:
        return row.known.oid
    there = heads.get(row.branch)
    if there is None or there in (row.known.oid, *row.known.tried, row.commit):
        return there
    if over and there.startswith(over):
        return there
    again = f"git session publish {quote(row.patch.name)} --replace {there[:12]}"
    if row.known.oid is not None:
        raise Moved(
            f"somebody else pushed to {row.branch} of {remote}: it is at {there[:7]}, you published"
            f" {row.known.oid[:7]}; nothing was pushed",
            hint=in_turn(
                f"git fetch {quote(remote)} {quote(row.branch)}", f"git log {row.known.oid[:7]}..FETCH_HEAD", again
            ),
        )
    raise Refused(
        f"{remote} has a branch {row.branch} already, at {there[:7]}, that {row.patch.name} was not published to",
        hint=in_turn(f"git session publish {quote(row.patch.name)} --branch OTHER", again),
    )


def record_tries(ctx: Context, live: Live, rows: Sequence[Row], by: str) -> None:
    """Record what is about to be pushed, where that is not there already."""
    state = live.state
    for row in rows:
        if not is_begun(row):
            continue
        known = row.known
        oid = row.expected if row.expected in (known.oid, *known.tried, None) else known.oid
        tried = (*(one for one in known.tried if one != row.commit), row.commit)[-MOST_TRIED:]
        state = with_publication(state, row.patch.id, known.model_copy(update={"oid": oid, "tried": tried}))
    if state is not live.state:
        names = ", ".join(row.patch.name for row in rows)
        publish(ctx, live, state, "publish", by=by, text=f"{names} to {rows[-1].known.remote}, begun")


def is_begun(row: Row) -> bool:
    """Whether pushing a branch may change it, as far as is known."""
    return not (row.expected == row.commit == row.known.oid and not row.known.tried)


def with_publication(state: State, pid: str, now: Publication) -> State:
    """The State with what is remembered of one branch, which is now the one used last."""
    patch = state.patches[pid]
    others = tuple(one for one in patch.published if (one.remote, one.branch) != (now.remote, now.branch))
    kept = others if now.oid is None and not now.tried else (*others, now)
    if kept == patch.published:
        return state
    return replace(state, patches={**state.patches, pid: patch.model_copy(update={"published": kept})})


def uncommitted_notes(live: Live, stack: Sequence[Patch]) -> list[str]:
    """What of these patches is not in any commit, and so not published."""
    tip = live.tip_bit()
    return [
        f"uncommitted edits of {one.name} are not published: git session commit --patch {quote(one.name)} -m TEXT"
        for one in stack
        if uncommitted_paths(live.state.owners, one.id, tip)
    ]


def row_view(row: Row) -> dict[str, Any]:
    """One branch of the reply."""
    return {
        "patch": {"id": row.patch.id, "name": row.patch.name},
        "branch": row.branch,
        "commit": row.commit,
        "tip": row.patch.series[-1].oid,
        "commits": sum(1 for commit in row.patch.series if commit.of is not None),
        "expected": row.expected,
        "begun": is_begun(row),
        "url": row.known.url,
    }

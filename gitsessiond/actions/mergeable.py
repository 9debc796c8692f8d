"""What may not be merged, and why: the refusals of ``merge`` and the blockers of ``patch validate``."""

from __future__ import annotations

from dataclasses import replace
from shlex import quote

from gitsessiond.actions.context import Context, Live, Who
from gitsessiond.actions.publishing import patch_trees
from gitsessiond.model.errors import BadRequest, Refused
from gitsessiond.model.graph import graph_of
from gitsessiond.model.hints import in_turn
from gitsessiond.model.records import Patch, Session
from gitsessiond.model.strategies import STRATEGIES, Strategy
from gitsessiond.store.chain import CommitGraph, commits_apart
from gitsessiond.store.commandline import config_told
from gitsessiond.store.head import branch_tip
from gitsessiond.store.landing import Place
from gitsessiond.store.layout import shallow_ends


def as_told(ctx: Context, who: Who) -> Context:
    """The context of one request, in which what the asker's ``git -c`` sets counts.

    Raises:
        Refused: it sets what cannot be set for one request.
    """
    config = config_told(ctx.repository, ctx.config, who.env)
    return ctx if config is ctx.config else replace(ctx, config=config)


def mergeable(ctx: Context, live: Live, pid: str, ready: bool) -> Patch:
    """The patch, when its own state allows merging it.

    Raises:
        Refused: it has ended, is a draft, or needs a patch that is not merged.
    """
    patch = live.state.patches[pid]
    if patch.status in ("merged", "abandoned"):
        again = f"git session patch reopen {quote(patch.name)}" if patch.status == "abandoned" else None
        hint = again or "git session patch list"
        raise Refused(f"patch {patch.name} is {patch.status}", hint=hint, reason=patch.status)
    if not ready and is_draft(patch):
        hint = f"git session merge {quote(patch.name)} --ready"
        raise Refused(f"patch {patch.name} is a draft", hint=hint, reason="draft")
    waiting = unmerged_dependencies(live, pid)
    if waiting:
        names = ", ".join(other.name for other in waiting)
        first = waiting[0]
        way = "patch reopen" if first.status == "abandoned" else "merge"
        more = " --ready" if way == "merge" and is_draft(first) else ""
        raise Refused(
            f"{patch.name} depends on {names}, which {'is' if len(waiting) == 1 else 'are'} not merged",
            hint=f"git session {way} {quote(first.name)}{more}",
            reason="dependency_abandoned" if first.status == "abandoned" else "dependency",
        )
    if patch.not_separable:
        raise Refused(
            f"{patch.name} cannot be put alone: {patch.not_separable}",
            hint=f"git session patch show {quote(patch.name)}",
            reason="not_separable",
        )
    return patch


def is_draft(patch: Patch) -> bool:
    """Whether an open patch has not been declared ready."""
    return (patch.former if patch.status == "conflicts" else patch.status) != "ready"


def configured_strategy(ctx: Context) -> str:
    """What ``gitsession.merge`` says, were it no way to land."""
    return str(ctx.config.get("gitsession.merge", "merge"))


def chosen_strategy(ctx: Context, wanted: str = "") -> Strategy:
    """How to land: as asked, else as ``gitsession.merge`` says.

    Raises:
        BadRequest: there is no such way.
    """
    configured = configured_strategy(ctx)
    for one in STRATEGIES:
        if one == (wanted or configured):
            return one
    if wanted:
        raise BadRequest(f"{wanted!r} is no way to merge", hint="git session merge -h")
    raise BadRequest(f"gitsession.merge = {configured!r} is no way to merge", hint="git config gitsession.merge merge")


def unmerged_dependencies(live: Live, pid: str) -> list[Patch]:
    """What must be merged before a patch, a dependency first."""
    graph = graph_of(live.state.owners)
    needs = graph.closure(pid)
    patches = live.state.patches
    return [patches[one] for one in graph.order() if one in needs and patches[one].status != "merged"]


def target_tip(ctx: Context, target: str) -> str:
    """The target's commit.

    Raises:
        Refused: there is no such branch.
    """
    tip = branch_tip(ctx.repository.common_dir, target)
    if tip is None:
        bases = [live.state.session.base for live in ctx.sessions.values() if live.state.session.target == target]
        known = bases[0][:12] if bases else "COMMIT"
        hint = f"git branch {quote(target)} {known}"
        raise Refused(f"the target branch {target} does not exist", hint=hint, reason="target")
    return tip


def new_base(ctx: Context, live: Live) -> str:
    """The target's commit, when the session can be put on it; the recorded base where it has that already.

    Raises:
        Refused: the target is gone, or has no commit in common with the session.
    """
    session = live.state.session
    tip = target_tip(ctx, session.target)
    if CommitGraph(ctx.repository.common_dir).within(tip, session.base):
        return session.base
    refuse_unrelated(ctx, session, tip)
    return tip


def refuse_foreign_base(ctx: Context, live: Live, tip: str, place: Place | None) -> None:
    """Raise Refused when the session stands on commits the target lacks: the merge would drag them in."""
    session, graph = live.state.session, CommitGraph(ctx.repository.common_dir)
    if graph.within(session.base, tip):
        return
    refuse_unrelated(ctx, session, tip)
    if not graph.within(tip, session.base):  # rewritten: to move it back would throw away what it has now
        hint = "git session update"
    elif place:
        hint = f"git -C {quote(place.worktree)} merge --ff-only {session.base[:12]}"
    else:
        hint = f"git branch -f {quote(session.target)} {session.base[:12]}"
    message = f"{session.name} stands on {session.base[:7]}, which {session.target} does not have"
    raise Refused(message, hint=hint, reason="base")


def refuse_unrelated(ctx: Context, session: Session, tip: str) -> None:
    """Raise Refused when the target and the session have no commit in common, as far as a shallow clone can tell."""
    if CommitGraph(ctx.repository.common_dir).merge_base(tip, session.base) is None:
        if shallow_ends(ctx.repository.common_dir):  # the history they have in common may be what was left out
            raise Refused(
                f"this shallow clone has no commit that {session.target} and {session.name} have in common",
                hint="git fetch --unshallow",
                reason="base",
            )
        raise Refused(
            f"{session.target} has no commit in common with {session.name}",
            hint=in_turn(f"git log --oneline {quote(session.target)}", "git session start NAME"),
            reason="base",
        )


def trouble_with_target(ctx: Context, session: Session) -> Refused | None:
    """Why nothing can go to the target or come from it: it is gone, or has no commit in common with the session."""
    try:
        tip = target_tip(ctx, session.target)
        if all(commits_apart(ctx.repository.common_dir, session.base, tip)):  # else one of them has the other
            refuse_unrelated(ctx, session, tip)
    except Refused as exc:
        return exc
    return None


def refuse_empty(ctx: Context, live: Live, pid: str) -> None:
    """Raise Refused when a patch has no commit, or its commits come to nothing and no open patch stands on them."""
    patch = live.state.patches[pid]
    before, after = patch_trees(ctx, live.state, pid)
    committed = any(commit.of for commit in patch.series)
    if not committed or (before == after and not is_needed(live, pid)):
        hint = f"git session assign PATH --patch {quote(patch.name)}"
        raise Refused(f"{patch.name} has nothing to merge", hint=hint, reason="empty")


def is_needed(live: Live, pid: str) -> bool:
    """Whether an open patch waits for this one to be merged."""
    graph = graph_of(live.state.owners)
    return any(graph.needs(other.id, pid) for other in live.open_patches())

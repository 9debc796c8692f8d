"""What taking a merged patch back makes of its target, in objects only, and the records of what clashes there.

The ancestor is the target as the landing left it, the other side the target from before: git's own revert. A clash is
a record of kind ``git_revert`` of the patch, which stays merged; its resolution is used by the next ``revert`` while
the three sides are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from gitsessiond.actions.clash_files import write_control_files
from gitsessiond.actions.clashing import with_records
from gitsessiond.actions.combining import Clash, Made, with_automatic
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.strategies import Tried, Trying, own_commits
from gitsessiond.model.conflicts import is_automatic, place_words
from gitsessiond.model.names import unquote_path
from gitsessiond.model.records import Conflict, Patch
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.steps import State


def try_revert(ctx: Context, live: Live, patch: Patch, old: str, cwd: str) -> Tried:
    """The target without what the patch brought; the first step that clashes is the last one tried.

    Raises:
        StoreFailed: git failed.
    """
    trying = Trying(ctx, live, patch, old, cwd, "git_revert")
    steps = list(taken_back(ctx, patch))
    ended = all(trying.put(landed, without) for landed, without in steps)
    return trying.done(ended, whole=ended or len(steps) == 1)


def taken_back(ctx: Context, patch: Patch) -> Iterator[tuple[str, str]]:
    """Trees with and without what is reverted: the landing as a whole, else the patch's commits, the last one first."""
    if patch.merge_onto is not None and patch.merge_commit is not None:
        yield tree_of_commit(ctx.store, patch.merge_commit), tree_of_commit(ctx.store, patch.merge_onto)
        return
    for facts in reversed(own_commits(ctx, patch)):
        yield facts.tree, tree_of_commit(ctx.store, facts.parents[0])


def record_clash(
    ctx: Context, live: Live, patch: Patch, clashes: Iterable[Clash], made: Made, by: str, *, whole: bool
) -> list[Conflict]:
    """Record the conflicts of a revert, and return the open ones; nothing else has moved.

    ``whole``: it was tried to its end.
    """
    records = [record for _, record in clashes]
    still_open = [record for record in records if record.status == "open"]
    state = with_records(ctx, live.state, records, patch.id, made.layer, "git_revert", whole=whole)
    state = with_automatic(ctx, state, patch.id, made, "git_revert")
    text = f"the revert of {patch.name} {clash_words(live.state.session.target, still_open)}"
    facts = {"patch": {"id": patch.id, "name": patch.name}, "conflicts": [record.id for record in records]}
    publish(ctx, live, state, "revert", by=by, text=text, facts=facts)
    write_control_files(ctx, live)
    return still_open


def clash_words(target: str, records: list[Conflict]) -> str:
    """With what and where a revert clashes."""
    return f"conflicts with {target} in {place_words(unquote_path(record.path) for record in records)}"


def reverts_of(state: State, pid: str) -> list[Conflict]:
    """The records of a patch's revert that still count, without what git combined by itself: no revert waits for it."""
    return [one for one in counted(state, pid) if not is_automatic(one)]


def counted(state: State, pid: str) -> list[Conflict]:
    """Every record of a patch's revert that still counts."""
    found = [one for one in state.conflicts.values() if (one.kind, one.patch) == ("git_revert", pid)]
    return [one for one in found if one.status != "stale"]


def without_reverts(state: State, pid: str, *, given_up: bool = False) -> State:
    """The State in which no conflict of this patch's revert counts any more: it went through, or was ``given_up``.

    What it was resolved to counts again where the same clash comes again; given up, it is only offered.
    """
    gone = {}
    for one in counted(state, pid):
        gone_with: dict[str, object] = {"status": "stale"}
        if given_up and not is_automatic(one):
            gone_with["resolved_at"] = None
        gone[one.id] = one.model_copy(update=gone_with)
    return replace(state, conflicts={**state.conflicts, **gone}) if gone else state

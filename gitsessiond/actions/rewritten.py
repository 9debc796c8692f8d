"""The chain of before beside the chain of now: what left it, what came, and which commit became which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from gitsessiond.actions.context import Context
from gitsessiond.actions.grounding import Ground
from gitsessiond.model.commits import CommitFacts
from gitsessiond.model.pairing import pair_rewritten
from gitsessiond.model.records import Session, decode
from gitsessiond.store.chain import CommitGraph, Foreign, patch_ids, read_commit, tree_of_commit
from gitsessiond.store.steps import State, read_session_refs
from gitsessiond.store.trees import entry_at


class Chains(NamedTuple):
    """The two chains compared."""

    dropped: tuple[str, ...]  # commits that left, in the order they had
    new: frozenset[str]  # commits that came
    pairs: Mapping[str, str]  # new commit -> the dropped one it was (amended, rebased)
    same: Mapping[str, str]  # new commit -> a dropped one with the very same tree on the same base
    foreign: Mapping[str, Foreign]  # commits of the chain that came from somebody else's branch


def compare_chains(ctx: Context, state: State, ground: Ground, commits: CommitGraph) -> Chains:
    """Compare the recorded chain with the one HEAD has now.

    Raises:
        StateUnreadable: a commit that left is gone.
        StoreFailed: git failed.
    """
    there = {facts.oid for facts in ground.chain}
    new = [facts for facts in ground.chain if facts.oid not in state.session.chain]
    dropped = [read_commit(ctx.store, oid) for oid in state.session.chain if oid not in there]
    single = [facts for facts in new if len(facts.parents) < 2]

    def ids(wanted: Sequence[str]) -> Mapping[str, str]:
        return patch_ids(ctx.repository.common_dir, [oid for oid in wanted if commits.has(oid)])

    pairs = pair_rewritten(dropped, single, ids)
    same = same_trees(dropped, single) if ground.base == state.session.base else {}
    return Chains(
        dropped=tuple(facts.oid for facts in dropped),
        new=frozenset(facts.oid for facts in new),
        pairs=pairs,
        same=same,
        foreign=find_foreign(ctx, state, ground, commits, pairs),
    )


def same_trees(dropped: Sequence[CommitFacts], new: Sequence[CommitFacts]) -> dict[str, str]:
    """new commit -> a dropped one with the same tree, each taken once: what it holds is known."""
    trees: dict[str, list[str]] = {}
    for facts in dropped:
        trees.setdefault(facts.tree, []).append(facts.oid)
    return {facts.oid: trees[facts.tree].pop(0) for facts in new if trees.get(facts.tree)}


def find_foreign(
    ctx: Context, state: State, ground: Ground, commits: CommitGraph, pairs: Mapping[str, str]
) -> dict[str, Foreign]:
    """The commits from a branch of somebody else: those known as such, their rewrites, and new ones."""
    was = set(state.session.foreign)
    rewrites = {new for new, old in pairs.items() if old in was}
    found = {oid: Foreign(oid, "another branch") for oid in was | rewrites}
    fresh = {facts.oid for facts in ground.chain} - set(state.session.chain) - pairs.keys()
    told = commits.foreign(ground.chain, ground.base, our_refs(ctx, state.session, commits)) if fresh else []
    if told:
        fresh -= published_by_us(state, ground, commits)
    return found | {one.oid: one for one in told if one.oid in fresh}


def published_by_us(state: State, ground: Ground, commits: CommitGraph) -> set[str]:
    """The commits that this session's patches were published with: a remote's branch has them from us."""
    known = {oid for patch in state.patches.values() for one in patch.published for oid in (one.oid, *one.tried)}
    return {
        facts.oid for oid in known if oid is not None and commits.has(oid) for facts in commits.beyond(ground.base, oid)
    }


def our_refs(ctx: Context, session: Session, commits: CommitGraph) -> Callable[[str], bool]:
    """Whether a ref is a session's branch, its copy on a remote, the target, or the target's upstream."""
    branches = session_branches(ctx) | {session.target}
    exact = {f"refs/heads/{branch}" for branch in branches} | {commits.upstream_name(session.target)}

    def test(name: str) -> bool:
        remote = name.removeprefix("refs/remotes/").partition("/")[2] if name not in exact else ""
        return name in exact or remote in branches

    return test


def session_branches(ctx: Context) -> set[str]:
    """The branches of all sessions, ended ones too."""
    found = {one.anchored.branch for one in ctx.unreadable.values() if one.anchored is not None}
    for sid, step in read_session_refs(ctx.store).items():
        if sid in ctx.sessions:
            found.add(ctx.sessions[sid].state.session.branch)
            continue
        if sid in ctx.unreadable:
            continue
        entry = entry_at(ctx.store, tree_of_commit(ctx.store, step), b"session.json")
        if entry is not None:
            found.add(decode(Session, ctx.store.blob(entry.oid), "session.json").branch)
    return found

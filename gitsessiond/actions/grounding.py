"""What a HEAD stands on: the base of the session, and the chain of commits beyond it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gitsessiond.model.commits import CommitFacts
from gitsessiond.store.chain import CommitGraph
from gitsessiond.store.steps import State


@dataclass(frozen=True)
class Ground:
    """What HEAD stands on."""

    base: str
    chain: tuple[CommitFacts, ...]  # first parents beyond the base, oldest first; merges of the target too


def ground_of_head(
    commits: CommitGraph, state: State, head: str, made_here: Callable[[], frozenset[str]]
) -> Ground | None:
    """Base and chain of a HEAD; None: it has no base in common with the session.

    Base: the merge base of HEAD with the target or with the target's upstream, the later of the two. But the
    recorded base when that commit is one of ours (a patch landed under its own ids), or when it is older and
    HEAD still has the recorded one. No merge base: the recorded base if HEAD descends from it. ``made_here``
    tells the commits made in this worktree; it is asked only when it matters.
    """
    session = state.session
    target = commits.ref(f"refs/heads/{session.target}")
    upstream = commits.upstream(session.target)
    found = commits.later(
        commits.merge_base(head, target) if target else None,
        commits.merge_base(head, upstream) if upstream else None,
    )
    if found != session.base and commits.within(session.base, head):
        older = found is None or commits.within(found, session.base)
        if older or found in ours(state) or found in made_here():
            found = session.base
    if found is None:
        return None
    return Ground(found, tuple(commits.chain(found, head)))


def ours(state: State) -> frozenset[str]:
    """The commits of the chain and of every series."""
    series = {commit.oid for patch in state.patches.values() for commit in patch.series}
    return frozenset(series | set(state.session.chain))


def unchanged(commits: CommitGraph, state: State, ground: Ground) -> bool:
    """Whether the session has this base and chain already; merges of the target may be left out of it."""
    session = state.session
    if ground.base != session.base:
        return False
    left = [facts for facts in ground.chain if facts.oid not in session.chain]
    wanted = len(session.chain) + len(left)
    return wanted == len(ground.chain) and all(is_target_merge(commits, facts, ground.base) for facts in left)


def is_target_merge(commits: CommitGraph, facts: CommitFacts, base: str) -> bool:
    """Whether a commit merges nothing but history of the base."""
    return len(facts.parents) > 1 and all(commits.within(side, base) for side in facts.parents[1:])

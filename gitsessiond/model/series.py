"""A patch's series: for each commit of the chain, the patch's own part of it as a commit of its own.

The chain is what the user's git made: commits in the order they came, whichever patch they are for. The
series of patch P is derived from it. At chain commit c, where P's part changed, P gets a commit whose tree is
the base plus the edits that P and its dependencies hold in c. Its first parent is P's previous series commit;
at the beginning the base, the one dependency's tip, or, with several, a *context merge* of their tips. A
dependency that grew since gets a context merge before P's next commit, so that a series commit's diff to its
first parent is P's alone. A series commit that comes out equal to the chain's own is the chain's own; any
other is a *twin*: author, dates and words of the chain commit, plus our trailers (docs/format.md, "Series").

All of this is a function of chain, owners and base; only a twin already made for the same parents, tree,
author and words is taken again, so that a rewrite which touched only dates does not renew it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gitsessiond.model.commits import CommitFacts, needs_told, with_our_trailers
from gitsessiond.model.holdings import bits_of
from gitsessiond.model.records import SeriesCommit

CONTEXT_AUTHOR = b"gitsession <gitsession@localhost>"


class Line(NamedTuple):
    """One patch to plan for. ``frozen``: it is merged, its series stays as it is."""

    pid: str
    series: tuple[SeriesCommit, ...]
    frozen: bool = False


class TreeAt(NamedTuple):
    """A wanted tree: base plus what ``owners`` hold in chain commit ``bit`` (``held``: in the one before)."""

    owners: frozenset[str]
    bit: int
    held: str | None = None


@dataclass(frozen=True)
class Ground:
    """What series are planned on. ``lines`` come in an order in which dependencies are first."""

    sid: str
    base: str
    base_tree: str
    chain: tuple[CommitFacts, ...]
    lines: tuple[Line, ...]
    closure: Mapping[str, frozenset[str]]  # patch -> all it depends on
    parts: Mapping[str, int]  # owner -> mask of the chain commits in which its edits changed
    former: Mapping[str, CommitFacts]  # series commits made before, by id
    tree: Callable[[TreeAt], str]
    write: Callable[[CommitFacts], str]  # keeps a commit object and returns its id


def plan_series(ground: Ground) -> dict[str, tuple[SeriesCommit, ...]]:
    """Every patch's series, oldest commit first."""
    planner = _Planner(ground)
    for line in ground.lines:
        if line.frozen:
            planner.take_frozen(line)
        else:
            planner.plan(line)
    return planner.series


class _Planner:
    """The state of one planning: what was made so far, and what each commit made has in its history."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.series: dict[str, tuple[SeriesCommit, ...]] = {}
        self.steps: dict[str, list[tuple[int, str]]] = {}  # patch -> (chain bit, series commit), ascending
        self.holds: dict[str, frozenset[str]] = {}  # series commit -> series commits in its history, itself too
        self.trees: dict[str, str] = {ground.base: ground.base_tree}
        self.former = {_key(facts): oid for oid, facts in ground.former.items()}

    def take_frozen(self, line: Line) -> None:
        """A merged patch keeps its series; the others need to know where its commits are in the chain."""
        places = {facts.oid: bit for bit, facts in enumerate(self.ground.chain)}
        below: frozenset[str] = frozenset()
        for other in self.ground.closure.get(line.pid, frozenset()):
            below = below.union(*(self.holds[oid] for _, oid in self.steps.get(other, ())))
        steps, at = [], -1
        for commit in line.series:
            at = max(at, places.get(commit.of, -1)) if commit.of is not None else at
            below |= {commit.oid}
            self.holds[commit.oid] = below
            if commit.oid in self.ground.former:
                self.trees[commit.oid] = self.ground.former[commit.oid].tree
            steps.append((at, commit.oid))
        self.series[line.pid] = line.series
        # A merged patch without edits in the chain is in the base already: nothing stands on its tip now.
        self.steps[line.pid] = steps if self.ground.parts.get(line.pid) else []

    def plan(self, line: Line) -> None:
        """Make the series of one open patch; those it depends on are made."""
        need = self.ground.closure.get(line.pid, frozenset())
        made: list[SeriesCommit] = []
        steps: list[tuple[int, str]] = []
        last: str | None = None
        for bit in bits_of(self.ground.parts.get(line.pid, 0)):
            tree = self.ground.tree(TreeAt(need | {line.pid}, bit))
            parents, context = self.context(line.pid, need, bit, last)
            if context == tree:
                continue  # its edits came and went, or are another patch's dead lines: nothing changed
            parent = parents[0]
            if len(parents) > 1:
                parent = self.join(line.pid, bit, parents, context)
                made.append(SeriesCommit(oid=parent, of=None))
            last = self.commit(line.pid, bit, parent, tree)
            made.append(SeriesCommit(oid=last, of=self.ground.chain[bit].oid))
            steps.append((bit, last))
        self.series[line.pid], self.steps[line.pid] = tuple(made), steps

    def context(self, pid: str, need: frozenset[str], bit: int, last: str | None) -> tuple[list[str], str]:
        """What a series commit stands on: its parent, or the several to join first; and their joint tree."""
        heads = self.heads(need, bit, last)
        if last is not None:
            if not heads:
                return [last], self.trees[last]
            return [last, *heads], self.ground.tree(TreeAt(need | {pid}, bit, held=pid))
        parents = heads or [self.ground.base]
        if not need:
            return parents, self.ground.base_tree
        tree = self.ground.tree(TreeAt(need, bit))
        if len(parents) == 1 and self.trees.get(parents[0]) != tree and parents != [self.ground.base]:
            parents = [*parents, self.ground.base]  # a merged dependency's tip that stands on an older base
        return parents, tree

    def heads(self, need: Iterable[str], bit: int, last: str | None) -> list[str]:
        """The tips at a chain commit of these patches, in id order; none that ``last`` or another tip has."""
        tips: list[str] = []
        for pid in sorted(need):
            at = [oid for step, oid in self.steps.get(pid, ()) if step <= bit]
            if at and at[-1] not in tips:
                tips.append(at[-1])
        had = self.holds[last] if last is not None else frozenset()
        return [
            tip
            for tip in tips
            if tip not in had and not any(tip in self.holds[other] for other in tips if other != tip)
        ]

    def join(self, pid: str, bit: int, parents: Sequence[str], tree: str) -> str:
        """A context merge, dated as the chain commit it is made for."""
        when = b" ".join(self.ground.chain[bit].committer.rsplit(b" ", 2)[-2:])
        author = CONTEXT_AUTHOR + b" " + when
        words = with_our_trailers(f"Join what patch {pid} builds on\n".encode(), self.ground.sid, pid)
        return self.keep(CommitFacts("", tree, tuple(parents), author, author, words))

    def commit(self, pid: str, bit: int, parent: str, tree: str) -> str:
        """The series commit at a chain commit: that commit itself when it is equal, else its twin."""
        own = self.ground.chain[bit]
        if own.tree == tree and own.parents == (parent,):
            return self.note(own)
        words = with_our_trailers(own.message, self.ground.sid, pid, needs_told(own.message, pid))
        return self.keep(own._replace(oid="", tree=tree, parents=(parent,), message=words))

    def keep(self, facts: CommitFacts) -> str:
        """A commit made before that says the same, else a new one."""
        oid = self.former.get(_key(facts)) or self.ground.write(facts)
        return self.note(facts._replace(oid=oid))

    def note(self, facts: CommitFacts) -> str:
        """Remember what a series commit holds; returns its id."""
        self.trees[facts.oid] = facts.tree
        known = (self.holds.get(parent, frozenset()) for parent in facts.parents)
        self.holds[facts.oid] = frozenset({facts.oid}).union(*known)
        return facts.oid


def _key(facts: CommitFacts) -> tuple[str, tuple[str, ...], bytes, bytes]:
    """What must be equal for a series commit to be kept; of a context merge not even the dates."""
    author = b"" if facts.author.startswith(CONTEXT_AUTHOR) else facts.author
    return facts.tree, facts.parents, author, facts.message

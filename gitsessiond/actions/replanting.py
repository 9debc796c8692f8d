"""A patch's commits on what the remote has, where the session stands on commits that only this repository has.

A series that stands on a commit of the remote is published as it is. Else each of its commits is put on the nearest
commit that the remote has, by a three-way merge whose ancestor is the commit's own parent; author, committer, dates and
words are kept, so that the same series gives the same commits again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.wording import home_of
from gitsessiond.model.commits import CommitFacts, commit_data
from gitsessiond.model.conflicts import place_words
from gitsessiond.model.errors import Refused
from gitsessiond.model.hints import command_words, in_turn
from gitsessiond.model.records import Patch, Session
from gitsessiond.store.chain import CommitGraph
from gitsessiond.store.layers import LandingLayer
from gitsessiond.store.picking import Three, merge_on
from gitsessiond.store.upstreams import review_tip


class Ground(NamedTuple):
    """What published commits stand on: the session's base, or the nearest commit below it that the remote has."""

    base: str
    onto: str
    upstream: str = ""  # the short name of what was asked
    notes: tuple[str, ...] = ()


def ground_for(ctx: Context, session: Session, remote: str) -> Ground:
    """Where the commits of a session's patches are put to be published; from what was fetched last."""
    graph = CommitGraph(ctx.repository.common_dir)
    found = review_tip(graph, ctx.config, session.target, remote)
    if found is None:
        return Ground(session.base, session.base)
    tip, name = found
    onto = session.base if graph.within(session.base, tip) else graph.merge_base(session.base, tip)
    if onto is None or onto == session.base:
        return Ground(session.base, session.base, name)
    count = graph.count_beyond(onto, session.base)
    ours = "1 commit" if count == 1 else f"{count} commits"
    note = f"put on {name} at {onto[:7]}: it lacks {ours} of {session.target} that {session.name} stands on"
    return Ground(session.base, onto, name, (note,))


def plant(ctx: Context, live: Live, ground: Ground, stack: Sequence[Patch]) -> dict[str, str]:
    """patch -> the commit to publish it at; what had to be made is durably in the repository.

    Raises:
        Refused: a commit changes what only this repository has.
        StoreFailed: git or the disk refused.
    """
    tips = {patch.id: patch.series[-1].oid for patch in stack}
    if ground.onto == ground.base:
        return tips
    graph = CommitGraph(ctx.repository.common_dir)
    planting = Planting(ctx, live, ground, graph)
    for patch in stack:
        for facts in graph.beyond(ground.base, tips[patch.id]):
            planting.put(facts, patch)
    made = {pid: planting.now[tip] for pid, tip in tips.items()}
    planting.layer.to_repository(made.values())
    return made


class Planting:
    """Commits made again one by one, each on what became of its parents."""

    def __init__(self, ctx: Context, live: Live, ground: Ground, graph: CommitGraph) -> None:
        self.ctx, self.ground, self.graph = ctx, ground, graph
        self.target, self.cwd = live.state.session.target, home_of(ctx, live)
        self.layer = LandingLayer(ctx.store, {})
        self.now = {ground.base: ground.onto}  # commit -> what stands for it
        self.trees: dict[str, str] = {}

    def put(self, facts: CommitFacts, patch: Patch) -> None:
        """Make one commit again; its parents were, unless the remote has them."""
        if facts.oid in self.now:
            return
        parents = tuple(self.parent_now(parent) for parent in facts.parents)
        if parents == facts.parents:
            self.now[facts.oid] = facts.oid
            return
        three = Three(self.tree(facts.parents[0]), self.tree(parents[0]), facts.tree)
        labels = (self.ground.upstream, patch.name)
        merge = merge_on(self.ctx.repository, self.layer, three, labels, self.cwd)
        if merge.tree is None:
            paths = place_words(clash.path for clash in merge.conflicts)
            raise Refused(
                f"{patch.name} changes lines of {self.target} that {self.ground.upstream} does not have, in {paths}",
                hint=in_turn("git session push", command_words("publish", patch.name)),
            )
        made = self.layer.put("commit", commit_data(facts._replace(tree=merge.tree, parents=parents)))
        self.now[facts.oid], self.trees[made] = made, merge.tree

    def parent_now(self, parent: str) -> str:
        """What stands for a parent; one below the base that the remote lacks is stood for by what it has."""
        if parent in self.now:
            return self.now[parent]
        return parent if self.graph.within(parent, self.ground.onto) else self.ground.onto

    def tree(self, oid: str) -> str:
        """The tree of a commit, made here or not."""
        if oid not in self.trees:
            self.trees[oid] = self.graph.commit(oid).tree
        return self.trees[oid]

"""What an update would come to: every patch, the unassigned edits and the commits put on a new base, in memory only.

Each open patch alone first: from what it stands on (the base with what is merged, and its dependencies) to the same
on the new base, by a three-way merge; the known resolutions of its conflicts are used. Then all of them together, in
the order of their dependencies, and on top what is on disk. The commits of the chain follow from that
(:mod:`gitsessiond.actions.recommitting`).

A patch whose landing the old base has and a ``revert`` took back on the new one comes first: what the revert took
away is its own again, as one commit. So the files stay as they are, and so does all that was built on it.

A conflict that nobody resolved is a record for its owner. To find the others as well, what is above it is looked at
as if it had been resolved to the owner's own text; nothing moves then anyway.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from gitsessiond.actions.contests import settled_tree
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.update_clashes import Clash, record_of
from gitsessiond.actions.wording import home_of
from gitsessiond.model.commits import CommitFacts, with_our_trailers
from gitsessiond.model.conflicts import same_clash
from gitsessiond.model.graph import graph_of
from gitsessiond.model.names import unquote_path
from gitsessiond.model.ownership import edits_of, versions
from gitsessiond.model.records import Conflict
from gitsessiond.model.strategies import words_of
from gitsessiond.model.values import UNASSIGNED, Entry
from gitsessiond.store.chain import CommitGraph, read_commit, tree_of_commit
from gitsessiond.store.layers import LandingLayer, objects_lacking
from gitsessiond.store.merge import PathConflict, TreeMerge, git_merge_trees
from gitsessiond.store.picking import Pick, Three
from gitsessiond.store.steps import State
from gitsessiond.store.trees import edit_tree
from gitsessiond.store.walk import merges_plainly, walk_merge


class Layer(NamedTuple):
    """The files with what one owner and all below it have."""

    owner: str
    tree: str


@dataclass
class Carried:
    """A session on a new base. ``tree`` and ``work`` mean nothing while a clash is open."""

    base: str
    layer: LandingLayer
    layers: list[Layer] = field(default_factory=list)  # lowest first; the last one is the disk's
    clashes: list[Clash] = field(default_factory=list)  # those resolved before, too
    kept: str | None = None  # the last commit of the chain that can stay as it is; None: the base
    picks: tuple[Pick, ...] = ()  # the commits that are made again, behind that
    tree: str = ""  # of the last commit
    work: str = ""  # what the worktree will be

    @property
    def open(self) -> list[Clash]:
        """The conflicts that are not resolved."""
        return [one for one in self.clashes if one.record.status != "resolved"]


class Carrying:
    """One session on its way to another base."""

    def __init__(self, ctx: Context, live: Live, state: State, base: str) -> None:
        self.ctx, self.live, self.state = ctx, live, state
        self.layer = LandingLayer(ctx.store, {})
        self.done = Carried(base, self.layer)
        self.plainly = merges_plainly(ctx.repository.common_dir, ctx.config)
        self.old_base, self.new_base = (tree_of_commit(ctx.store, oid) for oid in (state.session.base, base))
        graph = graph_of(state.owners)
        self.merged = frozenset(pid for pid, patch in state.patches.items() if patch.status == "merged")
        self.order = [pid for pid in graph.order() if pid not in self.merged]
        self.needs = {pid: graph.closure(pid) - self.merged for pid in self.order}
        self.olds: dict[frozenset[str], str] = {}
        self.news: dict[frozenset[str], str] = {frozenset(): self.new_base}
        self.owns: dict[str, str] = {}
        self.again: list[Pick] = []  # a commit for each patch that is back
        self.merges: dict[Three, TreeMerge] = {}
        self.unsettled: set[bytes] = set()  # paths at which a clash below is open

    # One merge.

    def put(self, owner: str, three: Three, *, alone: bool = False) -> str:
        """A merge for an owner; what clashes is its record's resolution, or its own text for now.

        ``alone``: nothing of another owner is in it, so that an open clash of another one is no reason to wait.
        """
        merge = self.merge(three)
        if merge.tree is not None:
            return merge.tree
        assert merge.marked is not None
        edits: dict[bytes, Entry | None] = {}
        results: dict[bytes, Entry | None] = {}
        for clash in merge.conflicts:
            record = self.record_of(owner, clash)
            if alone or not clash.paths & self.unsettled:
                self.note(Clash(clash, record))
            if record.status != "resolved":
                self.unsettled |= clash.paths
            edits |= dict.fromkeys(clash.paths)
            side = record.result if record.status == "resolved" else record.theirs
            if side is not None and side.oid is not None and side.mode is not None:
                at = unquote_path(side.path) if side.path is not None else clash.path
                results[at] = Entry(side.mode, side.oid)
        return edit_tree(self.layer, merge.marked, edits | results)

    def merge(self, three: Three) -> TreeMerge:
        """A three-way merge of trees of the layer: in memory where it is clean, else git's."""
        if three.base == three.ours:
            return TreeMerge(three.theirs, (), "walk")
        if three.theirs in (three.base, three.ours):
            return TreeMerge(three.ours, (), "walk")
        if three not in self.merges:
            found = walk_merge(self.layer, *three) if self.plainly else None
            if found is None or found.tree is None:
                lacking = objects_lacking(self.layer, three)
                labels = (self.state.session.target, self.state.session.name)
                cwd = home_of(self.ctx, self.live)
                found = git_merge_trees(self.ctx.repository, *three, objects=lacking, labels=labels, cwd=cwd)
            self.layer.made.update(found.made)
            self.merges[three] = found
        return self.merges[three]

    def record_of(self, owner: str, clash: PathConflict) -> Conflict:
        """The record of a clash; of one that was met before in this update, that one."""
        record = record_of(self.ctx, self.state, owner, clash)
        return next((one.record for one in self.done.clashes if same_clash(one.record, record)), record)

    def note(self, clash: Clash) -> None:
        """Tell of a clash, once."""
        if all(one.record.id != clash.record.id for one in self.done.clashes):
            self.done.clashes.append(clash)

    # The patches.

    def returned(self) -> None:
        """The patches that a revert opened again and whose edits are a part of the old base."""
        graph = CommitGraph(self.ctx.repository.common_dir)
        tree = self.new_base
        for pid in self.order:
            undone = self.state.patches[pid].reverted_in
            if undone is None or edits_of(self.state.owners, pid):
                continue
            if graph.within(undone, self.state.session.base) or not graph.within(undone, self.done.base):
                continue
            facts = read_commit(self.layer, undone)
            with_it = self.tree_of(facts.parents[0])
            if self.merge(Three(facts.tree, self.old_base, with_it)).tree != self.old_base:
                continue  # the old base has it not: it is gone by somebody's own doing
            after = self.put(pid, Three(facts.tree, tree, with_it))
            if after != tree:
                tree = after
                self.done.layers.append(Layer(pid, tree))
                self.again.append(Pick(self.words_again(pid, facts), tree))
        self.news[frozenset()] = tree

    def words_again(self, pid: str, undone: CommitFacts) -> CommitFacts:
        """The commit that has a patch's edits again: by whoever took them back, in the patch's words."""
        words = words_of(self.state.patches[pid]).encode("utf-8", "surrogateescape")
        message = with_our_trailers(words, self.state.session.id, pid, graph_of(self.state.owners).direct(pid))
        return undone._replace(oid="", parents=(self.done.base,), message=message, encoding=None)

    def old(self, who: frozenset[str]) -> str:
        """The files as these patches and the merged ones have them on the old base."""
        if who not in self.olds:
            overlay = versions(self.state.owners, self.merged | who, self.ctx.tools)
            self.olds[who] = edit_tree(self.ctx.store, self.old_base, overlay) if overlay else self.old_base
        return self.olds[who]

    def own(self, pid: str) -> str:
        """A patch on what it needs, on the new base."""
        if pid not in self.owns:
            needs = self.needs[pid]
            mine = settled_tree(self.ctx, self.state, pid, self.old(needs | {pid}))
            three = Three(self.old(needs), self.new(needs), mine)
            self.owns[pid] = self.put(pid, three, alone=not needs)
        return self.owns[pid]

    def new(self, who: frozenset[str]) -> str:
        """Patches, with all that each of them needs, on the new base."""
        if who not in self.news:
            tree = self.news[frozenset()]
            for pid in self.order:
                if pid in who:
                    tree = self.put(pid, Three(self.new(self.needs[pid]), tree, self.own(pid)))
            self.news[who] = tree
        return self.news[who]

    def patches(self) -> None:
        """Each patch alone, then one on top of the other."""
        for pid in self.order:
            self.own(pid)
        tree = self.news[frozenset()]
        for pid in self.order:
            tree = self.put(pid, Three(self.new(self.needs[pid]), tree, self.own(pid)))
            self.done.layers.append(Layer(pid, tree))

    def disk(self) -> None:
        """What is on disk, on top of all patches."""
        every = frozenset(self.order)
        below = self.done.layers[-1].tree if self.done.layers else self.news[frozenset()]
        self.done.work = self.put(UNASSIGNED, Three(self.old(every), below, self.state.work))
        self.done.layers.append(Layer(UNASSIGNED, self.done.work))

    def tree_of(self, oid: str) -> str:
        """The tree of a commit."""
        return tree_of_commit(self.layer, oid)

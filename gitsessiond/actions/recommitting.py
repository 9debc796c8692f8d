"""The commits of a session on a new base, as ``git rebase`` would make them again, in memory only.

``git rebase`` stops at each commit that clashes; an update knows what every patch comes to before it comes to the
commits. So where one clashes nobody is asked again.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations

from gitsessiond.actions.carrying import Carried, Carrying
from gitsessiond.actions.context import Context, Live
from gitsessiond.model.values import Entry
from gitsessiond.store.chain import CommitGraph
from gitsessiond.store.picking import Pick, Three
from gitsessiond.store.steps import State
from gitsessiond.store.trees import edit_tree, entry_at

MOST_PATCHES = 6  # of one file among which those of a commit are looked for


def carry(ctx: Context, live: Live, state: State, base: str) -> Carried:
    """Put a session on another base.

    Raises:
        StateUnreadable: an object is gone.
        StoreFailed: git failed.
    """
    carrying = Carrying(ctx, live, state, base)
    carrying.returned()
    carrying.patches()
    carrying.disk()
    Recommitting(carrying).chain()
    return carrying.done


class Recommitting:
    """The commits of one session on its way to another base, once its patches and its disk are there."""

    def __init__(self, carrying: Carrying) -> None:
        self.on, self.done, self.layer, self.state = carrying, carrying.done, carrying.layer, carrying.state
        self.graph = CommitGraph(carrying.ctx.repository.common_dir)
        head = self.graph.ref(f"refs/heads/{self.state.session.branch}")
        self.facts = self.graph.chain(self.state.session.base, head) if head is not None else []

    def chain(self) -> None:
        """The commits of the session's branch behind the new base; one that changes nothing there goes.

        Where one clashes its file gets what the patches of the commit come to there; where the commit is not just some
        of them, at once what it will have been committed to in the end.
        """
        tree, picks, kept = self.on.news[frozenset()], list(self.on.again), self.done.base
        settled = set[bytes]()
        for one in self.facts:
            before = self.on.tree_of(one.parents[0])
            theirs = self.without(one.tree, before, settled)
            if not picks and one.parents[0] == kept:
                kept, tree = one.oid, one.tree
                continue
            merge = self.on.merge(Three(before, tree, theirs))
            after = merge.tree
            if after is None:
                assert merge.marked is not None
                edits = dict[bytes, Entry | None]()
                for path in {path for clash in merge.conflicts for path in clash.paths}:
                    made = self.of_patches(one.tree, path)
                    edits[path] = self.ending(path) if made is None else entry_at(self.layer, made, path)
                    settled |= {path} if made is None else set()
                after = edit_tree(self.layer, merge.marked, edits)
            if after != tree or one.tree == before:
                sides = tuple(side for side in one.parents[1:] if not self.graph.within(side, self.done.base))
                picks.append(Pick(one._replace(parents=(kept, *sides)), after))
            tree = after
        self.done.kept, self.done.picks, self.done.tree = kept, tuple(picks), tree

    def of_patches(self, tree: str, path: bytes) -> str | None:
        """The new base with the patches that make a commit's file what it is; None: it is not just some of them."""
        if self.done.open:
            return None  # nothing moves, so nobody asks
        wanted = entry_at(self.layer, tree, path)
        near = [pid for pid in self.on.order if self.changes(pid, path)]
        for size in range(len(near) + 1 if len(near) <= MOST_PATCHES else 0):
            for some in combinations(near, size):
                who = frozenset(some).union(*(self.on.needs[pid] for pid in some))
                if entry_at(self.layer, self.on.old(who), path) == wanted:
                    return self.together(who)
        return None

    def together(self, who: frozenset[str]) -> str | None:
        """These patches on the new base; None where they clash as all of them together do not."""
        found, unsettled, news = len(self.done.clashes), set(self.on.unsettled), dict(self.on.news)
        tree = self.on.new(who)
        if len(self.done.clashes) == found:
            return tree
        del self.done.clashes[found:]
        self.on.unsettled, self.on.news = unsettled, news
        return None

    def changes(self, pid: str, path: bytes) -> bool:
        """Whether a patch has anything at a path of the old base."""
        without, with_it = self.on.old(self.on.needs[pid]), self.on.old(self.on.needs[pid] | {pid})
        return entry_at(self.layer, without, path) != entry_at(self.layer, with_it, path)

    def without(self, tree: str, before: str, paths: Collection[bytes]) -> str:
        """A commit's tree without its changes of these paths."""
        back = {path: entry_at(self.layer, before, path) for path in paths}
        return edit_tree(self.layer, tree, back) if back else tree

    def ending(self, path: bytes) -> Entry | None:
        """What a path will have been committed to in the end.

        That is the disk without what is not committed now; where these cannot be told apart, the base's text: the
        edits are then not committed.
        """
        last = self.on.merge(Three(self.state.work, self.done.work, self.facts[-1].tree))
        if any(path in clash.paths for clash in last.conflicts):
            return entry_at(self.layer, self.on.new_base, path)
        whole = last.tree or last.marked
        assert whole is not None
        return entry_at(self.layer, whole, path)

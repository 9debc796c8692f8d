"""What a patch makes of its target when its own commits, or their sum, are put on it.

The ancestor is always the patch's own context - what it and its commits were made on - and never git's merge base:
a patch that landed by rebase or squash, or was taken back, is in the target without being in its history, or in its
history without being in the target (docs/decisions/strategies.md). Everything here makes objects in memory only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gitsessiond.actions.clashing import records_of, resolved_tree
from gitsessiond.actions.combining import Clash, asked_again, has_taken_on
from gitsessiond.actions.context import Context, Live
from gitsessiond.model.commits import CommitFacts
from gitsessiond.model.holdings import committed_needs, held_back
from gitsessiond.model.ownership import Owners, versions
from gitsessiond.model.records import ConflictKind, Patch
from gitsessiond.model.strategies import Strategy
from gitsessiond.store.chain import CommitGraph, read_commit, tree_of_commit
from gitsessiond.store.combined import Combined, combined_in
from gitsessiond.store.layers import LandingLayer
from gitsessiond.store.merge import TreeMerge, git_merge
from gitsessiond.store.picking import Pick, Three, is_signed, merge_on
from gitsessiond.store.steps import State
from gitsessiond.store.trees import edit_tree
from gitsessiond.store.walk import disjoint_merge


class Tried(NamedTuple):
    """What came of putting a patch on a target."""

    layer: LandingLayer
    tree: str | None  # None: it clashes
    clashes: tuple[Clash, ...] = ()  # those resolved before, too
    onto: str | None = None  # by rebase: the commit the picks go on
    picks: tuple[Pick, ...] = ()
    combined: tuple[Combined, ...] = ()  # what git combined by itself, without what a person has a say in
    whole: bool = True  # False: it clashes, and what comes after was not tried


def unsigned_note(ctx: Context, state: State, pid: str) -> list[str]:
    """A warning where the user's git signs, and a patch's commits would land as they are but are not the user's own.

    What was made from a part of a commit cannot bear the signature of the whole.
    """
    patch, session = state.patches[pid], state.session
    made = [commit for commit in patch.series if commit.oid not in session.chain]
    if not made or not ctx.config.flag("commit.gpgSign"):
        return []
    of = f"1 commit of {patch.name} is" if len(made) == 1 else f"{len(made)} commits of {patch.name} are"
    way = "git config gitsession.merge rebase"
    return [f"{of} not signed, being made from what is on {session.branch}; `{way}` (or squash) signs all that lands"]


class Trying:
    """One patch on its way to a target, or out of it."""

    def __init__(
        self, ctx: Context, live: Live, patch: Patch, old: str, cwd: str, kind: ConflictKind = "git_merge"
    ) -> None:
        self.ctx, self.live, self.patch, self.old = ctx, live, patch, old
        self.kind, self.cwd = kind, cwd
        theirs = f"before {patch.name}" if kind == "git_revert" else patch.name
        self.labels = (live.state.session.target, theirs)
        self.layer = LandingLayer(ctx.store, {})
        self.tree = tree_of_commit(ctx.store, old)
        self.clashes: list[Clash] = []
        self.combined: list[Combined] = []

    def put(self, base: str, theirs: str) -> bool:
        """Put one change on what is there; known resolutions are used. False: it clashes."""
        three = Three(base, self.tree, theirs)
        return self.take(merge_on(self.ctx.repository, self.layer, three, self.labels, self.cwd), three)

    def take(self, merge: TreeMerge, three: Three | None) -> bool:
        """Take what a merge came to; known resolutions are used, also of what git combines. False: it clashes."""
        found = combined_in(self.layer, three, merge) if three is not None and merge.by == "git" else []
        asked = asked_again(self.ctx, self.live, self.patch.id, found, self.kind)
        again = {clash.path for clash, _ in asked}
        self.combined += [one for one in found if one.clash.path not in again]
        tree = merge.tree
        if tree is None or asked:
            records = records_of(self.ctx, self.live, self.patch.id, merge.conflicts, self.kind)
            clashes = (*zip(merge.conflicts, records, strict=True), *asked)
            self.clashes += clashes
            tree = resolved_tree(self.layer, merge, clashes)
        if tree is None:
            return False
        self.tree = tree
        return True

    def done(
        self, ended: bool = True, onto: str | None = None, picks: Sequence[Pick] = (), *, whole: bool = True
    ) -> Tried:
        """What came of it."""
        tree = self.tree if ended else None
        return Tried(self.layer, tree, tuple(self.clashes), onto, tuple(picks), tuple(self.combined), whole)


def try_history(ctx: Context, live: Live, patch: Patch, old: str, cwd: str) -> Tried:
    """Merge the series' tip into the target from the merge base that git finds.

    What git combines is told where that base is the only one. Where it is not, and a person has a say in what git
    combines, the sum of the patch is put on the target: of that merge all three sides are known.
    """
    trying = Trying(ctx, live, patch, old, cwd)
    tip = patch.series[-1].oid
    graph = CommitGraph(ctx.repository.common_dir)
    base = graph.line_base(old, tip) or graph.only_base(old, tip)
    if base is None and has_taken_on(live.state, patch.id):
        return try_sum(ctx, live, patch, old, cwd)
    three = Three(tree_of_commit(ctx.store, base), trying.tree, tree_of_commit(ctx.store, tip)) if base else None
    merge = disjoint_merge(ctx.store, *three) if three is not None else None
    if merge is None:
        merge = git_merge(ctx.repository, old, tip, labels=trying.labels, cwd=cwd)
    trying.layer = LandingLayer(ctx.store, merge.made)
    return trying.done(trying.take(merge, three))


def try_sum(ctx: Context, live: Live, patch: Patch, old: str, cwd: str) -> Tried:
    """All of a patch that is committed, as one change put on the target.

    Raises:
        StoreFailed: git failed.
    """
    trying = Trying(ctx, live, patch, old, cwd)
    return trying.done(trying.put(*committed_trees(ctx, live.state, patch)))


def try_rebase(
    ctx: Context, live: Live, patch: Patch, old: str, cwd: str, *, sign: bool = False, last: str | None = None
) -> Tried:
    """A patch's own commits put on the target one by one; those that change nothing there are left out.

    Commits that stand where they are to be stay as they are, as ``git rebase`` leaves them; with ``sign`` only if
    they are signed. ``last`` is the tree with the patch's uncommitted edits, for a look ahead.

    Raises:
        StoreFailed: git failed.
    """
    trying = Trying(ctx, live, patch, old, cwd)
    onto, picks = old, list[Pick]()
    for facts, base, theirs in changes_of(ctx, live.state, patch):
        if not picks and facts.parents == (onto,) and (not sign or is_signed(ctx.store.read(facts.oid).data)):
            onto, trying.tree = facts.oid, facts.tree
            continue
        before = trying.tree
        if not trying.put(base, theirs):
            return trying.done(False, whole=False)
        if trying.tree != before:
            picks.append(Pick(facts, trying.tree))
    if last is not None and not trying.put(committed_trees(ctx, live.state, patch)[1], last):
        return trying.done(False)
    return trying.done(True, onto, picks)


def own_commits(ctx: Context, patch: Patch) -> list[CommitFacts]:
    """The commits of a series that are parts of the patch, oldest first; what joins its dependencies is not."""
    return [read_commit(ctx.store, commit.oid) for commit in patch.series if commit.of is not None]


def changes_of(ctx: Context, state: State, patch: Patch) -> list[tuple[CommitFacts, str, str]]:
    """A patch's own commits, each with the trees before and after it.

    Those of a patch that needs others stand on all of these, as the target has them, and not on what they were when
    the commit was made: what they did later beside its lines would clash with it.
    """
    own = own_commits(ctx, patch)
    needs = committed_needs(state.owners)[patch.id]
    if not needs:
        return [(facts, tree_of_commit(ctx.store, facts.parents[0]), facts.tree) for facts in own]
    out = []
    owners = with_frozen(state, needs)
    before = committed_tree(ctx, state, owners, needs)
    for commit, facts in zip((one for one in patch.series if one.of is not None), own, strict=True):
        at = state.session.chain.index(str(commit.of))
        after = committed_tree(ctx, state, held_back(owners, patch.id, tip_bit(state), at), needs | {patch.id})
        out.append((facts, before, after))
        before = after
    return out


def committed_trees(ctx: Context, state: State, patch: Patch) -> tuple[str, str]:
    """The trees of what a patch's committed edits stand on, and of these with it; alike if it has none."""
    if not state.session.chain:
        base = tree_of_commit(ctx.store, state.session.base)
        return base, base
    needs = committed_needs(state.owners)[patch.id]
    owners = with_frozen(state, needs)
    return committed_tree(ctx, state, owners, needs), committed_tree(ctx, state, owners, needs | {patch.id})


def committed_tree(ctx: Context, state: State, owners: Owners, who: frozenset[str]) -> str:
    """The base with what these hold in the last commit of the chain."""
    base = tree_of_commit(ctx.store, state.session.base)
    overlay = versions(owners, who, ctx.tools, tip_bit(state)) if who else {}
    return edit_tree(ctx.store, base, overlay) if overlay else base


def with_frozen(state: State, who: frozenset[str]) -> Owners:
    """Owners in which merged patches hold in the chain's last commit what they landed with, their last one.

    A later commit may lack it: one with half of a rename, say, which is no merged patch's doing.
    """
    owners, chain = state.owners, state.session.chain
    for pid in who:
        patch = state.patches[pid]
        last = next((str(commit.of) for commit in reversed(patch.series) if commit.of is not None), None)
        if patch.status == "merged" and last in chain and last != chain[-1]:
            owners = held_back(owners, pid, tip_bit(state), chain.index(last))
    return owners


def tip_bit(state: State) -> int:
    """The bit of the chain's last commit; there is one where a patch has a series."""
    return len(state.session.chain) - 1


def stands_in(ctx: Context, state: State, patch: Patch, old: str) -> bool:
    """Whether git itself finds what a patch stands on when it merges its series into a target.

    Not after a revert (its commits are in the target, what they did is not), not where a dependency is in the target
    by other commits than its own, and not where one went on after the patch's last commit: beside its lines, perhaps.
    """
    if patch.reverted_in is not None:
        return False
    own = {commit.oid for commit in patch.series} | {state.session.base}
    parents = {parent for commit in patch.series for parent in read_commit(ctx.store, commit.oid).parents}
    if not parents - own:
        return True
    if committed_trees(ctx, state, patch)[1] != tree_of_commit(ctx.store, patch.series[-1].oid):
        return False
    graph = CommitGraph(ctx.repository.common_dir)
    return all(graph.within(parent, old) for parent in parents - own)


def strategy_words(strategy: str | None, commits: int = 1) -> str:
    """How a patch landed, in brackets behind a name; nothing for a plain merge."""
    if strategy in (None, "merge"):
        return ""
    return f" ({strategy}, {commits} commits)" if commits > 1 else f" ({strategy})"


def tried_by(ctx: Context, live: Live, patch: Patch, strategy: Strategy, old: str, cwd: str, *, sign: bool) -> Tried:
    """A patch on its target by a strategy."""
    if strategy == "merge" and stands_in(ctx, live.state, patch, old):
        return try_history(ctx, live, patch, old, cwd)
    if strategy == "rebase":
        return try_rebase(ctx, live, patch, old, cwd, sign=sign)
    return try_sum(ctx, live, patch, old, cwd)

"""The chain read anew: which commits it has, and whose edits each of them holds.

A commit does not change who owns an edit; it says which edits are committed, and with which words. Every
commit that is new to us counts as a save made before what is on disk, in chain order (docs/ownership.md).
What is decided here is a function of refs, objects and the last settled owners, so it comes out the same with
hooks or without, now or after a week.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from gitsessiond.actions.carrying import Carried
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.grounding import Ground, is_target_merge
from gitsessiond.actions.layering import put_in_layers
from gitsessiond.actions.rewritten import compare_chains
from gitsessiond.actions.saves import drafts_again, how_for, patch_in_use, peoples_patches, still_open
from gitsessiond.model.commits import PATCH_TRAILER, CommitFacts, trailer_values
from gitsessiond.model.holdings import parts_of
from gitsessiond.model.names import name_key, quote_path
from gitsessiond.model.ownership import (
    How,
    Owners,
    add_patch,
    assign,
    learn_commit,
    move_base,
    remap_commits,
    versions,
)
from gitsessiond.model.records import Patch
from gitsessiond.model.registers import EVERYONE
from gitsessiond.model.values import UNASSIGNED, Entry, Placed, is_unassigned
from gitsessiond.store.chain import CommitGraph, read_commit, tree_of_commit
from gitsessiond.store.steps import State
from gitsessiond.store.trees import diff_trees, edit_tree, file_at

NOT_BY_COMMIT = ("foreign", "unproven", "shell")  # reasons that a commit is no answer to


@dataclass
class Relearned:
    """What came of it; ``state`` has owners, base, chain and new patches, but no new series yet."""

    state: State
    learned: list[CommitFacts] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    resolved: dict[bytes, str] = field(default_factory=dict)  # path -> the patch whose clash a merge commit resolved


def tree_held(ctx: Context, owners: Owners, base: str, bit: int) -> str:
    """The tree that all owners together hold in a commit of the chain; before the first (-1), the base's."""
    tree = tree_of_commit(ctx.store, base)
    overlay = versions(owners, EVERYONE, ctx.tools, bit) if bit >= 0 else {}
    return edit_tree(ctx.store, tree, overlay) if overlay else tree


def relearn(
    ctx: Context, live: Live, state: State, ground: Ground, commits: CommitGraph, carried: Carried | None = None
) -> Relearned:
    """The State with the owners as base and chain now say; ``state`` holds the last settled owners.

    ``carried``: an update worked out beforehand what the edits are on the new base.

    Raises:
        StateUnreadable: an object is gone.
        StoreFailed: git or the disk failed.
    """
    return Relearning(ctx, live, state, ground, commits, carried).run()


class Relearning:
    """One reading of a chain.

    Until it ends, a commit's bit is its place among the ground's commits, and commits that left the chain have
    the bits after those: what they held is known until the commits that came in their place are learned.
    """

    def __init__(
        self, ctx: Context, live: Live, state: State, ground: Ground, commits: CommitGraph, carried: Carried | None
    ) -> None:
        self.ctx, self.live, self.ground, self.commits, self.carried = ctx, live, ground, commits, carried
        self.before = state
        self.done = Relearned(state)
        self.base = state.session.base
        self.contested: dict[bytes, set[str]] = {}  # path -> whose edits of it the moves of the base contradict
        self.chains = compare_chains(ctx, state, ground, commits)

    @property
    def owners(self) -> Owners:
        """The owners so far."""
        return self.done.state.owners

    def take(self, owners: Owners, placed: Iterable[Placed] = ()) -> None:
        """The owners of now on, and the edits that were placed; ready patches that got one are drafts."""
        placed = tuple(placed)
        self.done.placed += placed
        self.done.state = drafts_again(replace(self.done.state, owners=owners), placed)

    def run(self) -> Relearned:
        """Learn every new commit in order, moving the base where the chain does."""
        self.take(remap_commits(self.owners, self.places()))
        kept = []
        for bit, facts in enumerate(self.ground.chain):
            if facts.oid not in self.chains.new or self.learn(bit, facts):
                kept.append(bit)
        self.move_to(self.ground.base)
        self.check_tip()
        self.take(remap_commits(self.owners, {bit: place for place, bit in enumerate(kept)}))
        chain = tuple(self.ground.chain[bit].oid for bit in kept)
        session = self.done.state.session.model_copy(
            update={
                "base": self.ground.base,
                "chain": chain,
                "foreign": tuple(oid for oid in chain if oid in self.chains.foreign),
            }
        )
        self.done.state = replace(self.done.state, session=session)
        return self.done

    # What is known of the commits.

    def places(self) -> dict[int, int]:
        """old bit -> bit for the time of learning."""
        new = {facts.oid: bit for bit, facts in enumerate(self.ground.chain)}
        new |= {old: new[oid] for oid, old in self.chains.same.items()}
        after = iter(range(len(self.ground.chain), len(self.ground.chain) + len(self.chains.dropped)))
        return {bit: new[oid] if oid in new else next(after) for bit, oid in enumerate(self.before.session.chain)}

    # One commit.

    def learn(self, bit: int, facts: CommitFacts) -> bool:
        """Learn one new commit; False: it merges the target and holds nothing of its own."""
        self.move_to(self.commits.merge_base(facts.oid, self.ground.base) or self.ground.base)
        before = self.commits.commit(facts.parents[0]).tree if facts.parents else None
        if is_target_merge(self.commits, facts, self.ground.base):
            before = self.tree_at(bit - 1)
        paths = [change.path for change in diff_trees(self.ctx.store, before, facts.tree)]
        if not paths and len(facts.parents) > 1:
            self.take(learn_commit(self.owners, bit, [], *self.sides(facts), self.how(facts)).owners)
            return False
        claim = self.claim_of(facts)
        if self.resolves(facts):
            whose = ((path, self.whose_clash(path)) for path in paths)
            self.done.resolved |= {path: owner for path, owner in whose if owner is not None}
        if facts.oid not in self.chains.same:
            learned = learn_commit(self.owners, bit, paths, *self.sides(facts), self.how(facts, claim))
            self.take(learned.owners, learned.placed)
        self.done.learned.append(facts)
        if claim is not None and not self.said_before(facts):
            moved = assign(self.owners, claim, self.how(facts, claim), bit=bit)
            self.take(moved.owners, moved.moved)
            self.done.notes += [f"{quote_path(one.path)} stays where it is: {one.why}" for one in moved.refused[:3]]
        elif facts.oid not in self.chains.foreign and self.carried is None:
            self.settle_unassigned(bit, facts)
        return True

    def sides(self, facts: CommitFacts) -> tuple[Callable[[bytes], Entry | None], Callable[[bytes], Entry | None]]:
        """What the commit has at a path, and what the base has."""
        store, base = self.ctx.store, tree_of_commit(self.ctx.store, self.base)
        return lambda path: file_at(store, facts.tree, path), lambda path: file_at(store, base, path)

    def how(self, facts: CommitFacts, claim: str | None = None) -> How:
        """The rules for the edits of a commit that nobody has seen before."""
        state = self.done.state
        foreign = self.chains.foreign.get(facts.oid)
        if foreign is not None:
            label = f"{UNASSIGNED}foreign {facts.oid} {foreign.branch.replace(' ', '_')}"
            how = how_for(self.ctx, self.live, state, {}, nobody=label)
            return replace(how, current=None, only=None, claim=lambda path: label)
        how = how_for(self.ctx, self.live, state, {}, claim=claim)
        if claim is None and self.resolves(facts):
            return replace(how, current=None, only=self.only_open(), claim=self.whose_clash)
        return replace(how, current=self.sole_before(facts) or how.current, only=self.only_open())

    def resolves(self, facts: CommitFacts) -> bool:
        """Whether a commit merges the target where that clashed with edits of the session."""
        return bool(self.contested) and is_target_merge(self.commits, facts, self.ground.base)

    def whose_clash(self, path: bytes) -> str | None:
        """The one open patch that clashed with the target in a file: how a merge commit resolves it is that one's."""
        found = [owner for owner in self.contested.get(path, ()) if still_open(self.done.state.patches.get(owner))]
        return found[0] if len(found) == 1 else None

    def only_open(self) -> str | None:
        """The one open patch; None: there is none, or there are several. What an agent writes alone does not count."""
        found = peoples_patches(self.done.state)
        return found[0] if len(found) == 1 else None

    def sole_before(self, facts: CommitFacts) -> str | None:
        """The one open patch whose edits the rewritten commit held: what was added to it is for that one."""
        old = self.chains.pairs.get(facts.oid)
        if old is None:
            return None
        chain = self.before.session.chain
        parts = parts_of(self.before.owners, len(chain))
        held = [owner for owner, mask in parts.items() if mask >> chain.index(old) & 1]
        return held[0] if len(held) == 1 and still_open(self.done.state.patches.get(held[0])) else None

    def claim_of(self, facts: CommitFacts) -> str | None:
        """The open patch that a commit's ``Patch-Id:`` trailer names; anything else is noted and ignored."""
        named = list(dict.fromkeys(trailer_values(facts.message, PATCH_TRAILER)))
        if facts.oid in self.chains.foreign or not named:
            return None
        if len(named) > 1:
            self.done.notes.append(f"{facts.short}: several {PATCH_TRAILER} trailers, none followed")
            return None
        if not still_open(self.done.state.patches.get(named[0])):
            self.done.notes.append(f"{facts.short}: {PATCH_TRAILER} {named[0]} is no open patch here")
            return None
        return named[0]

    def said_before(self, facts: CommitFacts) -> bool:
        """Whether the commit this one was had the same trailer: it was followed then."""
        old = self.chains.pairs.get(facts.oid)
        if old is None:
            return False
        message = read_commit(self.ctx.store, old).message
        return trailer_values(message, PATCH_TRAILER) == trailer_values(facts.message, PATCH_TRAILER)

    def settle_unassigned(self, bit: int, facts: CommitFacts) -> None:
        """Give the unassigned edits a commit brings in to the patch in use, the only one, or a new one."""
        held = {owner for owner, mask in self.parts().items() if mask >> bit & 1 and is_unassigned(owner)}
        labels = {label for label in held if label[1:].partition(" ")[0] not in NOT_BY_COMMIT}
        if not labels:
            return
        to = patch_in_use(self.done.state) or self.only_open()
        if to is None:
            if peoples_patches(self.done.state):
                return
            to = self.new_patch(facts)
        moved = assign(self.owners, to, self.how(facts), bit=bit, labels=labels)
        self.take(moved.owners, moved.moved)

    def parts(self) -> dict[str, int]:
        """owner -> the places of the chain at which what it holds changes."""
        return parts_of(self.owners, len(self.ground.chain))

    def new_patch(self, facts: CommitFacts) -> str:
        """A patch named after a commit's subject, for work that had none."""
        state = self.done.state
        by = facts.author.rsplit(b" ", 2)[0].decode("utf-8", "replace")
        patch = Patch(
            id=self.ctx.new_id(),
            session_id=state.session.id,
            name=free_name(facts.subject, [patch.name for patch in state.patches.values()]),
            created_at=self.ctx.now(),
            created_by=by,
            owner=state.session.created_by,
        )
        session = state.session.model_copy(update={"patches": (*state.session.patches, patch.id)})
        self.done.state = replace(
            state,
            session=session,
            patches={**state.patches, patch.id: patch},
            owners=add_patch(state.owners, patch.id),
        )
        self.done.notes.append(f"new patch {patch.name}")
        return patch.id

    # The base.

    def move_to(self, base: str) -> None:
        """Carry the owners to another base, by a three-way merge per patch where the two meet."""
        if base == self.base:
            return
        store = self.ctx.store
        changes = diff_trees(store, tree_of_commit(store, self.base), tree_of_commit(store, base))
        moved = move_base(self.owners, changes, self.ctx.tools)
        if self.carried is not None and base == self.carried.base:
            self.take(put_in_layers(self.ctx, moved, self.carried))
            self.base = base
            return
        self.take(moved.owners)
        for path, owner in moved.contested:
            self.contested.setdefault(path, set()).add(owner)
        paths = sorted({quote_path(one[0]) for one in moved.contested})
        if paths:
            self.done.notes.append(f"changed under us: {', '.join(paths[:5])}")
        self.base = base

    def tree_at(self, bit: int) -> str:
        """The tree that commit ``bit`` of the chain has on the base of now; before the first, the base's."""
        return tree_held(self.ctx, self.owners, self.base, bit)

    def check_tip(self) -> None:
        """What HEAD holds that the base's move did not foresee (a merge resolved by hand) is learned."""
        bit = len(self.ground.chain) - 1
        if bit < 0:
            return
        tip = self.ground.chain[bit]
        paths = [change.path for change in diff_trees(self.ctx.store, self.tree_at(bit), tip.tree)]
        if paths:
            learned = learn_commit(self.owners, bit, paths, *self.sides(tip), self.how(tip))
            self.take(learned.owners, learned.placed)


def free_name(subject: str, taken: Iterable[str]) -> str:
    """A patch name made of a commit's subject: printable, at most 64 characters, not taken."""
    printable = "".join(letter if letter.isprintable() else " " for letter in subject)
    name = " ".join(printable.split()).lstrip("-").strip()[:64].strip() or "commit"
    keys = {name_key(other) for other in taken}
    count, wanted = 1, name
    while name_key(wanted) in keys:
        count += 1
        wanted = f"{name[: 63 - len(str(count))]} {count}"
    return wanted

"""The base moves under a session: target's new commits come in, below all edits.

Lines are the weave's business (:mod:`gitsessiond.model.base`); here are the files: which of the base's
changes meets which File, and what becomes of whole-file facts. What patches that are merged already brought
is in the new base: it stops being theirs. Where the new base and an edit cannot both be, the user's text
stays and the owner is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from gitsessiond.model.align import place_commit
from gitsessiond.model.base import fold
from gitsessiond.model.base import move_base as move_weave
from gitsessiond.model.clashes import taken_apart
from gitsessiond.model.deciding import Rules
from gitsessiond.model.files import File, Tools, from_base, is_plain, last_path, marks_of
from gitsessiond.model.graph import graph_of, remembered, strong_edges
from gitsessiond.model.hard import hard_edges_of
from gitsessiond.model.laying import Edge, Laying
from gitsessiond.model.owners import Owners, states_of, with_files
from gitsessiond.model.parts import all_nobodys
from gitsessiond.model.place import place_save
from gitsessiond.model.registers import Fact, Value
from gitsessiond.model.renames import pair_renames
from gitsessiond.model.values import BASE, Change, Entry
from gitsessiond.model.weave import Run, Weave, as_of, live, remap_bits, version, weave_from, weave_of


class MovedBase(NamedTuple):
    """The ownership over the new base, and each owner whose edit of a path the new base contradicts."""

    owners: Owners
    contested: tuple[tuple[bytes, str], ...]


def move_base(owners: Owners, changes: Sequence[Change], tools: Tools) -> MovedBase:
    """Put a new base under a session's edits; ``changes``: old base -> new base, renames paired or not."""
    moving = Moving(owners, tools)
    for change in paired(changes, owners):
        moving.take(change)
    gone = [file.id for file in moving.changed if is_plain(file)]
    after = remembered(taken_apart(owners, with_files(owners, moving.changed, gone))) if moving.changed else owners
    return MovedBase(after, tuple(dict.fromkeys(moving.contested)))


def paired(changes: Sequence[Change], owners: Owners) -> list[Change]:
    """The base's changes with its renames: those the session made too, then those the content tells."""
    gone = {change.path: change for change in changes if change.after is None}
    new = {change.path: change for change in changes if change.before is None}
    out = [change for change in changes if change.path not in gone and change.path not in new]
    for file in owners.files.values():
        for fact in file.path:
            if file.base_path in gone and fact.value in new:
                old, other = gone.pop(file.base_path), new.pop(fact.value)
                out.append(Change(other.path, old.before, other.after, old.path))
    vanished = {path: (change.before, None) for path, change in gone.items() if change.before is not None}
    appeared = {path: (change.after, None) for path, change in new.items() if change.after is not None}
    return out + pair_renames(vanished, appeared)


class Moving:
    """One move of the base while it is carried out."""

    def __init__(self, owners: Owners, tools: Tools) -> None:
        self.tools = tools
        self.order = graph_of(owners).order()
        self.closure = graph_of(owners).closure
        self.laying = strong_edges(graph_of(owners))
        self.merged = frozenset(pid for pid, state in states_of(owners).items() if state == "merged")
        self.by_base = {file.base_path: file for file in owners.files.values() if file.base_path is not None}
        named = [(fact, file) for file in owners.files.values() for fact in file.path if fact.value is not None]
        self.by_new = {fact.value: file for fact, file in named if file.base_path is None}
        self.renamed: dict[
            bytes | None, tuple[str, File]
        ] = {}  # the lowest owner: whose version has it, all above have
        for fact, file in sorted(named, key=lambda one: self.rank(one[0].owner), reverse=True):
            if file.base_path is not None:
                self.renamed[fact.value] = fact.owner, file
        self.changed: list[File] = []
        self.contested: list[tuple[bytes, str]] = []

    def rank(self, owner: str) -> int:
        """Where an owner stands in the order of dependencies; unassigned above all patches."""
        return self.order.index(owner) if owner in self.order else len(self.order)

    def take(self, change: Change) -> None:
        """Carry one changed path of the base into the File it meets, if there is one.

        A rename that no File follows, or to a path that another File has taken, is a deletion and a new file.
        """
        if change.renamed_from is not None:
            follower = self.by_base.get(change.renamed_from)
            there = [self.by_new.get(change.path), self.renamed.get(change.path, (None, None))[1]]
            if follower is None or any(other not in (None, follower) for other in there):
                self.take(Change(change.renamed_from, change.before, None))
                self.take(Change(change.path, None, change.after))
                return
        file = self.by_base.get(change.path if change.renamed_from is None else change.renamed_from)
        if file is None and change.before is None:
            file = self.by_new.get(change.path)
        if file is None:
            if change.before is None and change.after is not None and change.path in self.renamed:
                self.changed.append(self.under_rename(change.path, change.after))
            return
        after = self.without_base(file) if change.after is None else self.over(file, change.path, change.after)
        if change.before is None and change.path in self.renamed:
            owner, other = self.renamed[change.path]
            if other is not file and not after.path and file.path:  # it once had the place of another patch's file
                after = replace(after, path=(Fact(owner, None), Fact(file.path[-1].owner, change.path)))
        self.changed.append(self.uncircled(file, after))

    def uncircled(self, before: File, after: File) -> File:
        """The File, or all of it nobody's where patches would come to need each other in it."""
        old = {(edge.p, edge.q) for edge in hard_edges_of(before)}
        laying = Laying(self.laying.edges.items())
        for edge in hard_edges_of(after):
            if laying.needs(edge.q, edge.p) and (edge.p, edge.q) not in old:
                patches = sorted(marks_of(after).patches)
                return all_nobodys(after, " ".join(["~file", *patches]))
            laying.add(edge.p, edge.q, Edge("hard"))
        self.laying = laying
        return after

    def under_rename(self, path: bytes, entry: Entry) -> File:
        """A new file of the base where a patch has renamed another to: the patch's stands in its place."""
        owner, file = self.renamed[path]
        self.contest(file, owner)
        text = self.tools.text_of(entry)
        weave = None if text is None else weave_of(text)
        made = from_base(self.tools.new_id(), path, entry, weave)
        return replace(made, path=(Fact(owner, None),))

    def contest(self, file: File, owner: str) -> None:
        """Note that an owner's edit and the new base cannot both be."""
        if owner != BASE and owner not in self.merged:
            self.contested.append((last_path(file), owner))

    def over(self, file: File, path: bytes, entry: Entry) -> File:
        """The File over its new base."""
        text = self.tools.text_of(entry)
        if file.path and file.path[-1].value is None and entry != file.base:
            self.contest(file, file.path[-1].owner)
        moved = replace(
            file,
            base_path=path,
            base=entry,
            whole=text is None,
            path=self.register(file, file.path, file.base_path, path),
            mode=self.register(file, file.mode, file.base_mode, entry.mode),
        )
        if file.base is not None and file.whole != moved.whole:
            return self.other_kind(file, moved, text)
        if text is None:
            return replace(moved, content=self.register(file, file.content, file.base_content, entry.oid))
        if file.content and file.content[-1].value is not None:
            self.contest(file, file.content[-1].owner)
        return replace(moved, weave=self.lines(file, text))

    def other_kind(self, file: File, moved: File, text: bytes | None) -> File:
        """The File when the base's content became lines, or stopped to be; with edits in it, it stays as it is."""
        edits = marks_of(file).lines | {fact.owner for fact in file.content}
        if not edits - self.merged:
            return replace(moved, content=(), weave=None if text is None else weave_of(text))
        owner = first_of(edits, self.order)
        for one in sorted(edits):
            self.contest(file, one)
        if text is None:
            weave = all_owned(file.weave or Weave(), owner)
            return replace(moved, content=(Fact(owner, None),), weave=weave)
        if file.content and file.content[-1].value is not None:
            return replace(moved, weave=weave_of(text))
        under = [run._replace(gone=owner) for run in weave_of(text).runs]
        return replace(moved, content=(), weave=weave_from([*under, *(file.weave or Weave()).runs]))

    def register(self, file: File, stack: tuple[Fact[Value], ...], old: Value, new: Value) -> tuple[Fact[Value], ...]:
        """A register over its new base value: what led to that very value is in the base now."""
        if old == new or not stack:
            return stack
        for at in range(len(stack) - 1, -1, -1):
            if stack[at].value == new:
                return stack[at + 1 :]
        if stack[-1].owner in self.merged:
            return ()
        self.contest(file, stack[-1].owner)
        return stack

    def lines(self, file: File, text: bytes) -> Weave:
        """The lines over the base's new text; what the chain's commits hold of them is found again."""
        weave = file.weave or Weave()
        landed = self.landed(weave, text)
        folded = fold(weave, landed)
        order = [pid for pid in self.order if pid not in landed]
        moved, contested = move_weave(folded, text, order, self.tools.diff, self.tools.merge3)
        for one in contested:
            self.contest(file, one.owner)
        for owner in sorted(marks_of(file).patches - self.merged):
            if not self.is_merge(folded, moved, text, owner):
                self.contest(file, owner)
        return self.with_commits(weave, moved, text)

    def is_merge(self, before: Weave, after: Weave, text: bytes, owner: str) -> bool:
        """Whether a patch's version over the new text is what a three-way merge would have made of it."""
        mine = self.closure(owner) | {owner} | self.merged
        merged = self.tools.merge3(version(before, ()), text, version(before, mine))
        return not merged.conflicts and merged.content == version(after, mine)

    def landed(self, weave: Weave, text: bytes) -> frozenset[str]:
        """The merged patches, if the new text has what they did; none, if the base moved to before that."""
        base = version(weave, ())
        theirs = version(weave, self.merged)
        merged = self.tools.merge3(base, text, theirs)
        there = merged.conflicts or merged.content == text
        return self.merged if there else frozenset()

    def with_commits(self, before: Weave, after: Weave, text: bytes) -> Weave:
        """The weave with what the chain's commits hold, each carried over by a merge; nothing where that fails."""
        base, on_disk = version(before, ()), live(after)
        mask = 0
        for run in before.runs:
            mask |= max(run.ins_in, 0) | run.gone_in
        for bit in range(mask.bit_length()):
            held = self.tools.merge3(base, text, live(as_of(before, bit)))
            if held.conflicts:
                continue
            placed = place_commit(after, held.content, bit, self.rules())
            if not placed.edits:
                after = placed.weave
        return after if live(after) == on_disk else place_save(after, on_disk, self.rules()).weave

    def rules(self) -> Rules:
        """Rules for edits nobody made; there should be none."""
        return Rules(
            current=None,
            claim="~unknown",
            state=lambda patch: "open",
            needs=lambda q, p: False,
            editors=frozenset(),
            diff=self.tools.diff,
        )

    def without_base(self, file: File) -> File:
        """The File when the new base has it no more: with edits in it, it lives on as theirs."""
        edits = marks_of(file).labels - self.merged
        deleted = bool(file.path) and file.path[-1].value is None
        if deleted or not edits:
            return File(file.id, None, None)
        owner = first_of(edits, self.order)
        if file.path and file.path[-1].owner in edits:
            owner = file.path[-1].owner  # whoever put it there had the place made free
        for one in sorted(edits):
            self.contest(file, one)
        oid = file.content[-1].value if file.content else file.base_content
        mode = file.mode[-1].value if file.mode else file.base_mode
        return replace(
            file,
            base_path=None,
            base=None,
            whole=False,
            path=(Fact(owner, last_path(file)),),
            mode=(Fact(owner, mode),),
            content=() if oid is None else (Fact(owner, oid),),
            weave=None if file.weave is None else all_owned(fold(file.weave, self.merged), owner),
        )


def all_owned(weave: Weave, owner: str) -> Weave:
    """The weave with its base lines given to an owner; lines that this one deleted vanish."""
    return weave_from(
        run if run.ins != BASE else Run(owner, run.gone, 0, 0, run.lines)
        for run in remap_bits(weave, {}).runs
        if not (run.ins == BASE and run.gone == owner)
    )


def first_of(owners: frozenset[str], order: Sequence[str]) -> str:
    """The owner that all others may depend on: the lowest patch, else an unassigned label."""
    return next((pid for pid in order if pid in owners), sorted(owners)[0])

"""Recorded edits given to another owner: ``assign``, a first patch's ``take``, what a merge left outside.

An edit's text never changes, only whose it is. What cannot move stays, and is said (:class:`Refusal`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from gitsessiond.model import fileset
from gitsessiond.model.clashes import clashes_in, taken_apart, uppermost
from gitsessiond.model.facts import Deciding
from gitsessiond.model.files import File, facts_of, is_plain, last_path, marks_of
from gitsessiond.model.fileset import same_places
from gitsessiond.model.graph import graph_of, remembered
from gitsessiond.model.hard import hard_edges_of
from gitsessiond.model.laying import Edge, Laying
from gitsessiond.model.names import within
from gitsessiond.model.owners import Assigned, How, Owners, Refusal, shared_files, states_of, with_files
from gitsessiond.model.parts import stands_on_nobody, with_facts
from gitsessiond.model.reassign import Reassigned, reassign
from gitsessiond.model.registers import Fact
from gitsessiond.model.stays import Need
from gitsessiond.model.values import Placed, alike, is_unassigned
from gitsessiond.model.weave import Run, relabel

# Not for want of a patch: these reasons need a person's word.
DELIBERATE = ("before", "guard", "foreign", "merged", "abandoned", "unproven", "shell")


@dataclass(frozen=True)
class Wanted:
    """Which edits are meant. ``labels`` None: any owner's; ``bit``: only those that commit brought."""

    to: str
    lines: tuple[int, int] | None = None
    bit: int | None = None
    labels: Callable[[str], bool] | None = None

    def takes(self, fact: Fact[Any]) -> bool:
        """Whether a whole-file fact is meant."""
        if alike(fact.owner, self.to) or (self.labels is not None and not self.labels(fact.owner)):
            return False
        if self.bit is None:
            return True
        return bool(fact.ins_in >> self.bit & 1) and not (self.bit and fact.ins_in >> (self.bit - 1) & 1)


def assign(
    owners: Owners,
    to: str,
    how: How,
    *,
    path: bytes | None = None,
    lines: tuple[int, int] | None = None,
    bit: int | None = None,
    labels: Collection[str] | None = None,
    only_unassigned: bool = False,
) -> Assigned:
    """Give recorded edits to an open patch, or to nobody (a ``~`` label).

    ``path`` (a file or a directory; with ``lines`` those of the file on disk) | ``bit``: all edits a chain
    commit brought | neither: every unassigned edit. A path without lines means its unassigned edits; if it
    has none, all edits of its one owner. ``labels`` narrows any of them to these owners.
    """
    unassigned = is_unassigned if only_unassigned or (path is None and bit is None) else None
    chosen = unassigned if labels is None else frozenset(labels).__contains__
    assigning = Assigning(owners, how)
    abandoned = {pid for pid, state in owners.patches if state == "abandoned"}
    files = owners.files if bit is None else owners.files.by(fileset.committed)
    for file in sorted(files.values(), key=last_path):
        if path is not None and not within(last_path(file), path):
            continue
        if bit is not None and not marks_of(file).commits >> bit & 1:
            continue
        among = chosen
        if path is not None and lines is None and chosen is None:
            loose = {one for one in marks_of(file).labels if is_unassigned(one) or one in abandoned}
            among = frozenset(loose).__contains__ if any(not alike(one, to) for one in loose) else None
        assigning.give(file, Wanted(to, lines, bit, among))
    return assigning.done()


def take(owners: Owners, pid: str, how: How, paths: Collection[bytes] | None, *, everything: bool = False) -> Assigned:
    """Give a patch the unassigned edits that only lacked one; with ``everything``, those of any reason.

    ``paths`` (files or directories) narrows it; None: everywhere.
    """

    def wanted(label: str) -> bool:
        code = label[1:].partition(" ")[0]
        return is_unassigned(label) and (everything or code not in DELIBERATE)

    assigning = Assigning(owners, how)
    for file in sorted(owners.files.values(), key=last_path):
        if paths is None or any(within(last_path(file), path) for path in paths):
            assigning.give(file, Wanted(pid, labels=wanted))
    return assigning.done()


def merged_outside(owners: Owners, pid: str, tip_bit: int | None) -> Owners:
    """A merged patch keeps what chain commit ``tip_bit`` holds; its later edits are nobody's from now on.

    None: no commit of the chain holds any of it.
    """
    label = f"~merged {pid}"

    def outside(mask: int) -> bool:
        return tip_bit is None or not mask >> tip_bit & 1

    def mark(run: Run, side: str) -> bool:
        return (run.ins == pid and outside(run.ins_in)) if side == "ins" else (run.gone == pid and outside(run.gone_in))

    def fact(one: Fact[Any]) -> bool:
        return one.owner == pid and outside(one.ins_in)

    changed = []
    for file in owners.files.of(pid).values():
        after = with_facts(file, fact, label)
        weave = relabel(file.weave, mark, label) if file.weave else None
        if after is not file or weave != file.weave:
            changed.append(replace(after, weave=weave))
    if not changed:
        return owners
    gone = [file.id for file in changed if is_plain(file)]  # also made and deleted by nobody now
    return remembered(taken_apart(owners, with_files(owners, changed, gone)))


class Given(NamedTuple):
    """What is wanted of one file, the File then, and why it cannot be so yet."""

    file: File
    wanted: Wanted
    after: File
    moved: tuple[Placed, ...]
    refused: tuple[Refusal, ...]
    why: str


class Assigning:
    """One command while it is carried out."""

    def __init__(self, owners: Owners, how: How) -> None:
        self.before, self.how, self.states = owners, how, states_of(owners)
        self.changed: dict[str, File] = {}
        self.gone: set[str] = set()
        self.moved: list[Placed] = []
        self.refused: list[Refusal] = []
        self.waiting: list[Given] = []

    @property
    def owners(self) -> Owners:
        """The ownership as it is by now."""
        if self.changed or self.gone:
            self.before = with_files(self.before, self.changed.values(), self.gone)
            self.changed, self.gone = {}, set()
        return self.before

    def done(self) -> Assigned:
        """What moved and what did not; what one file's move lacked another's may have brought since."""
        tried = 0
        while self.waiting and tried != len(self.waiting):
            waiting, self.waiting = self.waiting, []
            tried = len(waiting)
            for one in waiting:
                self.give(one.file, one.wanted)
        together = self.possible_together()
        for one in self.waiting:
            if one in together:
                self.take_in(one)
            else:
                self.refused.append(Refusal(last_path(one.file), one.wanted.lines, one.why))
        owners = remembered(self.owners) if self.moved else self.owners
        return Assigned(owners, tuple(self.moved), tuple(self.refused))

    def give(self, file: File, wanted: Wanted) -> None:
        """Move what is wanted of one file; all of it, or each edit for itself where several are meant."""
        path = last_path(file)
        whole = [] if wanted.lines else [fact for fact in facts_of(file) if wanted.takes(fact)]
        after = with_facts(file, wanted.takes, wanted.to) if whole else file
        moved = [Placed(path, kind, None, wanted.to, "assign") for kind in kinds_of(file, wanted)] if whole else []
        refused: list[Refusal] = []
        deciding = Deciding(self.how, self.states, self.laying_without(file))
        if file.weave is not None:
            rules = replace(deciding.for_lines(file, path), claim=None)
            found = reassign(file.weave, wanted.lines, wanted.to, rules, committed_bit=wanted.bit, among=wanted.labels)
            if isinstance(found, Reassigned):
                after = replace(after, weave=found.weave)
                if not any(one.kind == "add" for one in moved):
                    moved += [Placed(path, "line", one.lines, wanted.to, one.why) for one in found.moved]
                refused = [Refusal(path, one.lines, " ".join((one.why, *one.owners))) for one in found.refused]
            elif found.why != "nothing":
                refused = [Refusal(path, found.lines, " ".join((found.why, *found.owners)))]
        if not moved:
            self.refused += refused
            return
        why = self.why_not(file, after, whole)
        given = Given(file, wanted, after, tuple(moved), tuple(refused), why or "")
        if why is None:
            self.take_in(given)
        elif same_places(file, after) or why.startswith("ended "):
            self.refused.append(Refusal(path, wanted.lines, why))
        else:
            self.waiting.append(given)

    def take_in(self, given: Given) -> None:
        """Move what is given of one file."""
        if is_plain(given.after):  # made and deleted by one patch now: nobody's version has it
            self.gone.add(given.after.id)
        else:
            self.changed[given.after.id] = given.after
        self.moved += given.moved
        self.refused += given.refused

    def possible_together(self) -> list[Given]:
        """Those of the waiting ones that can move at once, as the files of a swap can."""
        loose = [one for one in self.waiting if stands_on_nobody(one.after, self.states) is None]
        while len(loose) > 1:
            gone = [one.after.id for one in loose if is_plain(one.after)]
            then = with_files(self.owners, [one.after for one in loose], gone)
            if graph_of(then).left_out - graph_of(self.owners).left_out:
                return []
            wrong = {stay.fid for need in self.new_wrong(self.owners, then) for stay in need.stays}
            if not wrong:
                return loose
            left = [one for one in loose if one.file.id not in wrong]
            loose = left if len(left) < len(loose) else []
        return []

    def laying_without(self, file: File) -> Laying:
        """What patches need, but for one file's hard edges: these are looked at once it has changed."""
        laying = Laying(((p, q), Edge("declared")) for p, q in self.before.declared)
        if len(marks_of(file).patches) > 1:
            for other in shared_files(self.owners).values():  # within one patch's files there are no edges
                if other is not file:
                    for edge in hard_edges_of(other):
                        laying.add(edge.p, edge.q, Edge("hard"))
        return laying

    def why_not(self, before: File, after: File, whole: Sequence[Fact[Any]]) -> str | None:
        """Why a file cannot become so, as a code of :mod:`gitsessiond.model.reasons`; None: it can."""
        for fact in whole:
            if self.states.get(fact.owner) == "merged":
                return f"ended {fact.owner}"
        nobody_under = stands_on_nobody(after, self.states)
        if nobody_under and not stands_on_nobody(before, self.states):
            return nobody_under
        owners = self.owners
        known = owners.files.moves
        then = with_files(owners, [after], [after.id] if is_plain(after) else [])
        if then.files.moves is not known and (reason := self.in_the_way(after, owners, then)) is not None:
            return reason
        old = {(edge.p, edge.q) for edge in hard_edges_of(before)}
        if {(edge.p, edge.q) for edge in hard_edges_of(after)} <= old:
            return None
        circles = sorted(graph_of(then).left_out - graph_of(owners).left_out)
        circles += [pair for need in clashes_in(owners, then) for pair in need.ways]
        return next((f"cycle {q} {p}" for p, q in circles), None)

    def in_the_way(self, after: File, owners: Owners, then: Owners) -> str | None:
        """Why a path cannot be taken by one owner where another made room; None: it can."""
        for need in self.new_wrong(owners, then):
            for p, q in need.ways:
                if self.states.get(q) != "abandoned":
                    return f"cycle {q} {p}"
            taker = uppermost(need)
            return "on" if any(fact.owner == taker for fact in after.path) else f"builds {taker}"
        return None

    def new_wrong(self, owners: Owners, then: Owners) -> list[Need]:
        """The files that would meet at one path then, or only not because an abandoned patch left it."""

        def on_abandoned(p: str, q: str) -> bool:
            return self.states.get(q) == "abandoned" and self.states.get(p) != "abandoned"

        known = set(owners.files.moves.needs)
        new = [need for need in then.files.moves.needs if need not in known]
        return [need for need in new if all(on_abandoned(*pair) for pair in need.ways)] or clashes_in(owners, then)


def kinds_of(file: File, wanted: Wanted) -> list[str]:
    """The kinds of the whole-file facts that are meant; a new file's are one."""
    kinds: list[str] = []
    for fact in file.path:
        if wanted.takes(fact):
            made = file.base is None and fact is file.path[0]
            kinds.append("delete" if fact.value is None else "add" if made else "rename")
    if "add" in kinds:
        return kinds
    kinds += ["mode" for fact in file.mode if wanted.takes(fact)]
    return kinds + ["content" for fact in file.content if wanted.takes(fact)]

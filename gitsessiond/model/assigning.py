"""Recorded edits given to another owner: ``assign``, a first patch's ``take``, what a merge left outside.

An edit's text never changes, only whose it is. What cannot move stays, and is said (:class:`Refusal`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gitsessiond.model import fileset
from gitsessiond.model.facts import Deciding
from gitsessiond.model.files import File, facts_of, is_plain, last_path, marks_of, path_of
from gitsessiond.model.fileset import leaving
from gitsessiond.model.graph import Edge, Laying, circle_in, graph_of, remembered, strong_edges
from gitsessiond.model.hard import HardEdge, hard_edges_of
from gitsessiond.model.names import within
from gitsessiond.model.owners import Assigned, How, Owners, Refusal, shared_files, states_of, with_files
from gitsessiond.model.parts import all_nobodys
from gitsessiond.model.reassign import Reassigned, reassign
from gitsessiond.model.registers import Fact, relabelled
from gitsessiond.model.values import Placed, is_unassigned
from gitsessiond.model.weave import Run, is_patch, relabel

# Not for want of a patch: these reasons need a person's word.
DELIBERATE = ("before", "guard", "foreign", "merged", "abandoned")


@dataclass(frozen=True)
class Wanted:
    """Which edits are meant. ``labels`` None: any owner's; ``bit``: only those that commit brought."""

    to: str
    lines: tuple[int, int] | None = None
    bit: int | None = None
    labels: Callable[[str], bool] | None = None

    def takes(self, fact: Fact[Any]) -> bool:
        """Whether a whole-file fact is meant."""
        if fact.owner == self.to or (self.labels is not None and not self.labels(fact.owner)):
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
            among = frozenset(loose).__contains__ if loose - {to} else None
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
    return remembered(without_place(set(owners.files.moves.taken), with_files(owners, changed)))


def without_place(known: set[HardEdge], after: Owners) -> Owners:
    """The ownership where whoever took a path that now nobody made free has it no more: such a file is nobody's too.

    ``known``: the paths taken before, which are in order.
    """
    for edge in after.files.moves.taken:
        if edge in known or not is_patch(edge.p) or not is_unassigned(edge.q):
            continue
        who = graph_of(after).closure(edge.p) | {edge.p}
        there = [file for file in after.files.values() if path_of(file, who) == edge.path]
        takers = [file for file in there if any((one.owner, one.value) == (edge.p, edge.path) for one in file.path)]
        if len(there) > 1 and takers:
            changed = [all_nobodys(file, "~on") for file in takers]
            gone = [file.id for file in changed if is_plain(file)]  # also deleted by nobody
            return without_place(known, with_files(after, changed, gone))
    return after


class Assigning:
    """One command while it is carried out."""

    def __init__(self, owners: Owners, how: How) -> None:
        self.before, self.how, self.states = owners, how, states_of(owners)
        self.changed: dict[str, File] = {}
        self.gone: set[str] = set()
        self.moved: list[Placed] = []
        self.refused: list[Refusal] = []

    @property
    def owners(self) -> Owners:
        """The ownership as it is by now."""
        if self.changed or self.gone:
            self.before = with_files(self.before, self.changed.values(), self.gone)
            self.changed, self.gone = {}, set()
        return self.before

    def done(self) -> Assigned:
        """What moved and what did not."""
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
        if why is not None:
            self.refused.append(Refusal(path, wanted.lines, why))
            return
        if is_plain(after):  # made and deleted by one patch now: nobody's version has it
            self.gone.add(after.id)
        else:
            self.changed[after.id] = after
        self.moved += moved
        self.refused += refused

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
        if is_plain(after):
            return None
        if whole and (reason := self.in_the_way(after)) is not None:
            return reason
        old = {(edge.p, edge.q) for edge in hard_edges_of(before)}
        if {(edge.p, edge.q) for edge in hard_edges_of(after)} <= old:
            return None
        circle = circle_in(with_files(self.owners, [after]))
        return f"cycle {circle[1]} {circle[0]}" if circle else None

    def in_the_way(self, after: File) -> str | None:
        """Why a path cannot be taken by one owner where another made room; None: it can."""
        if not any(leaving(file) for file in (after, *self.changed.values())) and not self.before.files.by(leaving):
            return None
        before = set(self.owners.files.moves.taken)
        laying = strong_edges(graph_of(self.owners))
        for edge in self.owners.files.changed([after]).moves.taken:
            if edge in before or not is_patch(edge.p):
                continue
            upper, lower = self.states.get(edge.p), self.states.get(edge.q)
            if is_unassigned(edge.q) or (lower == "abandoned" and upper != "abandoned"):
                return "on" if any(fact.owner == edge.p for fact in after.path) else f"builds {edge.p}"
            if laying.needs(edge.q, edge.p):
                return f"cycle {edge.q} {edge.p}"
        return None


def stands_on_nobody(file: File, states: dict[str, Any]) -> str | None:
    """The reason, if a patch's fact, or its edit in a new file, stands on what is nobody's."""
    marks = marks_of(file)
    loose = {one for one in marks.labels if is_unassigned(one) or states.get(one) == "abandoned"}
    if not loose:
        return None
    for stack in (file.path, file.mode, file.content):
        seen = False
        for fact in stack:
            if seen and is_patch(fact.owner) and fact.owner not in loose:
                return f"builds {fact.owner}"
            seen = seen or fact.owner in loose
    if file.path and file.base is None and file.path[0].owner in loose and marks.patches - loose:
        return "whole"
    last = file.path[-1] if file.path else None
    if last is not None and last.value is None and last.owner not in loose:
        return "on"
    return None


def with_facts(file: File, select: Callable[[Fact[Any]], bool], to: str) -> File:
    """The file with the selected facts given to another owner; the same object if there are none."""
    if not any(select(fact) for fact in facts_of(file)):
        return file
    return replace(
        file,
        path=relabelled(file.path, file.base_path, select, to),
        mode=relabelled(file.mode, file.base_mode, select, to),
        content=relabelled(file.content, file.base_content, select, to),
    )


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

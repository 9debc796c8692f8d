"""Dependencies that no choice of order can avoid: an edit that makes no sense without another patch's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Any, NamedTuple

from gitsessiond.model.edges import hard_edges
from gitsessiond.model.files import File, Marks, facts_of, marks_of
from gitsessiond.model.registers import Fact, Value
from gitsessiond.model.weave import as_of, is_patch, owners_of


class HardEdge(NamedTuple):
    """p cannot be without q; ``line`` (1-based, on disk) where lines are the reason."""

    p: str
    q: str
    line: int | None = None


def hard_edges_of(file: File) -> tuple[HardEdge, ...]:
    """The hard edges within one file; computed once per File."""
    found: tuple[HardEdge, ...] | None = file.memo.get("hard")
    if found is None:
        edges: dict[tuple[str, str], HardEdge] = {}
        for edge in find_edges(file) if len(marks_of(file).patches) > 1 else ():
            if edge.p != edge.q and is_patch(edge.p) and is_patch(edge.q):
                edges.setdefault((edge.p, edge.q), edge)
        found = file.memo["hard"] = tuple(edges.values())
    return found


def find_edges(file: File) -> Iterator[HardEdge]:
    """Every reason, itself and repeated ones included."""
    marks = marks_of(file)
    if file.weave is not None:
        for (p, q), line in hard_edges(file.weave).items():
            yield HardEdge(p, q, line)
    for stack in (file.path, file.mode, file.content):
        yield from over(stack)
    yield from needing_the_maker(file, marks)
    yield from taking_the_whole(file, marks)


def over(stack: tuple[Fact[Any], ...]) -> Iterator[HardEdge]:
    """A write over another owner's value; what is nobody's between the two parts no patches."""
    for below, fact in pairwise(fact for fact in stack if is_patch(fact.owner)):
        yield HardEdge(fact.owner, below.owner)


def makers_of(file: File) -> frozenset[str]:
    """The patches that every patch with edits on the file's lines needs: who made it, who made it text."""
    made = [file.path[0].owner] if file.base is None and file.path else []
    turned = [file.content[0].owner] if file.whole and file.content else []
    return frozenset(owner for owner in (*made, *turned) if is_patch(owner))


def needing_the_maker(file: File, marks: Marks) -> Iterator[HardEdge]:
    """Edits in a file that only another patch's fact makes exist, or makes text."""
    if file.base is None and file.path:
        for patch in marks.patches:
            yield HardEdge(patch, file.path[0].owner)
    textual = next((fact.owner for fact in file.content if fact.value is None), None)
    if file.whole and textual is not None:
        for patch in marks.lines:
            yield HardEdge(patch, textual)


def taking_the_whole(file: File, marks: Marks) -> Iterator[HardEdge]:
    """A deletion needs every edit in the file; so does content that replaces the lines as a whole.

    That holds for what is so now and for what a commit of the chain holds, which stays while the commit does.
    What is nobody's counts for nothing here, as in the versions of patches: a file that is back without a patch's
    doing is still deleted for all patches, and once it is gone again nothing new may follow from that.
    """
    for bit in (None, *whole_bits(file)):
        path = last_held(file.path, bit)
        content = last_held(file.content, bit)
        deleter = path.owner if path is not None and path.value is None else None
        replacer = content.owner if content is not None and content.value is not None else None
        if deleter is None and replacer is None:
            continue
        if bit is None:
            lines, every = marks.lines, marks.patches
        else:
            lines, every = lines_held_by(file, bit), held_by(file, bit)
        for patch in every:
            if deleter is not None:
                yield HardEdge(deleter, patch)
        for patch in lines:
            if replacer is not None:
                yield HardEdge(replacer, patch)


def lines_held_by(file: File, bit: int) -> frozenset[str]:
    """Whose edits of a file's lines a chain commit holds."""
    return owners_of(as_of(file.weave, bit)) if file.weave is not None else frozenset()


def held_by(file: File, bit: int) -> frozenset[str]:
    """Whose edits in a file a chain commit holds."""
    return lines_held_by(file, bit) | {fact.owner for fact in facts_of(file) if fact.ins_in >> bit & 1}


def whole_bits(file: File) -> list[int]:
    """The chain positions at which the file was deleted or became whole, where that may differ from now."""
    masks = [fact.ins_in for fact in file.path if fact.value is None]
    masks += [fact.ins_in for fact in file.content if fact.value is not None]
    mask = reduce(or_, masks, 0)
    first = mask & ~(mask << 1)
    return [bit for bit in range(first.bit_length()) if first >> bit & 1]


def last_held(stack: tuple[Fact[Value], ...], bit: int | None) -> Fact[Value] | None:
    """The write of a patch that counts among patches, now or at a commit."""
    for fact in reversed(stack):
        if is_patch(fact.owner) and (bit is None or fact.ins_in >> bit & 1):
            return fact
    return None


class Left:
    """The paths that files were taken away from, and who took them."""

    def __init__(self, files: Iterable[File] = (), besides: Left | None = None) -> None:
        self.besides = besides  # what holds too, and is another's
        self.at: dict[bytes, list[tuple[str, str]]] = defaultdict(list)  # path -> (file id, owner)
        self.under: dict[bytes, list[tuple[str, str]]] = defaultdict(list)  # directory -> of files in it
        for file in files:
            self.add(file)

    def add(self, file: File) -> None:
        """Take one more File into account."""
        before = file.base_path
        for fact in file.path:
            if before is not None and fact.value != before:
                self.at[before].append((file.id, fact.owner))
                for directory in directories(before):
                    self.under[directory].append((file.id, fact.owner))
            before = fact.value

    def leavers(self, path: bytes, fid: str) -> list[str]:
        """Who made room for file ``fid`` at a path. ``a`` and ``a/b`` cannot both be: each is in the way."""
        ways = self.ways(path)
        return list(dict.fromkeys(owner for other, owner in ways if other != fid))

    def ways(self, path: bytes) -> list[tuple[str, str]]:
        """The files that made room there, and by whom."""
        ways = self.besides.ways(path) if self.besides is not None else []
        ways += [*self.at.get(path, ()), *self.under.get(path, ())]
        for directory in directories(path):
            ways += self.at.get(directory, ())
        return ways


def directories(path: bytes) -> Iterator[bytes]:
    """The directories a path lies in, innermost first."""
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path

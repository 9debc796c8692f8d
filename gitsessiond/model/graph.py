"""Which patch depends on which: read off the files each time (docs/ownership.md, "Dependencies").

The edges, in the order in which they are laid:

1. *declared* by ``patch depend``;
2. *hard*: p deletes a line of q, writes over a fact of q, edits a file that q made, takes a path that q left
   (:mod:`gitsessiond.model.stays`);
3. *committed*: p and q touch in a commit of the chain; stays while that commit is in the chain;
4. *touch*: no line that both keep stands between their edits;
5. *judge*: git's merge of the two differs from what the weave says (:mod:`gitsessiond.model.judging`).

Only edges of 1 and 2 could close a circle, and an edit that would is refused. Should a record hold one all the
same, the need found last is left out, so that work goes on, and doctor tells it. Of the two orders in which two
files may have had one path, the one stays that was when only one could be. The others are laid only
between patches that do not need each other yet: in the direction the pair had before, else the higher on the
lower (merged, open, abandoned), else the one that just edited on the other, else the younger on the older.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise
from typing import Literal, NamedTuple

from gitsessiond.model.edges import touching
from gitsessiond.model.files import File, last_path, marks_of
from gitsessiond.model.hard import hard_edges_of
from gitsessiond.model.laying import Edge, Laying, Sides
from gitsessiond.model.owners import Owners, Pair, shared_files
from gitsessiond.model.stays import Need
from gitsessiond.model.weave import Weave, as_of, is_patch, owners_of


@dataclass(frozen=True, eq=False)
class Graph:
    """The dependencies of a session. Acyclic."""

    edges: Mapping[Pair, Edge]
    patches: tuple[str, ...]  # in creation order
    closures: Mapping[str, frozenset[str]] = field(repr=False)
    chosen: frozenset[Pair] = frozenset()  # directions chosen: edges of kinds 3 to 5, and at paths
    # What no command lets be (doctor): hard needs that would close a circle, and files that meet at one path.
    left_out: frozenset[Pair] = frozenset()
    clashes: tuple[Need, ...] = ()

    def closure(self, patch: str) -> frozenset[str]:
        """Everything a patch depends on, directly or not; without itself."""
        return self.closures.get(patch, frozenset())

    def direct(self, patch: str) -> list[str]:
        """What a patch depends on directly, for whatever reason, in creation order."""
        return [other for other in self.patches if (patch, other) in self.edges]

    def needs(self, patch: str, other: str) -> bool:
        """Whether ``patch`` depends on ``other``, directly or not."""
        return other in self.closure(patch)

    def order(self) -> list[str]:
        """All patches, each after those it depends on; else in creation order."""
        age = {patch: number for number, patch in enumerate(self.patches)}
        done: dict[str, None] = {}

        def visit(patch: str) -> None:
            if patch not in done:
                for other in sorted(self.closure(patch) & age.keys(), key=age.__getitem__):
                    visit(other)
                done[patch] = None

        for patch in self.patches:
            visit(patch)
        return list(done)


def graph_of(owners: Owners) -> Graph:
    """The dependencies of a session; computed once per :class:`Owners`."""
    found: Graph | None = owners.memo.get("graph")
    if found is None:
        found = owners.memo["graph"] = derive(owners)
    return found


STRONG = ("declared", "hard", "committed")


def strong_edges(graph: Graph) -> Laying:
    """The edges that no new edit may turn into a circle."""
    return Laying((pair, edge) for pair, edge in graph.edges.items() if edge.kind in STRONG)


def remembered(owners: Owners, editors: frozenset[str] = frozenset()) -> Owners:
    """The same ownership with the directions its edges took, so that they keep them.

    ``editors``: the patches that got an edit in the save just sorted.
    """
    graph = derive(owners, editors)
    if not graph.chosen <= owners.directions:
        turned = {(q, p) for p, q in graph.chosen}
        owners = replace(owners, directions=(owners.directions - turned) | graph.chosen)
    owners.memo["graph"] = graph
    return owners


def derive(owners: Owners, editors: frozenset[str] = frozenset()) -> Graph:
    """The graph, computed."""
    laying = Laying(((p, q), Edge("declared")) for p, q in sorted(owners.declared))
    shared = sorted(shared_files(owners).values(), key=lambda file: file.id)
    left_out = set[Pair]()
    for file in shared:
        for edge in hard_edges_of(file):
            if laying.needs(edge.q, edge.p):
                left_out.add((edge.p, edge.q))
            else:
                laying.add(edge.p, edge.q, Edge("hard", last_path(file), edge.line))
    side = Sides(owners, editors)
    clashes = lay_stays(owners.files.moves.needs, laying, side)
    for file in shared:
        lay_return(file, laying)
    lay_meetings(shared, laying, side)
    for p, q in sorted(owners.judged):
        if not laying.comparable(p, q):
            laying.add(*side.of(p, q), Edge("judge"))
            lay_meetings(shared, laying, side)
    order = tuple(pid for pid, _ in owners.patches)
    closures = {pid: laying.closure(pid) for pid in order}
    return Graph(laying.edges, order, closures, frozenset(side.chosen), frozenset(left_out), clashes)


def lay_stays(needs: Iterable[Need], laying: Laying, side: Sides) -> tuple[Need, ...]:
    """Add the edges that keep two files from having one path, what leaves no choice first; returns what cannot be."""
    clashes = []
    for need in sorted(needs, key=lambda need: (len(need.ways) > 1, *(stay[:2] for stay in need.stays), need.ways)):
        way = laying.meet(need, side.ways(need))
        if way is None:
            clashes.append(need)
        else:
            side.chosen.add(way)
    return tuple(clashes)


def lay_return(file: File, laying: Laying, side: Sides | None = None) -> None:
    """Where a deleted file came back: who edits it and needs its deleter needs whoever brought it back.

    ``side``: given where the need of the deleter may be an edge of kinds 3 to 5, which never put what is merged
    on what is not.
    """
    for gone, back in pairwise(file.path):
        if gone.value is not None or back.value is None or not is_patch(back.owner):
            continue
        for patch in marks_of(file).patches - {gone.owner, back.owner}:
            if side is not None and side.merged(patch) and not side.merged(back.owner):
                continue
            if laying.needs(patch, gone.owner) and not laying.needs(back.owner, patch):
                laying.add(patch, back.owner, Edge("hard", last_path(file)))


def lay_meetings(files: Sequence[File], laying: Laying, side: Sides) -> None:
    """Add the edges of kinds 3 and 4, and what needing a deleter through these asks for, until nothing changes."""
    laid = -1
    while laid < len(laying.edges):
        laid = len(laying.edges)
        lay_touches(files, "committed", laying, side)
        lay_touches(files, "touch", laying, side)
        for file in files:
            lay_return(file, laying, side)


def lay_touches(files: Sequence[File], kind: Literal["committed", "touch"], laying: Laying, side: Sides) -> None:
    """Add an edge for each pair that touches and is not comparable, until nothing changes.

    An edge in one file makes closures larger in another, where then other lines stand between two edits.
    """
    grew = True
    while grew:
        grew = False
        for file in files:
            lines = marks_of(file).lines
            for p, q in combinations([pid for pid in side.states if pid in lines], 2):
                if not laying.comparable(p, q):
                    looks = looks_of(file)
                    for look in looks.committed if kind == "committed" else (looks.now,):
                        if look.touching(p, q, laying):
                            laying.add(*side.of(p, q), Edge(kind, last_path(file)))
                            grew = True
                            break


class Look:
    """A weave, now or as a commit holds it, and which pairs were found to touch in it over which closures."""

    def __init__(self, weave: Weave) -> None:
        self.weave, self.lines = weave, owners_of(weave)
        self.found: dict[tuple[str, str, frozenset[str], frozenset[str]], bool] = {}

    def touching(self, p: str, q: str, laying: Laying) -> bool:
        """Whether two patches touch here; of what they need only the patches with marks here matter."""
        if p not in self.lines or q not in self.lines:
            return False
        under = {p: laying.closure(p) & self.lines, q: laying.closure(q) & self.lines}
        key = (p, q, under[p], under[q])
        if key not in self.found:
            self.found[key] = touching(self.weave, p, q, under.__getitem__)
        return self.found[key]


class Looks(NamedTuple):
    """A file's weave now, and at each commit of the chain that changed it."""

    now: Look
    committed: tuple[Look, ...]


def looks_of(file: File) -> Looks:
    """The looks at a file that has a weave; made once per File."""
    found: Looks | None = file.memo.get("looks")
    if found is None:
        weave = file.weave or Weave()
        mask = marks_of(file).commits
        at = [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
        found = file.memo["looks"] = Looks(Look(weave), tuple(Look(as_of(weave, bit)) for bit in at))
    return found

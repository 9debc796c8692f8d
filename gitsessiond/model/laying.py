"""Edges of the graph while they are laid, and which way an edge goes where both are possible."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from gitsessiond.model.owners import Owners, Pair, states_of
from gitsessiond.model.stays import Need

EdgeKind = Literal["declared", "hard", "committed", "touch", "judge"]
RANK = {"merged": 0, "open": 1, "abandoned": 2}


class Edge(NamedTuple):
    """Why p depends on q: the path on disk and the line (1-based) that show it, where there is one."""

    kind: EdgeKind
    path: bytes | None = None
    line: int | None = None


class Laying:
    """Edges while they are laid, with what each patch needs through them."""

    def __init__(self, edges: Iterable[tuple[Pair, Edge]] = ()) -> None:
        self.edges: dict[Pair, Edge] = {}
        self.below: dict[str, set[str]] = {}
        self.known: dict[str, frozenset[str]] = {}
        for (p, q), edge in edges:
            self.add(p, q, edge)

    def add(self, p: str, q: str, edge: Edge) -> None:
        """p depends on q; the first reason given is kept."""
        if p != q and (p, q) not in self.edges:
            self.edges[p, q] = edge
            self.below.setdefault(p, set()).add(q)
            self.known.clear()

    def closure(self, patch: str) -> frozenset[str]:
        """Everything a patch depends on."""
        found = self.known.get(patch)
        if found is None:
            seen: set[str] = set()
            left = list(self.below.get(patch, ()))
            while left:
                one = left.pop()
                if one not in seen:
                    seen.add(one)
                    left += self.below.get(one, ())
            found = self.known[patch] = frozenset(seen)
        return found

    def needs(self, patch: str, other: str) -> bool:
        """Whether ``patch`` depends on ``other``."""
        return other in self.closure(patch)

    def comparable(self, p: str, q: str) -> bool:
        """Whether one of two patches needs the other."""
        return p in self.closure(q) or q in self.closure(p)

    def meet(self, need: Need, ways: Iterable[Pair]) -> Pair | None:
        """Lay the first of some ways to meet a need that holds already, else that closes no circle; None: all do."""
        possible = [(p, q) for p, q in ways if not self.needs(q, p)]
        way = next((pair for pair in possible if self.needs(*pair)), possible[0] if possible else None)
        if way is not None:
            self.add(*way, Edge("hard", need.path))
        return way


class Sides:
    """Which way an edge between two patches that do not need each other goes."""

    def __init__(self, owners: Owners, editors: frozenset[str]) -> None:
        self.states = states_of(owners)
        self.age = {pid: number for number, pid in enumerate(self.states)}
        self.directions = owners.directions
        self.editors = editors
        self.chosen: set[Pair] = set()

    def merged(self, patch: str) -> bool:
        """Whether a patch is merged."""
        return self.states.get(patch) == "merged"

    def of(self, p: str, q: str) -> Pair:
        """(upper, lower)."""
        rank = {one: RANK[self.states.get(one, "open")] for one in (p, q)}
        if 0 in rank.values() and rank[p] != rank[q]:  # nothing that is merged comes to need what is not
            pair = (p, q) if rank[p] > rank[q] else (q, p)
        elif (p, q) in self.directions:
            pair = (p, q)
        elif (q, p) in self.directions:
            pair = (q, p)
        else:
            key = {one: (rank[one], one in self.editors, self.age.get(one, 0)) for one in (p, q)}
            pair = (p, q) if key[p] > key[q] else (q, p)
        self.chosen.add(pair)
        return pair

    def ways(self, need: Need) -> list[Pair]:
        """The ways to meet a need, the one it had before first; what puts the merged on what is not merged last."""
        return sorted(
            need.ways,
            key=lambda pair: (self.merged(pair[0]) and not self.merged(pair[1]), pair not in self.directions),
        )

"""One text file with its patches, as the tests of weaves drive it: saves, the graph of that file alone, judges."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations, count, permutations

from gitsessiond.model.align import place_commit
from gitsessiond.model.deciding import Rules
from gitsessiond.model.edges import hard_edges, touching
from gitsessiond.model.place import PlacedSave, place_save
from gitsessiond.model.values import UNASSIGNED
from gitsessiond.model.weave import (
    Weave,
    is_patch,
    join_lines,
    live,
    owners_of,
    split_lines,
    version,
    version_at,
    weave_of,
)
from gitsessiond.store.text import diff_lines, merge_text

PATCHES = ("p", "q", "r")
EVERYONE = frozenset({*PATCHES, UNASSIGNED})
_numbers = count(1)

RULES = Rules(
    current=None,
    claim=None,
    state=lambda patch: "open",
    needs=lambda q, p: False,
    editors=frozenset(),
    diff=diff_lines,
)


def text(*lines: str) -> bytes:
    """Lines without their newlines as a file."""
    return "".join(f"{line}\n" for line in lines).encode()


class OneFile:
    """A weave with the graph that its own lines give; patches are called p, q and r."""

    def __init__(self, base: bytes) -> None:
        self.weave: Weave = weave_of(base)
        self.blobs: list[bytes] = [base]  # of base and of every commit
        self.states: dict[str, str] = {}
        self.directions: set[tuple[str, str]] = set()
        self.judged: set[tuple[str, str]] = set()

    @property
    def live(self) -> bytes:
        return live(self.weave)

    def rules(self, **given: object) -> Rules:
        """The rules as things stand; keywords replace fields."""
        under = self.closures()
        mine = frozenset(o for o in owners_of(self.weave) if is_patch(o) and self.states.get(o, "open") == "open")
        rules = replace(
            RULES,
            state=lambda patch: self.states.get(patch, "open"),  # type: ignore[arg-type,return-value]
            needs=lambda q, p: p in under[q],
            editors=mine,
        )
        return replace(rules, **given)  # type: ignore[arg-type]

    def save(self, new: bytes, current: str | None = None, claim: str | None = None, **given: object) -> PlacedSave:
        """One save; the weave afterwards is this file's."""
        placed = place_save(self.weave, new, self.rules(current=current, claim=claim, **given))
        self.weave = placed.weave
        self.closures()
        return placed

    def commit(self, blob: bytes, current: str | None = None, claim: str | None = None) -> PlacedSave:
        """A commit; what is on disk stays."""
        placed = place_commit(self.weave, blob, len(self.blobs) - 1, self.rules(current=current, claim=claim))
        self.weave = placed.weave
        self.blobs.append(blob)
        self.closures()
        return placed

    def part(self, owners: Iterable[str], number: int) -> bytes:
        """The part that some owners have in a commit; the first commit is number 0."""
        return version_at(self.weave, set(owners), number)

    def closures(self) -> dict[str, frozenset[str]]:
        """What each patch depends on: hard, judged and touch edges; the last ones keep their direction."""
        edges = set(hard_edges(self.weave)) | self.judged
        under = _closed(edges)
        grew = True
        while grew:
            grew = False
            for p, q in combinations(PATCHES, 2):
                if p in under[q] or q in under[p] or not touching(self.weave, p, q, under.__getitem__):
                    continue
                pair = (p, q) if (p, q) in self.directions else (q, p)
                self.directions.add(pair)
                edges.add(pair)
                under, grew = _closed(edges), True
        return under

    def judge(self) -> int:
        """Add an edge for each pair of which git's merge gives another text than the weave; how many were added."""
        added = 0
        while (pair := self._misjudged()) is not None:
            self.judged.add(pair)
            added += 1
        return added

    def _misjudged(self) -> tuple[str, str] | None:
        under = self.closures()
        for p in PATCHES:
            free = [q for q in PATCHES if q != p and p not in under[q] and q not in under[p]]
            for some in [[q] for q in free] + [free]:
                other = under[p].union(some, *(under[q] for q in some))
                merged = merge_text(self.of(under[p]), self.of(other), self.of(under[p] | {p}))
                if some and (merged.conflicts or merged.content != self.of(other | {p})):
                    return (p, some[0]) if (p, some[0]) in self.directions else (some[0], p)
        return None

    def of(self, owners: Iterable[str]) -> bytes:
        """The version of a set of owners."""
        return version(self.weave, frozenset(owners))

    def bad_landings(self) -> list[tuple[str, ...]]:
        """The orders, of those that respect dependencies, in which landing one by one fails or differs."""
        under = self.closures()
        bad = []
        for order in permutations(PATCHES):
            landed: frozenset[str] = frozenset()
            if any(not under[patch] <= set(order[:i]) for i, patch in enumerate(order)):
                continue
            target = self.of(landed)
            for patch in order:
                merged = merge_text(self.of(under[patch]), target, self.of(under[patch] | {patch}))
                landed |= {patch}
                target = merged.content
                if merged.conflicts or target != self.of(landed):
                    bad.append(order)
                    break
        return bad


def _closed(edges: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    under: dict[str, set[str]] = {patch: set() for patch in PATCHES}
    for p, q in edges:
        under.setdefault(p, set()).add(q)
        under.setdefault(q, set())
    for middle, below in under.items():
        for others in under.values():
            if middle in others:
                others.update(below)
    assert all(p not in below for p, below in under.items()), f"a circle: {under}"
    return {p: frozenset(below) for p, below in under.items()}


def edited(content: bytes, rng: random.Random, repetitive: bool, newline: bool = True) -> bytes:
    """A text after one to three random edits; ``newline`` false: the last newline may come and go too."""
    lines = split_lines(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        start = rng.randrange(len(lines) + 1)
        end = min(len(lines), start + rng.choice((0, 0, 1, 1, 2, 4)))
        lines[start:end] = [new_line(rng, repetitive) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    after = join_lines(lines)
    if newline and after and not after.endswith(b"\n"):
        after += b"\n"
    return after[:-1] if not newline and rng.random() < 0.2 and after.endswith(b"\n") else after


def new_line(rng: random.Random, repetitive: bool) -> bytes:
    """A line that was never there, or one of a few that are everywhere."""
    return rng.choice((b"a\n", b"b\n", b"}\n", b"\n")) if repetitive else b"line %09d\n" % next(_numbers)


def picked(old: bytes, new: bytes, rng: random.Random) -> bytes:
    """``old`` with some of its differences to ``new``, as ``git commit -p`` makes it."""
    out: list[bytes] = []
    before, after = split_lines(old), split_lines(new)
    done = 0
    for hunk in diff_lines(old, new):
        out += before[done : hunk.old_from]
        out += after[hunk.new_from : hunk.new_to] if rng.random() < 0.5 else before[hunk.old_from : hunk.old_to]
        done = hunk.old_to
    return join_lines(out + before[done:])

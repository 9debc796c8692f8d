"""Who has which path, and when: a path is a register as a mode is (docs/ownership.md, "One path, one file").

A *stay* is the time a file has at a path, as patches alone have it: who took the path, and who left it. Two
stays of two files at one path come one after the other, so whoever took it later needs whoever left it before.
Which of the two was first is certain where one of them began in the base or has no end; else it is what it was
when that was so (:class:`gitsessiond.model.laying.Sides`). What is nobody's begins and ends no stay: for all
patches such a file is where they have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gitsessiond.model.files import File
from gitsessiond.model.hard import directories
from gitsessiond.model.values import BASE
from gitsessiond.model.weave import is_patch


class Stay(NamedTuple):
    """One file at one path. ``taker`` BASE: the base has it there; ``leaver`` None: no patch leaves it."""

    fid: str
    path: bytes
    taker: str
    leaver: str | None


class Need(NamedTuple):
    """Two files had one path: of ``ways``, each a ``(p, q)`` for "p needs q", one must hold.

    No way at all: in some version both have it.
    """

    stays: tuple[Stay, Stay]
    ways: tuple[tuple[str, str], ...]

    @property
    def path(self) -> bytes:
        """The path, or that of the file where the other one has a directory."""
        return min(stay.path for stay in self.stays)


def stays_of(file: File, bit: int | None = None) -> tuple[Stay, ...]:
    """Where patches have a file, one place after the other, by all their writes or those a chain commit holds.

    Computed once per File and commit.
    """
    found: tuple[Stay, ...] | None = file.memo.get(("stays", bit))
    if found is None:
        stays: list[Stay] = []
        at, taker = file.base_path, BASE
        for fact in file.path:
            if is_patch(fact.owner) and fact.value != at and (bit is None or fact.ins_in >> bit & 1):
                if at is not None:
                    stays.append(Stay(file.id, at, taker, fact.owner))
                at, taker = fact.value, fact.owner
        if at is not None:
            stays.append(Stay(file.id, at, taker, None))
        found = file.memo["stays", bit] = tuple(stays)
    return found


class Stays:
    """The stays of some files by their paths."""

    def __init__(self, files: Iterable[File] = (), besides: Stays | None = None, bit: int | None = None) -> None:
        self.besides, self.bit = besides, bit  # those of other files; the commit of the chain that is looked at
        self.ids: set[str] = set()
        self.at: dict[bytes, tuple[Stay, ...]] = {}
        self.under: dict[bytes, tuple[Stay, ...]] = {}  # by each directory the path lies in
        for file in files:
            self.add(file)

    def add(self, file: File) -> None:
        """Take one more File into account, in place of what is known ``besides`` of it."""
        self.ids.add(file.id)
        for stay in stays_of(file, self.bit):
            self.at[stay.path] = (*self.at.get(stay.path, ()), stay)
            for directory in directories(stay.path):
                self.under[directory] = (*self.under.get(directory, ()), stay)

    def changed(self, old: Iterable[File], new: Iterable[File]) -> Stays:
        """The same with some Files replaced by others; these stays themselves do not change."""
        after = Stays()
        after.ids, after.at, after.under = set(self.ids), dict(self.at), dict(self.under)
        for file in old:
            after.ids.discard(file.id)
            for stay in stays_of(file):
                after.at[stay.path] = tuple(one for one in after.at[stay.path] if one.fid != file.id)
                for directory in directories(stay.path):
                    after.under[directory] = tuple(one for one in after.under[directory] if one.fid != file.id)
        for file in new:
            after.add(file)
        return after

    def at_or_in_the_way(self, path: bytes) -> Iterator[Stay]:
        """The stays that no other one can be with: ``a`` and ``a/b`` cannot both be."""
        if self.besides is not None:
            yield from (stay for stay in self.besides.at_or_in_the_way(path) if stay.fid not in self.ids)
        yield from self.at.get(path, ())
        yield from self.under.get(path, ())
        for directory in directories(path):
            yield from self.at.get(directory, ())


def needs_of(file: File, stays: Stays) -> Iterator[Need]:
    """What the stays of a file and of others need of each other."""
    for stay in stays_of(file, stays.bit):
        for other in stays.at_or_in_the_way(stay.path):
            if other.fid != file.id:
                one, two = sorted((stay, other), key=lambda found: found.fid)
                ways = [
                    (later.taker, before.leaver)
                    for later, before in ((two, one), (one, two))
                    if before.leaver is not None and later.taker != BASE
                ]
                if not any(p == q for p, q in ways):  # one patch left it and took it
                    yield Need((one, two), tuple(ways))


def why_not(need: Need, other: Stay) -> str:
    """Why it cannot be met, as a code of :mod:`gitsessiond.model.reasons`; ``other``: the file that was in the way.

    A circle, or it had the place since, or no patch made the place free.
    """
    for p, q in need.ways:
        return f"cycle {q} {p}"
    return "on" if other.taker == BASE else f"file {other.taker}"

"""What owners hold in the commits of the chain, read off the bits of marks and facts.

Bit i of a mark is set when commit i of the chain holds it (:class:`gitsessiond.model.weave.Run`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gitsessiond.model.files import File, facts_of, is_plain
from gitsessiond.model.fileset import Files, committed
from gitsessiond.model.graph import derive, graph_of
from gitsessiond.model.laying import Laying
from gitsessiond.model.owners import Owners, with_files
from gitsessiond.model.registers import Fact, Value
from gitsessiond.model.values import BASE
from gitsessiond.model.weave import Run, weave_from


def parts_of(owners: Owners, length: int) -> dict[str, int]:
    """owner -> mask of the ``length`` chain commits in which what it holds differs from the one before."""
    parts: dict[str, int] = {}
    every = (1 << length) - 1

    def note(owner: str, mask: int) -> None:
        differs = (mask ^ (mask << 1)) & every
        if differs and owner != BASE:
            parts[owner] = parts.get(owner, 0) | differs

    for file in owners.files.by(committed).values():
        for run in file.weave.runs if file.weave is not None else ():
            note(run.ins, run.ins_in)
            if run.gone is not None:
                note(run.gone, run.gone_in)
        for fact in facts_of(file):
            note(fact.owner, fact.ins_in)
    return parts


def committed_needs(owners: Owners) -> dict[str, frozenset[str]]:
    """patch -> what it depends on by its committed edits, by declaration and by the judge.

    An edge that only uncommitted edits make stays out: a save never changes a series, and where such an edit
    is undone again no commit of the other patch is left beneath.
    """
    known = graph_of(owners)
    held = (only_committed(file) for file in owners.files.by(committed).values())
    found = derive(replace(owners, files=Files((file.id, file) for file in held if not is_plain(file))))
    laying = Laying()
    for (p, q), edge in found.edges.items():
        if known.needs(p, q) or known.needs(q, p):  # that graph has the last word on the direction
            laying.add(*((p, q) if known.needs(p, q) else (q, p)), edge)
    return {pid: laying.closure(pid) for pid in known.patches}


def only_committed(file: File) -> File:
    """The file with those marks and facts only that some commit of the chain holds."""

    def held(facts: tuple[Fact[Value], ...]) -> tuple[Fact[Value], ...]:
        return tuple(fact for fact in facts if fact.ins_in)

    runs = (
        run if run.gone_in else run._replace(gone=None)
        for run in (file.weave.runs if file.weave is not None else ())
        if run.ins_in
    )
    return replace(
        file,
        weave=weave_from(runs) if file.weave is not None else None,
        path=held(file.path),
        mode=held(file.mode),
        content=held(file.content),
    )


def rows_brought(owners: Owners, bit: int) -> dict[str, int]:
    """owner -> how many rows of marks a chain commit brought; a file without any counts once by its facts."""
    counts: dict[str, int] = {}
    for file in owners.files.by(committed).values():
        for owner, count in rows_of(file, bit).items():
            counts[owner] = counts.get(owner, 0) + count
    return counts


def rows_of(file: File, bit: int) -> dict[str, int]:
    """:func:`rows_brought` of one file."""

    def new(mask: int) -> bool:
        return bool(mask >> bit & 1) and not (bit and mask >> (bit - 1) & 1)

    found: list[str] = []
    going: set[str] = set()  # whose row goes on from the lines above
    for run in file.weave.runs if file.weave is not None else ():
        here = {run.ins} if run.ins != BASE and new(run.ins_in) else set()
        here |= {run.gone} if run.gone is not None and new(run.gone_in) else set()
        found += here - going
        if here or run.ins_in >> bit & 1:
            going = here
    facts = {fact.owner for fact in facts_of(file) if new(fact.ins_in)}
    return {owner: found.count(owner) or 1 for owner in found or facts}


def rows_ahead(file: File, tip: int | None) -> dict[str, int]:
    """:func:`rows_of` the commit that would come after ``tip`` and have the file as it is on disk."""
    return rows_of(as_committed(file, tip), 0 if tip is None else tip + 1)


def as_committed(file: File, tip: int | None) -> File:
    """The file if the next commit of the chain had it as it is on disk."""
    bit = 1 << (0 if tip is None else tip + 1)

    def held(run: Run) -> bool:
        return run.gone is None or run.ins == BASE or (tip is not None and bool(run.ins_in >> tip & 1))

    def last_held(facts: tuple[Fact[Value], ...]) -> tuple[Fact[Value], ...]:
        return (*facts[:-1], facts[-1]._replace(ins_in=facts[-1].ins_in | bit)) if facts else ()

    weave = file.weave
    if weave is not None and not (file.path and file.path[-1].value is None):
        weave = weave_from(
            run._replace(ins_in=run.ins_in | bit, gone_in=run.gone_in | bit if run.gone is not None else run.gone_in)
            if held(run)
            else run
            for run in weave.runs
        )
    return replace(
        file, weave=weave, path=last_held(file.path), mode=last_held(file.mode), content=last_held(file.content)
    )


def held_back(owners: Owners, pid: str, bit: int, at: int | None = None) -> Owners:
    """Owners in which ``pid`` holds in chain commit ``bit`` what it held in commit ``at``; None: in the one before."""
    source = bit - 1 if at is None else at

    def back(mask: int) -> int:
        held = source >= 0 and mask >> source & 1
        return mask | (1 << bit) if held else mask & ~(1 << bit)

    def run_back(run: Run) -> Run:
        ins_in = back(run.ins_in) if run.ins == pid else run.ins_in
        gone_in = back(run.gone_in) if run.gone == pid else run.gone_in
        return run._replace(ins_in=ins_in, gone_in=gone_in & ins_in)

    def facts_back(facts: tuple[Fact[Value], ...]) -> tuple[Fact[Value], ...]:
        return tuple(f._replace(ins_in=back(f.ins_in)) if f.owner == pid else f for f in facts)

    def file_back(file: File) -> File:
        weave = file.weave
        if weave is not None:
            weave = weave_from(run_back(run) for run in weave.runs)
        return replace(
            file,
            weave=weave,
            path=facts_back(file.path),
            mode=facts_back(file.mode),
            content=facts_back(file.content),
        )

    return with_files(owners, [file_back(file) for file in owners.files.by(committed).values()])


def bits_of(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set, lowest first."""
    bit = 0
    while mask:
        if mask & 1:
            yield bit
        mask >>= 1
        bit += 1

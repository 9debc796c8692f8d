"""The judge: would git's three-way merge of two patches give what the weave says?

Where it would not, the two get an edge, and are only ever merged in one order. The judge never changes an
owner. It looks at pairs of patches that do not need each other, both ways, and at each patch against all
others that do not need it, in the files where both sides differ (docs/ownership.md, "The judge"). Of whole
files it asks what git's merge does with directory renames off: a rename is followed if nothing else changed
in it, no other file has or had that content, and its old place stays empty.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace

from gitsessiond.model.files import File, Tools, Version, marks_of, version_of
from gitsessiond.model.fileset import moved
from gitsessiond.model.graph import Graph, graph_of, remembered
from gitsessiond.model.histogram import histogram_merge
from gitsessiond.model.owners import Owners, Pair, shared_files
from gitsessiond.model.values import EMPTY_BLOB


def judge(owners: Owners, tools: Tools) -> Owners:
    """The ownership with the edges that git's merge asks for; the same object when nothing changes.

    Edges found before are looked at anew, except where a commit of the chain may rest on them: these stay.
    """
    kept = frozenset(pair for pair in owners.judged if both_committed(owners, pair))
    found = owners if kept == owners.judged else replace(owners, judged=kept)
    while (pair := first_difference(found, graph_of(found), tools)) is not None:
        found = remembered(replace(found, judged=found.judged | {pair}))
    return owners if found.judged == owners.judged else found


def both_committed(owners: Owners, pair: Pair) -> bool:
    """Whether commits of the chain changed a file in which both patches have edits."""
    shared = shared_files(owners).values()
    return any(marks_of(file).commits and marks_of(file).patches.issuperset(pair) for file in shared)


def first_difference(owners: Owners, graph: Graph, tools: Tools) -> Pair | None:
    """Two patches, neither needing the other, that git would merge to something else; None: no such pair."""
    shared = shared_files(owners).keys() | owners.files.by(moved).keys()
    order = graph.order()
    below = {pid: graph.closure(pid) | {pid} for pid in order}
    for upper in order:
        mine = [owners.files[fid] for fid in sorted(shared & owners.files.of(upper).keys())]
        if not mine:
            continue
        under = graph.closure(upper)
        others = [pid for pid in order if pid not in below[upper] and upper not in below[pid]]
        at_hand = None if any(file.path for file in mine) else frozenset().union(*(marks_of(f).patches for f in mine))
        near = [pid for pid in others if at_hand is None or not at_hand.isdisjoint(below[pid] - under)]
        for lower in near:
            if not fits(owners, mine, upper, under, under | below[lower], tools):
                return ordered(owners, upper, lower)
        ours = under
        for lower in near:
            ours |= below[lower]
            if not fits(owners, mine, upper, under, ours, tools):
                return ordered(owners, upper, lower)
    return None


def ordered(owners: Owners, p: str, q: str) -> Pair:
    """The pair as it had been written before, else the younger first."""
    if (q, p) in owners.directions:
        return q, p
    age = [pid for pid, _ in owners.patches]
    return (q, p) if (p, q) not in owners.directions and age.index(q) > age.index(p) else (p, q)


def fits(
    owners: Owners,
    files: Sequence[File],
    upper: str,
    under: frozenset[str],
    ours: frozenset[str],
    tools: Tools,
) -> bool:
    """Whether merging ``upper``, standing on ``under``, onto ``ours`` gives all of them in these files."""
    theirs = under | {upper}
    for file in files:
        if not file.path and not marks_of(file).patches & (ours - under):
            continue
        base = version_of(file, under, tools)
        one, other = version_of(file, ours, tools), version_of(file, theirs, tools)
        wanted = version_of(file, ours | theirs, tools)
        if other in (one, base):
            if other not in (base, wanted):
                return False  # both added the same line: git takes it once
            continue
        for side, across, who in ((one, other, ours), (other, one, theirs)):
            if not path_fits(owners, file, (base, side, across), (under, who, ours | theirs), tools):
                return False
        if base != one and not content_fits(base, one, other, wanted, tools):
            return False
    return True


def path_fits(
    owners: Owners,
    file: File,
    versions: tuple[Version, Version, Version],
    sets: tuple[frozenset[str], frozenset[str], frozenset[str]],
    tools: Tools,
) -> bool:
    """Whether git follows what one side did to a file's path. Versions: of base, that side, the other."""
    base, side, across = versions
    under, who, _ = sets
    if base is None or (side is not None and side[0] == base[0]):
        return True
    if taken(owners, file, base[0], sets[2], tools) and across is not None:
        return False
    if across == base:
        return True
    if side is None or across is None:
        return False
    if side[1] != base[1] or side[1].oid == EMPTY_BLOB or across[1].mode >> 12 != base[1].mode >> 12:
        return False
    if taken(owners, file, side[0], under, tools):
        return False
    for other in owners.files.values():
        before, after = version_of(other, under, tools), version_of(other, who, tools)
        if other is file or before == after:
            continue
        left = before is not None and (after is None or after[0] != before[0])
        came = after is not None and (before is None or after[0] != before[0])
        oids = [found[1].oid for found, counts in ((before, left), (after, came)) if found and counts]
        if side[1].oid in oids:
            return False
    return True


def taken(owners: Owners, file: File, path: bytes, who: Container[str], tools: Tools) -> bool:
    """Whether another file has this path in a version."""
    for other in owners.files.values():
        if other is not file and other.path:
            found = version_of(other, who, tools)
            if found is not None and found[0] == path:
                return True
    return False


def content_fits(base: Version, one: Version, other: Version, wanted: Version, tools: Tools) -> bool:
    """Whether git merges what both sides changed in a file, and to what is wanted."""
    if base is None or one is None or other is None or wanted is None:
        return False
    if one[0] not in (base[0], other[0]) and other[0] != base[0]:
        return False
    path = other[0] if one[0] == base[0] else one[0]
    modes = base[1].mode, one[1].mode, other[1].mode
    if modes[1] not in (modes[0], modes[2]) and modes[2] != modes[0]:
        return False
    mode = modes[2] if modes[1] == modes[0] else modes[1]
    if (path, mode) != (wanted[0], wanted[1].mode):
        return False
    oids = base[1].oid, one[1].oid, other[1].oid
    if oids[1] in (oids[0], oids[2]) or oids[2] == oids[0]:
        return wanted[1].oid == (oids[2] if oids[1] == oids[0] else oids[1])
    key = " ".join((*oids, wanted[1].oid)).encode()
    if key not in tools.memory.verdicts:
        texts = [tools.text_of(found[1]) for found in (base, one, other, wanted)]
        tools.memory.verdicts[key] = None not in texts and merges(texts, tools)
    return tools.memory.verdicts[key]


def merges(texts: Sequence[bytes | None], tools: Tools) -> bool:
    """Whether git merges base, ours and theirs cleanly to the fourth text, by either way of aligning lines."""
    base, ours, theirs, wanted = (text or b"" for text in texts)
    merged = tools.merge3(base, ours, theirs)
    if merged.conflicts or merged.content != wanted:
        return False
    return histogram_merge(base, ours, theirs, tools.diff) == wanted

"""Which vanished and appeared paths of one save or commit are one file under a new name.

The rule (docs/ownership.md, "Renames"): the same inode (saves only; but ``f~`` beside a new ``f`` is a backup), else
the same content where exactly one vanished and one appeared path have it. Similarity is never used. Chains and swaps
go by inode, otherwise delete and add.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping

from gitsessiond.model.values import Change, Entry

Side = Mapping[bytes, tuple[Entry, Hashable | None]]  # path -> entry, inode (None: not known, as in commits)


def pair_renames(vanished: Side, appeared: Side) -> list[Change]:
    """Every path of both sides as a change, in path order: renames first paired, the rest deleted or added.

    A path on both sides (its inode became another: saved by replacing, or part of a chain or swap) is a
    rename's end only if what was there before went elsewhere; otherwise it is an ordinary modification.
    """
    sources = by_inode(vanished, appeared)
    sources.update(by_content(vanished, appeared, sources))
    gone = set(sources.values())
    out: list[Change] = []
    for path, (after, _) in appeared.items():
        if path in sources:
            source = sources[path]
            out.append(Change(path, vanished[source][0], after, source))
        elif path in vanished and path not in gone:
            out.append(Change(path, vanished[path][0], after))
        else:
            out.append(Change(path, None, after))
    for path, (before, _) in vanished.items():
        if path not in gone and path not in appeared:
            out.append(Change(path, before, None))
    return sorted(out, key=lambda change: change.path)


def by_inode(vanished: Side, appeared: Side) -> dict[bytes, bytes]:
    """New path -> old path where one of each side has that inode, and the kind of file is the same."""
    old: dict[Hashable, list[bytes]] = defaultdict(list)
    new: dict[Hashable, list[bytes]] = defaultdict(list)
    for path, (_, inode) in vanished.items():
        old[inode].append(path)
    for path, (_, inode) in appeared.items():
        new[inode].append(path)
    pairs: dict[bytes, bytes] = {}
    for inode, paths in new.items():
        if inode is None or len(paths) != 1 or len(old[inode]) != 1 or paths == old[inode]:
            continue
        if same_kind(vanished[old[inode][0]][0], appeared[paths[0]][0]):
            pairs[paths[0]] = old[inode][0]
    for path in [path for path, was in pairs.items() if path == was + b"~" and was in appeared]:
        del pairs[path]  # a backup that an editor kept; the file itself is the new one of its name
    while True:
        onto = [path for path in pairs if path in vanished and path not in pairs.values()]
        if not onto:
            return pairs
        for path in onto:
            del pairs[path]


def by_content(vanished: Side, appeared: Side, paired: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """New path -> old path where, of those left, one of each side has that content."""
    used = set(paired.values())
    old: dict[str, list[bytes]] = defaultdict(list)
    new: dict[str, list[bytes]] = defaultdict(list)
    for path, (entry, _) in vanished.items():
        if path not in used and path not in appeared:
            old[entry.oid].append(path)
    for path, (entry, _) in appeared.items():
        if path not in paired and path not in vanished:
            new[entry.oid].append(path)
    found = {paths[0]: old[oid][0] for oid, paths in new.items() if len(paths) == 1 and len(old[oid]) == 1}
    return {path: was for path, was in found.items() if same_kind(vanished[was][0], appeared[path][0])}


def same_kind(one: Entry, other: Entry) -> bool:
    """Whether both are regular files, both symlinks, or both submodules."""
    return one.mode >> 12 == other.mode >> 12

"""Two files of a version at one path: found before it is so, and what is then nobody's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile

from gitsessiond.model.files import File, is_plain, path_of
from gitsessiond.model.graph import graph_of
from gitsessiond.model.hard import held_by
from gitsessiond.model.owners import Owners, changed_files, with_files
from gitsessiond.model.parts import all_nobodys
from gitsessiond.model.registers import EVERYONE, Fact
from gitsessiond.model.stays import Need, Stay, Stays, needs_of
from gitsessiond.model.values import BASE, UNASSIGNED
from gitsessiond.model.weave import is_patch

Needs = Callable[[str, str], bool]


def clashes_in(before: Owners, after: Owners) -> list[Need]:
    """The files that would meet at one path, and did not before; what makes one stay there is among the changes."""
    known = {ids(need) for need in graph_of(before).clashes}
    found = [need for need in graph_of(after).clashes if ids(need) not in known]
    for fid in changed_files(before, after):
        found += met_at_home(before.files.get(fid), after.files.get(fid), after)
    return found


def met_at_home(was: File | None, now: File | None, after: Owners) -> Iterator[Need]:
    """The files that have the base's path of one that is back there, as if it had never left, in some version."""
    if was is None or was.base_path is None or not was.path or (now is not None and now.path):
        return
    home = Stay(was.id, was.base_path, BASE, None)
    for other in after.files.moves.stays.at_or_in_the_way(home.path):
        if other.fid != home.fid:
            yield Need((home, other), ())


def ids(need: Need) -> tuple[str, str]:
    """The files that meet."""
    one, two = need.stays
    return one.fid, two.fid


def uppermost(need: Need) -> str:
    """Who took a path that is not free: the last owner named, if the base had the file there."""
    return next((stay.taker for stay in need.stays[::-1] if stay.taker != BASE), UNASSIGNED)


def taken_apart(before: Owners, after: Owners) -> Owners:
    """The ownership where whoever took a path that is not free for all his versions has it no more.

    All edits in such a file are nobody's; what rested on its moves is looked at anew.
    """
    merged = {pid for pid, state in after.patches if state == "merged"}
    while clashes := clashes_in(before, after):
        takers = {stay.fid: stay.taker in merged for need in clashes for stay in need.stays if stay.taker != BASE}
        lowest = min(takers.values(), default=True)
        changed = [all_nobodys(after.files[fid], "~on") for fid in sorted(takers) if takers[fid] == lowest]
        if not changed:
            return after
        after = with_files(after, changed, [file.id for file in changed if is_plain(file)])
    return after


def held_apart(files: Sequence[File], bit: int, needs: Needs) -> list[File]:
    """The Files that must change so that the versions at chain commit ``bit`` have no two files at one path.

    A commit may hold that a path was taken, but not what made it free: where the file that took it is elsewhere
    since, it does not hold the taking either; where the other one is, whoever took its place there took it away.
    """
    now, changed = {file.id: file for file in files}, dict[str, File]()
    while True:
        stays = Stays(now.values(), bit=bit)
        met = (
            pair
            for file in now.values()
            for need in needs_of(file, stays)
            if not any(needs(p, q) for p, q in need.ways)
            for pair in (need.stays, need.stays[::-1])
        )
        found = (after for one, other in met if (after := not_there(now[one.fid], one, other, bit, needs)) is not None)
        file = next(found, None)
        if file is None:
            return list(changed.values())
        now[file.id] = changed[file.id] = file


def not_there(file: File, stay: Stay, other: Stay, bit: int, needs: Needs) -> File | None:
    """The File with the commit not holding that it is where another one has that place; None: that cannot be."""
    if path_of(file, EVERYONE, bit) == stay.path:
        return None
    taking = [at for at, fact in enumerate(file.path) if (fact.owner, fact.value) == (stay.taker, stay.path)]
    if taking:
        held = [fact._replace(ins_in=fact.ins_in & ~(1 << bit)) for fact in file.path]
        return replace(file, path=tuple(held[at] if at in taking else fact for at, fact in enumerate(file.path)))
    if any(is_patch(one) and needs(one, other.taker) for one in held_by(file, bit)):
        return None
    at = sum(1 for _ in takewhile(lambda fact: needs(other.taker, fact.owner), file.path))
    below, above = file.path[:at], file.path[at:]
    leave: list[Fact[bytes | None]] = [Fact(other.taker, None, 1 << bit)]
    if all(fact.owner != other.taker for fact in above):  # it was so in that commit only
        leave.append(Fact(other.taker, below[-1].value if below else file.base_path))
    return replace(file, path=(*below, *leave, *above))

"""A save over all its files: each change becomes edits of lines and whole-file facts, each with its owner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property

from gitsessiond.model.clashes import clashes_in
from gitsessiond.model.deciding import Verdict
from gitsessiond.model.files import (
    File,
    committed_part,
    from_base,
    is_plain,
    live_version,
    marks_of,
    path_of,
    text_on_disk,
)
from gitsessiond.model.graph import graph_of, remembered
from gitsessiond.model.hard import HardEdge, hard_edges_of
from gitsessiond.model.laying import Edge, Laying
from gitsessiond.model.owners import How, Owners, Sorted, deleted_files, paths_on_disk, with_files
from gitsessiond.model.parts import parts_of, same_content, same_kind
from gitsessiond.model.place import place_save
from gitsessiond.model.registers import held
from gitsessiond.model.stays import Stays, needs_of, why_not
from gitsessiond.model.values import Change
from gitsessiond.model.weave import drop_ghosts, is_patch, live, weave_of
from gitsessiond.model.writing import Loose, Writing


def sort_save(owners: Owners, changes: Sequence[Change], how: How) -> Sorted:
    """Sort one save: afterwards the disk is what the changes say, and every edit has its owner.

    ``changes`` are against the disk as these owners know it; a rename is one change (:class:`Change`).
    """
    ordered = leaving_first(changes)

    def sort(loose: Loose) -> Sorting:
        sorting = Sorting(owners, how, loose)
        for change in ordered:
            sorting.take(change)
        return sorting

    return sorted_apart(sort)


def sorted_apart(sort: Callable[[Loose], Sorting]) -> Sorted:
    """Sort a save or commit, and anew while files meet at one path: those that it moved there are then nobody's."""
    loose: dict[str | bytes, str] = {}
    while True:
        sorting = sort(loose)
        done = sorting.done()
        more = {key: label for key, label in sorting.meeting(done.owners).items() if key not in loose}
        if not more:
            return done
        loose |= more


def leaving_first(changes: Sequence[Change]) -> list[Change]:
    """The changes of a save in the order in which paths become free: a deletion or rename before what takes its place.

    In a circle of renames the first given begins.
    """
    out = [change for change in changes if change.after is None]
    left = [change for change in changes if change.after is not None]
    while left:
        occupied = {change.renamed_from for change in left}
        free: list[Change] = []
        waiting: list[Change] = []
        for change in left:
            held = change.path in occupied and change.path != change.renamed_from
            (waiting if held else free).append(change)
        if not free:
            free, waiting = waiting[:1], waiting[1:]
        out += free
        left = waiting
    return out


class Sorting(Writing):
    """One save or commit while it is being sorted."""

    def __init__(self, owners: Owners, how: How, loose: Loose) -> None:
        super().__init__(owners, how, loose)
        self.on_disk = paths_on_disk(owners)
        self.changed: dict[str, File] = {}
        self.gone: set[str] = set()

    @cached_property
    def deleted(self) -> dict[bytes, File]:
        """The Files that are deleted on disk, by their last path."""
        return deleted_files(self.owners)

    def done(self) -> Sorted:
        """The ownership afterwards; Files that say nothing are dropped."""
        gone = self.gone | {fid for fid, file in self.changed.items() if is_plain(file)}
        kept = [file for fid, file in self.changed.items() if fid not in gone]
        editors = frozenset(placed.owner for placed in self.placed if is_patch(placed.owner))
        return Sorted(remembered(with_files(self.owners, kept, gone), editors), tuple(self.placed))

    @cached_property
    def stays(self) -> Stays:
        """Where patches have the files that left some path, before this save or in it."""
        return Stays(besides=self.owners.files.moves.stays)

    def meeting(self, after: Owners) -> dict[str | bytes, str]:
        """The Files of this save that meet others at one path, or, where it only comes from them, all; with a label."""
        clashes = clashes_in(self.owners, after)
        ways = [pair for need in clashes for pair in need.ways]
        closing = [*ways, *sorted(graph_of(after).left_out - graph_of(self.owners).left_out)]
        found: dict[str | bytes, str] = {}
        for need in clashes:
            for stay, other in (need.stays, need.stays[::-1]):
                file = self.changed.get(stay.fid)
                if file is not None:
                    found[self.key(file)] = f"~{why_not(need, other)}"
        if closing and found.keys() <= self.loose.keys():
            return {self.key(file): f"~cycle {closing[0][1]} {closing[0][0]}" for file in self.changed.values()}
        return found

    def take(self, change: Change) -> None:
        """Sort one change."""
        file = self.file_for(change)
        if change.after is None and file is None:
            return
        if (back := self.returning(file, change)) is not None:
            if file is not None and file.id != back.id:
                self.gone.add(file.id)
            self.put(back)
        elif file is None:
            assert change.after is not None, "a file that nobody knew was not deleted"
            self.put(self.new_file(change.path, change.after))
        else:
            known = file
            self.put(self.uncircled(known, lambda: self.changed_by(known, change)))
            self.know_version(self.changed[known.id], change)

    def know_version(self, file: File, change: Change) -> None:
        """Remember what all owners together make of a File: what the change says is on disk."""
        if change.after is not None:
            known = file.memo.setdefault(self.tools.memory.versions, {})
            known[marks_of(file).labels, None] = (change.path, change.after)

    def changed_by(self, file: File, change: Change) -> File:
        """The File after a change."""
        if change.after is None:
            return self.without_path(file)
        file = self.at_path(file, change.path)
        if same_kind(held(file.mode, file.base_mode), change.after.mode):
            file = self.with_mode(file, change.after.mode)
        return file if same_content(change) else self.with_content(file, change.after)

    def uncircled(self, file: File, make: Callable[[], File]) -> File:
        """The File that ``make`` makes of one; where that closes a circle after all, all of it is nobody's.

        What is nobody's adds no edge between patches (:mod:`gitsessiond.model.hard`), so then none is closed.
        """
        reported = len(self.placed)
        after = make()
        old = {(edge.p, edge.q) for edge in hard_edges_of(file)}
        closing = self.circling(edge for edge in hard_edges_of(after) if (edge.p, edge.q) not in old)
        if closing is not None:
            del self.placed[reported:]
            self.deciding.nobodys = f"~cycle {closing.q} {closing.p}"
            after = make()
            self.deciding.nobodys = None
        return after

    def file_for(self, change: Change) -> File | None:
        """The File a change is about: at its path on disk, in the base, or deleted there; None: a new one."""
        source = change.path if change.renamed_from is None else change.renamed_from
        file = self.on_disk.get(source)
        if file is None and change.before is not None:
            text = self.tools.text_of(change.before)
            weave = None if text is None else weave_of(text)
            return from_base(self.tools.new_id(), source, change.before, weave)
        if file is None:
            file = self.deleted.get(change.path)
        return None if file is None or file.id in self.changed else file

    def put(self, file: File) -> None:
        """Take a File into the result; the rest of the save knows what it makes patches need."""
        self.changed[file.id] = file
        self.left.add(file)
        laying = self.deciding.laying
        for edge in hard_edges_of(file):
            laying.add(edge.p, edge.q, Edge("hard"))
        self.stays.add(file)
        for need in needs_of(file, self.stays):
            laying.meet(need, need.ways)

    def returning(self, file: File | None, change: Change) -> File | None:
        """The File as it was when this path last had this content, if it may stand for it again.

        Not under a claim, not against what the chain's commits hold, not for a patch that ended meanwhile,
        not where patches would come to need each other.
        """
        if self.how.claim(change.path) is not None:
            return None
        found = self.how.earlier(change.path, change.after)
        if found is None or found is file or self.key(found) in self.loose or not self.may_return(found, file):
            return None
        version = live_version(found, self.tools)
        if version != (None if change.after is None else (change.path, change.after)):
            return None
        self.note_returned(found, file, change.path)
        return self.with_newer_lines(found, file, change.path)

    def with_newer_lines(self, found: File, file: File | None, path: bytes) -> File:
        """The earlier File with the lines written since kept as ghosts, where sorting alone gives its owners too.

        What a stash or reset took away can so find its patch again when it comes back beside other changes.
        """
        if file is None or not (file.weave and found.weave and text_on_disk(file) and text_on_disk(found)):
            return found
        weave = place_save(file.weave, live(found.weave), self.deciding.for_lines(file, path)).weave
        return replace(found, weave=weave) if drop_ghosts(weave) == drop_ghosts(found.weave) else found

    def may_return(self, found: File, file: File | None) -> bool:
        """Whether an earlier File fits what is known now."""
        other = self.owners.files.get(found.id)
        if found.id in self.changed or (other is not None and other is not file):
            return False
        if committed_part(found) != (committed_part(file) if file else ()):
            return False
        if file is not None and (file.base_path, file.base) != (found.base_path, found.base):
            return False
        new = marks_of(found).patches - (marks_of(file).patches if file else frozenset())
        if any(self.deciding.states.get(patch) != "open" for patch in new):
            return False
        return not self.circling(hard_edges_of(found))

    def circling(self, edges: Iterable[HardEdge]) -> HardEdge | None:
        """The first of these edges that closes a circle, with what is laid and those before it; None: none does."""
        laying = Laying(self.deciding.laying.edges.items())
        for edge in edges:
            if laying.needs(edge.q, edge.p):
                return edge
            laying.add(edge.p, edge.q, Edge("hard"))
        return None

    def note_returned(self, found: File, file: File | None, path: bytes) -> None:
        """Report the edits that come or go when an earlier File stands again."""
        if file is not None and file.weave and found.weave and text_on_disk(file) and text_on_disk(found):
            rules = replace(self.deciding.for_lines(file, path), earlier=lambda _: found.weave)
            self.note_lines(path, place_save(file.weave, live(found.weave), rules).edits)
        then, now = parts_of(found), parts_of(file) if file else {}
        kind = "delete" if path_of(found) is None else "content"
        kind = "add" if file is None or path_of(file) is None else kind
        told = {placed.owner for placed in self.placed if placed.path == path}
        for owner in sorted((then.keys() | now.keys()) - told):
            if then.get(owner) != now.get(owner):
                self.note(path, kind, Verdict(owner, "returned"))

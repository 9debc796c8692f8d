"""Commits of the chain: which edits each holds, and what in them was never seen on disk.

A commit is a save made before what is on disk (docs/ownership.md, "Chain commits in the weave"): learning one
changes no owner and nothing that the disk shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from gitsessiond.model import fileset
from gitsessiond.model.align import place_commit
from gitsessiond.model.clashes import held_apart
from gitsessiond.model.deciding import Verdict
from gitsessiond.model.expected import expected_commit
from gitsessiond.model.files import (
    File,
    copy_bit,
    from_base,
    is_plain,
    last_path,
    live_version,
    marks_of,
    with_bits,
    without_bit,
)
from gitsessiond.model.finding import EntryAt, Finding
from gitsessiond.model.hard import held_by
from gitsessiond.model.owners import How, Owners, Sorted, with_files
from gitsessiond.model.parts import same_kind
from gitsessiond.model.place import place_save
from gitsessiond.model.registers import Fact, committed, held, top_owner
from gitsessiond.model.renames import pair_renames
from gitsessiond.model.sorting import Sorting, sorted_apart
from gitsessiond.model.values import BASE, Change, Entry, is_unassigned
from gitsessiond.model.weave import Weave, is_patch, live, weave_of
from gitsessiond.model.writing import Loose


def learn_commit(
    owners: Owners, bit: int, paths: Iterable[bytes], entry_at: EntryAt, base_at: EntryAt, how: How
) -> Sorted:
    """Note what the chain's commit number ``bit`` holds; the commits before it are known.

    ``paths``: where it differs from its first parent, Files are looked at in any case. ``entry_at`` reads its
    tree, ``base_at`` the base's.
    """
    changed = frozenset(paths)

    def learn(loose: Loose) -> Learning:
        learning = Learning(owners, bit, changed, entry_at, base_at, how, loose)
        learning.learn()
        return learning

    return sorted_apart(learn)


def remap_commits(owners: Owners, mapping: Mapping[int, int]) -> Owners:
    """The chain's positions renumbered, old to new; commits that are not in ``mapping`` left the chain."""
    moved = {fid: with_bits(file, mapping) for fid, file in owners.files.by(fileset.committed).items()}
    changed = [file for fid, file in moved.items() if file is not owners.files[fid]]
    if not changed:
        return owners
    return with_files(owners, changed, [file.id for file in changed if is_plain(file)])


class Learning(Sorting):
    """One commit while it is learnt."""

    def __init__(
        self,
        owners: Owners,
        bit: int,
        paths: frozenset[bytes],
        entry_at: EntryAt,
        base_at: EntryAt,
        how: How,
        loose: Loose,
    ) -> None:
        super().__init__(owners, how, loose)
        self.bit, self.paths, self.entry_at, self.base_at = bit, paths, entry_at, base_at
        self.finding = Finding(owners, bit, paths, entry_at, how.tools)

    def learn(self) -> None:
        """Note what the commit holds of each File."""
        self.note_all()
        known = self.owners.files.by(fileset.moved) | self.changed
        moved = [file for file in known.values() if file.path]
        for file in held_apart(moved, self.bit, self.deciding.laying.needs):
            self.changed[file.id] = file

    def note_all(self) -> None:
        """Find every File in the commit, then note what it holds of each."""
        expected = expected_commit(self.owners, self.bit, self.paths, self.entry_at, self.base_at, self.tools)
        if expected is not None:
            for file in expected:
                if file is not self.owners.files[file.id]:
                    self.put(file)
            return
        at = self.finding.places()
        taken = set(at.values())
        of_base = {file.base_path for file in self.owners.files.values()}
        vanished = {
            path: file
            for file in self.owners.files.values()
            if file.id not in at and (path := self.finding.before(file)) is not None and path not in taken
        }
        appeared: list[bytes] = []
        files = {file.id: file for file in self.owners.files.values()}
        for path in sorted(self.paths - taken - vanished.keys()):
            entry, base = self.entry_at(path), self.base_at(path)
            if base is not None and path not in of_base:
                file = self.in_base(path, base)
                files[file.id] = file
                if entry is None:
                    vanished[path] = file
                else:
                    at[file.id] = path
            elif entry is not None:
                appeared.append(path)
        for change in self.paired(vanished, appeared):
            if change.renamed_from is not None:
                at[vanished[change.renamed_from].id] = change.path
            elif change.before is None:
                self.put(self.committed_file(change.path))
        self.takers = {path: owner for fid, path in at.items() if is_patch(owner := taker_of(files[fid], path))}
        for file in files.values():
            self.note_held(without_bit(file, self.bit), at.get(file.id))

    def in_base(self, path: bytes, entry: Entry) -> File:
        """The File of a path that was as in the base so far."""
        text = self.tools.text_of(entry)
        return from_base(self.tools.new_id(), path, entry, None if text is None else weave_of(text))

    def paired(self, vanished: Mapping[bytes, File], appeared: Iterable[bytes]) -> list[Change]:
        """What left and what came, as renames where the content tells."""
        old = {
            path: (entry, None)
            for path, file in vanished.items()
            if (entry := self.finding.entry_before(file)) is not None
        }
        new = {path: (entry, None) for path in appeared if (entry := self.entry_at(path)) is not None}
        return pair_renames(old, new)

    def committed_file(self, path: bytes) -> File:
        """A file that the commit has and nobody ever saw on disk: there it is deleted again."""
        entry = self.entry_at(path)
        assert entry is not None, "an appeared path has an entry"
        reported = len(self.placed)
        file = self.new_file(path, entry)
        other = self.on_disk.get(path)  # it came there after this file had gone
        taker = top_owner(other.path) if other is not None else BASE
        if is_patch(taker) and self.deciding.laying.needs(file.path[0].owner, taker):
            del self.placed[reported:]
            self.deciding.nobodys = f"~cycle {taker} {file.path[0].owner}"
            file = self.new_file(path, entry)
            self.deciding.nobodys = None
        one = 1 << self.bit
        maker = file.path[0].owner
        return replace(
            file,
            path=(Fact(maker, path, one), Fact(maker, None)),
            mode=tuple(fact._replace(ins_in=one) for fact in file.mode),
            content=tuple(fact._replace(ins_in=one) for fact in file.content),
            weave=weave_of(live(file.weave), maker, one) if file.weave else None,
        )

    def note_held(self, file: File, path: bytes | None) -> None:
        """Note what the commit holds of one file; ``path`` None: it does not have the file."""
        entry = self.entry_at(path) if path is not None else None
        if path is None or entry is None:
            self.put(self.uncircled(file, lambda: self.with_path_held(self.as_before(file), None)))
            return
        if self.finding.is_as_before(file, path, entry) and live_version(file, self.tools) != (path, entry):
            self.put(self.as_before(file))
            return
        self.put(self.uncircled(file, lambda: self.with_content_held(self.with_path_held(file, path), entry)))

    def as_before(self, file: File) -> File:
        """The file as the parent holds it."""
        return copy_bit(file, self.bit - 1, self.bit) if self.bit else file

    def with_path_held(self, file: File, path: bytes | None) -> File:
        """The file with its path in the commit noted."""
        kind = "delete" if path is None else "rename"
        over = marks_of(file).labels if path is None else frozenset()

        def owner() -> str:
            found = self.path_writer(file, path, last_path(file), over=over)
            if is_unassigned(found.owner):
                found = self.freed_by_taker(file, over) or found
            self.note(last_path(file), kind, found)
            return found.owner

        return replace(file, path=committed(file.path, file.base_path, self.bit, path, owner)[0])

    def freed_by_taker(self, file: File, over: frozenset[str]) -> Verdict | None:
        """Whoever took in the commit the place that a file has no more, if he can have made it free."""
        taker = self.takers.get(self.finding.before(file) or b"", "")
        if self.deciding.states.get(taker) != "open" or self.deciding.nobodys or self.key(file) in self.loose:
            return None
        if any(fact.owner == taker and not fact.ins_in for fact in file.path):  # made free before what came later
            over = held_by(file, self.bit - 1) if self.bit else frozenset()
        found = self.deciding.uncircled(Verdict(taker, "file"), over)
        return None if is_unassigned(found.owner) or any(map(is_unassigned, over)) else found

    def with_mode_held(self, file: File, mode: int, kind_by: Verdict | None) -> File:
        """The file with its mode in the commit noted; ``kind_by``: whoever made it another kind of file."""

        def owner() -> str:
            found = kind_by
            if found is None:
                found = self.deciding.writer(file, file.mode, file.base_mode, mode, last_path(file))
                self.note(last_path(file), "mode", found)
            return found.owner

        return replace(file, mode=committed(file.mode, file.base_mode, self.bit, mode, owner)[0])

    def with_content_held(self, file: File, entry: Entry) -> File:
        """The file with its content in the commit noted; the disk's lines stay as they are."""
        text = self.tools.text_of(entry)
        wanted = None if text is not None else entry.oid
        found: list[Verdict] = []

        def owner() -> str:
            found.append(self.replacer(file, entry.mode, wanted))
            self.note(last_path(file), "content", found[0])
            return found[0].owner

        content = committed(file.content, file.base_content, self.bit, wanted, owner)[0]
        changed_kind = not same_kind(held(file.mode, file.base_mode), entry.mode)
        file = self.with_mode_held(file, entry.mode, found[0] if found and changed_kind else None)
        file = replace(file, content=content)
        if text is None:
            if file.weave is None or not self.bit:
                return file
            return replace(file, weave=copy_bit(file, self.bit - 1, self.bit).weave)
        path = last_path(file)
        on_disk = live(file.weave) if file.weave else b""
        rules = self.deciding.for_lines(file, path)
        if file.weave is None and found:
            rules = replace(rules, claim=found[0].owner)
        placed = place_commit(file.weave or Weave(), text, self.bit, rules)
        self.note_lines(path, placed.edits)
        weave = placed.weave
        if live(weave) != on_disk:
            weave = place_save(weave, on_disk, rules).weave
        return replace(file, weave=weave)


def taker_of(file: File, path: bytes) -> str:
    """Who gave a File a path; BASE: nobody did."""
    return next((fact.owner for fact in reversed(file.path) if fact.value == path), BASE)

"""Where a commit of the chain has each File: what the paths tell, before names and contents are compared."""

from __future__ import annotations

from collections.abc import Callable

from gitsessiond.model.files import File, Tools, live_version, path_of, version_of
from gitsessiond.model.owners import Owners
from gitsessiond.model.registers import EVERYONE
from gitsessiond.model.values import Entry

EntryAt = Callable[[bytes], Entry | None]


class Finding:
    """One commit, and the Files as they were before it was learnt. ``paths``: where it differs from its parent."""

    def __init__(self, owners: Owners, bit: int, paths: frozenset[bytes], entry_at: EntryAt, tools: Tools) -> None:
        self.owners, self.bit, self.paths, self.entry_at, self.tools = owners, bit, paths, entry_at, tools

    def before(self, file: File) -> bytes | None:
        """The file's path in the commit's parent."""
        return path_of(file, EVERYONE, self.bit - 1) if self.bit else file.base_path

    def entry_before(self, file: File) -> Entry | None:
        """The file in the commit's parent."""
        if not self.bit:
            return file.base
        found = version_of(file, EVERYONE, self.tools, self.bit - 1)
        return found[1] if found else None

    def places(self) -> dict[str, bytes]:
        """File id -> path in the commit, as far as the Files' own paths tell."""
        at: dict[str, bytes] = {}
        taken: set[bytes] = set()

        def put(file: File, path: bytes | None) -> None:
            if path is not None and file.id not in at and path not in taken and self.entry_at(path) is not None:
                at[file.id] = path
                taken.add(path)

        movers = self.movers()
        for file in self.owners.files.values():
            if file.id in movers:
                put(file, path_of(file))
        for file in self.owners.files.values():
            put(file, self.before(file))
        for file in self.owners.files.values():
            for path in (*(fact.value for fact in reversed(file.path)), file.base_path):
                if path in self.paths:
                    put(file, path)
        return at

    def movers(self) -> set[str]:
        """The files that the commit has where they are on disk, and no longer where its parent had them.

        Its old place must be empty in the commit, or a place another file was moved to; its new place must
        have been empty in the parent, or left by another mover. Else the commit has a copy.
        """
        files = self.owners.files
        before = {fid: self.before(file) for fid, file in files.items()}
        goal = {fid: path_of(file) for fid, file in files.items()}
        was_at = {path: fid for fid, path in before.items() if path is not None}
        movers = {
            fid
            for fid, path in goal.items()
            if path != before[fid] and self.has(path) and not self.is_unchanged(files[fid], before[fid])
        }
        once = {fid: {fact.value for fact in file.path} - {before[fid]} for fid, file in files.items()}
        while True:
            staying: set[str] = set()
            for fid in movers:
                old, path = before[fid], goal[fid]
                left = not self.has(old) or old in {goal[one] for one in movers}
                left = left or any(old in once[one] for one in files if one != fid)
                other = was_at.get(path or b"")
                free = other is None or other in movers
                if other is not None and not free:
                    same = self.is_unchanged(files[other], path)
                    gone = goal[other] is None and (self.is_known(files[fid]) or not (same or self.has(old)))
                    free = gone or (not same and any(self.has(one) for one in once[other]))
                if not (left and free):
                    staying.add(fid)
            if not staying:
                return movers
            movers -= staying

    def has(self, path: bytes | None) -> bool:
        """Whether the commit has something at a path."""
        return path is not None and self.entry_at(path) is not None

    def is_unchanged(self, file: File, path: bytes | None) -> bool:
        """Whether the commit has a file as its parent has it."""
        return path is not None and self.entry_at(path) == self.entry_before(file)

    def is_known(self, file: File) -> bool:
        """Whether what the commit has where a file is on disk is this file as the disk or the parent has it."""
        live = live_version(file, self.tools)
        return live is not None and self.entry_at(live[0]) in (live[1], self.entry_before(file))

    def is_as_before(self, file: File, path: bytes, entry: Entry) -> bool:
        """Whether the parent holds the file as the commit does."""
        if self.bit:
            return version_of(file, EVERYONE, self.tools, self.bit - 1) == (path, entry)
        return (file.base_path, file.base) == (path, entry)

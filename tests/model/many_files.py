"""A session's ownership over several files, as tests drive it: a disk, a base, a chain of commits, blobs in memory."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace

from gitsessiond.model.encoding import blob_oid
from gitsessiond.model.files import File, Tools, version_of
from gitsessiond.model.graph import graph_of
from gitsessiond.model.hard import directories
from gitsessiond.model.names import id_from
from gitsessiond.model.ownership import (
    How,
    MovedBase,
    Owners,
    Sorted,
    add_patch,
    empty_owners,
    learn_commit,
    live_overlay,
    move_base,
    set_state,
    sort_save,
    versions,
)
from gitsessiond.model.registers import EVERYONE
from gitsessiond.model.values import EXECUTABLE, REGULAR, UNASSIGNED, Change, Entry, Merged3
from gitsessiond.store.text import diff_lines, merge_text

Tree = dict[bytes, Entry]


def merge3(base: bytes, ours: bytes, theirs: bytes) -> Merged3:
    """git's merge of three texts."""
    return merge_text(base, ours, theirs)


class Blobs(dict[str, bytes]):
    """A blob store."""

    def put(self, content: bytes) -> str:
        oid = blob_oid(content)
        self[oid] = content
        return oid


def tools_with(blobs: Blobs) -> Tools:
    """The model's tools on a blob store; ids are counted."""
    count = iter(range(1, 1 << 40))
    return Tools(
        diff=diff_lines,
        merge3=merge3,
        read=blobs.__getitem__,
        write=blobs.put,
        new_id=lambda: id_from(next(count).to_bytes(6, "big")),
    )


class Desk:
    """A session: what is on disk, who owns it. Patches are named p, q, r..."""

    def __init__(self, base: Mapping[str, bytes], patches: str = "pqr") -> None:
        self.blobs = Blobs()
        self.tools = tools_with(self.blobs)
        self.base: Tree = {path.encode(): self.entry(content) for path, content in base.items()}
        self.disk: Tree = dict(self.base)
        self.commits: list[Tree] = []
        self.owners: Owners = empty_owners()
        self.seen: dict[tuple[bytes, Entry | None], File] = {}
        self.remember = False
        self.sound: set[frozenset[bytes]] = set()  # paths of versions that were found sound
        for patch in patches:
            self.owners = add_patch(self.owners, patch)

    def entry(self, content: bytes, mode: int = REGULAR) -> Entry:
        return Entry(mode, self.blobs.put(content))

    def how(self, current: str | None = None, claim: str | None = None, **given: object) -> How:
        how = How(current=current, claim=lambda path: claim, tools=self.tools)
        if self.remember:
            how = replace(how, earlier=lambda path, entry: self.seen.get((path, entry)))
        return replace(how, **given)  # type: ignore[arg-type]

    def save(
        self,
        files: Mapping[str, bytes | Entry | None],
        current: str | None = None,
        claim: str | None = None,
        renames: Mapping[str, str] | None = None,
        **given: object,
    ) -> Sorted:
        """One save: new contents by path, None deletes; ``renames``: new path -> old path."""
        self.note_seen()
        old_of = {new.encode(): old.encode() for new, old in (renames or {}).items()}
        disk, changes = dict(self.disk), []
        wanted = {
            path.encode(): self.entry(found, self.mode_of(old_of.get(path.encode(), path.encode())))
            if isinstance(found, bytes)
            else found
            for path, found in files.items()
        }
        for old in old_of.values():
            if old not in wanted:
                del disk[old]
        for path, after in wanted.items():
            source = old_of.get(path)
            before = self.disk.get(source if source is not None else path)
            if source is None and path in old_of.values():
                before = None
            if after is None:
                disk.pop(path, None)
            else:
                disk[path] = after
            if before != after or source is not None:
                changes.append(Change(path, before, after, source))
        done = sort_save(self.owners, changes, self.how(current, claim, **given))
        self.owners, self.disk = done.owners, disk
        self.note_seen()
        self.check()
        return done

    def mode_of(self, path: bytes) -> int:
        return self.disk[path].mode if path in self.disk and self.disk[path].mode == EXECUTABLE else REGULAR

    def note_seen(self) -> None:
        by_path = {}
        for file in self.owners.files.values():
            path = file.path[-1].value if file.path else file.base_path
            if path is not None:
                by_path[path] = file
        self.seen.update({(path, self.disk.get(path)): file for path, file in by_path.items()})

    def commit(self, tree: Tree | None = None, current: str | None = None, **given: object) -> Sorted:
        """A chain commit of this tree, or of all that is on disk."""
        tree = dict(self.disk if tree is None else tree)
        parent = self.commits[-1] if self.commits else self.base
        paths = [path for path in parent.keys() | tree.keys() if parent.get(path) != tree.get(path)]
        how = self.how(current, **given)
        done = learn_commit(self.owners, len(self.commits), paths, tree.get, self.base.get, how)
        self.owners = done.owners
        self.commits.append(tree)
        self.check()
        return done

    def move_base(self, base: Tree) -> MovedBase:
        """Another base; disk and owners follow."""
        paths = sorted(self.base.keys() | base.keys())
        changes = [Change(p, self.base.get(p), base.get(p)) for p in paths if self.base.get(p) != base.get(p)]
        done = move_base(self.owners, changes, self.tools)
        self.owners, self.base = done.owners, base
        self.disk = self.tree(live_overlay(self.owners, self.tools))
        assert self.version(()) == base
        return done

    def end(self, patch: str, state: str) -> None:
        self.owners = set_state(self.owners, patch, state)  # type: ignore[arg-type]

    # What holds.

    def check(self) -> None:
        """The disk is the version of all owners; each commit is what its marks say; no patch needs itself."""
        assert self.tree(live_overlay(self.owners, self.tools)) == self.disk
        for bit, tree in enumerate(self.commits):
            assert self.version({*self.patches, UNASSIGNED}, bit) == tree
        graph = graph_of(self.owners)
        assert not graph.left_out, "patches need each other"
        assert not graph.clashes, "two files come to one path"
        sets: set[Container[str]] = {EVERYONE}
        for patch in self.patches:
            assert patch not in graph.closure(patch)
            sets |= {frozenset(one | graph.closure(patch) | {patch}) for one in [frozenset(), *sets - {EVERYONE}]}
        for bit in (None, *range(len(self.commits))):
            for who in sets:
                self.check_paths(who, bit)

    def check_paths(self, who: Container[str], bit: int | None = None) -> None:
        """git can hold a version: no two files have the same path, none is where another has a directory.

        Files of which only the base knows are counted.
        """
        files = self.owners.files.values()
        found = [version_of(file, who, self.tools, bit) for file in files]
        paths = [version[0] for version in found if version is not None]
        paths += self.base.keys() - {file.base_path for file in files}
        there = frozenset(paths)
        assert len(there) == len(paths), "two files of one version have the same path"
        if there not in self.sound:
            assert not any(there.intersection(directories(path)) for path in there), "a file is where a directory is"
            self.sound.add(there)

    @property
    def patches(self) -> list[str]:
        return [patch for patch, _ in self.owners.patches]

    def tree(self, overlay: Mapping[bytes, Entry | None]) -> Tree:
        """An overlay on the base."""
        tree = dict(self.base)
        for path, entry in overlay.items():
            if entry is None:
                del tree[path]
            else:
                tree[path] = entry
        return tree

    def version(self, who: Iterable[str], bit: int | None = None) -> Tree:
        """The tree that these owners make of the base."""
        return self.tree(versions(self.owners, frozenset(who), self.tools, bit))

    def of(self, patch: str) -> Tree:
        """A patch's own version."""
        return self.version({patch} | graph_of(self.owners).closure(patch))

    def text(self, tree: Tree, path: str) -> bytes:
        return self.blobs[tree[path.encode()].oid]

    def edges(self) -> set[str]:
        """The dependencies as ``p>q``."""
        return {f"{p}>{q}" for p, q in graph_of(self.owners).edges}

    def file(self, path: str) -> File:
        """The File now or last at a path."""
        for file in self.owners.files.values():
            values = [fact.value for fact in file.path if fact.value is not None]
            if (values[-1] if values else file.base_path) == path.encode():
                return file
        raise KeyError(path)


def went(done: Sorted) -> list[tuple[str, str]]:
    """Where the edits of a save went: owner and why."""
    return [(placed.owner, placed.why) for placed in done.placed]

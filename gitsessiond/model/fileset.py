"""The Files of a session by id, and what is looked up in them: a change costs what it changes, not what there is.

Indexes are made when first asked for, and carried on to every later :class:`Files`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from gitsessiond.model.files import File, last_path, marks_of, path_of
from gitsessiond.model.hard import Left
from gitsessiond.model.stays import Need, Stay, Stays, needs_of

Key = TypeVar("Key", bound=Hashable)

STEPS_KNOWN = 64  # how far back it is known which Files were changed


class Moves:
    """What the paths of the Files say about each other; shared by all :class:`Files` in which these are the same."""

    def __init__(self, files: dict[str, File], leaving: Iterable[File], former: Former | None = None) -> None:
        self.files, self.former = files, former  # those that moved, also none that left another's place
        self.leaving = sorted(leaving, key=lambda file: file.id)

    @cached_property
    def left(self) -> Left:
        """Who left which path, nobody's edits too; never to be added to."""
        return Left(self.leaving)

    @cached_property
    def met(self) -> tuple[Stays, dict[tuple[Stay, Stay], Need]]:
        """Where patches have these files, and what the stays of two at one path need of each other.

        Files of which none left a place cannot meet.
        """
        known, ids = self.former or (None, frozenset())
        self.former = None
        if not self.leaving:
            return Stays(), {}
        if known is None or not known.leaving:
            stays, found, ids = Stays(self.files.values()), {}, frozenset(self.files)
        else:
            old = (known.files[fid] for fid in ids if fid in known.files)
            new = (self.files[fid] for fid in ids if fid in self.files)
            stays = known.stays.changed(old, new)
            found = {pair: need for pair, need in known.met[1].items() if ids.isdisjoint((pair[0].fid, pair[1].fid))}
        for fid in ids & self.files.keys():
            found.update((need.stays, need) for need in needs_of(self.files[fid], stays))
        return stays, found

    @property
    def stays(self) -> Stays:
        """Where patches have these files; never to be added to."""
        return self.met[0]

    @property
    def needs(self) -> Collection[Need]:
        """What the stays of two files at one path need of each other."""
        return self.met[1].values()


Former = tuple[Moves, frozenset[str]]  # what was known, and the ids of the Files whose places changed since


Step = tuple[Sequence[File], Sequence[File]]  # Files that were replaced, and those that came instead


class Index(NamedTuple):
    """What Files are looked up in, as it once was, and the changes since."""

    made: dict[Any, Any]
    steps: tuple[Step, ...] = ()
    several: Mapping[Any, dict[str, File]] = MappingProxyType({})  # all those of which only one can be in ``made``


class Files(dict[str, File]):
    """Never changed once it is made; :meth:`changed` makes the next one."""

    __slots__ = ("__weakref__", "_former", "_indexes", "_moves", "_since")

    def __init__(self, files: Iterable[tuple[str, File]] | dict[str, File] = ()) -> None:
        super().__init__(files)
        self._indexes: dict[Callable[[File], Any] | None, Index] = {}  # by key; None: by owner
        self._moves: Moves | None = None
        self._former: Former | None = None
        self._since: tuple[tuple[weakref.ref[Files], frozenset[str]], ...] = ()

    def changed(self, new: Iterable[File], gone: Iterable[str] = ()) -> Files:
        """These Files with some put in and those ids taken out, which wins."""
        dropped = set(gone)
        put = {file.id: file for file in new if file.id not in dropped}
        ids = frozenset(put.keys() | (dropped & self.keys()))
        after = Files(self)
        for fid in dropped:
            after.pop(fid, None)
        after.update(put)
        step: Step = [self[fid] for fid in ids if fid in self], list(put.values())
        for key, index in self._indexes.items():
            if len(index.steps) < STEPS_KNOWN:
                after._indexes[key] = index._replace(steps=(*index.steps, step))
        moved = frozenset(fid for fid in ids if not same_places(self.get(fid), put.get(fid)))
        if not moved:
            after._moves, after._former = self._moves, self._former
        elif self._moves is not None:
            after._former = self._moves, moved
        elif self._former is not None:
            after._former = self._former[0], self._former[1] | moved
        after._since = ((weakref.ref(self), ids), *self._since[: STEPS_KNOWN - 1])
        return after

    def by(self, key: Callable[[File], Key | None]) -> dict[Key, File]:
        """The Files by what ``key`` says of each; those of which it says None are not in it. Not to be changed.

        Of several, one on disk stands before one that is not.
        """
        found = self._indexes.get(key, Index({}, (((), list(self.values())),)))
        if found.steps:
            found = self._indexes[key] = carried_on(found, key)
        return found.made

    @property
    def labelled(self) -> dict[str, dict[str, File]]:
        """The Files by owner (unassigned labels too), then by id. Not to be changed."""
        found = self._indexes.get(None, Index({}, (((), list(self.values())),)))
        if found.steps:
            found = self._indexes[None] = Index(relabelled(found))
        return found.made

    def of(self, label: str) -> dict[str, File]:
        """The Files in which an owner has a part, by id. Not to be changed."""
        return self.labelled.get(label, {})

    @property
    def moves(self) -> Moves:
        """Who left and who took which paths."""
        if self._moves is None:
            self._moves = Moves(self.by(moved), self.by(leaving).values(), self._former)
            self._former = None
        return self._moves

    def changed_since(self, before: Files) -> set[str]:
        """The ids of Files that are not the same objects in both."""
        if before is self:
            return set()
        ids: set[str] = set()
        for ref, changed in self._since:
            ids |= changed
            if ref() is before:
                break
        else:
            ids = self.keys() | before.keys()
        return {fid for fid in ids if before.get(fid) is not self.get(fid)}


def carried_on(index: Index, key: Callable[[File], Any]) -> Index:
    """An index brought up to date."""
    after, several = dict(index.made), dict(index.several)

    def put_all(at: Any, files: dict[str, File]) -> None:
        several.pop(at, None)
        after.pop(at, None)
        if files:
            after[at] = max(files.values(), key=lambda file: (path_of(file) is not None, file.id))
        if len(files) > 1:
            several[at] = files

    for before, put in index.steps:
        for file in before:
            at = key(file)
            if at in several:
                put_all(at, {fid: one for fid, one in several[at].items() if fid != file.id})
            elif at is not None:
                del after[at]
        for file in put:
            at = key(file)
            if at is not None and at not in after:
                after[at] = file
            elif at is not None:
                put_all(at, {**several.get(at, {after[at].id: after[at]}), file.id: file})
    return Index(after, several=several)


def relabelled(index: Index) -> dict[str, dict[str, File]]:
    """The Files by owner, brought up to date."""
    fresh: dict[str, dict[str, File]] = {}

    def of(label: str) -> dict[str, File]:
        if label not in fresh:
            fresh[label] = dict(index.made.get(label, ()))
        return fresh[label]

    for before, put in index.steps:
        for file in before:
            for label in marks_of(file).labels:
                del of(label)[file.id]
        for file in put:
            for label in marks_of(file).labels:
                of(label)[file.id] = file
    return {label: files for label, files in {**index.made, **fresh}.items() if files}


def same_places(one: File | None, other: File | None) -> bool:
    """Whether two Files say the same about paths: nothing, or the same facts on the same base."""
    facts, others = (file.path if file is not None else () for file in (one, other))
    if not facts and not others:
        return True
    return one is not None and other is not None and facts == others and one.base_path == other.base_path


# What Files are looked up by.


def on_disk(file: File) -> bytes | None:
    """Its path on disk."""
    return path_of(file)


def deleted(file: File) -> bytes | None:
    """The last path of one that is deleted on disk."""
    return last_path(file) if path_of(file) is None else None


def shared(file: File) -> str | None:
    """The id of one in which several patches have a part."""
    return file.id if len(marks_of(file).patches) > 1 else None


def moved(file: File) -> str | None:
    """The id of one that is not, or was not always, where the base has it."""
    return file.id if file.path else None


def leaving(file: File) -> str | None:
    """The id of one that was somewhere else before, or is deleted."""
    places = (file.base_path, *(fact.value for fact in file.path))
    return file.id if any(old is not None and old != new for old, new in pairwise(places)) else None


def committed(file: File) -> str | None:
    """The id of one that some commit of the chain changed."""
    return file.id if marks_of(file).commits else None


def changed_path(file: File) -> bytes | None:
    """The path, on disk or the last one, of one that the session changed."""
    return last_path(file) if marks_of(file).labels else None


def loose_path(file: File) -> bytes | None:
    """The path of one that was changed, but by no patch."""
    return None if marks_of(file).patches else changed_path(file)

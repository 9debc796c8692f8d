"""Objects made for a purpose and kept in memory, on top of a store: to look at, to hand to git, or to land."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from gitsessiond.model.values import GITLINK
from gitsessiond.store.crossing import commit_links, deposit, tree_items
from gitsessiond.store.objects import Object, oid_of
from gitsessiond.store.store import Store
from gitsessiond.store.trees import TreeCache, Trees


class Layer:
    """Objects made on top of a store. Nothing of them reaches the store."""

    def __init__(self, below: Trees, made: Mapping[str, Object] | None = None) -> None:
        self._below = below
        self.made: dict[str, Object] = dict(made or {})

    @property
    def trees(self) -> TreeCache:
        """Parsed trees; what a tree holds does not depend on where it is kept."""
        return self._below.trees

    def read(self, oid: str) -> Object:
        """An object made here, else the store's."""
        return self.made.get(oid) or self._below.read(oid)

    def put(self, kind: str, data: bytes) -> str:
        """Keep an object in memory."""
        oid = oid_of(kind, data)
        self.made[oid] = Object(kind, data)
        return oid


class LandingLayer(Layer):
    """A layer whose objects can go into the user's repository without passing through the store."""

    def __init__(self, store: Store, made: Mapping[str, Object]) -> None:
        super().__init__(store, made)
        self._store = store
        self._looked: dict[tuple[str, ...], frozenset[str]] = {}  # by what was put there: what may come to lack again

    @property
    def common_dir(self) -> str:
        """The repository's common directory."""
        return self._store.common_dir

    def own_has(self, oid: str) -> bool:
        """Whether the object is here or in the store."""
        return oid in self.made or self._store.own_has(oid)

    def in_repository(self, oid: str) -> bool:
        """Whether the user's repository holds it, as everything does that was not made here or by the store."""
        ours = oid in self.made or self._store.own_has(oid)
        return not ours or self._store.in_repository(oid)

    def to_repository(self, oids: Iterable[str]) -> bool:
        """As :meth:`gitsessiond.store.store.Store.to_repository`, with the objects made here; whether any lacked.

        Again is cheap: it is looked whether all that was looked for the first time is there still.
        """
        oids = tuple(oids)
        if oids in self._looked and all(map(self.in_repository, self._looked[oids])):
            return False
        lacked, self._looked[oids] = deposit(self, oids, self.made)
        return lacked


class Holds(Protocol):
    """Objects, and which of them the user's repository has."""

    def read(self, oid: str) -> Object: ...  # noqa: D102
    def in_repository(self, oid: str) -> bool: ...  # noqa: D102


def objects_lacking(store: Holds, roots: Iterable[str]) -> dict[str, Object]:
    """What these objects reach that the repository lacks: what a git child must be given to read them.

    Raises:
        StateUnreadable: an object is in neither place.
    """
    found: dict[str, Object] = {}
    todo = list(roots)
    while todo:
        oid = todo.pop()
        if oid in found or store.in_repository(oid):
            continue
        found[oid] = one = store.read(oid)
        if one.kind == "tree":
            todo += [child for mode, _, child in tree_items(one.data) if mode != GITLINK]
        elif one.kind == "commit":
            tree, parents = commit_links(one.data)
            todo += [tree, *parents]
    return found

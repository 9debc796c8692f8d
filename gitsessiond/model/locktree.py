"""Where locks stand in the tree of resources: which of them cover a common path is found without asking all.

Every node counts what stands at it and below, by mode, in one number (``lockmodes.ONE``): the intention marks of
hierarchical locking. Where a node's number has nothing that clashes, nothing below it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from gitsessiond.model.lockmodes import ANY, ONE
from gitsessiond.model.resources import Resource, overlap


class Standing(Protocol):
    """What stands in the tree."""

    resource: Resource
    mode: str


Entry = TypeVar("Entry", bound=Standing)


class Node(Generic[Entry]):
    """A node. ``count``: of all that stands here and below, by mode."""

    __slots__ = ("below", "count", "here")

    def __init__(self) -> None:
        self.count = 0
        self.here: dict[Entry, None] = {}  # in order of arrival; patterns stand above all that they match
        self.below: dict[str, Node[Entry]] = {}


class LockTree(Generic[Entry]):
    """Entries at their nodes."""

    def __init__(self) -> None:
        self._root: Node[Entry] = Node()

    def __bool__(self) -> bool:
        return bool(self._root.count)

    def add(self, entry: Entry) -> None:
        """Put an entry at its place."""
        node, one = self._root, ONE[entry.mode]
        node.count += one
        for part in entry.resource.node:
            after = node.below.get(part)
            if after is None:
                after = node.below[part] = Node()
            node = after
            node.count += one
        node.here[entry] = None

    def remove(self, entry: Entry) -> None:
        """Take an entry from its place."""
        node, one = self._root, ONE[entry.mode]
        node.count -= one
        for part in entry.resource.node:
            after = node.below[part]
            after.count -= one
            if not after.count:
                del node.below[part]
            node = after
        del node.here[entry]

    def overlapping(self, wanted: Resource, clashing: int = ANY) -> Iterator[Entry]:
        """The entries that cover a path of a resource, of nodes with something in the digits ``clashing``.

        Entries of other modes may be among them.
        """
        node, plain = self._root, not wanted.rest
        for part in wanted.node:
            if not node.count & clashing:
                return
            if node.here:
                yield from self._of(node, wanted, plain)
            after = node.below.get(part)
            if after is None:
                return
            node = after
        ahead = [node]
        while ahead:
            node = ahead.pop()
            if node.count & clashing:
                yield from self._of(node, wanted, plain)
                ahead += node.below.values()

    def _of(self, node: Node[Entry], wanted: Resource, plain: bool) -> Iterator[Entry]:
        """Those of one node that cover a path of the resource; of two plain names one is above the other here."""
        for entry in node.here:
            if (plain and not entry.resource.rest) or overlap(entry.resource, wanted):
                yield entry

"""Objects that cross between the user's repository and our store, either way.

Into the repository go only series commits and anchors, as loose objects: durable before a ref names them.
Into the store go copies of every commit of the user that a step names, since the user's gc may remove it
there.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from gitsessiond.model.errors import StateUnreadable, StoreFailed
from gitsessiond.model.values import GITLINK
from gitsessiond.store.git import run_git
from gitsessiond.store.layout import at_once, shallow_ends, sync
from gitsessiond.store.objects import Object, loose_bytes
from gitsessiond.store.theirs import loose_path
from gitsessiond.store.trees import TREE, TreeCache, decoded_entry, names_of

_PRUNED_TIMES = 3
_AT_ONCE = 200  # objects written together: as many open files


class Objects(Protocol):
    """What crossing needs of a :class:`gitsessiond.store.store.Store`."""

    @property
    def common_dir(self) -> str: ...  # noqa: D102 - see Store

    @property
    def trees(self) -> TreeCache: ...  # noqa: D102

    def read(self, oid: str) -> Object: ...  # noqa: D102

    def put(self, kind: str, data: bytes) -> str: ...  # noqa: D102

    def own_has(self, oid: str) -> bool: ...  # noqa: D102

    def in_repository(self, oid: str) -> bool: ...  # noqa: D102


# -- names inside objects -------------------------------------------------------------------------------


def tree_items(data: bytes) -> Iterator[tuple[int, bytes, str]]:
    """Mode, name and id of each entry of a tree object, in its order.

    Raises:
        StateUnreadable: the bytes are no tree.
    """
    at = 0
    try:
        while at < len(data):
            space = data.index(b" ", at)
            end = data.index(b"\0", space)
            yield int(data[at:space], 8), data[space + 1 : end], data[end + 1 : end + 21].hex()
            at = end + 21
    except ValueError as exc:
        raise StateUnreadable("a tree object is damaged", hint="git session doctor") from exc


def commit_links(data: bytes) -> tuple[str, list[str]]:
    """The tree and the parents a commit object names.

    Raises:
        StateUnreadable: the bytes are no commit.
    """
    lines = data.split(b"\n\n", 1)[0].split(b"\n")
    if not lines[0].startswith(b"tree "):
        raise StateUnreadable("a commit object is damaged", hint="git session doctor")
    parents = []
    for line in lines[1:]:
        if not line.startswith(b"parent "):
            break
        parents.append(line[7:].decode("ascii", "replace"))
    return lines[0][5:].decode("ascii", "replace"), parents


# -- into the repository --------------------------------------------------------------------------------


class Deposited(NamedTuple):
    """What came of a deposit."""

    lacked: bool  # the repository lacked something
    looked: frozenset[str]  # the objects that were looked for there: all that may have been lacking


def deposit(store: Objects, oids: Iterable[str], anew: Container[str] = (), beside: str | None = None) -> Deposited:
    """Write ``oids`` and all they reach that the repository lacks into it, durably, contents before their
    users.

    Objects that are there already are made young again, so that a gc under way does not take them before
    our ref moves; and zero-length loose files of a power cut, which git would take for the object, are
    removed first. What ``anew`` names is looked below even where it is there. ``beside``: a tree that a ref
    holds there; what one of ``oids``, a tree too, has in common with it is not looked for.

    Raises:
        StateUnreadable: an object is in neither place.
        StoreFailed: the disk refused.
    """
    lacking: dict[str, Object] = {}
    looked: set[str] = set()
    for oid in oids:
        looked |= _collect(store, oid, lacking, anew, beside)
    items = list(lacking.items())
    try:
        for at in range(0, len(items), _AT_ONCE):
            _write_patiently(store.common_dir, items[at : at + _AT_ONCE])
    except OSError as exc:
        raise StoreFailed(f"objects cannot be written into the repository: {exc}", hint="df -h .") from exc
    return Deposited(bool(items), frozenset(looked))


def _collect(
    store: Objects, start: str, lacking: dict[str, Object], anew: Container[str], beside: str | None
) -> set[str]:
    """Gather what ``start`` reaches and the repository lacks, each object after all that it names; returns what was
    looked for.

    A commit that the repository has, has all it reaches there, for commits are written last. So has a tree that
    only the repository knows; one that is ours too may be a left-over of an interrupted write. What a commit
    shares with its first parent at the same path is there, or comes, with the parent.
    """
    todo: list[tuple[str, str | None, bool]] = [(start, beside, False)]
    seen: set[str] = set()
    while todo:
        oid, beside, below_done = todo.pop()
        if below_done:
            lacking.setdefault(oid, store.read(oid))
            continue
        if oid in lacking or oid in seen:
            continue
        seen.add(oid)
        there = store.in_repository(oid)
        if there:
            _freshen(store.common_dir, oid)
            if oid not in anew and not (store.own_has(oid) and _is_tree(store, oid)):
                continue
        else:
            todo.append((oid, None, True))
        todo += [(child, other, False) for child, other in _named_by(store, oid, beside)]
    return seen


def _is_tree(store: Objects, oid: str) -> bool:
    return store.trees.get(oid) is not None or store.read(oid).kind == "tree"


def _named_by(store: Objects, oid: str, beside: str | None) -> Iterator[tuple[str, str | None]]:
    """The objects an object names and that a repository must have with it, each with the tree beside it.

    ``beside``: a tree that is in the repository; what it has under the same name is left out.
    """
    if _is_tree(store, oid):
        known = names_of(store, beside)
        for name, encoded in names_of(store, oid).items():
            other = known.get(name)
            if other == encoded:
                continue
            entry, was = decoded_entry(encoded), decoded_entry(other) if other is not None else None
            if entry.mode != GITLINK:
                yield entry.oid, was.oid if was is not None and was.mode == entry.mode == TREE else None
        return
    found = store.read(oid)
    if found.kind == "commit":
        tree, parents = commit_links(found.data)
        if not all(store.own_has(parent) or store.in_repository(parent) for parent in parents):
            parents = [] if oid in shallow_ends(store.common_dir) else parents
        yield tree, commit_links(store.read(parents[0]).data)[0] if parents else None
        yield from ((parent, None) for parent in parents)


def _freshen(common_dir: str, oid: str) -> None:
    """Touch a loose object, as git does when it finds that it has what it was asked to write."""
    try:
        os.utime(loose_path(common_dir, oid))
    except OSError:
        pass  # packed, or another user's file: git prunes neither before two weeks


def _write_patiently(common_dir: str, objects: Sequence[tuple[str, Object]]) -> None:
    """Write loose objects; again when a ``git gc`` meanwhile takes away a directory still empty, or a draft."""
    for _ in range(_PRUNED_TIMES):
        try:
            _write_loose(common_dir, objects)
        except FileNotFoundError:
            continue
        return
    _write_loose(common_dir, objects)


def _write_loose(common_dir: str, objects: Sequence[tuple[str, Object]]) -> None:
    """Write loose objects, in their order: drafts, their syncs, then names, contents durably before their users."""
    drafts: list[tuple[int, str, str, bool]] = []
    fans: set[str] = set()
    try:
        for oid, (kind, data) in objects:
            path = loose_path(common_dir, oid)
            if _make_fan(os.path.dirname(path)):
                fans.add(os.path.join(common_dir, "objects"))
            handle, draft = tempfile.mkstemp(prefix="tmp_obj_", dir=os.path.dirname(path))
            drafts.append((handle, draft, path, kind in ("blob", "tree")))
            _write_all(handle, loose_bytes(kind, data))
            os.fchmod(handle, 0o444)
        at_once(os.fsync, [handle for handle, _, _, _ in drafts])
        for content in (True, False):
            renamed = [(draft, path) for _, draft, path, is_content in drafts if is_content is content]
            for draft, path in renamed:
                os.replace(draft, path)
            at_once(sync, {os.path.dirname(path) for _, path in renamed} | fans)
            fans = set()
    finally:
        for handle, draft, _, _ in drafts:
            os.close(handle)
            if os.path.exists(draft):
                os.unlink(draft)


def _make_fan(directory: str) -> bool:
    """Make ``objects/xx``, if need be, with the rights of ``objects``: in a shared repository all go on writing."""
    try:
        os.mkdir(directory)
    except FileExistsError:
        return False
    os.chmod(directory, os.stat(os.path.dirname(directory)).st_mode & 0o7777)
    return True


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


# -- into the store ----------------------------------------------------------------------------------------


def copy_in(store: Objects, commits: Iterable[str], stop: Iterable[str]) -> None:
    """Copy commits and what they reach into the store, except what ``stop`` reaches and what the store has.

    What a commit shares with its first parent at the same path is held where the parent is held, so only what
    differs is copied. Older commits go first: a commit in the store has everything below it there as well.

    Raises:
        StateUnreadable: an object is nowhere.
    """
    held = frozenset(stop)
    new = [oid for oid in dict.fromkeys(commits) if oid not in held and not store.own_has(oid)]
    parents = {parent for oid in new for parent in commit_links(store.read(oid).data)[1]}
    # a parent that is nowhere is the end of a shallow clone
    beyond = [oid for oid in parents - held if not store.own_has(oid) and store.in_repository(oid)]
    if beyond:
        told = "".join(f"{oid}\n" for oid in beyond) + "".join(f"^{oid}\n" for oid in held)
        words = ["rev-list", "--reverse", "--topo-order", "--stdin"]
        older = run_git(words, git_dir=store.common_dir, input=told.encode()).out.decode("ascii").split()
        new = list(dict.fromkeys((*older, *new)))
    for oid in new:
        if not store.own_has(oid):
            _copy_commit(store, oid)


def _copy_commit(store: Objects, oid: str) -> None:
    data = store.read(oid).data
    tree, parents = commit_links(data)
    beside = parents[0] if parents and (store.own_has(parents[0]) or store.in_repository(parents[0])) else None
    _copy_tree(store, tree, commit_links(store.read(beside).data)[0] if beside is not None else None)
    store.put("commit", data)


def _copy_tree(store: Objects, tree: str, beside: str | None) -> None:
    """Copy a tree and below, without what stands under the same name in the tree ``beside`` it."""
    if tree == beside:
        return
    data = store.read(tree).data
    there = {} if beside is None else {name: (mode, oid) for mode, name, oid in tree_items(store.read(beside).data)}
    for mode, name, oid in tree_items(data):
        other = there.get(name)
        if mode == 0o160000 or other == (mode, oid):
            continue
        if mode == 0o40000:
            _copy_tree(store, oid, other[1] if other and other[0] == 0o40000 else None)
        elif not store.own_has(oid):
            store.put(*store.read(oid))
    store.put("tree", data)

"""Trees: read, edited and compared without ever building a whole one.

A parsed tree is a dict from name to the entry's own bytes (``mode name NUL id``), in git's order, so that
writing a tree with one changed entry is a dict copy and one ``join``. Parsed trees are kept in a small
cache of the store and never changed once they are in it. Names are taken as they are: what ``git add``
would record is recorded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Protocol

from gitsessiond.model.errors import StateUnreadable
from gitsessiond.model.values import EMPTY_TREE, REGULAR, Change, Entry
from gitsessiond.store.objects import Object

TREE = 0o40000

_Names = dict[bytes, bytes]
_Edits = dict[bytes, "Entry | _Edits | None"]  # one level of a path: what it becomes, or edits below it

_CACHED_NAMES = 60_000
_AFRESH = b""  # among edits below a directory: begin with an empty one


class TreeCache:
    """Parsed trees last used, limited by how many names they hold together."""

    def __init__(self) -> None:
        self._trees: OrderedDict[str, _Names] = OrderedDict()
        self._names = 0

    def get(self, oid: str) -> _Names | None:
        """The parsed tree, now the youngest; None when it is not kept."""
        found = self._trees.get(oid)
        if found is not None:
            self._trees.move_to_end(oid)
        return found

    def keep(self, oid: str, names: _Names) -> None:
        """Keep a parsed tree, letting go of the ones longest unused."""
        if oid in self._trees:
            return
        self._trees[oid] = names
        self._names += len(names)
        while self._names > _CACHED_NAMES and len(self._trees) > 1:
            _, old = self._trees.popitem(last=False)
            self._names -= len(old)


class Trees(Protocol):
    """What this module needs of a :class:`gitsessiond.store.store.Store`."""

    @property
    def trees(self) -> TreeCache: ...  # noqa: D102 - see Store

    def read(self, oid: str) -> Object: ...  # noqa: D102

    def put(self, kind: str, data: bytes) -> str: ...  # noqa: D102


def names_of(store: Trees, oid: str | None) -> _Names:
    """The parsed tree ``oid``; an empty one for None. Never to be changed by the caller."""
    if oid is None or oid == EMPTY_TREE:
        return {}
    found = store.trees.get(oid)
    if found is None:
        kind, data = store.read(oid)
        if kind != "tree":
            raise StateUnreadable(f"object {oid} is a {kind}, not a tree", hint="git session doctor")
        found = _parsed(data, oid)
        store.trees.keep(oid, found)
    return found


def _parsed(data: bytes, oid: str) -> _Names:
    names: _Names = {}
    at, end = 0, len(data)
    try:
        while at < end:
            stop = data.index(0, at) + 21
            entry = data[at:stop].lstrip(b"0")  # old tools wrote a directory's mode with a zero before it
            names[entry[entry.index(32) + 1 : -21]] = entry
            at = stop
    except ValueError as exc:
        raise StateUnreadable(f"tree {oid} is damaged", hint="git session doctor") from exc
    return names


def _encoded(name: bytes, entry: Entry) -> bytes:
    return b"%o %s\0%s" % (entry.mode, name, bytes.fromhex(entry.oid))


def decoded_entry(encoded: bytes) -> Entry:
    """An entry from its bytes in a tree."""
    return Entry(int(encoded[: encoded.index(32)], 8), encoded[-20:].hex())


def _is_tree(encoded: bytes | None) -> bool:
    return encoded is not None and encoded.startswith(b"4")


def read_tree(store: Trees, oid: str) -> dict[bytes, Entry]:
    """The entries of one tree, by name, in git's order; directories have mode ``TREE``."""
    return {name: decoded_entry(found) for name, found in names_of(store, oid).items()}


def entry_at(store: Trees, tree: str | None, path: bytes) -> Entry | None:
    """The entry at ``path`` below ``tree`` (a directory's too), or None."""
    *above, name = path.split(b"/")
    for part in above:
        found = names_of(store, tree).get(part)
        if found is None or not _is_tree(found):
            return None
        tree = found[-20:].hex()
    found = names_of(store, tree).get(name)
    return None if found is None else decoded_entry(found)


def file_at(store: Trees, tree: str | None, path: bytes) -> Entry | None:
    """The entry at ``path`` below ``tree``; None where a directory is: that is no file of this name."""
    entry = entry_at(store, tree, path)
    return None if entry is None or entry.mode == TREE else entry


def list_tree(store: Trees, tree: str | None, below: bytes = b"") -> Iterator[tuple[bytes, Entry]]:
    """All paths under ``tree`` that are no directories, with their entries, in git's order."""
    for name, found in names_of(store, tree).items():
        if _is_tree(found):
            yield from list_tree(store, found[-20:].hex(), below + name + b"/")
        else:
            yield below + name, decoded_entry(found)


def list_directories(store: Trees, tree: str | None, directory: bytes = b"") -> Iterator[tuple[bytes, _Names]]:
    """Every directory under ``tree`` (the top is the empty path) with its entries that are no directories.

    Entries are a tree's own bytes, ``mode name NUL id``: for whoever takes up all of a large tree.
    """
    names = names_of(store, tree)
    above = {name: found for name, found in names.items() if _is_tree(found)}
    yield directory, {name: found for name, found in names.items() if name not in above} if above else names
    for name, found in above.items():
        yield from list_directories(store, found[-20:].hex(), directory + b"/" + name if directory else name)


# -- editing -----------------------------------------------------------------------------------------------


def edit_tree(store: Trees, tree: str | None, edits: Mapping[bytes, Entry | None]) -> str:
    """Write ``tree`` with ``edits`` made and return its id; only directories on the way are read and written.

    Args:
        tree: None begins with an empty tree.
        edits: for each path its new entry, or None to remove the path and all below it. A file in the way
            of a new directory, or a directory in the way of a new file, is replaced. An entry of mode
            ``TREE`` puts a whole tree there. Directories that become empty vanish, as in git.

    Raises:
        ValueError: a path is to be a file and also the directory of another.
    """
    nested: _Edits = {}
    for path, entry in edits.items():
        _enter(nested, path, entry)
    return _edited(store, tree, nested) or store.put("tree", b"")


def write_tree(store: Trees, files: Mapping[bytes, bytes]) -> str:
    """Write a tree of regular files, given in git's order by name, with their contents; returns its id."""
    rows = (_encoded(name, Entry(REGULAR, store.put("blob", data))) for name, data in files.items())
    return store.put("tree", b"".join(rows))


def _enter(edits: _Edits, path: bytes, entry: Entry | None) -> None:
    """Enter one edit into the nested form."""
    *above, name = path.split(b"/")
    if not all((*above, name)):
        raise ValueError(f"path {path!r} has an empty part")
    for part in above:
        below = edits.setdefault(part, {})
        if below is None:  # removed, then something new below it
            below = edits[part] = {_AFRESH: None}
        elif isinstance(below, Entry):
            if entry is None:
                return  # it goes with the directory that the new entry replaces
            raise ValueError(f"{part!r} in {path!r} is to be a file")
        edits = below
    there = edits.get(name)
    if not isinstance(there, dict):
        edits[name] = entry
    elif entry is None:
        there[_AFRESH] = None
    elif all(_removes(inner) for inner in there.values()):
        edits[name] = entry
    else:
        raise ValueError(f"{path!r} is to be a file and a directory")


def _removes(edit: Entry | _Edits | None) -> bool:
    """Whether an edit, at any depth, only removes."""
    if isinstance(edit, dict):
        return all(_removes(inner) for inner in edit.values())
    return edit is None


def _edited(store: Trees, oid: str | None, edits: _Edits) -> str | None:
    """The tree with nested ``edits`` made; None when nothing is left in it."""
    before = {} if _AFRESH in edits else names_of(store, oid)
    after = dict(before)
    late: list[tuple[bytes, bytes]] = []  # entries that get a new place in the order
    for name, edit in edits.items():
        if name == _AFRESH:
            continue
        old = after.get(name)
        if isinstance(edit, dict):
            below = _edited(store, old[-20:].hex() if old and _is_tree(old) else None, edit)
            if below is None and old is not None and not _is_tree(old) and _removes(edit):
                continue  # nothing is removed below a file
            new = None if below is None else _encoded(name, Entry(TREE, below))
        else:
            new = None if edit is None else _encoded(name, edit)
        if new is None:
            after.pop(name, None)
        elif old is not None and _is_tree(old) == _is_tree(new):
            after[name] = new
        else:
            after.pop(name, None)
            late.append((name, new))
    if late:
        after = _with(after, late)
    if not after:
        return None
    written = store.put("tree", b"".join(after.values()))
    store.trees.keep(written, after)
    return written


def _with(names: _Names, new: list[tuple[bytes, bytes]]) -> _Names:
    """The names with new ones in their places."""
    items = list(names.items())
    out: list[tuple[bytes, bytes]] = []
    at = 0
    for item in sorted(new, key=_order):
        place = bisect_left(items, _order(item), lo=at, key=_order)
        out += items[at:place]
        out.append(item)
        at = place
    return dict(out + items[at:])


def _order(item: tuple[bytes, bytes]) -> bytes:
    """git's order of names in a tree: by bytes, directories as if their name ended in a slash."""
    return item[0] + b"/" if _is_tree(item[1]) else item[0]


# -- comparing ---------------------------------------------------------------------------------------------


def diff_trees(store: Trees, a: str | None, b: str | None) -> list[Change]:
    """What differs from tree ``a`` to tree ``b``, sorted by path; equal subtrees are not read.

    Renames are not looked for: they are a removed and an added path.
    """
    found: list[Change] = []
    _compare(store, a, b, b"", found)
    return sorted(found, key=lambda change: change.path)


def _compare(store: Trees, a: str | None, b: str | None, below: bytes, found: list[Change]) -> None:
    if a == b:
        return
    before, after = names_of(store, a), names_of(store, b)
    names = [name for name, new in after.items() if before.get(name) != new]
    names += [name for name in before if name not in after]
    for name in names:
        old, new = before.get(name), after.get(name)
        path = below + name
        old_tree = old[-20:].hex() if old and _is_tree(old) else None
        new_tree = new[-20:].hex() if new and _is_tree(new) else None
        if old_tree or new_tree:
            _compare(store, old_tree, new_tree, path + b"/", found)
        old_leaf = decoded_entry(old) if old and not old_tree else None
        new_leaf = decoded_entry(new) if new and not new_tree else None
        if old_leaf or new_leaf:
            found.append(Change(path, old_leaf, new_leaf))

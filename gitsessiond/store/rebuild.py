"""A session found again from what is left of it: its anchor and commits, or steps that no ref names any more.

From an anchor comes what was committed, with its owners as the series tell them. The save history is gone, and so
are the owners of what was not committed: the files themselves are read by the next scan.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping

from gitsessiond.model.errors import StateUnreadable
from gitsessiond.model.names import id_from
from gitsessiond.model.ownership import How, Owners, Tools, graph_of, learn_commit, set_state, sort_save, versions
from gitsessiond.model.records import Session, decode
from gitsessiond.model.renames import pair_renames
from gitsessiond.model.values import EMPTY_TREE, EXECUTABLE, REGULAR, Change, Entry, is_binary
from gitsessiond.store.anchors import Anchored
from gitsessiond.store.crossing import commit_links
from gitsessiond.store.notes import read_note
from gitsessiond.store.ours import OwnPacks
from gitsessiond.store.packs import index_oids
from gitsessiond.store.states import State, patch_state
from gitsessiond.store.store import Store
from gitsessiond.store.text import diff_lines, merge_text
from gitsessiond.store.trees import diff_trees, edit_tree, entry_at, file_at

_UNKNOWN = "~unknown"
_Edits = dict[bytes, Entry | None]


def state_of_anchor(store: Store, found: Anchored) -> State:
    """The state an anchor tells of, not recorded yet.

    Raises:
        StateUnreadable: the base is gone.
    """
    session = found.session
    base_tree = commit_links(store.read(session.base).data)[0]
    chain = _readable(store, session.chain)
    tools = tools_of(store)
    owners = Owners(patches=tuple((pid, "open") for pid in session.patches), declared=frozenset(session.declared))
    tree = base_tree
    for bit, oid in enumerate(chain):
        owners = _learn(store, found, owners, tools, tree, bit, oid)
        tree = commit_links(store.read(oid).data)[0]
    for pid, patch in found.patches.items():
        owners = set_state(owners, pid, patch_state(patch.status))
    graph = graph_of(owners)
    trees = {
        pid: edit_tree(store, base_tree, versions(owners, graph.closure(pid) | {pid}, tools)) for pid in session.patches
    }
    return State(
        session=session.model_copy(update={"chain": chain, "patch_in_use": None, "claims": ()}),
        patches=found.patches,
        conflicts=found.conflicts,
        owners=owners,
        work=tree,
        raw=EMPTY_TREE,
        trees=trees,
        sides=_sides(store, found),
    )


def tools_of(store: Store) -> Tools:
    """What the model needs, from this store."""
    return Tools(
        diff=diff_lines,
        merge3=merge_text,
        read=store.blob,
        write=lambda content: store.put("blob", content),
        new_id=lambda: id_from(os.urandom(6)),
    )


def _readable(store: Store, chain: Iterable[str]) -> tuple[str, ...]:
    """The commits of the chain up to the first that is gone."""
    there = []
    for oid in chain:
        try:
            store.read(oid)
        except StateUnreadable:
            break
        there.append(oid)
    return tuple(there)


def _sides(store: Store, found: Anchored) -> dict[str, dict[str, str]]:
    """The blobs of the conflicts, as far as they are still somewhere."""
    sides: dict[str, dict[str, str]] = {}
    for cid, conflict in found.conflicts.items():
        named = {"base": conflict.base, "ours": conflict.ours, "theirs": conflict.theirs, "result": conflict.result}
        oids = {name: side.oid for name, side in named.items() if side is not None and side.oid is not None}
        sides[cid] = {name: oid for name, oid in oids.items() if _readable(store, [oid])}
    return sides


# -- owners of what was committed ------------------------------------------------------------------------------


def _learn(store: Store, found: Anchored, owners: Owners, tools: Tools, before: str, bit: int, oid: str) -> Owners:
    """The owners with one commit of the chain: each patch's part as the series has it, the rest nobody's."""
    after = commit_links(store.read(oid).data)[0]
    base_tree = commit_links(store.read(found.session.base).data)[0]
    now = before
    for pid, edits in _parts(store, found, before, after, oid):
        how = How(current=None, claim=lambda path, pid=pid: pid, tools=tools)  # type: ignore[misc]
        now, owners = _saved(store, owners, now, edits, how)
    rest: _Edits = {change.path: change.after for change in diff_trees(store, now, after)}
    nobody = f"~foreign {oid} {found.session.target}" if oid in found.session.foreign else _UNKNOWN
    how = How(current=None, claim=lambda path: None, tools=tools, nobody=nobody)
    _, owners = _saved(store, owners, now, rest, how)
    paths = [change.path for change in diff_trees(store, before, after)]
    return learn_commit(
        owners,
        bit,
        paths,
        lambda path: file_at(store, after, path),
        lambda path: file_at(store, base_tree, path),
        how,
    ).owners


def _saved(store: Store, owners: Owners, tree: str, edits: _Edits, how: How) -> tuple[str, Owners]:
    """The worktree and the owners after edits that count as one save."""
    wanted = edit_tree(store, tree, edits)
    changes = diff_trees(store, tree, wanted)
    vanished = {c.path: (c.before, None) for c in changes if c.before is not None and c.after is None}
    appeared = {c.path: (c.after, None) for c in changes if c.before is None and c.after is not None}
    kept: list[Change] = [c for c in changes if c.before is not None and c.after is not None]
    return wanted, sort_save(owners, [*kept, *pair_renames(vanished, appeared)], how).owners


def _parts(store: Store, found: Anchored, before: str, after: str, oid: str) -> Iterable[tuple[str, _Edits]]:
    """Each patch's edits in one commit of the chain, in an order in which they can be made one after the other."""
    trees = {}
    for pid, patch in found.patches.items():
        for twin in patch.series:
            if twin.of == oid and _readable(store, [twin.oid]):
                tree, parents = commit_links(store.read(twin.oid).data)
                trees[pid] = (commit_links(store.read(parents[0]).data)[0], tree)
    changed = {pid: [c.path for c in diff_trees(store, *pair)] for pid, pair in trees.items()}
    often = Counter(path for paths in changed.values() for path in paths)
    now = before
    while trees:
        for pid in list(trees):
            edits = _part(store, now, after, trees[pid], {path: often[path] > 1 for path in changed[pid]})
            if edits is not None:
                now = edit_tree(store, now, edits)
                del trees[pid]
                yield pid, edits
                break
        else:
            return  # what is left cannot be told apart


def _part(store: Store, now: str, after: str, part: tuple[str, str], shared: Mapping[bytes, bool]) -> _Edits | None:
    """One patch's edits on top of ``now``; None: another patch's come first."""
    edits: _Edits = {}
    for path, is_shared in shared.items():
        if not is_shared:
            edits[path] = file_at(store, after, path)
            continue
        old, new, ours = file_at(store, part[0], path), file_at(store, part[1], path), file_at(store, now, path)
        if not (_is_file(old) and _is_file(new) and _is_file(ours)):
            continue  # a whole-file fact of several patches: not told apart
        assert old is not None and new is not None and ours is not None
        texts = [store.blob(entry.oid) for entry in (old, ours, new)]
        if any(is_binary(text) for text in texts):
            continue
        merged = merge_text(*texts)
        if merged.conflicts:
            return None
        edits[path] = Entry(ours.mode, store.put("blob", merged.content))
    return edits


def _is_file(entry: Entry | None) -> bool:
    return entry is not None and entry.mode in (REGULAR, EXECUTABLE)


# -- steps without a ref ---------------------------------------------------------------------------------------


def last_steps(store: Store) -> dict[str, str]:
    """The newest step of each session among all commits of our packs, whether a ref names it or not.

    Reads every commit of the store, so it is for repairs only.
    """
    best: dict[str, tuple[int, str]] = {}
    sids: dict[str, str] = {}  # blob of a session.json -> the session's id
    packs = OwnPacks(store.git_dir)
    for name in store.journal.packs():
        for oid in index_oids(os.path.join(store.git_dir, "objects", "pack", name + ".idx")):
            found = _step_of(store, oid, sids) if packs.kind(oid) == "commit" else None
            if found is not None and found[1] > best.get(found[0], (0, ""))[0]:
                best[found[0]] = (found[1], oid)
    return {sid: oid for sid, (_, oid) in best.items()}


def _step_of(store: Store, oid: str, sids: dict[str, str]) -> tuple[str, int] | None:
    """Session and number of a step; None: the commit is none, or cannot be read."""
    try:
        info = read_note(oid, store.read(oid).data)
        record = entry_at(store, info.tree, b"session.json")
        if record is None:
            return None
        if record.oid not in sids:
            sids[record.oid] = decode(Session, store.blob(record.oid), "session.json").id
        return sids[record.oid], info.number
    except StateUnreadable:
        return None

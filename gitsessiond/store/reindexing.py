"""A damaged pack of ours: its index made again, or all that is sound in it taken over (for ``doctor``)."""

from __future__ import annotations

import os

from gitsessiond.model.errors import StateUnreadable
from gitsessiond.store.git import run_git
from gitsessiond.store.layout import disk_errors, set_aside
from gitsessiond.store.objects import oid_of, pack_entry
from gitsessiond.store.ours import OwnPacks
from gitsessiond.store.packs import index_oids
from gitsessiond.store.store import Store

_AT_ONCE = 32 * 1024 * 1024  # bytes of one transaction


def replace_damaged(store: Store, name: str) -> str:
    """Put something sound in the place of the pack ``name``; returns words for what was done.

    A sound pack gets a new index. Of a garbled one every object that is what its id says goes into the journal;
    then it is set aside, beside the packs, and is in nobody's way.

    Raises:
        StoreFailed: the disk refused.
    """
    directory = os.path.join(store.git_dir, "objects", "pack")
    pack, index = os.path.join(directory, name + ".pack"), os.path.join(directory, name + ".idx")
    if _reindexed(store.git_dir, pack, index):
        store.reopen_packs()
        return "its index was made again"
    listed = _listed(index)
    taken = _take_over(store, listed)
    with disk_errors("a damaged pack cannot be set aside"):
        aside = set_aside(pack)
        if os.path.exists(index):
            os.rename(index, f"{aside}.index")  # not .idx: git would look for its pack
    store.journal.replace_packs([name], {})
    store.reopen_packs()
    return f"{taken} of its {len(listed)} objects were taken over; it is now {aside}"


def _reindexed(git_dir: str, pack: str, index: str) -> bool:
    """Whether git could make the index again: the pack itself is sound."""
    draft = os.path.join(os.path.dirname(pack), "tmp_idx_again")
    if run_git(["index-pack", "--no-rev-index", "-o", draft, pack], git_dir=git_dir, check=False).code != 0:
        return False
    with disk_errors("the index cannot be replaced"):
        os.replace(draft, index)
    return True


def _take_over(store: Store, oids: list[str]) -> int:
    """Write every object that can still be read into the journal; how many."""
    packs, sound, size, taken = OwnPacks(store.git_dir), dict[str, bytes](), 0, 0
    for oid in oids:
        try:
            found = packs.read(oid)
        except StateUnreadable:
            continue
        if found is None or oid_of(*found) != oid or oid in store.journal:
            continue
        sound[oid] = pack_entry(*found)
        size += len(sound[oid])
        taken += 1
        if size > _AT_ONCE:
            store.journal.append(sound, [])
            sound, size = {}, 0
    if sound:
        store.journal.append(sound, [])
    return taken


def _listed(index: str) -> list[str]:
    """The objects an index lists; none if it is damaged."""
    try:
        return index_oids(index)
    except StateUnreadable:
        return []

"""What store.git holds - packs and refs as of the last checkpoint - and how the journal's content comes there."""

from __future__ import annotations

import os
from collections.abc import Mapping

from gitsessiond.store.housekeeping import CHECKPOINT_RECORDS, MANY_PACKS, Job, Packer, packs_to_merge
from gitsessiond.store.journal import Journal
from gitsessiond.store.layout import disk_errors, follow_shallow, read_refs, remove_refs, sync_refs
from gitsessiond.store.ours import OwnPacks
from gitsessiond.store.packs import pack_records, remove_pack
from gitsessiond.store.refs import RefMove, move_refs


class Packed:
    """The packed part of a store. ``gone``: packs of the manifest that are not there."""

    def __init__(self, git_dir: str, common_dir: str, journal: Journal) -> None:
        self.git_dir, self._common_dir, self.journal = git_dir, common_dir, journal
        self._pack_directory = os.path.join(git_dir, "objects", "pack")
        self.packer = Packer()
        self.objects = OwnPacks(git_dir)
        self.refs, self.bad_refs = read_refs(git_dir)
        self.gone = self._take_stock()

    def checkpoint(self) -> None:
        """Bring everything recorded into packs and refs of store.git, where plain git reads it, before returning.

        Raises:
            StateUnreadable: an object of the journal is garbled.
            StoreFailed: the disk or git refused; nothing is lost, and the next checkpoint tries again.
        """
        if self.packer.running():
            self._finish()
        record = self.journal.last_record
        with disk_errors("the journal cannot be packed"):
            name = pack_records(self.journal.path, record, self._pack_directory)
        self._settle(record, {name: 0} if name else {})

    def tend(self, *, quiet: bool = False) -> bool:
        """Upkeep for idle moments: starts packing children and takes what they made, and never waits.

        Args:
            quiet: nothing was recorded for a while: time for a checkpoint of a few records, and to merge packs.

        Returns:
            Whether there is more of it, so that it is worth calling again soon.

        Raises:
            StateUnreadable, StoreFailed: packing failed; nothing is lost.
        """
        if self.packer.running():
            if self.packer.done():
                self._finish()
            return True
        waiting, packs = self.journal.waiting(), self.journal.packs()
        merge = packs_to_merge(packs) if quiet or len(packs) >= MANY_PACKS else None
        if waiting >= CHECKPOINT_RECORDS or (waiting and quiet):
            record = self.journal.last_record
            words = ("records", self.journal.path, str(record), self._pack_directory)
            self.packer.start(Job(words, record))
        elif merge is not None:
            names, level = merge
            self.packer.start(Job(("merge", self.git_dir, *names), None, names, level))
        return self.packer.running()

    def _finish(self) -> None:
        """Take what the packing child made."""
        job, name = self.packer.result()
        if job.record is not None:
            self._settle(job.record, {name: 0} if name else {})
            return
        assert name is not None
        self.journal.replace_packs(job.packs, {name: job.level})
        self.objects.reopen()
        with disk_errors("old packs cannot be removed"):
            for old in job.packs:
                if old != name:
                    remove_pack(self._pack_directory, old)

    def _settle(self, record: int, packs: Mapping[str, int]) -> None:
        """The end of a checkpoint, once its pack is on the disk: refs, then a transaction empties the journal."""
        with disk_errors("store.git cannot be written"):
            follow_shallow(self._common_dir, self.git_dir)
        moved = self.journal.moves_up_to(record)
        move_refs(
            self.git_dir,
            [RefMove(name, self.refs.get(name), new) for name, new in moved.items() if self.refs.get(name) != new],
            "checkpoint",
            compare=False,
        )
        with disk_errors("store.git cannot be written"):
            sync_refs(self.git_dir, moved)
        self.objects.look_again()
        self.journal.forget(record, packs)
        self.refs, self.bad_refs = read_refs(self.git_dir)

    def _take_stock(self) -> list[str]:
        """Enter packs the manifest does not know (a crash, a lost journal); return those that are not whole.

        A pack without its index that the manifest does not know was never finished.
        """
        names = set(os.listdir(self._pack_directory))
        packs = {name.removesuffix(".pack") for name in names if name.endswith(".pack")}
        there = {name for name in packs if name + ".idx" in names}
        known = self.journal.packs()
        with disk_errors("an unfinished pack cannot be removed"):
            for name in packs - there - known.keys():
                os.unlink(os.path.join(self._pack_directory, name + ".pack"))
        if there - known.keys():
            self.journal.replace_packs((), dict.fromkeys(there - known.keys(), 0))
        return sorted(known.keys() - there)

    def give_up_lost(self) -> None:
        """Go on without the packs and refs that are lost."""
        self.journal.replace_packs(self.gone, {})
        remove_refs(self.git_dir, self.bad_refs)
        self.gone, self.bad_refs = [], []

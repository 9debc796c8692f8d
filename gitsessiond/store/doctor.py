"""``doctor``: is everything there that must be, and can what is not be made again?

Each check looks at one thing and, when asked to, repairs it (docs/format.md, "What a crash leaves").
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime

from gitsessiond.model.errors import GitSessionError, NewerState, StateUnreadable, disk_refused
from gitsessiond.store.doctor_sessions import check_anchors, check_history, check_own_objects, check_sessions
from gitsessiond.store.git import run_git
from gitsessiond.store.intents import damaged_intents
from gitsessiond.store.layout import set_aside
from gitsessiond.store.objects import oid_of, read_entry
from gitsessiond.store.patient import Check, Patient
from gitsessiond.store.reindexing import replace_damaged
from gitsessiond.store.store import HasDirs, Store

__all__ = ["Check", "examine"]


def examine(store: Store, repository: HasDirs, *, fix: bool = False, now: datetime | None = None) -> list[Check]:
    """Look at everything, in the order in which repairs build on each other."""
    patient = Patient(store, repository, fix, now or datetime.now(UTC))
    checks: list[tuple[str, Callable[[Patient], Check]]] = [
        ("journal", _journal),
        ("packs", _packs),
        ("objects of the repository", _empty_objects),
        ("sessions", check_sessions),
        ("anchors", check_anchors),
        ("history", check_history),
        ("own objects", check_own_objects),
        ("locks", _locks),
        ("landings", _landings),
        ("worktrees", _worktrees),
    ]
    found = []
    for name, check in checks:
        try:
            found.append(check(patient))
        except NewerState:
            raise
        except GitSessionError as exc:
            found.append(Check(name, False, exc.message))
        except OSError as exc:  # the user's git goes on meanwhile: a file may go while it is looked at
            found.append(Check(name, False, disk_refused("it could not be looked at", exc).message))
        finally:
            store.drop_pending()
    return found


def _journal(patient: Patient) -> Check:
    """Every object that waits for a checkpoint is what its id says."""
    journal = patient.store.journal
    wrong = []
    if (words := journal.check()) is not None:
        wrong.append(f"the journal is damaged: {words}")
    for oid in journal:
        entry = journal.entry(oid)
        try:
            if entry is None or oid_of(*read_entry(entry, oid)) != oid:
                wrong.append(f"object {oid} of the journal is garbled")
        except StateUnreadable as exc:
            wrong.append(exc.message)
    right = f"{journal.waiting()} records, {len(journal)} objects"
    return patient.verdict("journal", wrong, right, fixed=False)


def _packs(patient: Patient) -> Check:
    """All packs are there and undamaged; what is lost is given up when asked to."""
    store = patient.store
    wrong, mended = list(store.damage), False
    directory = os.path.join(store.git_dir, "objects", "pack")
    for name in store.journal.packs():
        words = _fault(os.path.join(directory, name))
        if words is not None and patient.fix:
            words += f"; {replace_damaged(store, name)}"
            mended = True
        if words is not None:
            wrong.append(f"{name} {words}")
    if store.damage and patient.fix:
        store.give_up_lost()
        mended = True
    return patient.verdict("packs", wrong, f"{len(store.journal.packs())} packs", fixed=mended)


def _fault(path: str) -> str | None:
    """What is wrong with a pack and its index; None: nothing, or it is gone and that is told already."""
    if not os.path.exists(path + ".pack"):
        return None
    if not _sums_up(path + ".pack"):
        return "is garbled"
    return None if _sums_up(path + ".idx") else "has a garbled index"


def _sums_up(path: str) -> bool:
    """Whether a pack ends in the checksum of what is before it."""
    found = hashlib.sha1(usedforsecurity=False)
    try:
        with open(path, "rb") as file:
            left = os.fstat(file.fileno()).st_size - 20
            while left > 0:
                piece = file.read(min(left, 1 << 20))
                if not piece:
                    return False
                found.update(piece)
                left -= len(piece)
            return file.read() == found.digest()
    except OSError:
        return False


def _empty_objects(patient: Patient) -> Check:
    """Zero-length loose objects of a power cut: git takes them for the object and fails. Removed, and put back."""
    objects = os.path.join(patient.repository.common_dir, "objects")
    empty = []
    for fan in os.scandir(objects):
        if len(fan.name) == 2 and fan.is_dir():
            # git's own drafts (tmp_obj_...) have other names; its gc removes them
            empty += [fan.name + o.name for o in os.scandir(fan.path) if len(o.name) == 38 and o.stat().st_size == 0]
    if patient.fix:
        for oid in empty:
            patient.store.in_repository(oid)  # removes an empty file
        patient.store.to_repository([oid for oid in empty if patient.store.own_has(oid)])
    return patient.verdict(
        "objects of the repository", [f"object {oid} is empty" for oid in sorted(empty)], "no empty object files"
    )


def _locks(patient: Patient) -> Check:
    """No lock of a killed git blocks our refs in the repository."""
    left = []
    for directory, _, names in os.walk(os.path.join(patient.repository.common_dir, "refs", "gitsession")):
        for name in names:
            path = os.path.join(directory, name)
            if name.endswith(".lock") and patient.now.timestamp() - os.stat(path).st_mtime > 60:
                left.append(path)
                if patient.fix:
                    os.unlink(path)
    wrong = [f"{path} was left behind" for path in left]
    return patient.verdict("locks", wrong, "no lock file of a git that was killed is on our refs")


def _landings(patient: Patient) -> Check:
    """Landings that were begun can be read, so that the next start can finish or drop them."""
    left = []
    for path, words in damaged_intents(patient.repository.state_dir):
        done = f"; it is now {set_aside(path)}" if patient.fix else ""
        left.append(words + done)
    return patient.verdict("landings", left, "no landing is left half-done")


def _worktrees(patient: Patient) -> Check:
    """git itself can read HEAD, index and ignore rules of every worktree; what it cannot, it is to mend."""
    wrong = []
    common_dir = patient.repository.common_dir
    listed = os.fsdecode(run_git(["worktree", "list", "--porcelain", "-z"], cwd=common_dir).out)
    paths = [line.removeprefix("worktree ") for line in listed.split("\0") if line.startswith("worktree ")]
    for path in paths:
        if os.path.isdir(path):
            told = run_git(["--no-optional-locks", "status", "--porcelain", "--ignored=no"], cwd=path, check=False)
            if told.code != 0:
                wrong.append(f"git cannot read {path}: {told.words()}")
    right = "git can read the only one" if len(paths) == 1 else f"git can read all {len(paths)}"
    return patient.verdict("worktrees", wrong, right, fixed=False)

"""The directories of our state: made, checked, and their refs read (docs/format.md, "Layout")."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from gitsessiond.model.errors import NewerState, StateUnreadable, disk_refused
from gitsessiond.store.git import run_git

FORMAT = 1

Item = TypeVar("Item")
_OID = re.compile(r"^[0-9a-f]{40}$")
_LOCK_TIME = 1.0  # seconds; a checkpoint's `git update-ref` takes a few milliseconds

_CONFIG = (
    b"[core]\n\tlogAllRefUpdates = false\n[gc]\n\tauto = 0\n"
    b"[maintenance]\n\tauto = false\n[receive]\n\tautogc = false\n"
)


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """The operating system's refusals as ours.

    Raises:
        StoreFailed: with what it said.
    """
    try:
        yield
    except OSError as exc:
        raise disk_refused(what, exc) from exc


def prepare(state_dir: str, common_dir: str, *, repair: bool = False) -> None:
    """Make the state directory and store.git unless they are there.

    Args:
        repair: a format file that holds no number is written anew; what is left of a store.git without its
            objects is set aside.

    Raises:
        StateUnreadable: the state is damaged.
        NewerState: it is of a newer format.
        StoreFailed: git refused.
        OSError: the disk refused.
    """
    for directory in (state_dir, os.path.join(state_dir, "intents")):
        os.makedirs(directory, mode=0o700, exist_ok=True)
    _check_format(os.path.join(state_dir, "format"), repair)
    store = os.path.join(state_dir, "store.git")
    if os.path.lexists(store) and not os.path.isdir(os.path.join(store, "objects", "pack")):
        if not repair:
            raise StateUnreadable(f"{store} is no longer a repository", hint="git session doctor")
        set_aside(store)
    if not os.path.isdir(store):
        _create(store, os.path.join(common_dir, "objects"))
    _remove_drafts(state_dir, os.path.join(store, "objects", "pack"))
    _remove_locks(store)


def set_aside(path: str) -> str:
    """Give something damaged another name, so that nothing of it is lost; returns that name."""
    number = 1
    while os.path.lexists(f"{path}.damaged-{number}"):
        number += 1
    os.rename(path, f"{path}.damaged-{number}")
    return f"{path}.damaged-{number}"


def _check_format(path: str, repair: bool) -> None:
    """Read the format's number, or write it where there is none yet."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            found = file.read().strip()
    except FileNotFoundError:
        write_durably(path, f"{FORMAT}\n".encode())
        return
    if not found.isdecimal() and repair:
        write_durably(path, f"{FORMAT}\n".encode())
    elif not found.isdecimal():
        raise StateUnreadable(f"{path} holds {found[:20]!r}, not a format number", hint="git session doctor")
    elif int(found) > FORMAT:
        raise NewerState(
            f"the state has format {found}; this gitsessiond knows {FORMAT}",
            hint="install a newer gitsessiond",
        )


def _create(store: str, objects: str) -> None:
    """Make store.git whole under another name, then rename it: a crash leaves none or a good one.

    Always the "files" ref format and SHA-1, whatever the user's defaults are. The alternates are for plain
    git that reads the store; we read and write without them.
    """
    draft = f"{store}.new-{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    env = {"GIT_DEFAULT_REF_FORMAT": "files", "GIT_DEFAULT_HASH": "sha1"}
    run_git(["init", "-q", "--bare", "--template=", draft], env=env)
    with open(os.path.join(draft, "config"), "ab") as config:
        config.write(_CONFIG)
    os.makedirs(os.path.join(draft, "objects", "info"), exist_ok=True)
    os.makedirs(os.path.join(draft, "refs", "sessions"), exist_ok=True)
    back = os.path.relpath(os.path.realpath(objects), os.path.realpath(os.path.join(draft, "objects")))
    write_durably(os.path.join(draft, "objects", "info", "alternates"), os.fsencode(back) + b"\n")
    for directory, _, names in os.walk(draft):
        for name in names:
            sync(os.path.join(directory, name))
        sync(directory)
    try:
        os.rename(draft, store)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not os.path.isdir(store):  # else another process was quicker
            raise
    sync(os.path.dirname(store))


def _remove_drafts(state_dir: str, packs: str) -> None:
    """Remove what a killed process left half-written. Only the one writer calls this, before it writes."""
    for name in os.listdir(state_dir):
        if name.startswith("store.git.new-"):
            shutil.rmtree(os.path.join(state_dir, name), ignore_errors=True)
    for name in os.listdir(packs):  # a pack without its index is no draft: it may be one whose index was lost
        if name.startswith(("tmp_", ".tmp-")):
            os.unlink(os.path.join(packs, name))


def _remove_locks(store: str) -> None:
    """Remove ref locks of a git that was killed in our store; one that may yet be at work is given its
    time.
    """
    directories = [store, *(at for at, _, _ in os.walk(os.path.join(store, "refs")))]
    locks = [entry.path for at in directories for entry in os.scandir(at) if entry.name.endswith(".lock")]
    for lock in locks:
        try:
            while time.time() - os.stat(lock).st_mtime < _LOCK_TIME:
                time.sleep(0.05)
            os.unlink(lock)
        except FileNotFoundError:
            pass  # it was at work, and is done


def shallow_ends(common_dir: str) -> frozenset[str]:
    """The commits at which a shallow clone's history ends: git does not ask for their parents."""
    try:
        with open(os.path.join(common_dir, "shallow"), encoding="ascii") as file:
            return frozenset(file.read().split())
    except FileNotFoundError:
        return frozenset()


def follow_shallow(common_dir: str, store: str) -> None:
    """Tell plain git that reads the store where a shallow clone ends."""
    ours = os.path.join(store, "shallow")
    try:
        with open(os.path.join(common_dir, "shallow"), "rb") as file:
            wanted = file.read()
    except FileNotFoundError:
        if os.path.exists(ours):
            os.unlink(ours)
        return
    try:
        with open(ours, "rb") as file:
            if file.read() == wanted:
                return
    except FileNotFoundError:
        pass  # written now
    write_durably(ours, wanted)


def read_refs(git_dir: str) -> tuple[dict[str, str], list[str]]:
    """All refs of store.git (format "files"), and the names of those that are damaged.

    Read here and not by libgit2, which passes over a damaged file as if there were none.
    """
    refs: dict[str, str] = {}
    damaged: list[str] = []
    try:
        with open(os.path.join(git_dir, "packed-refs"), encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                if not line.startswith(("#", "^")):
                    oid, _, name = line.rstrip("\n").partition(" ")
                    refs[name] = oid
    except FileNotFoundError:
        pass  # no git ever packed them
    for at, _, names in os.walk(os.path.join(git_dir, "refs")):
        for path in (os.path.join(at, name) for name in names if not name.endswith(".lock")):
            with open(path, encoding="ascii", errors="replace") as file:
                refs[os.path.relpath(path, git_dir)] = file.read().rstrip("\n")
    for name in [name for name, oid in refs.items() if not _OID.match(oid)]:
        damaged.append(name)
        del refs[name]
    return refs, damaged


def remove_refs(git_dir: str, names: Iterable[str]) -> None:
    """Remove the files of damaged refs."""
    with disk_errors("a damaged ref cannot be removed"):
        for name in names:
            os.unlink(os.path.join(git_dir, name))


def sync_refs(git_dir: str, names: Iterable[str]) -> None:
    """Make renames of ref files durable: git syncs the files, not the directories they are in."""
    for directory in {os.path.dirname(os.path.join(git_dir, name)) for name in names}:
        if os.path.isdir(directory):  # git removes a directory with its last ref
            sync(directory)
    sync(os.path.join(git_dir, "refs"))
    sync(git_dir)


def write_durably(path: str, data: bytes) -> None:
    """Write a small file whole or not at all: draft, sync, rename, sync of its directory."""
    _replace(path, f"{path}.tmp-{os.getpid()}", data, 0o666, synced=True)
    sync(os.path.dirname(path))


def write_whole(path: str, data: bytes, *, mode: int = 0o666, synced: bool = False) -> None:
    """Write a small file whole or not at all, for one writer; a machine that fails may lose it, as it may the rename.

    ``mode``: rights of a file, less the umask. ``synced``: what is lost then is no more than the rename.
    """
    _replace(path, f"{path}.new", data, mode, synced=synced)


def _replace(path: str, draft: str, data: bytes, mode: int, *, synced: bool) -> None:
    """Draft and rename."""
    with open(draft, "wb", opener=partial(os.open, mode=mode)) as file:
        file.write(data)
        if synced:
            file.flush()
            os.fsync(file.fileno())
    os.replace(draft, path)


def sync(path: str) -> None:
    """fsync a file or directory by its path."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def at_once(act: Callable[[Item], None], items: Collection[Item]) -> None:
    """Do the same to all; side by side, as syncs then share one flush.

    What fails is raised once none is at work any more: their files are closed then.
    """
    if len(items) < 2:
        for item in items:
            act(item)
        return
    with ThreadPoolExecutor(max_workers=min(16, len(items))) as pool:
        begun = [pool.submit(act, item) for item in items]
    for one in begun:
        one.result()

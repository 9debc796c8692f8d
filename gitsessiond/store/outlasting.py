"""Objects kept through a ``git gc --prune=now`` that runs beside us.

Such a gc takes what no ref named when it began, however new, and may do so long after a ref names it. What a landing
made is in memory until it is recorded, and what a step names is in the store: it is looked for once a ref names it,
again when that gc has ended, and put back (git-gc(1), NOTES: git itself has no protection here). A gc that keeps new
objects is not waited for.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from gitsessiond.model.errors import Moved, StoreFailed
from gitsessiond.store.git import run_git
from gitsessiond.store.refs import RefMove, move_refs

LONGEST = 10.0  # seconds
TAKEN_TIMES = 5  # how often to begin again: a gc in a loop takes objects more than once
# What git says when a prune takes a file it is about to name, its directory, or what it has just been handed
# (builtin/prune.c, prune_cruft; object-file.c, finalize_object_file).
TAKEN = re.compile("unable to (write|create temporary) file|not a valid (object|'tree')")
RECENT = 5.0  # seconds after which packs that came or went tell of no gc that may come again
HELD = "refs/gitsession/held/"


@contextmanager
def held(common_dir: str, oid: str, put_back: Callable[[], object]) -> Iterator[None]:
    """While a gc prunes, or did so just now, an object and what it reaches are kept by a ref."""
    if pruning_gc(common_dir) is None and not packed_just_now(common_dir):
        yield
        return
    name = HELD + oid
    for left in reversed(range(TAKEN_TIMES)):
        put_back()
        try:
            move_refs(common_dir, [RefMove(name, None, oid)], "gitsession: held", compare=False)
            break
        except StoreFailed:
            if not left:
                raise
    try:
        outlast_gc(common_dir, put_back)
        yield
    finally:
        let_go(common_dir, [name])


def sweep_held(common_dir: str) -> None:
    """Let go what killed commands left held, unless a gc prunes just now.

    Raises:
        StoreFailed: git is not there, or failed.
    """
    if pruning_gc(common_dir) is None:
        listed = run_git(["for-each-ref", "--format=%(refname)", HELD], git_dir=common_dir).out
        let_go(common_dir, os.fsdecode(listed).splitlines())


def let_go(common_dir: str, names: Sequence[str]) -> None:
    """Remove refs that held something; one that cannot be removed now fails nothing, and is swept at a later start."""
    with suppress(StoreFailed, Moved):
        move_refs(common_dir, [RefMove(name, None, None) for name in names], "gitsession: done", compare=False)


def packed_just_now(common_dir: str) -> bool:
    """Whether packs came or went in the last seconds."""
    try:
        return time.time() - os.stat(os.path.join(common_dir, "objects", "pack")).st_mtime < RECENT
    except OSError:
        return False


def outlast_gc(common_dir: str, put_back: Callable[[], object]) -> None:
    """Have objects in the repository, also after a gc that is pruning now; ``put_back`` writes those that lack.

    Raises:
        StoreFailed: the disk refused.
    """
    until = time.monotonic() + LONGEST
    while True:
        pruning = pruning_gc(common_dir)
        put_back()
        if pruning is None or time.monotonic() > until:
            return
        while pruning_gc(common_dir) == pruning and time.monotonic() < until:
            time.sleep(0.01)


def pruning_gc(common_dir: str) -> bytes | None:
    """What tells one gc under way from another, if it was told when to prune; None: none is."""
    try:
        with open(os.path.join(common_dir, "gc.pid"), "rb") as file:
            named = file.read()
        with open(b"/proc/%d/cmdline" % int(named.split()[0]), "rb") as file:
            return named if b"--prune" in file.read() else None
    except (OSError, ValueError, IndexError):
        return None  # it ended, or another machine's

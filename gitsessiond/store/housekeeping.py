"""When to pack, and the child that does it (docs/format.md, "Packs").

Checkpoints make packs of level 0; four packs of one level become one of the next. So there are never more
than three of a level, and a pack is rewritten once for each fourfold growth. Nothing here waits.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gitsessiond.model.errors import StoreFailed
from gitsessiond.store.git import GitResult

CHECKPOINT_RECORDS = 500
MERGE_AT = 4
MANY_PACKS = 16  # from here on packs are merged even while saves come in
MOST_PACKS = 50  # what git's own gc.autoPackLimit takes for too many


class Job(NamedTuple):
    """What a packing child was asked to do."""

    words: tuple[str, ...]  # its command line, after the module's name
    record: int | None  # records up to this one; None: a merge of packs
    packs: tuple[str, ...] = ()  # the packs that are to become one
    level: int = 0  # of the pack it makes


class Aside:
    """A process of ours (not git) that works beside the writer and prints one result."""

    def __init__(self, words: Sequence[str]) -> None:
        """Start it, in a process group of its own.

        Raises:
            StoreFailed: no process can be started.
        """
        try:
            self._child = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                process_group=0,
            )
        except OSError as exc:
            raise StoreFailed(f"no process can be started: {exc}", hint="git session doctor") from exc
        self.pid = self._child.pid

    def done(self) -> bool:
        """Whether it has ended."""
        return self._child.poll() is not None

    def result(self) -> GitResult:
        """Wait for its end; what it printed."""
        out, err = self._child.communicate()
        return GitResult(self._child.returncode, out, err)


class Packer:
    """At most one packing child at a time."""

    def __init__(self) -> None:
        self.child: Aside | None = None
        self.job: Job | None = None

    def start(self, job: Job) -> None:
        """Start a child on ``job``; there must be none.

        Raises:
            StoreFailed: no process can be started.
        """
        assert self.child is None, "one packing child at a time"
        self.child = Aside([sys.executable, "-P", "-m", "gitsessiond.store.packs", *job.words])
        self.job = job

    def running(self) -> bool:
        """Whether a child is at work, or has ended and was not yet asked for its result."""
        return self.child is not None

    def done(self) -> bool:
        """Whether the child has ended."""
        return self.child is not None and self.child.done()

    def result(self) -> tuple[Job, str | None]:
        """Wait for the child; its job, and the name of the pack it made (None: there was nothing to pack).

        Raises:
            StoreFailed: it failed; what it says is in the message.
        """
        assert self.child is not None and self.job is not None
        found, job = self.child.result(), self.job
        self.child, self.job = None, None
        if found.code != 0:
            raise StoreFailed(f"packing failed: {found.words() or f'exit {found.code}'}", hint="git session doctor")
        return job, found.out.decode("ascii").strip() or None


def packs_to_merge(levels: Mapping[str, int]) -> tuple[tuple[str, ...], int] | None:
    """The packs to make one of, and its level; the lowest level that has four, or everything when too
    many.
    """
    for level in sorted(set(levels.values())):
        names = tuple(sorted(name for name, at in levels.items() if at == level))
        if len(names) >= MERGE_AT:
            return names, level + 1
    if len(levels) >= MOST_PACKS:
        return tuple(sorted(levels)), max(levels.values()) + 1
    return None

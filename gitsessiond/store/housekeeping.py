"""When to pack, and the child that does it (docs/format.md, "Packs").

Checkpoints make packs of level 0; four packs of one level become one of the next. So there are never more
than three of a level, and a pack is rewritten once for each fourfold growth. Nothing here waits.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import NamedTuple

from gitsessiond.model.errors import StoreFailed

CHECKPOINT_RECORDS = 500
MERGE_AT = 4
MOST_PACKS = 50  # what git's own gc.autoPackLimit takes for too many


class Job(NamedTuple):
    """What a packing child was asked to do."""

    words: tuple[str, ...]  # its command line, after the module's name
    record: int | None  # records up to this one; None: a merge of packs
    packs: tuple[str, ...] = ()  # the packs that are to become one
    level: int = 0  # of the pack it makes


class Packer:
    """At most one packing child at a time."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self.job: Job | None = None

    def start(self, job: Job) -> None:
        """Start a child on ``job``; there must be none.

        Raises:
            StoreFailed: no process can be started.
        """
        assert self._child is None, "one packing child at a time"
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "gitsessiond.store.packs", *job.words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                process_group=0,
            )
        except OSError as exc:
            raise StoreFailed(f"no packing process can be started: {exc}", hint="git session doctor") from exc
        self.job = job

    def running(self) -> bool:
        """Whether a child is at work, or has ended and was not yet asked for its result."""
        return self._child is not None

    def done(self) -> bool:
        """Whether the child has ended."""
        return self._child is not None and self._child.poll() is not None

    def result(self) -> tuple[Job, str | None]:
        """Wait for the child; its job, and the name of the pack it made (None: there was nothing to pack).

        Raises:
            StoreFailed: it failed; what it says is in the message.
        """
        assert self._child is not None and self.job is not None
        child, job = self._child, self.job
        out, err = child.communicate()
        self._child, self.job = None, None
        if child.returncode != 0:
            words = err.decode("utf-8", "replace").strip() or f"exit {child.returncode}"
            raise StoreFailed(f"packing failed: {words}", hint="git session doctor")
        return job, out.decode("ascii").strip() or None


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

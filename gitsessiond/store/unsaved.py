"""Which files an editor has changes of that were not saved, as far as locks beside them tell (docs/editors.md).

Editors that leave nothing beside a file are not seen. What a process that ended left behind does not count.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import NamedTuple

from gitsessiond.model.opened import judged
from gitsessiond.model.swapfiles import file_of, lock_of
from gitsessiond.store.editors import process_of, read_lock, times_of


class Unsaved(NamedTuple):
    """A file with changes that only an editor has."""

    path: bytes
    program: str  # ``vim``; ``an editor`` where nothing tells


def unsaved_among(root: str, paths: Iterable[bytes]) -> list[Unsaved]:
    """Those of these paths, from a worktree's root, that an editor has changes of."""
    out, listed = [], dict[bytes, list[bytes]]()
    for path in sorted(paths):
        directory, name = os.path.split(os.path.join(os.fsencode(root), path))
        if directory not in listed:
            listed[directory] = _names(directory)
        program = _program(directory, name, listed[directory])
        if program is not None:
            out.append(Unsaved(path, program))
    return out


def _names(directory: bytes) -> list[bytes]:
    """The hidden names of a directory; none where it cannot be read."""
    try:
        return [name for name in os.listdir(directory) if name.startswith(b".")]
    except OSError:
        return []


def _program(directory: bytes, name: bytes, hidden: Iterable[bytes]) -> str | None:
    """What has changes of one file; None: nothing is known to."""
    for beside in hidden:
        lock = lock_of(beside)
        if lock is None or name not in (lock.name, b"." + lock.name):
            continue
        found = read_lock(os.path.join(directory, beside), lock.kind)
        if found is None or file_of(lock, found.said) != name:
            continue
        times = times_of(found, os.path.join(directory, name))
        one = judged(lock.kind, found.said, process_of(found.said.pid), socket.gethostname(), times)
        if one.is_there and one.modified:
            return one.program or "an editor"
    return None

"""Which files an editor has open with changes that were not saved, as far as files beside them tell.

- vim, Neovim where it keeps its swap files there, nano: ``.NAME.swp`` (``.swo``, ...), whose first block says who has
  the file open and, at byte 1007, whether it was changed since it was saved;
- emacs, joe, jed, mcedit: a dangling link ``.#NAME`` to ``USER@HOST.PID``, there while the text is changed;
- Kate: ``.NAME.kate-swp``, there while the text is changed.

Editors that leave nothing beside a file are not seen. What a process that ended left behind does not count.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable
from typing import NamedTuple

_DIRTY, _AT = 0x55, 1007  # vim's memline.c, b0_dirty; nano's files.c, write_lockfile
_SWAP = re.compile(rb"sw[a-p]")


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
        at = os.path.join(directory, beside)
        if beside == b".#" + name:
            return _by_link(at)
        if beside == b"." + name + b".kate-swp":
            return "kate"
        if beside.startswith(b"." + name + b".") and _SWAP.fullmatch(beside[len(name) + 2 :]):
            found = _by_swap(at, os.path.join(directory, name))
            if found is not None:
                return found
    return None


def _by_link(at: bytes) -> str | None:
    """Who made a lock link in the manner of emacs."""
    try:
        target = os.readlink(at)
    except OSError:
        return None
    who, _, pid = target.partition(b":")[0].rpartition(b".")
    host = who.rpartition(b"@")[2]
    if not pid.isdigit():
        return None
    return _running(int(pid), host.decode("utf-8", "replace")) or (
        None if host == socket.gethostname().encode() else "an editor"
    )


def _by_swap(at: bytes, beside: bytes) -> str | None:
    """Who holds a swap file that says the text was changed."""
    try:
        with open(at, "rb") as file:
            block = file.read(1024)
            written = os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return None
    if len(block) <= _AT or block[:2] != b"b0" or block[_AT] != _DIRTY:
        return None
    version = block[2:12].rstrip(b"\0").decode("ascii", "replace")
    if version.startswith("nano") and not _newer(written, beside):
        return None  # nano leaves the mark when it saves
    host = block[68:108].partition(b"\0")[0].decode("utf-8", "replace")
    here = host in ("", socket.gethostname())
    running = _running(int.from_bytes(block[24:28], "little"), host)
    return running or (None if here else version.split(" ")[0].lower() or "an editor")


def _newer(written: int, beside: bytes) -> bool:
    """Whether a file's lock was written after the file."""
    try:
        return written > os.stat(beside).st_mtime_ns
    except OSError:
        return True


def _running(pid: int, host: str) -> str | None:
    """The name of a process of this machine; None: there is none, or it is another machine's."""
    if host not in ("", "here", socket.gethostname()):
        return None
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip() or "an editor"
    except OSError:
        return None

"""The files that editors leave beside a file while they have it open: their names, and what their bytes say. Pure.

Whoever can write into a worktree can make such a file, so nothing here believes more than it reads: any bytes give a
value or None, texts are cut and have no control characters, and a number is a pid only if it can be one.
The formats and where they were seen are in docs/editors.md.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Kind = Literal["swap", "link", "kate", "office"]

BLOCK = 1024  # bytes of a swap file that are read; vim's first page is four times as long
LONGEST_LINK = 512  # bytes of a lock link's target
LONGEST_LINE = 1024  # bytes of LibreOffice's lock
LONGEST_TEXT = 64
MOST_PID = (1 << 31) - 1  # pid_t

_SWAP = re.compile(rb"\.?(?P<name>.+)\.sw[a-p]", re.DOTALL)
_KATE = re.compile(rb"\.(?P<name>.+)\.kate-swp", re.DOTALL)
_OFFICE = re.compile(rb"\.~lock\.(?P<name>.+)#", re.DOTALL)
_KATE_HEAD = b"\0\0\0\x12Kate Swap File 2.0"
_IDS = (b"b0", b"bc", b"bC", b"bd")  # the last three: encrypted, but for this block
_DIRTY, _DIRTY_AT = 0x55, 1007
_GIO = re.compile(rb"\.goutputstream-[A-Z0-9]{6}")
_NAMES: tuple[tuple[Kind, re.Pattern[bytes]], ...] = (("office", _OFFICE), ("kate", _KATE), ("swap", _SWAP))


class Lock(NamedTuple):
    """What a name says: whose manner it is, and the name of the file it is of."""

    kind: Kind
    name: bytes


class Said(NamedTuple):
    """What the bytes of a lock say. None: they do not."""

    program: str | None = None
    pid: int | None = None
    user: str | None = None
    host: str | None = None
    modified: bool | None = None
    file: bytes | None = None  # as the editor calls it: absolute, or with ``~`` or ``~user``


def lock_of(name: bytes) -> Lock | None:
    """What a name in a directory is the lock of; None: of nothing."""
    if not name.startswith(b".") or len(name) < 4:
        return None
    if name.startswith(b".#"):
        return Lock("link", name[2:])
    for kind, pattern in _NAMES:
        found = pattern.fullmatch(name)
        if found is not None:
            return Lock(kind, found["name"])
    return None


def is_lock(path: bytes) -> bool:
    """Whether a path may be an editor's lock; most are not, and are told so soon."""
    at = path.rfind(b"/") + 1
    return path[at : at + 1] == b"." and lock_of(path[at:]) is not None


def said_by(kind: Kind, content: bytes) -> Said | None:
    """What a lock says; None: it is none of that kind after all. Of a link ``content`` is the target."""
    if kind == "swap":
        return said_by_swap(content)
    if kind == "link":
        return said_by_link(content)
    if kind == "kate":
        return Said("kate", modified=True) if content.startswith(_KATE_HEAD) else None
    return said_by_office(content)


def said_by_swap(block: bytes) -> Said | None:
    """Block 0 of vim's swap file, which Neovim and nano have too (vim's memline.c, nano's files.c)."""
    if len(block) < BLOCK or block[:2] not in _IDS:
        return None
    version = text_of(block[2:12])
    program = version.split(" ")[0].lower() if version else None
    if program not in ("vim", "nano"):
        return None
    return Said(
        program,
        pid_of(int.from_bytes(block[24:28], "little")),
        text_of(block[28:68]),
        text_of(block[68:108]),
        block[_DIRTY_AT] == _DIRTY,
        block[108:1006].partition(b"\0")[0] or None,
    )


def said_by_link(target: bytes) -> Said | None:
    """``USER@HOST.PID[:BOOT]``, in the manner of emacs; the link is there while the text is changed."""
    who, _, boot = target.partition(b":")
    if len(target) > LONGEST_LINK or (boot and not boot.isdigit()):
        return None
    user, at, where = who.rpartition(b"@")
    host, dot, number = where.rpartition(b".")
    if not at or not dot or not number.isdigit() or len(number) > 10:
        return None
    return Said(None, pid_of(int(number)), text_of(user), text_of(host), True)


def said_by_office(line: bytes) -> Said | None:
    """``,user,host,date time,profile;``: commas within a field are escaped by a backslash."""
    fields = re.split(rb"(?<!\\),", line[:LONGEST_LINE].partition(b"\n")[0])
    if len(fields) < 4 or b"\0" in line[:LONGEST_LINE]:
        return None
    user = fields[1] or fields[0]
    return Said("LibreOffice", user=text_of(user), host=text_of(fields[2]))


def pid_of(number: int) -> int | None:
    """A number as a pid."""
    return number if 0 < number <= MOST_PID else None


def text_of(field: bytes) -> str | None:
    """A field of bytes up to the first NUL as text to be shown; None: it is empty."""
    text = field.partition(b"\0")[0].decode("utf-8", "replace")[:LONGEST_TEXT]
    return "".join(letter if letter.isprintable() else "?" for letter in text) or None


def file_of(lock: Lock, said: Said) -> bytes:
    """The name of the file a lock is of: vim puts no second dot before the name of a hidden one."""
    hidden = b"." + lock.name
    told = (said.file or b"").rpartition(b"/")[2]
    return hidden if lock.kind == "swap" and said.program == "vim" and told == hidden else lock.name


# Swap files in a directory of their own: the name is the file's whole path.


def spelled(path: bytes) -> bytes:
    """A path as vim spells it where 'directory' ends in ``//``."""
    return path.replace(b"/", b"%")


def elsewhere_of(name: bytes, said: Said, home: bytes) -> bytes | None:
    """The path of the file whose swap file has this name in such a directory; None: it is of none.

    ``%`` in a path is not told from ``/``, so what the block says decides where it is spelled so.
    """
    found = _SWAP.fullmatch(name)
    stem = name[: -len(b".swp")] if found else b""
    if not stem.startswith(b"%"):
        return None
    told = said.file or b""
    if told.startswith(b"~"):
        user, slash, below = told[1:].partition(b"/")
        told = home.rstrip(b"/") + slash + below if user in (b"", (said.user or "").encode()) else b""
    ways = (spelled(told), spelled(told.replace(b"%", b"%%")))  # the second: since vim 9.1
    return told if told and stem in ways else stem.replace(b"%", b"/")


# Editors without locks: what is known of them by how they save.


def saved_by(source: bytes, target: bytes) -> str | None:
    """What moved ``source`` over ``target``: a program by its manner; None: it could be any."""
    name = source.rpartition(b"/")[2]
    if source == target + b"___jb_tmp___":
        return "JetBrains"
    return "a GTK program" if _GIO.fullmatch(name) else None

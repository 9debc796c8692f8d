"""git objects as bytes: their ids, and their form inside a pack (docs/format.md, "Journal").

A *pack entry* is what stands for one whole object in a pack file: a header of type and length, then zlib
data. Objects are turned into entries once, when they are written; a checkpoint copies the bytes.

Source of the forms: gitformat-pack(5).
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import NamedTuple

from gitsessiond.model.errors import StateUnreadable

_STORED_HEAD = struct.Struct("<BBBHH").pack  # zlib header; last block, stored; its length twice
_SUM = struct.Struct(">I").pack

KINDS: dict[str, int] = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
KIND_NAMES: dict[int, str] = {number: kind for kind, number in KINDS.items()}

# Trees are mostly ids, which do not shrink: deflating a tree of 1,000 names costs 0.3 ms and saves a third.
# Whatever is stored plain here is deflated when four packs become one.
_PLAIN_TREE_FROM = 2048
_PLAIN_UP_TO = 512  # nor do objects so small that making a deflater costs more than all else of a save


class Object(NamedTuple):
    """One git object: ``kind`` is blob, tree, commit or tag; ``data`` its content without git's header."""

    kind: str
    data: bytes


def oid_of(kind: str, data: bytes) -> str:
    """The SHA-1 id git gives this object, 40 hex digits."""
    found = hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)), usedforsecurity=False)
    found.update(data)
    return found.hexdigest()


def pack_entry(kind: str, data: bytes) -> bytes:
    """The object as it stands in a pack: whole, never a delta; zlib level 1, wide trees and small objects plain."""
    left = len(data)
    code = (KINDS[kind] << 4) | (left & 15)
    left >>= 4
    header = bytearray()
    while left:
        header.append(code | 0x80)
        code = left & 0x7F
        left >>= 7
    header.append(code)
    if len(data) <= _PLAIN_UP_TO:
        return bytes(header) + stored(data)
    level = 0 if kind == "tree" and len(data) > _PLAIN_TREE_FROM else 1
    return bytes(header) + zlib.compress(data, level)


def stored(data: bytes) -> bytes:
    """A zlib stream of one block that is not deflated (RFC 1950, RFC 1951 3.2.4); at most 65,535 bytes."""
    size = len(data)
    return b"".join((_STORED_HEAD(0x78, 0x01, 0x01, size, size ^ 0xFFFF), data, _SUM(zlib.adler32(data))))


def read_entry(entry: bytes, oid: str) -> Object:
    """The object of a pack entry that :func:`pack_entry` made.

    Raises:
        StateUnreadable: it is cut short or garbled; ``oid`` is named.
    """
    try:
        code, at = entry[0], 1
        size, shift = code & 15, 4
        while entry[at - 1] & 0x80:
            size |= (entry[at] & 0x7F) << shift
            shift += 7
            at += 1
        data = zlib.decompress(memoryview(entry)[at:])
        kind = KIND_NAMES[(code >> 4) & 7]
    except (IndexError, KeyError, zlib.error) as exc:
        raise StateUnreadable(f"object {oid} in the journal is damaged: {exc}", hint="git session doctor") from exc
    if len(data) != size:
        raise StateUnreadable(f"object {oid} in the journal is cut short", hint="git session doctor")
    return Object(kind, data)


def loose_bytes(kind: str, data: bytes) -> bytes:
    """The object as git keeps it in a file of its own (gitformat-loose: zlib of header and data)."""
    return zlib.compress(b"%s %d\0" % (kind.encode(), len(data)) + data, 1)


def pack_header(count: int) -> bytes:
    """The twelve bytes before the entries of a version 2 pack."""
    return b"PACK" + struct.pack(">II", 2, count)


def pack_index(entries: list[tuple[bytes, int, int]], pack_sum: bytes) -> bytes:
    """The version 2 index of a pack.

    Args:
        entries: raw id (20 bytes), CRC-32 of the entry's bytes, its offset in the pack; in any order.
        pack_sum: the SHA-1 with which the pack ends.
    """
    entries = sorted(entries)
    fanout = [0] * 256
    for oid, _, _ in entries:
        fanout[oid[0]] += 1
    for at in range(1, 256):
        fanout[at] += fanout[at - 1]
    far = [offset for _, _, offset in entries if offset >= 1 << 31]
    places = {offset: number for number, offset in enumerate(far)}
    count = len(entries)
    body = b"".join(
        (
            b"\377tOc" + struct.pack(">I", 2),
            struct.pack(">256I", *fanout),
            b"".join(oid for oid, _, _ in entries),
            struct.pack(f">{count}I", *(crc for _, crc, _ in entries)),
            struct.pack(
                f">{count}I",
                *((places[at] | 1 << 31) if at >= 1 << 31 else at for _, _, at in entries),
            ),
            struct.pack(f">{len(far)}Q", *far),
            pack_sum,
        )
    )
    return body + hashlib.sha1(body, usedforsecurity=False).digest()

"""Renaming in one step that overwrites nothing: renameat2(2)."""

from __future__ import annotations

import ctypes
import errno
import os

NOREPLACE, EXCHANGE = 1, 2  # linux/fs.h: RENAME_NOREPLACE, RENAME_EXCHANGE
_libc = ctypes.CDLL(None, use_errno=True)


def rename(source_in: int, source: bytes, target_in: int, target: bytes, how: int) -> bool:
    """Rename between two open directories; tells whether it could be done."""
    if _libc.renameat2(source_in, source, target_in, target, how) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
        return False
    raise OSError(code, os.strerror(code), target)

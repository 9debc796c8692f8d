"""Which of the files it is that have had one inode's number: that of a removed file is given to the next one made."""

from __future__ import annotations

import fcntl
import struct

_LONG = struct.calcsize("l")
_GET = 2 << 30 | _LONG << 16 | ord("v") << 8 | 1  # FS_IOC_GETVERSION of linux/fs.h, where most machines have it


def generation(handle: int) -> int | None:
    """A number that no other file of this inode has had; None: the file system does not say (tmpfs, say)."""
    told = bytearray(_LONG)
    try:
        fcntl.ioctl(handle, _GET, told)
    except OSError:
        return None
    return int(struct.unpack_from("I", told)[0])

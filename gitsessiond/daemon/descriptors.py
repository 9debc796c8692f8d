"""How many files this process may have open, which every connection is."""

from __future__ import annotations

import resource

from gitsessiond.daemon.log import log

EACH = 2  # a connection, and perhaps the process it is of
OTHERS = 128


def connections_with_room(wanted: int) -> int:
    """How many of the connections wanted there is room for; the process's own limit is raised as far as that needs."""
    needed = wanted * EACH + OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    room = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (room, hard))
    except (OSError, ValueError) as exc:  # macOS has a lower limit of its own
        log(f"at most {soft} open files: {exc}")
        room = soft
    found = max(1, min(wanted, (room - OTHERS) // EACH))
    if found < wanted:
        log(f"room for {found} connections instead of {wanted}: at most {room} open files (ulimit -Hn)")
    return found

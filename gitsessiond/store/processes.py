"""Whether a process of this machine has ended: known only where the system shows them (proc(5)).

A process is told by its number and the moment it began, since numbers are used again; behind a blank there may be the
pid namespace of whoever told it (pid_namespaces(7)): in another one, as of a container, the number says nothing.
"""

from __future__ import annotations

import os

ENDED = ("Z", "X", "x")  # it has ended, and nobody has taken note yet


def is_gone(pid: int | None, started: str) -> bool:
    """Whether that process has certainly ended; False where nobody can tell."""
    began, _, space = started.partition(" ")
    if pid is None or not began or not os.path.isdir("/proc/self") or (space and space != own_namespace()):
        return False
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            words = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return True
    except OSError:
        return False
    return len(words) > 19 and (words[0].decode() in ENDED or words[19].decode() != began)


def own_namespace() -> str | None:
    """The pid namespace of this process; None: the system does not say."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None

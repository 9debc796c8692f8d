"""Paths as a person types them, made text that can cross the socket.

Relative ones stay relative to the directory they were typed in, which travels with every request.
"""

from __future__ import annotations

import os
import re

from gitsessiond.model.names import quote_path

LINES = re.compile(r"^(?P<path>.+?):(?P<lines>\d+(?:-\d+)?)$", re.DOTALL)
COMMIT = re.compile(r"^[0-9a-f]{4,40}$")


def path_argument(typed: str) -> str:
    """The path spelled for the wire. A word in double quotes is taken as one that was printed so already."""
    if typed.startswith('"') and typed.endswith('"') and len(typed) > 1 and not os.path.lexists(typed):
        return typed
    return quote_path(os.fsencode(typed))


def edit_argument(typed: str) -> str:
    """``PATH``, ``PATH:FROM-TO`` or a commit, its path spelled for the wire."""
    found = LINES.match(typed)
    if found is None or os.path.lexists(typed):
        return path_argument(typed)
    return f"{path_argument(found['path'])}:{found['lines']}"


def patch_named(typed: str | None) -> str | None:
    """The patch of ``--patch``, else that of ``$GITSESSION_PATCH``; None: neither is given."""
    return typed or os.environ.get("GITSESSION_PATCH") or None

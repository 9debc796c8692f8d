"""Every way to fail, in words its sender can act on.

One root, :class:`GitSessionError`. Children add no constructor, so that a client can rebuild any of them from
``(code, message, hint, reason, details)`` as it crossed the socket (docs/protocol.md, "Errors"). ``exit_code`` is the
table of docs/cli.md; ``code`` is stable and for programs; the message is for people and is never parsed. ``reason``
tells programs which of several refusals it is (docs/protocol.md, "Reasons"), ``details`` what else there is to know.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

LONGEST = 4096  # letters of a message or a hint


class GitSessionError(Exception):
    """A request that cannot be carried out; exit 1."""

    code: ClassVar[str] = "cannot"
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        reason: str | None = None,
        details: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.message, self.hint, self.reason, self.details = message, hint, reason, details

    def as_dict(self) -> dict[str, Any]:
        """The error as it crosses the socket: ``{"code", "message", "hint", "exit"}``, any ``reason`` and details.

        What it quotes may be as long as a request: the middle of it is left out then.
        """
        message, hint = self.message, self.hint
        if len(message) > LONGEST:
            message = f"{message[: LONGEST // 2]} ... {message[-LONGEST // 4 :]}"
        if hint is not None and len(hint) > LONGEST:
            hint = "git session -h"  # a command that is cut could not be pasted
        told = {"code": self.code, "message": message, "hint": hint, "exit": self.exit_code, **self.details}
        return told if self.reason is None else told | {"reason": self.reason}


class BadRequest(GitSessionError):
    """Words, names or options that mean nothing; exit 2."""

    code, exit_code = "usage", 2


class Conflicted(GitSessionError):
    """Conflicts: what was named did not land; exit 3."""

    code, exit_code = "conflicts", 3


class Refused(GitSessionError):
    """Understood, but not allowed in this state; exit 4."""

    code, exit_code = "refused", 4


class NotFound(GitSessionError):
    """No such session, patch, path, step or conflict, or no git repository here; exit 10."""

    code, exit_code = "not_found", 10


class Locked(GitSessionError):
    """Locked or claimed by another; exit 11."""

    code, exit_code = "locked", 11


class Moved(GitSessionError):
    """A ref or file was elsewhere than when it was read; nothing was changed; exit 12."""

    code, exit_code = "moved", 12


class Unreachable(GitSessionError):
    """The daemon does not answer; exit 13."""

    code, exit_code = "unreachable", 13


class StateUnreadable(GitSessionError):
    """State is damaged or written by a newer version; it is never replaced by an empty one; exit 14."""

    code, exit_code = "unreadable", 14


class NewerState(StateUnreadable):
    """State of a newer format: nothing of it is damaged, and no repair may touch it; exit 14."""


class StoreFailed(GitSessionError):
    """Git or the disk refused; the message carries what it said; exit 15."""

    code, exit_code = "store_failed", 15


class Bug(GitSessionError):
    """An error nobody foresaw; the log named in the message has the traceback; exit 70."""

    code, exit_code = "bug", 70


KINDS: dict[str, type[GitSessionError]] = {
    kind.code: kind
    for kind in (
        GitSessionError, BadRequest, Conflicted, Refused, NotFound, Locked,
        Moved, Unreachable, StateUnreadable, StoreFailed, Bug,
    )
}  # fmt: skip


OWN_FIELDS = ("code", "message", "hint", "exit", "reason", "again")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR)


def disk_refused(what: str, exc: OSError) -> StoreFailed:
    """The operating system's refusal as ours, with the command that shows or mends the cause."""
    path = str(exc.filename) if exc.filename is not None else ""
    at = quoted(path) if path else "."
    if exc.errno in _NO_ROOM:
        hint = "df -h ."
    elif exc.errno in _IN_THE_WAY and path:
        hint = f"mv {at} {at}.aside"
    else:
        hint = f"ls -ld {at}"
    said = exc.strerror or str(exc)
    return StoreFailed(f"{what}: {path}: {said}" if path else f"{what}: {said}", hint=hint)


def quoted(path: str) -> str:
    """A path as one word of a shell; written here since every command loads this, and few need shlex."""
    return "'" + path.replace("'", "'\\''") + "'"


def error_from(found: dict[str, Any]) -> GitSessionError:
    """Rebuild an error from the dict :meth:`GitSessionError.as_dict` made; unknown codes become the root."""
    kind = KINDS.get(str(found.get("code")), GitSessionError)
    message, reason = str(found.get("message", "unknown error")), found.get("reason")
    details = {name: value for name, value in found.items() if name not in OWN_FIELDS}
    return kind(message, hint=found.get("hint"), reason=reason if isinstance(reason, str) else None, details=details)

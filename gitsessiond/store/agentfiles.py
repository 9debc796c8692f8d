"""The hooks of coding agents in their own project settings: put in beside what is there, and taken out again.

The files are the user's. What they were before is kept beside our state, so that taking the hooks out again gives the
very same bytes, if nobody has written the file since; else only our entries go. A file that cannot be read, or that
would not be the same when written again (comments, keys that are there twice, numbers in a form of their own), is
refused; and so is one outside the worktree, where a link that the repository brings may lead.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
from contextlib import suppress
from functools import partial
from shlex import quote
from typing import Any, NamedTuple

from gitsessiond.model.errors import Refused, disk_refused
from gitsessiond.store.agententries import FORMS, with_entries, without_entries


class Settings(NamedTuple):
    """The settings file of a tool in a worktree. ``kept``: where its former bytes are."""

    tool: str
    path: str
    kept: str
    worktree: str


def settings_of(tool: str, worktree: str, state_dir: str, wid: str) -> Settings:
    """The settings of a tool in one worktree; ``wid`` tells it from others."""
    kept = os.path.join(state_dir, "agents", f"{wid}-{tool}")
    return Settings(tool, os.path.join(worktree, FORMS[tool].path), kept, worktree)


def state_of(settings: Settings) -> str:
    """``installed``, ``missing``, ``outdated`` (some entries are, or other ones of ours), or ``unreadable``."""
    before = _read(settings.path)
    try:
        found = _parsed(before, settings.path)
        put = with_entries(found, settings.tool, settings.path)
    except Refused:
        return "unreadable"
    if put == found:
        return "installed"
    return "missing" if without_entries(found) == found else "outdated"


def install(settings: Settings) -> bool:
    """Put our entries in; False: they are all there.

    Raises:
        Refused: the file cannot be read, or not be written as it was, or is outside the worktree.
        StoreFailed: the disk refused.
    """
    before = _read(settings.path)
    found = _parsed(before, settings.path)
    put = with_entries(found, settings.tool, settings.path)
    if put == found:
        return False
    after, path = _written(put, before), _target(settings)
    old = _kept(settings)
    clean = without_entries(found)
    if old is not None and old[1] == before:  # ours of earlier days, unchanged since: what was before that still is
        before, made = old[0], old[2]
    elif clean != found:
        before, made = _written(clean, before), []
    else:
        made = _missing_above(path) if before is None else []
    try:
        os.makedirs(os.path.dirname(settings.kept), mode=0o700, exist_ok=True)
        _put(settings.kept, json.dumps([_as_text(before), _as_text(after), made]).encode())
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _put(path, after)
    except OSError as exc:
        raise disk_refused("the hooks were not put in place", exc) from exc
    return True


def uninstall(settings: Settings) -> bool:
    """Take our entries out; False: there are none.

    Raises:
        Refused: the file was changed since, and cannot be read now, or is outside the worktree.
        StoreFailed: the disk refused.
    """
    now, old = _read(settings.path), _kept(settings)
    try:
        if old is not None and now == old[1]:
            _put_back(_target(settings), old[0], old[2])
            os.unlink(settings.kept)
            return True
        if now is None:
            return False
        found = _parsed(now, settings.path)
        left = without_entries(found)
        if old is not None and old[0] is None and left in ({}, dict(FORMS[settings.tool].top)):
            _put_back(_target(settings), None, old[2])
        elif left != found:
            _put(_target(settings), _written(left, now))
        if old is not None:
            os.unlink(settings.kept)
    except OSError as exc:
        raise disk_refused("the hooks were not taken away", exc) from exc
    return left != found


def _target(settings: Settings) -> str:
    """The file itself, where the settings are a link, or their directory is one.

    Raises:
        Refused: it is not of this worktree, or nobody may write it.
    """
    path, top = os.path.realpath(settings.path), os.path.realpath(settings.worktree)
    inside = os.path.relpath(path, top).split(os.sep)[0]
    if inside in (os.pardir, ".git"):
        raise Refused(
            f"{settings.path} leads to {path}, which is not of this worktree", hint=f"ls -ld {quote(settings.path)}"
        )
    with suppress(FileNotFoundError, NotADirectoryError):
        if not os.stat(path).st_mode & 0o222:
            raise Refused(f"{settings.path} may be written by nobody", hint=f"chmod u+w {quote(settings.path)}")
    return path


def _parsed(content: bytes | None, path: str) -> dict[str, Any]:
    """The settings; of a file that is not there, or empty, none.

    Raises:
        Refused: it is no JSON object, or has what would be lost: comments, a key twice, a number not as Python has it.
    """
    if content is None or not content.strip():
        return {}

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a key is there twice")
        return dict(pairs)

    def same(read: type[int] | type[float], literal: str) -> int | float:
        if repr(read(literal)) != literal:
            raise ValueError(f"the number {literal} would be written {read(literal)!r}")
        return read(literal)

    try:
        text = content.decode("utf-8")
        found = json.loads(text, object_pairs_hook=once, parse_int=partial(same, int), parse_float=partial(same, float))
    except (ValueError, RecursionError) as exc:
        raise Refused(f"{path} cannot be read: {exc}", hint=f"put it right by hand: {path}") from exc
    if not isinstance(found, dict):
        raise Refused(f"{path} is no JSON object", hint=f"put it right by hand: {path}")
    return found


def _written(settings: dict[str, Any], like: bytes | None) -> bytes:
    """The settings as a file, indented and with line ends as it was."""
    found = re.search(rb"\n([ \t]+)\S", like or b"")
    indent = found[1].decode() if found else 2
    try:
        text = json.dumps(settings, indent=indent, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a sign, which only an escape can name
        text = json.dumps(settings, indent=indent).encode()
    text += b"" if like and not like.endswith(b"\n") else b"\n"
    return text.replace(b"\n", b"\r\n") if b"\r\n" in (like or b"") else text


def _read(path: str) -> bytes | None:
    """A file's bytes; None: it is not there."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise disk_refused("the settings cannot be read", exc) from exc


def _put(path: str, content: bytes) -> None:
    """Write a file as a whole, with the rights it had.

    Under a name that nobody can have put there before, so that no link is followed.
    """
    draft = f"{path}.{secrets.token_hex(4)}.gitsession"
    try:
        rights = os.stat(path).st_mode & 0o7777
    except FileNotFoundError:
        rights = None
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(draft, flags, 0o666 if rights is None else rights & 0o600)
    try:
        with open(descriptor, "wb") as file:
            if rights is not None:
                os.fchmod(descriptor, rights)
            file.write(content)
        os.replace(draft, path)
    except OSError:
        os.unlink(draft)
        raise


def _put_back(path: str, content: bytes | None, made: list[str]) -> None:
    """The file as it was; where there was none, neither it nor the directories that were made for it."""
    if content is not None:
        _put(path, content)
        return
    os.unlink(path)
    for directory in made:
        try:
            os.rmdir(directory)
        except OSError:
            return  # somebody has put something there


def _missing_above(path: str) -> list[str]:
    """The directories that have to be made for a file, the innermost first."""
    out = []
    directory = os.path.dirname(path)
    while not os.path.isdir(directory):
        out.append(directory)
        directory = os.path.dirname(directory)
    return out


def _kept(settings: Settings) -> tuple[bytes | None, bytes | None, list[str]] | None:
    """What the file was, what we made of it, and the directories made for it; None: nothing is known."""
    content = _read(settings.kept)
    try:
        before, after, made = json.loads(content) if content is not None else (None, None, None)
        return (_as_bytes(before), _as_bytes(after), [str(one) for one in made]) if made is not None else None
    except (ValueError, TypeError):
        return None


def _as_text(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _as_bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)

"""Locks as rows of the journal, and back; SQLite takes anything into any column, so what is read is looked at."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from gitsessiond.model.errors import GitSessionError
from gitsessiond.model.lockmodes import MODES
from gitsessiond.model.locks import Hold, Holder, Want
from gitsessiond.model.resources import resource
from gitsessiond.model.settings import TRUE_WORDS

KEPT_HOLDERS = 2000

Row = tuple[Any, ...]


def row_of(hold: Hold) -> Row:
    """A lock as it is written."""
    return (
        hold.token,
        blob(hold.resource.name),
        hold.mode,
        holder_text(hold.holder),
        hold.ttl,
        hold.deadline,
        hold.since,
        None if hold.reason is None else blob(hold.reason),
    )


def blob(text: str) -> bytes:
    """Text with stray bytes, which SQLite has no text for."""
    return text.encode("utf-8", "surrogateescape")


_TEXTS: dict[Holder, bytes] = {}


def holder_text(holder: Holder) -> bytes:
    """A holder as JSON; the same few come again and again."""
    found = _TEXTS.get(holder)
    if found is None:
        if len(_TEXTS) > KEPT_HOLDERS:
            _TEXTS.clear()
        found = _TEXTS[holder] = json.dumps(holder._asdict()).encode()
    return found


def folds_case(configured: Callable[[str], Sequence[str]]) -> bool:
    """Whether upper and lower case are the same in names, by git's configuration."""
    return [word.lower() in TRUE_WORDS for word in configured("core.ignorecase")][-1:] == [True]


def hold_of(row: Sequence[Any], fold: bool) -> Hold | None:
    """The lock of a row; None: it is none, or names nothing that can be locked."""
    try:
        token, name, mode, holder, ttl, deadline, since, reason = row
        want = Want(resource(name.decode("utf-8", "surrogateescape"), fold=fold), mode)
        who = Holder(**json.loads(holder))
        found = Hold(want, who, token, ttl, since, reason and reason.decode("utf-8", "replace"))
    except (GitSessionError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    if mode not in MODES or not is_whole(who) or not all(map(is_time, (ttl, deadline, since))):
        return None
    found.deadline, found.confirmed = deadline, False
    return found


def is_whole(who: Holder) -> bool:
    """Whether each fact is of its kind."""
    texts = who.who, who.host, who.branch, who.session
    return (
        all(isinstance(text, str) for text in (who.client, who.began))
        and all(text is None or isinstance(text, str) for text in texts)
        and (who.pid is None or isinstance(who.pid, int))
    )


def is_time(value: object) -> bool:
    """Whether it is a number of seconds."""
    return isinstance(value, int | float) and math.isfinite(value)

"""Locks as rows of the journal, and back; somebody may have written anything into it, so what is read is looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from gitsessiond.model.errors import GitSessionError
from gitsessiond.model.lockmodes import MODES
from gitsessiond.model.locks import Hold, Holder, Want
from gitsessiond.model.resources import resource
from gitsessiond.model.settings import TRUE_WORDS

KEPT_HOLDERS = 2000
MOST_SECONDS = 1e12


def row_of(hold: Hold) -> str:
    """A lock as it is written: JSON, in ASCII."""
    reason = "null" if hold.reason is None else json.dumps(hold.reason)
    times = f"{hold.ttl!r},{hold.deadline!r},{hold.since!r}"
    name, holder = json.dumps(hold.resource.name), holder_text(hold.holder)
    return f'[{hold.token},{name},"{hold.mode}",{holder},{times},{reason}]'


_TEXTS: dict[Holder, str] = {}


def holder_text(holder: Holder) -> str:
    """A holder as JSON; the same few come again and again."""
    found = _TEXTS.get(holder)
    if found is None:
        if len(_TEXTS) > KEPT_HOLDERS:
            _TEXTS.clear()
        found = _TEXTS[holder] = json.dumps(holder._asdict())
    return found


def folds_case(configured: Callable[[str], Sequence[str]]) -> bool:
    """Whether upper and lower case are the same in names, by git's configuration."""
    return [word.lower() in TRUE_WORDS for word in configured("core.ignorecase")][-1:] == [True]


def hold_of(row: Sequence[Any], fold: bool) -> Hold | None:
    """The lock of a row; None: it is none, or names nothing that can be locked."""
    try:
        token, name, mode, holder, ttl, deadline, since, reason = row
        who = Holder(**holder)
        if not (isinstance(mode, str) and mode in MODES and is_whole(who) and isinstance(reason, str | None)):
            return None
        if not all(map(is_time, (ttl, deadline, since))):
            return None
        found = Hold(Want(resource(name, fold=fold), mode), who, token, ttl, since, reason)
    except (GitSessionError, ValueError, TypeError, AttributeError):
        return None
    found.deadline, found.confirmed = deadline, False
    return found


def is_whole(who: Holder) -> bool:
    """Whether each fact is of its kind."""
    texts = who.who, who.host, who.branch, who.session
    return (
        all(isinstance(text, str) for text in (who.client, who.began))
        and all(text is None or isinstance(text, str) for text in texts)
        and (who.pid is None or type(who.pid) is int)
        and isinstance(who.agent, bool)
        and isinstance(who.named, bool)
    )


def is_time(value: Any) -> bool:
    """Whether it is a number of seconds, and not one that no clock shows."""
    return type(value) in (int, float) and -MOST_SECONDS < value < MOST_SECONDS

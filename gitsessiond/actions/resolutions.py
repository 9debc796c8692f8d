"""Resolutions made before, of the same lines: looked up in the records of all sessions, offered, never applied unasked.
Of a resolution that was only begun, in its file, the places that are done count too.

As git's rerere, a place is known again by the two texts that clash in it; unlike there, nothing is kept for it but the
records themselves. A clash that is no text is known again by its sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gitsessiond.actions.clash_files import marked_text, texts_of
from gitsessiond.actions.context import Context, Live
from gitsessiond.model.conflicts import is_automatic, left_over, marker_size
from gitsessiond.model.hunks import Place, answers_in, parts_of, places_in, same_place
from gitsessiond.model.records import Conflict
from gitsessiond.model.values import is_binary
from gitsessiond.store.steps import State

MOST = 200  # records looked at, the newest first


class Before(NamedTuple):
    """A record that has an answer, and where it is from."""

    state: State
    record: Conflict


def answered(ctx: Context, live: Live, conflict: Conflict) -> list[Before]:
    """The records with an answer, of this session and all others, the newest first."""
    states = {live.sid: live.state} | {state.session.id: state for state in ctx.all_states()}
    found = [
        Before(state, record)
        for state in states.values()
        for record in state.conflicts.values()
        if record.id != conflict.id and (is_resolved(record) or "begun" in state.sides.get(record.id, {}))
    ]
    found.sort(key=lambda one: str(one.record.resolved_at or one.record.created_at), reverse=True)
    return found[:MOST]


def is_resolved(record: Conflict) -> bool:
    """Whether a record has somebody's answer to the whole of its clash."""
    return record.how is not None and not is_automatic(record)


def remembered_places(ctx: Context, live: Live, conflict: Conflict, places: list[Place]) -> list[bytes | None]:
    """For each place the text that the same clash became before, or None."""
    known: list[bytes | None] = [None] * len(places)
    for before in answered(ctx, live, conflict):
        if None not in known:
            break
        texts = texts_of(ctx, before.state, before.record)
        if not any(answer is None and may_hold(texts, place) for answer, place in zip(known, places, strict=True)):
            continue
        for place, text in answers_of(ctx, before, texts):
            for n, wanted in enumerate(places):
                if known[n] is None and same_place(wanted, place):
                    known[n] = text
    return known


def may_hold(texts: Mapping[str, bytes], place: Place) -> bool:
    """Whether a record's sides hold the texts of a place at all; asked before anything is merged for it."""
    ours, theirs = texts.get("ours", b""), texts.get("theirs", b"")
    one, other = place.ours.rstrip(b"\r\n"), place.theirs.rstrip(b"\r\n")
    return (one in ours and other in theirs) or (other in ours and one in theirs)


def answers_of(ctx: Context, before: Before, texts: Mapping[str, bytes]) -> Iterator[tuple[Place, bytes]]:
    """The places of a record, each with what it became; of a resolution that was only begun, those that are done."""
    marked = marked_text(texts, before.record)
    sides = before.state.sides.get(before.record.id, {})
    oid = sides.get("result", sides.get("begun"))
    result = ctx.store.blob(oid) if oid is not None else b""
    if marked is None or oid is None or is_binary(result):
        return
    parts = parts_of(marked, marker_size(texts.values(), before.record.marker_size))
    if parts is not None:
        for place, text in zip(places_in(parts), answers_in(parts, result, ctx.tools.diff), strict=True):
            if text is not None and left_over(text, texts.values(), before.record.marker_size) is None:
                yield place, text


def remembered_whole(ctx: Context, live: Live, conflict: Conflict) -> Conflict | None:
    """A record with an answer to the clash of the very same sides."""
    same = (conflict.base, conflict.ours, conflict.theirs)
    for before in answered(ctx, live, conflict):
        if (
            is_resolved(before.record)
            and before.record.path == conflict.path
            and (
                before.record.base,
                before.record.ours,
                before.record.theirs,
            )
            == same
        ):
            return before.record
    return None

"""``history`` and ``restore``: every save there was, and any of them brought back."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from gitsessiond.actions.asked import inside, refuse_ended, state_asked
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.saves import record_reading
from gitsessiond.model.errors import BadRequest, NotFound, Refused
from gitsessiond.model.hints import command_words
from gitsessiond.model.names import quote_path, unquote_path, within
from gitsessiond.model.records import time_text
from gitsessiond.model.values import Change
from gitsessiond.store.identity import identity_of
from gitsessiond.store.steps import State, StepInfo, history, state_trees, steps_of
from gitsessiond.store.trees import diff_trees, entry_at
from gitsessiond.store.writing import write_files

KINDS = {(False, True): "added", (True, False): "deleted", (True, True): "modified"}
AGO = re.compile(r"^(\d+) ?(second|minute|hour|day|week)s?( ago)?$")
CLOCK = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$")


def show_history(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``history [PATH]``: steps, newest first, with the paths each changed."""
    state = state_asked(ctx, asked)
    path = path_asked(state, asked)
    limit = asked.args.get("limit", 50)
    if not isinstance(limit, int) or limit < 1:
        raise BadRequest("limit must be a number from 1", hint="git session history -n 50")
    steps = [step_view(step) for step in history(ctx.store, state, path=path, limit=limit)]
    if not steps and path is not None:
        raise NotFound(f"{quote_path(path)} was never recorded in this session", hint="git session history")
    return {"steps": steps}


def path_asked(state: State, asked: Asked) -> bytes | None:
    """The path argument, from the worktree's root; None for everything."""
    if asked.args.get("path") is None:
        return None
    return inside(Live(state=state), asked, asked.text("path")) or None


def step_view(step: StepInfo) -> dict[str, Any]:
    """One step as ``history`` gives it."""
    return {
        "number": step.number,
        "id": step.op_id,
        "verb": step.verb,
        "at": time_text(step.at),
        "by": step.by,
        "text": step.text,
        "paths": [{"path": quote_path(change.path), "change": change_word(change)} for change in step.changes],
    }


def change_word(change: Change) -> str:
    """``added``, ``deleted`` or ``modified``."""
    return KINDS[change.before is not None, change.after is not None]


def restore_files(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``restore PATH|. --at WHEN|NUMBER|ID``: files as they were then; what is there now is recorded first.

    Raises:
        NotFound: no such step, or the path was not there then.
        Refused: a save came in between, or something that cannot be replaced is in the way.
    """
    live = ctx.live(asked)
    if live.worktree is None:
        raise Refused("the session has no worktree", hint="git session status")
    by = identity_of(asked.who.env, asked.who.cwd)
    path = inside(live, asked, asked.text("path", "."))
    patch = live.patch(asked.text("patch")) if asked.args.get("patch") else None
    if patch is not None:
        refuse_ended(patch)
    step = step_at(ctx, live.state, asked.text("at"), path)
    work, raw = state_trees(ctx.store, step.step)
    changes = [change for change in diff_trees(ctx.store, live.state.work, work) if within(change.path, path)]
    gone_then = bool(path) and entry_at(ctx.store, work, path) is None
    if gone_then and (not changes or not asked.text("at")):  # a file is deleted only for somebody who named the time
        raise NotFound(
            f"{quote_path(path)} was not there at step {step.number}",
            hint=command_words("history", os.fsdecode(unquote_path(asked.text("path")))),
        )
    wanted = {change.path: change.after for change in changes}
    raws = {change.path: entry_at(ctx.store, raw, change.path) for change in changes}
    now = {change.path: change.before for change in changes}
    if wanted:
        write_files(live.worktree, wanted, now, {p: entry.oid for p, entry in raws.items() if entry}, ctx.store)
        reading = live.worktree.read_paths(sorted(wanted))
        record_reading(ctx, live, reading, verb="restore", by=by, claim=patch.id if patch else None)
        live.worktree.accept(reading)
    return {
        "restored": [quote_path(path) for path in sorted(wanted)],
        "from": step.number,
        "step": live.state.number,
    }


def step_at(ctx: Context, state: State, when: str, path: bytes) -> StepInfo:
    """The step a person means: a number, an action's id, a commit of the chain's time, a time, or an age.

    Raises:
        BadRequest: it is none of these.
        NotFound: there is no such step.
    """
    if not when:
        last = next(iter(history(ctx.store, state, path=path or None, limit=1)), None)
        if last is None or last.number < 2:
            raise NotFound("there is no earlier save", hint="git session history")
        return numbered(ctx, state, last.number - 1)
    if when.isdecimal():
        return numbered(ctx, state, int(when))
    if re.fullmatch(r"[k-z]{4,12}", when):
        for step in steps_of(ctx.store, state):
            if step.op_id and step.op_id.startswith(when):
                return step
        raise NotFound(f"no step has the id {when}", hint="git session history")
    moment = moment_of(when, ctx.now())
    for step in steps_of(ctx.store, state):
        if step.at <= moment:
            return step
    raise NotFound(f"nothing was recorded by {time_text(moment)}", hint="git session history")


def numbered(ctx: Context, state: State, number: int) -> StepInfo:
    """The step of that number; of a thinned one, the next that was kept."""
    found = None
    for step in steps_of(ctx.store, state):
        if step.number < number:
            break
        found = step
    if found is None or number < 1:
        raise NotFound(f"there is no step {number}", hint="git session history")
    return found


def moment_of(when: str, now: datetime) -> datetime:
    """A time as people write it: RFC 3339, ``YYYY-MM-DD HH:MM``, ``HH:MM`` (the last such), ``10 minutes ago``."""
    try:
        return _moment_of(when.strip(), now)
    except (ValueError, OverflowError) as exc:
        raise BadRequest(f"{when!r} is no step, id or time", hint="--at 12, --at 14:05, --at '10 minutes ago'") from exc


def _moment_of(when: str, now: datetime) -> datetime:
    ago = AGO.match(when.lower())
    if ago:
        return now - timedelta(**{ago[2] + "s": int(ago[1])})
    clock = CLOCK.match(when)
    if clock:
        local = now.astimezone()
        moment = local.replace(hour=int(clock[1]), minute=int(clock[2]), second=int(clock[3] or 59), microsecond=999999)
        return (moment if moment <= local else moment - timedelta(days=1)).astimezone(UTC)
    moment = datetime.fromisoformat(when.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.astimezone()).astimezone(UTC)

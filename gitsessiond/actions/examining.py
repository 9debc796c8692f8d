"""``doctor`` and the recorder's part of ``metrics``: what is kept, where, and whether it is sound."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from shlex import quote
from typing import Any

from gitsessiond.actions.configured import config_faults
from gitsessiond.actions.context import Asked, Context
from gitsessiond.actions.enforcing import hooks_judged, write_bits_judged
from gitsessiond.actions.publishing import settle_anchors
from gitsessiond.model.errors import GitSessionError, disk_refused
from gitsessiond.model.health import Finding, disk_space, open_conflicts, settings_judged
from gitsessiond.model.rates import gauge, gauges
from gitsessiond.store.doctor import Check, examine
from gitsessiond.store.git import run_git
from gitsessiond.store.room import bytes_below, room_at, try_writing
from gitsessiond.store.steps import State

FIX = "git session doctor --fix"


def doctor(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``doctor [--fix]``: what is sound, what is not, what was rebuilt."""
    with suppress(GitSessionError):  # what could not be written is found below
        settle_anchors(ctx)
    checks = [told(check) for check in examine(ctx.store, ctx.repository, fix=asked.flag("fix"))]
    return {"checks": [*checks, *(finding.as_dict() for finding in surroundings(ctx, asked))]}


def told(check: Check) -> dict[str, Any]:
    """A check of the store, as all are told."""
    state = "ok" if check.ok or check.fixed else "fail"
    found = Finding(check.name, state, check.message, None if check.ok else FIX).as_dict()
    return found | {"ok": check.ok, "fixed": check.fixed}


def surroundings(ctx: Context, asked: Asked) -> Iterator[Finding]:
    """What is not kept by us, and what waits for a person."""
    yield store_takes(ctx)
    yield refs_read(ctx)
    yield disk(ctx)
    yield open_conflicts(sum(waiting(ctx.open_states()).values()))
    yield write_bits_judged(ctx, fix=asked.flag("fix"))
    yield hooks_judged(ctx, asked)
    yield settings_judged(*config_faults(ctx, asked))


def store_takes(ctx: Context) -> Finding:
    """Whether a file can be written where everything is kept."""
    directory = ctx.repository.state_dir
    try:
        try_writing(directory)
    except OSError as exc:
        return Finding(
            "store", "fail", disk_refused(f"{directory} takes no files", exc).message, f"ls -ld {quote(directory)}"
        )
    return Finding("store", "ok", "it can be written, and read again")


def refs_read(ctx: Context) -> Finding:
    """Whether git reads our refs in the repository."""
    done = run_git(
        ["for-each-ref", "--format=%(objecttype)", "refs/gitsession"], git_dir=ctx.repository.common_dir, check=False
    )
    said = os.fsdecode(done.err).strip().splitlines()
    if done.code or said:
        return Finding("refs", "fail", "; ".join(said[:3]) or f"git for-each-ref ended with {done.code}", FIX)
    return Finding("refs", "ok", f"git can read all below refs/gitsession: {len(done.out.splitlines())}")


def disk(ctx: Context) -> Finding:
    """Whether there is room."""
    directory = ctx.repository.state_dir
    try:
        return disk_space(directory, *room_at(directory))
    except OSError as exc:
        return Finding(
            "disk", "fail", disk_refused(f"{directory} cannot be looked at", exc).message, f"df -h {quote(directory)}"
        )


def waiting(states: list[State]) -> Counter[str]:
    """The open conflicts of sessions, by kind."""
    open_ones = (one for state in states for one in state.conflicts.values() if one.status == "open")
    return Counter(one.kind for one in open_ones)


def metrics(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``metrics``: the figures of what is kept; front has those of what goes on."""
    states = ctx.open_states()
    patches = Counter(patch.status for state in states for patch in state.patches.values())
    store, whole = ctx.store.git_dir, ctx.repository.state_dir
    sizes = {"objects": float(bytes_below(os.path.join(store, "objects"))), "all": float(bytes_below(whole))}
    room = room_at(whole)
    found = [
        gauge("active_sessions", "Open sessions.", len(states)),
        gauge("sessions", "Sessions that are kept, ended ones too.", len(ctx.store.refs("refs/sessions/"))),
        gauges("patches", "Patches of open sessions.", "status", {one: float(n) for one, n in patches.items()}),
        gauges(
            "conflicts_open", "Conflicts of open sessions that wait.", "kind",
            {kind: float(count) for kind, count in waiting(states).items()},
        ),
        gauges("state_bytes", "Disk space of what is kept: of objects, of all.", "part", sizes),
        gauge("disk_free_bytes", "Free space where it is kept.", room.free),
    ]  # fmt: skip
    return {"metrics": [one.as_dict() for one in found]}

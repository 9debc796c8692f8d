"""The user's check of a patch merged into its target: what is to be run, what came of it, what it keeps from landing.

``gitsession.check`` is a shell command. The recorder never runs it, for everybody else would wait: it answers with
what is due, whoever asked has it run (:mod:`gitsessiond.wire.checking`), tells, and asks again. What has passed is not
run again on the same tree; what failed is, and is believed for the request that ran it (docs/decisions/check.md).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gitsessiond.actions.clashing import with_patch
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.publishing import publish
from gitsessiond.model.durations import seconds_of, time_words
from gitsessiond.model.errors import BadRequest, Refused
from gitsessiond.model.hints import command_words
from gitsessiond.model.records import Check, Patch, time_text
from gitsessiond.store.identity import identity_of
from gitsessiond.store.layers import LandingLayer
from gitsessiond.store.steps import State

CHECK, TIMEOUT, TIMEOUT_DEFAULT = "gitsession.check", "gitsession.checkTimeout", "1h"
KEPT_LINES, KEPT_TEXT = 40, 8000


class Wanted(NamedTuple):
    """A check that must pass. ``ran``: the trees that the asker has run it on for this request."""

    command: str
    timeout_s: float  # 0: as long as it takes
    ran: tuple[str, ...]


class Merged(NamedTuple):
    """A patch on its target: the target's commit, and the tree, whose objects are in the layer."""

    target: str
    layer: LandingLayer
    tree: str


def check_wanted(ctx: Context, ran: tuple[str, ...], *, no_verify: bool) -> Wanted | None:
    """The check that ``gitsession.check`` asks for; None: none, or it is to be skipped.

    Raises:
        BadRequest: ``gitsession.checkTimeout`` is no time.
    """
    command = (ctx.config.get(CHECK) or "").strip()
    if not command or no_verify:
        return None
    timeout = ctx.config.get(TIMEOUT) or TIMEOUT_DEFAULT
    try:
        return Wanted(command, seconds_of(timeout), ran)
    except ValueError:
        raise BadRequest(f"{TIMEOUT} = {timeout!r} is no time", hint=f"git config {TIMEOUT} 15m") from None


def check_due(
    ctx: Context, live: Live, pid: str, wanted: Wanted, merged: Merged, *, revert: bool = False
) -> dict[str, Any] | None:
    """What the asker is to run before it asks again; None: it has passed. Its files are in the repository then.

    ``revert``: the tree is the target without the patch.

    Raises:
        Refused: it has failed.
        StoreFailed: the disk refused.
    """
    patch = live.state.patches[pid]
    last = patch.check
    known = last is not None and last.command == wanted.command and last.tree == merged.tree
    if known and last is not None and last.code == 0:
        return None
    if known and last is not None and merged.tree in wanted.ran:
        if revert:
            what = f"the check of the target without {patch.name}"
            again = command_words("revert", patch.name, "--no-verify")
            raise Refused(f"{what} {how_it_failed(last)}", hint=again, reason="check")
        raise Refused(failed_words(patch, last), hint=failed_hint(patch), reason="check")
    merged.layer.to_repository([merged.tree])
    return {
        "patch": {"id": pid, "name": patch.name},
        "command": wanted.command,
        "timeout_s": wanted.timeout_s,
        "target": merged.target,
        "tree": merged.tree,
        "revert": revert,
    }


def check_blockers(ctx: Context, state: State, patch: Patch) -> list[dict[str, Any]]:
    """One blocker while the check that is set failed on the patch as it is now."""
    last = patch.check
    if last is None or last.code == 0 or state.trees.get(patch.id) != last.version:
        return []
    if (ctx.config.get(CHECK) or "").strip() != last.command:
        return []
    return [{"code": "check", "message": failed_words(patch, last), "hint": failed_hint(patch)}]


def failed_words(patch: Patch, check: Check) -> str:
    """Why a check that failed keeps a patch from landing."""
    return f"the check of {patch.name} on its target {how_it_failed(check)}"


def how_it_failed(check: Check) -> str:
    """``failed: `make test` exited 2``."""
    how = f"did not end within {time_words(check.seconds)}" if check.timed_out else f"exited {check.code}"
    return f"failed: `{check.command}` {how}"


def failed_hint(patch: Patch) -> str:
    """Where to read what a check said."""
    return command_words("patch", "show", patch.name)


def as_recorded(text: str) -> str:
    """Text as records have it: of bytes that are not UTF-8 each is a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def record_check(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch.checked``: what came of a check that was due.

    Raises:
        BadRequest: something is missing or of the wrong kind.
    """
    live = ctx.live(asked)
    patch = live.patch(asked.text("patch"))
    code, seconds = asked.args.get("code"), asked.args.get("seconds")
    if not isinstance(code, int) or isinstance(code, bool) or not isinstance(seconds, int | float):
        raise BadRequest("code and seconds must be numbers", hint="see docs/protocol.md")
    tree, command = asked.text("tree"), asked.text("command")
    if len(tree) != 40 or not set(tree) <= set("0123456789abcdef") or not command or as_recorded(command) != command:
        raise BadRequest("tree and command must say what was checked", hint="see docs/protocol.md")
    by = identity_of(asked.who.env, asked.who.cwd)
    check = Check(
        command=command,
        tree=tree,
        version=live.state.trees[patch.id],
        code=code,
        timed_out=asked.flag("timed_out"),
        seconds=round(float(seconds), 3),
        output=last_lines(as_recorded(asked.text("output"))),
        at=ctx.now(),
        by=by,
    )
    word = "passed" if code == 0 else "failed"
    text = f"{patch.name} {word}: {command}"
    state = with_patch(live.state, patch.model_copy(update={"check": check}))
    facts = {"patch": {"id": patch.id, "name": patch.name}, "code": code, "seconds": check.seconds}
    publish(ctx, live, state, "check", by=by, text=text, facts=facts)
    return {"check": check_view(live.state, live.state.patches[patch.id])}


def last_lines(output: str) -> str:
    """The end of what a check said, as much of it as is kept."""
    lines = output[-KEPT_TEXT:].splitlines(keepends=True)
    return "".join(lines[-KEPT_LINES:])


def check_view(state: State, patch: Patch) -> dict[str, Any] | None:
    """A patch's last check as replies give it; ``current``: it ran on the patch as it is now."""
    check = patch.check
    if check is None:
        return None
    return {
        "command": check.command,
        "tree": check.tree,
        "code": check.code,
        "timed_out": check.timed_out,
        "seconds": check.seconds,
        "output": check.output,
        "at": time_text(check.at),
        "by": check.by,
        "current": state.trees.get(patch.id) == check.version,
    }


def due_part(due: dict[str, Any] | None) -> dict[str, Any]:
    """The part of a reply that says what is to be run; an answer that is whole has none."""
    return {} if due is None else {"check_due": due}

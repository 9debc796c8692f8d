"""What a patch's validation and check say. Pure: a reply in, sentences out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitsessiond.faces.cli.words import clean, plural, said

Json = Mapping[str, Any]


def validate_lines(reply: Json, target: str = "") -> list[str]:
    """Whether the patch could be merged now; every reason why not, each with its command."""
    name = clean(reply["patch"]["name"])
    out = [f"  warning: {clean(said(one))}" for one in reply["warnings"]]
    if not reply["blockers"]:
        return [f"{name} can be merged{f' into {target}' if target else ''}.", *check_lines(reply.get("check")), *out]
    head = f"{name} cannot be merged: {plural(len(reply['blockers']), 'reason')}."
    rows = []
    for one in reply["blockers"]:
        rows.append(f"  {clean(one['message'])}" + (f" ({one['hint']})" if one.get("hint") else ""))
    return [head, *rows, *out, *check_lines(reply.get("check"))]


def check_lines(check: Json | None) -> list[str]:
    """What the user's check said last; its words only where it failed."""
    if check is None:
        return []
    took = f"{check['seconds']:.1f} s"
    why = f"stopped after {took}" if check["timed_out"] else f"exit {check['code']}, {took}"
    how = f"failed ({why})" if check["code"] else f"passed ({took})"
    old = "" if check["current"] else ", before the patch changed"
    words = check["output"].expandtabs().splitlines() if check["code"] else []
    return [f"Check: `{clean(check['command'])}` {how}{old}", *("  " + clean(line) for line in words)]

"""Commands that must pass the user's check first: run what is due, tell what came of it, and ask again.

Whoever asks runs the check, so that its environment is theirs and nobody else waits (docs/decisions/check.md).
"""

from __future__ import annotations

import os
from typing import Any

from gitsessiond.faces.cli.face import Face
from gitsessiond.faces.cli.terminal import note
from gitsessiond.faces.cli.words import clean
from gitsessiond.model.errors import Moved

MOST_RUNS = 3  # of one patch, while its target moves on

Json = dict[str, Any]


def call_checked(face: Face, verb: str, **args: Any) -> Json:
    """Ask; where a check is due, run it, record what came of it, and ask again. ``merged`` of each answer counts.

    Raises:
        Moved: the target moved on each time.
    """
    ran: list[str] = []
    runs: dict[str, int] = {}
    merged: list[Json] = []
    while True:
        reply = face.call(verb, **args, ran=ran) if ran else face.call(verb, **args)
        due = reply.get("check_due")
        if verb == "session.close":
            merged += reply["merged"]
            reply["merged"] = merged
        if due is None:
            return reply
        name = due["patch"]["name"]
        runs[name] = runs.get(name, 0) + 1
        if runs[name] > MOST_RUNS:
            raise Moved(f"the target moved {MOST_RUNS} times while {name} was checked", hint="run the command again")
        run_and_record(face, due)
        ran.append(due["tree"])


def run_and_record(face: Face, due: Json) -> None:
    """Run one check, shown as it goes unless the answer is to be JSON, and have it recorded."""
    from gitsessiond.wire.checking import run_check

    if not face.json:
        name = clean(due["patch"]["name"])
        what = f"the target without {name}" if due["revert"] else f"{name} on its target"
        note(f"checking {what}: {clean(due['command'])}")
    found = run_check(os.getcwd(), due, show=not face.json)
    face.call(
        "patch.checked",
        patch=due["patch"]["id"],
        tree=due["tree"],
        command=due["command"],
        code=found["code"],
        seconds=found["seconds"],
        timed_out=found["timed_out"],
        output=found["output"],
    )

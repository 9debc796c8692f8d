"""What a step says of itself: the message of its commit (docs/format.md, "Steps").

A step is a commit whose subject is its text (or its verb) and whose last paragraph holds the trailers
``Seq``, ``Op``, ``Op-Id``, ``At``, ``By``, ``Settled`` and ``Args``. The numbers and ids are its names;
commit ids are not, since thinning rewrites them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gitsessiond.model.commits import CommitFacts, commit_data, parse_commit
from gitsessiond.model.errors import StateUnreadable, StoreFailed
from gitsessiond.model.records import time_text
from gitsessiond.model.values import Change
from gitsessiond.store.git import DAEMON_EMAIL, DAEMON_NAME

SAVE = "save"

_PERSON = re.compile(r"^\s*([^<>]*?)\s*<([^<>]*)>\s*$")


@dataclass(frozen=True)
class StepNote:
    """Who did what when. ``op_id`` is None for saves; ``by`` is git's ``Name <email>``, "" for the
    recorder.
    """

    verb: str
    at: datetime
    by: str = ""
    op_id: str | None = None
    text: str = ""  # one line; line breaks become spaces
    args: Mapping[str, Any] = field(default_factory=dict)  # JSON values an undo may need


@dataclass(frozen=True)
class StepInfo:
    """One recorded step, as history tells of it. ``changes``: files of the worktree against the step
    before.
    """

    number: int
    op_id: str | None
    verb: str
    at: datetime
    by: str
    text: str
    step: str  # its commit now
    parent: str | None  # the step before
    tree: str
    settled: int | None  # while git was at work: the number of the last step before it began
    args: Mapping[str, Any]
    changes: tuple[Change, ...] = ()


def step_commit(note: StepNote, *, number: int, settled: int | None, tree: str, parents: Sequence[str]) -> bytes:
    """The commit object of a step."""
    stamp = b"%d +0000" % int(note.at.timestamp())
    trailers = {
        "Seq": str(number),
        "Op": note.verb,
        "Op-Id": note.op_id,
        "At": time_text(note.at),
        "By": one_line(note.by) or None,
        "Settled": None if settled is None else str(settled),
        "Args": json.dumps(note.args, separators=(",", ":"), sort_keys=True) if note.args else None,
    }
    lines = "".join(f"{name}: {value}\n" for name, value in trailers.items() if value is not None)
    message = f"{one_line(note.text) or note.verb}\n\n{lines}"
    facts = CommitFacts(
        oid="",
        tree=tree,
        parents=tuple(parents),
        author=_person(note.by) + b" " + stamp,
        committer=f"{DAEMON_NAME} <{DAEMON_EMAIL}> ".encode() + stamp,
        message=message.encode("utf-8", "surrogateescape"),
    )
    return commit_data(facts)


def one_line(text: str) -> str:
    """The text without line breaks and control characters, which git would take for structure."""
    return " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in text).split())


def _person(by: str) -> bytes:
    """``Name <email>`` as a commit's author needs it; ours when there is nobody."""
    found = _PERSON.match(one_line(by))
    name, email = found.groups() if found else (re.sub("[<>]", "", one_line(by)), "")
    if not name and not email:
        name, email = DAEMON_NAME, DAEMON_EMAIL
    return f"{name or email} <{email}>".encode("utf-8", "surrogateescape")


def read_note(oid: str, data: bytes) -> StepInfo:
    """The step that a commit object tells of, without its changes.

    Raises:
        StateUnreadable: it is no step.
    """
    try:
        facts = parse_commit(oid, data)
        subject, _, rest = facts.message.decode("utf-8", "surrogateescape").partition("\n\n")
        found = dict(line.split(": ", 1) for line in rest.splitlines())
        return StepInfo(
            number=int(found["Seq"]),
            op_id=found.get("Op-Id"),
            verb=found["Op"],
            at=datetime.fromisoformat(found["At"]).astimezone(UTC),
            by=found.get("By", ""),
            text="" if subject == found["Op"] else subject,
            step=oid,
            parent=facts.parents[0] if facts.parents and int(found["Seq"]) > 1 else None,
            tree=facts.tree,
            settled=int(found["Settled"]) if "Settled" in found else None,
            args=json.loads(found.get("Args", "{}")),
        )
    except (KeyError, ValueError, StoreFailed) as exc:
        raise StateUnreadable(f"commit {oid} of the store is no step: {exc}", hint="git session doctor") from exc

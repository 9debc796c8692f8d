"""Replies as a daemon gives them, and a client that gives them: for tests of faces that need no daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gitsessiond.model.errors import GitSessionError

SID = "kkkkllllmmmm"
VALIDATION, PERFORMANCE = "nnnnooooqqqq", "pppprrrrssss"
BASE = "3f2c1ab" + "0" * 33
OID = "1a2b3c4" + "0" * 33
ANN = "Ann <ann@example.org>"
AT = "2026-01-02T03:04:05Z"


def session(**changes: Any) -> dict[str, Any]:
    """The session of the story."""
    return {
        "id": SID,
        "name": "user-improvements",
        "description": "Enhancing user validation and profile features",
        "status": "open",
        "base": BASE,
        "target": "main",
        "branch": "session/user-improvements",
        "worktree": "/home/shop",
        "state": "live",
        "parked": None,
        "git_at_work": None,
        "created_at": AT,
        "created_by": ANN,
        "closed_at": None,
        "collaborators": [{"user": ANN, "role": "owner"}],
        "organization": None,
        "patch_in_use": None,
        "behind": 0,
        "upstream": None,
        "step": 7,
        "worktree_id": "vvvvwwwwxxxx",
    } | changes


def patch(pid: str, name: str, **changes: Any) -> dict[str, Any]:
    """A draft patch with one op."""
    return {
        "id": pid,
        "session_id": SID,
        "name": name,
        "description": "",
        "status": "draft",
        "ops": 1,
        "ready_to_merge": False,
        "blockers": [],
        "depends_on": [],
        "base": BASE,
        "tip": None,
        "commits": 0,
        "owner": ANN,
        "created_by": ANN,
        "created_at": AT,
        "merged_at": None,
        "merge_commit": None,
        "merge_strategy": None,
        "conflicts": [],
        "published": [],
    } | changes


def validation(**changes: Any) -> dict[str, Any]:
    """The first patch of the story: ready."""
    ready = {"ops": 3, "status": "ready", "ready_to_merge": True}
    return patch(VALIDATION, "validation-enhancements") | ready | changes


def performance(**changes: Any) -> dict[str, Any]:
    """The second patch of the story: a draft."""
    return patch(PERFORMANCE, "performance-optimizations") | changes


def editor(number: int, target: str, of: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    """A file being worked on."""
    named = {"id": of["id"], "name": of["name"]} if of else None
    return {
        "number": number,
        "program": None,
        "target": target,
        "path": target,
        "patch": named,
        "patches": [named] if named else [],
        "changed": True,
        "modified": False,
        "last_saved_at": AT,
        "client": None,
        "state": "unknown",
        "pid": None,
        "user": None,
        "host": None,
        "opened_at": None,
        "sources": {"program": "unknown", "state": "unknown", "modified": "unknown", "last_saved_at": "recorded"},
        "others": [],
    } | changes


def row(path: str, lines: tuple[int, int] | None = None, **changes: Any) -> dict[str, Any]:
    """An unassigned edit."""
    return {
        "path": path,
        "kind": "line" if lines else "add",
        "lines": list(lines) if lines else None,
        "reason": "no patch in use",
        "code": "none",
        "choices": [
            {"id": VALIDATION, "name": "validation-enhancements"},
            {"id": PERFORMANCE, "name": "performance-optimizations"},
        ],
    } | changes


def placed(path: str, lines: tuple[int, int] | None = None, **changes: Any) -> dict[str, Any]:
    """An edit of the first patch."""
    return {
        "path": path,
        "kind": "line" if lines else "add",
        "lines": list(lines) if lines else None,
        "patch": {"id": VALIDATION, "name": "validation-enhancements"},
        "why": "current",
        "reason": None,
    } | changes


def conflict(**changes: Any) -> dict[str, Any]:
    """An open conflict of the second patch."""
    side = {"oid": OID, "mode": "100644", "path": None}
    return {
        "id": "tttuuuvvvwww",
        "kind": "git_merge",
        "shape": "content",
        "path": "shop/user.py",
        "patch": {"id": PERFORMANCE, "name": "performance-optimizations"},
        "status": "open",
        "message": "",
        "labels": ["base", "main", "performance-optimizations of user-improvements"],
        "base": side,
        "ours": side,
        "theirs": side,
        "created_at": AT,
        "resolved_at": None,
        "resolved_by": None,
        "how": None,
        "resolved_as": None,
        "lock": None,
        "denied": None,
        "left": None,
        "resource": "path/shop/user.py",
        "sessions": [SID],
    } | changes


def shown_conflict(**changes: Any) -> dict[str, Any]:
    """The reply of ``conflict show``: one place, known from before."""
    marked = "<<<<<<< main\nb\n||||||| base\na\n=======\nc\n>>>>>>> p\n"
    place = {"line": 1, "ours": "b\n", "base": "a\n", "theirs": "c\n", "text": marked, "remembered": None}
    told = {"base": "file a (blob 1)", "ours": "file a (blob 2)", "theirs": "link to x"}
    return {
        "conflict": conflict(),
        "base": "a\n",
        "ours": "b\n",
        "theirs": "c\n",
        "result": None,
        "marked": marked,
        "told": told,
        "text": marked,
        "hunks": [place],
        "remembered": False,
        "intent": {"ours": ["1a2b3c4 Ben: Make it fast"], "theirs": ["Speed up login"]},
        "file": ".gitsession/conflicts/tttuuuvvvwww/shop/user.py",
        "at": None,
    } | changes


def claim(paths: list[str], patch: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A standing claim."""
    return {"paths": paths, "patch": patch, "by": None, "at": None, "proven": False} | changes


def status(**changes: Any) -> dict[str, Any]:
    """The reply of ``status`` of the story: two patches, three editors."""
    first, second = validation(), performance()
    return {
        "session": session(),
        "patches": [first, second],
        "unassigned": [],
        "editors": [
            editor(1, "MyApp.User.validate", first),
            editor(2, "MyApp.Database.User.findByEmail", second),
            editor(3, "MyApp.User.Profile.render", None),
        ],
        "current_editor": None,
        "conflicts": [],
        "claims": [],
        "collisions": [],
        "locks": [],
        "gaps": [],
        "warnings": [],
        "ready": ["validation-enhancements"],
        "recording_left": 0,
        "hints": ["git session merge validation-enhancements"],
    } | changes


class FakeClient:
    """Answers by verb from a table: a dict is the reply, an exception is raised. Remembers what was asked."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.sessions: list[str | None] = []
        self.starts: list[bool] = []

    def dial(self, session_name: str | None, start: bool) -> FakeClient:
        """Stands for ``open_client``."""
        self.sessions.append(session_name)
        self.starts.append(start)
        return self

    def call(self, verb: str, args: dict[str, Any]) -> dict[str, Any]:
        """The reply of the table; a function is called with the arguments."""
        self.asked.append((verb, args))
        answer = self.answers[verb]
        if callable(answer) and not isinstance(answer, type):
            answer = answer(args)
        if isinstance(answer, (GitSessionError, KeyboardInterrupt, RuntimeError)):
            raise answer
        assert isinstance(answer, dict)
        return answer

    def events(
        self, since: int | None, follow: bool, wanted: dict[str, Any], waits: Callable[[], None]
    ) -> Iterator[dict[str, Any]]:
        """The events of the table after ``since``."""
        self.asked.append(("events", wanted))
        yield from (event for event in self.answers["events"] if event["seq"] > (since or 0))

    def log_path(self) -> str:
        """The log of the table."""
        return str(self.answers["log"])

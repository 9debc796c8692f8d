"""Command lines through click with a client that answers from a table: words in, verbs and exit codes out."""

from __future__ import annotations

import base64
import io
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitsessiond.faces.cli import events
from gitsessiond.faces.cli.app import main
from gitsessiond.faces.cli.ending import EXIT_CODES
from gitsessiond.faces.cli.loglines import stopped_lines
from gitsessiond.model.errors import KINDS, NotFound, Refused, Unreachable
from tests.faces import replies
from tests.faces.schemas import SCHEMAS, ErrorReply

NAMED = {"id": replies.VALIDATION, "name": "validation-enhancements"}
ENDED: dict[str, Any] = {
    "session": replies.session(), "merged": [], "failed": [], "abandoned": [], "already": False, "dry_run": False,
    "uncommitted": [], "unassigned": [],
}  # fmt: skip
MERGED: dict[str, Any] = {
    "merged": True, "patch": replies.validation(), "target": "main", "commit": replies.OID, "files": 1,
    "strategy": "merge", "commits": 1, "conflicts": [], "dry_run": False, "message": None, "output": "",
    "warnings": [],
}  # fmt: skip
REVERTED: dict[str, Any] = {
    "reverted": True, "patch": replies.validation(), "target": "main", "commit": replies.OID, "files": 1,
    "conflicts": [], "message": "", "output": "",
}  # fmt: skip
UPDATED: dict[str, Any] = {
    "updated": True, "session": replies.session(), "target": "main", "base": replies.OID, "commits": 1,
    "files": ["shop/user.py"], "unsaved": [{"path": "shop/user.py", "program": "vim"}], "merged": [NAMED],
    "conflicts": [], "notes": [], "dry_run": False, "message": "",
}  # fmt: skip
HOOKS: dict[str, Any] = {
    "directory": ".husky/_", "former": ".husky/_",
    "hooks": [{"name": "pre-commit", "state": "installed", "own": ".husky/_/pre-commit"},
              {"name": "pre-push", "state": "installed", "own": None}],
}  # fmt: skip
DAEMON = {
    "pid": 1,
    "recorder_pid": 2,
    "version": "0.1.0",
    "uptime_s": 3.5,
    "sessions": 1,
    "watches": 4,
    "watcher": "inotify",
}
CHECK = {"name": "journal", "ok": True, "state": "ok", "message": "", "fixed": False, "hint": None}
FIGURE = {
    "name": "gitsession_patches", "type": "gauge", "help": "Patches.", "samples": [{"labels": {"status": "draft"}, "value": 2.0}],
}  # fmt: skip
EVENT = {"v": 1, "seq": 1, "ts": replies.AT, "type": "save", "session": replies.SID, "paths": ["a.py"]}
SETTING = {
    "key": "gitsession.lockDefaultTtl", "value": 5.0, "text": "5", "default": "300", "origin": "LOCK_DEFAULT_TTL",
    "variables": ["LOCK_DEFAULT_TTL"], "what": "how long", "wrong": None, "hint": None,
}  # fmt: skip
CLIENT = {
    "id": "pts-3_1f2e3d4c", "kind": "terminal", "name": None, "user": replies.ANN, "host": "h", "pid": 7,
    "tty": "/dev/pts/3", "cwd": "/home/shop", "session": replies.SID, "role": "primary", "since": replies.AT,
    "last_seen": replies.AT, "state": "live",
}  # fmt: skip
AGENT = CLIENT | {
    "id": "agent-1", "kind": "agent", "name": "agent-1", "user": None, "pid": None, "tty": None, "role": "secondary",
    "state": "silent",
}  # fmt: skip
TAKEN = {"name": "path/a.py", "mode": "X", "token": 3, "expires_in": 299.5, "state": "held"}
PARTY = {
    "client": "agent-1", "named": True, "who": replies.ANN, "host": "h", "pid": 7, "branch": "main",
    "session": replies.SID, "since": replies.AT, "reason": "renaming",
}  # fmt: skip
LOCKS = {
    "locks": [TAKEN | PARTY | {"ttl": 300.0, "mine": False}],
    "waiting": [
        PARTY | {
            "resources": [{"name": "path/a.py", "mode": "S"}], "position": 1, "gives_up_in": 4.5, "mine": True,
            "reason": None,
        }
    ],
    "lost": [{"name": "db/x", "token": 1, "why": "stolen", "by": "agent-1", "reason": "urgent"}],
}  # fmt: skip
PEOPLE = {
    "session": {"id": replies.SID, "name": "user-improvements"},
    "collaborators": [
        {"user": replies.ANN, "role": "owner", "invited_by": None, "at": None},
        {"user": "bob@example.org", "role": "contributor", "invited_by": replies.ANN, "at": replies.AT},
    ],
    "counts": True,
    "you": {"user": "Bob <Bob@example.org>", "role": "contributor", "patches": 1},
}  # fmt: skip
INVITED = PEOPLE | {"changed": True, "user": "bob@example.org", "role": "contributor"}
ANSWERS: dict[str, Any] = {
    "session.start": {
        "session": replies.session(), "new_worktree": False, "why": None, "before": [], "offered": [], "warnings": [],
    },
    "session.list": {"sessions": [replies.session() | {"open_patches": 1, "unassigned": 0, "collisions": []}], "unreadable": []},
    "session.status": replies.status(),
    "session.rename": {"session": replies.session()},
    "session.switch": {"session": replies.session(), "worktree": "/home/shop", "left": None, "hints": []},
    "session.close": ENDED,
    "session.abandon": ENDED,
    "session.reopen": {"session": replies.session()},
    "patch.new": {"patch": replies.validation(), "taken": [replies.placed("a.py", (1, 1))], "left": [replies.row("b")]},
    "patch.list": {"patches": [replies.validation(), replies.performance()]},
    "patch.show": {"patch": replies.validation(), "ops": [], "edits": [], "series": [], "check": None},
    "patch.use": {"patch": replies.validation(), "claims": [replies.claim(["a.py"], NAMED)]},
    "patch.ready": {"patch": replies.validation(), "commit": replies.OID, "output": "hook says hello\n"},
    "patch.depend": {"patch": replies.performance(depends_on=[NAMED])},
    "patch.validate": {"patch": replies.validation(), "blockers": [], "warnings": [], "check": None},
    "patch.ops": {"ops": [{"kind": "add", "path": "a", "old_path": None, "blob": replies.OID, "old_blob": None, "names": []}]},
    "patch.diff": {"diff": "+x\n"},
    "patch.rename": {"patch": replies.validation()},
    "patch.abandon": {"patch": replies.validation(), "edits": [replies.placed("a.py")]},
    "patch.reopen": {"patch": replies.validation()},
    "assign": {"patch": replies.validation(), "moved": [replies.placed("a.py")], "refused": [], "already": [], "choices": [NAMED]},
    "editors": {"editors": [replies.editor(2, "a.py", replies.validation())], "current_editor": 2},
    "editors.switch": {
        "editor": replies.editor(2, "a.py", replies.validation()), "patch": NAMED, "used": True, "file": "/shop/a.py"
    },
    "unassigned": {"unassigned": [replies.row("a.py", (1, 2), text="x = 1")]},
    "commit": {"commit": replies.OID, "short": "1a2b3c4", "patch": replies.validation(), "files": 2, "output": ""},
    "merge": MERGED,
    "session.update": UPDATED,
    "revert": REVERTED,
    "conflicts": {"conflicts": [replies.conflict()]},
    "conflict.show": replies.shown_conflict(),
    "conflict.reopen": {"conflict": replies.conflict(), "left": [replies.conflict()], "patch": replies.performance(), "reopened": True},
    "resolve": {"conflict": replies.conflict(status="resolved", how="ours"), "left": [], "patch": replies.performance()},
    "history": {"steps": [{"number": 1, "id": None, "verb": "save", "at": replies.AT, "by": "", "text": "a", "paths": []}]},
    "restore": {"restored": ["a.py"], "from": 1, "step": 3},
    "doctor": {"checks": [CHECK]},
    "daemon.health": {"checks": [CHECK | {"name": "front", "message": "process 1"}]},
    "metrics": {"metrics": [FIGURE]},
    "daemon.metrics": {"metrics": [FIGURE | {"name": "gitsession_info"}]},
    "config": {"settings": [SETTING], "unknown": []},
    "session.collaborators": PEOPLE,
    "session.invite": INVITED,
    "session.uninvite": INVITED,
    "lock.acquire": {"locks": [TAKEN]},
    "lock.release": {"released": ["path/a.py"], "others": []},
    "lock.list": LOCKS,
    "lock.break": {"locks": [TAKEN], "broken": [TAKEN | PARTY]},
    "client.list": {"clients": [CLIENT, AGENT], "you": CLIENT["id"]},
    "client.hello": {"client": AGENT},
    "client.heartbeat": {"renewed": [{"name": "path/a.py"}]},
    "client.leave": {"left": True},
    "hooks.install": {"written": ["pre-commit"], "warnings": [], **HOOKS},
    "hooks.status": HOOKS,
    "hooks.uninstall": {"removed": ["/home/shop/.git/hooks/pre-commit"], "restored": [], "warnings": []},
    "uninstall": {"removed": ["/home/shop/.gitsession"], "hard": False, "state_dir": None, "warnings": []},
    "daemon.status": DAEMON,
    "daemon.stop": {},
    "daemon.checkpoint": {"sessions": [replies.SID]},
    "events": [EVENT, EVENT | {"seq": 2}],
}  # fmt: skip

LINES: dict[str, list[str]] = {
    "status": ["status"],
    "show": ["show", "x"],
    "list": ["list", "--all"],
    "start": ["start", "fix-login", "-m", "text", "--from", "HEAD~1", "--target", "main", "--worktree"],
    "rename": ["rename", "x", "-m", "y"],
    "switch": ["switch", "x"],
    "close": ["close", "--yes", "--remove"],
    "abandon": ["abandon", "--yes"],
    "reopen": ["reopen"],
    "patch new": [
        "patch",
        "new",
        "p",
        "-m",
        "d",
        "--depends-on",
        "q",
        "--depends-on",
        "r",
        "--take",
        "a.py",
        "b c",
    ],
    "patch list": ["patch", "list"],
    "patch show": ["patch", "show", "p"],
    "patch use": ["patch", "use", "p", "a.py"],
    "patch ready": ["patch", "ready", "p", "--no-verify"],
    "patch depend": ["patch", "depend", "p", "--on", "q"],
    "patch validate": ["patch", "validate", "p"],
    "patch ops": ["patch", "ops", "p"],
    "patch diff": ["patch", "diff", "p"],
    "patch rename": ["patch", "rename", "p", "q"],
    "patch abandon": ["patch", "abandon", "p", "--discard"],
    "patch reopen": ["patch", "reopen", "p"],
    "assign": ["assign", "a.py:1-2", "--patch", "p"],
    "unassigned": ["unassigned"],
    "editors": ["editors"],
    "editors switch": ["editors", "switch", "2"],
    "commit": ["commit", "-m", "text", "--patch", "p"],
    "merge": ["merge", "p", "--ready", "--strategy", "squash"],
    "update": ["update", "--dry-run"],
    "revert": ["revert", "p", "--no-verify"],
    "conflicts": ["conflicts", "--all"],
    "conflict show": ["conflict", "show", "tttu"],
    "conflict reopen": ["conflict", "reopen", "tttu"],
    "resolve": ["resolve", "tttu", "--ours"],
    "history": ["history", "a.py", "-n", "3"],
    "restore": ["restore", "a.py", "--at", "1"],
    "doctor": ["doctor", "--fix"],
    "config": ["config", "--show-origin"],
    "metrics": ["metrics", "--label", "repository=shop"],
    "collaborators": ["collaborators"],
    "invite": ["invite", "bob@example.org", "--role", "viewer"],
    "uninvite": ["uninvite", "bob@example.org"],
    "clients": ["clients"],
    "lock": ["lock", "--type", "database", "x", "--wait", "5", "--mode", "S", "--reason", "why"],
    "unlock": ["unlock", "--type", "git", "main"],
    "locks": ["locks", "--type", "database", "x"],
    "client hello": ["client", "hello", "agent-1", "--kind", "agent", "--pid", "7", "--ttl", "60"],
    "client heartbeat": ["client", "heartbeat"],
    "client leave": ["client", "leave"],
    "hooks install": ["hooks", "install"],
    "hooks status": ["hooks", "status"],
    "hooks uninstall": ["hooks", "uninstall"],
    "uninstall": ["uninstall", "--hard", "--yes"],
    "events": ["events", "--since", "1"],
    "daemon status": ["daemon", "status"],
    "daemon start": ["daemon", "start"],
    "daemon stop": ["daemon", "stop"],
    "daemon checkpoint": ["daemon", "checkpoint"],
    "help": ["help", "patch", "new"],
    "completion": ["completion", "bash"],
}

VERBS: dict[str, tuple[str, dict[str, Any]]] = {
    "start": (
        "session.start",
        {"name": "fix-login", "description": "text", "from": "HEAD~1", "target": "main", "here": None, "worktree": True},
    ),
    "close": ("session.close", {"dry_run": False, "remove": True, "no_verify": False}),
    "patch new": (
        "patch.new", {"name": "p", "description": "d", "depends_on": ["q", "r"], "take": ["a.py", "b c"]},
    ),
    "patch use": ("patch.use", {"patch": "p", "paths": ["a.py"], "strict": False}),
    "patch ready": ("patch.ready", {"patch": "p", "undo": False, "no_verify": True}),
    "patch depend": ("patch.depend", {"patch": "p", "on": "q", "remove": False}),
    "patch rename": ("patch.rename", {"patch": "p", "name": "q", "description": None}),
    "patch abandon": ("patch.abandon", {"patch": "p", "discard": True}),
    "assign": ("assign", {"what": "a.py:1-2", "all": False, "patch": "p", "new": None}),
    "editors": ("editors", {}),
    "editors switch": ("editors.switch", {"editor": 2}),
    "commit": ("commit", {"message": "text", "patch": "p", "no_verify": False}),
    "merge": (
        "merge", {"patch": "p", "ready": True, "strategy": "squash", "dry_run": False, "no_verify": False},
    ),
    "update": ("session.update", {"dry_run": True}),
    "revert": ("revert", {"patch": "p", "abort": False, "no_verify": True}),
    "conflict reopen": ("conflict.reopen", {"id": "tttu"}),
    "resolve": ("resolve", {"id": "tttu", "how": "ours", "content": None}),
    "history": ("history", {"path": "a.py", "limit": 3}),
    "restore": ("restore", {"path": "a.py", "at": "1", "patch": None}),
    "uninstall": ("uninstall", {"hard": True, "yes": True}),
    "invite": ("session.invite", {"user": "bob@example.org", "role": "viewer"}),
    "lock": (
        "lock.acquire",
        {"resources": [{"name": "db/x", "mode": "S"}], "ttl": None, "wait": 5.0, "request": None, "reason": "why"},
    ),
    "unlock": ("lock.release", {"names": ["ref/refs/heads/main"], "all": False}),
    "locks": ("lock.list", {"name": "db/x"}),
    "client hello": ("client.hello", {"name": "agent-1", "kind": "agent", "pid": 7, "ttl": 60.0}),
}  # fmt: skip


def client(**changes: Any) -> replies.FakeClient:
    return replies.FakeClient(ANSWERS | changes)


@pytest.mark.parametrize("command", sorted(LINES))
def test_every_command_answers_in_words_and_in_json(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0, sentences without a Python repr, and JSON that fits its schema."""
    assert main(LINES[command], client().dial) == 0
    told = capsys.readouterr()
    assert told.out.strip()
    for sign in ("None", "{'", "['", "True", "False", "Traceback"):
        assert sign not in told.out + told.err
    assert main([*LINES[command], "--json"], client().dial) == 0
    told = capsys.readouterr()
    assert told.err == ""
    for line in told.out.splitlines():
        SCHEMAS[command].model_validate_json(line)
    assert told.out.isascii()


@pytest.mark.parametrize("command", sorted(VERBS))
def test_words_become_the_arguments_of_the_verb(command: str) -> None:
    """Options reach the daemon under the names of the protocol."""
    asked = client()
    main(LINES[command], asked.dial)
    assert asked.asked == [VERBS[command]]


def test_the_session_can_be_named_before_and_after_the_command() -> None:
    """-s counts wherever it stands, the innermost most."""
    for words in (
        ["-s", "x", "patch", "list"],
        ["patch", "-s", "x", "list"],
        ["-s", "y", "patch", "list", "-s", "x"],
    ):
        asked = client()
        assert main(words, asked.dial) == 0
        assert asked.sessions == ["x"]


def test_events_since_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    """As long ago, or by the clock; what is no longer kept says nothing about a time."""
    now = datetime(2026, 1, 2, 15, 0, tzinfo=UTC).astimezone()
    assert [events.since_of(text, now)[1] for text in ("10m", "2h", "1d")] == [
        now - timedelta(minutes=10), now - timedelta(hours=2), now - timedelta(days=1)
    ]  # fmt: skip
    assert events.since_of("14:05", now) == (0, now.replace(hour=14, minute=5))
    assert events.since_of("9:05:07", now) == (0, now.replace(hour=9, minute=5, second=7))
    assert events.since_of("2026-01-01T12:00:00Z", now) == (0, datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert events.since_of("41", now) == (41, None)
    told = [
        {"v": 1, "seq": 9, "ts": "2026-01-02T03:04:05Z", "type": kind, "session": None, "text": kind}
        for kind in ("missed", "early", "late")
    ]
    told[2]["ts"] = "2026-01-02T03:05:00.250Z"
    assert main(["events", "--since", "2026-01-02T03:04:06Z"], client(events=told).dial) == 0
    out = capsys.readouterr().out
    assert "late" in out and "early" not in out and "missed" not in out
    for wrong in ("soon", "25:00", "-1", "999999999d", ""):
        assert main(["events", f"--since={wrong}"], client().dial) == 2
        assert "is no number and no time" in capsys.readouterr().err


def test_a_git_that_has_the_index_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked again with longer and longer pauses, then told; no other refusal is."""
    paused: list[float] = []
    monkeypatch.setattr("gitsessiond.faces.cli.face.time.sleep", paused.append)
    busy = Refused("git is at work here (index.lock)", hint="git status", reason="index_lock")
    done = ANSWERS["commit"]
    waiting = client(commit=lambda args: busy if len(paused) < 2 else done)
    assert main(["commit", "-m", "text"], waiting.dial) == 0
    assert paused == [0.1, 0.5]
    assert main(["commit", "-m", "text"], client(commit=busy).dial) == 4
    assert paused == [0.1, 0.5, 0.1, 0.5, 2.0]
    other = Refused("git is at work here (rebase-merge)", hint="git rebase --continue", reason="git_at_work")
    assert main(["commit", "-m", "text"], client(commit=other).dial) == 4
    assert len(paused) == 5
    assert "git rebase --continue" in capsys.readouterr().err


@pytest.mark.parametrize("code", sorted(KINDS))
def test_every_error_ends_with_its_exit_code(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """error: and hint: on stderr, or one JSON object on stdout, and the exit code of the table."""
    kind = KINDS[code]
    failing = client(merge=kind("it cannot be", hint="git session list"))
    assert main(["merge", "p"], failing.dial) == kind.exit_code
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "error: it cannot be\nhint: git session list\n")
    assert main(["merge", "p", "--json"], failing.dial) == kind.exit_code
    told = capsys.readouterr()
    found = ErrorReply.model_validate_json(told.out)
    assert (found.error.code, told.err) == (code, "")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["stat"], "'stat' is no command of `git session`\nhint: did you mean `git session start` or `git session status`?"),
        (["patch", "xyz"], "'xyz' is no command of `git session patch`\nhint: `git session patch -h` lists the commands"),
        (["patch"], "missing command\nhint: git session patch -h"),
        (["merge"], "missing argument 'P'\nhint: git session merge -h"),
        (["merge", "p", "--bogus"], "no such option '--bogus'\nhint: git session merge -h"),
        (["commit"], "missing option '-m' / '--message'\nhint: git session commit -h"),
        (["assign"], "name a path, a commit, an editor, or --all\nhint: git session unassigned"),
        (["assign", "a", "--patch", "p", "--new", "q"], "--patch and --new exclude each other\nhint: choose one"),
        (["assign", "a", "--all"], "name a path, a commit, an editor, or --all\nhint: git session unassigned"),
        (["rename"], "nothing to change\nhint: git session rename NAME [-m TEXT]"),
        (["start", "x", "--here", "--worktree"], "--here and --worktree exclude each other\nhint: choose one"),
        (["patch", "new", "p", "a.py"], "'a.py' is one word too many\nhint: git session patch new p --take a.py"),
        (["close"], "this must be confirmed, and there is no terminal to ask on\nhint: add --yes"),
        (["abandon"], "this must be confirmed, and there is no terminal to ask on\nhint: add --yes"),
        (
            ["resolve", "x"],
            "say how: one of --ours, --theirs, --base, --union, --delete, --file F, --edit, --tool, --hunk N=HOW, "
            "--remembered\nhint: git session conflict show x",
        ),
        *(
            (["resolve", "x", *ways], f"{word} exclude each other: choose one\nhint: git session conflict show x")
            for ways, word in (
                (["--ours", "--theirs"], "--ours and --theirs"),
                (["--edit", "--remembered"], "--edit and --remembered"),
                (["--union", "--file", "f"], "--union and --file"),
                (["--tool", "--hunk", "1=ours", "--base"], "--base, --tool and --hunk"),
            )
        ),
        (["events", "--type", "foo"], None), (["events", "--type", "saved", "--type", "Saved"], None),
        (["log"], None), (["undo"], None), (["update", "x"], None), (["purge"], None), (["lock", "x", "--mode", "Y"], None), (["lock"], None),
    ],
)  # fmt: skip
def test_wrong_words_exit_2_and_ask_nothing(
    words: list[str], error: str | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Usage errors name what is wrong and what to type; nothing that changes state is asked."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    asked = client()
    assert main(words, asked.dial) == 2
    told = capsys.readouterr()
    assert told.out == ""
    if error is not None:
        assert told.err.endswith(f"error: {error}\n")
    assert all(verb == "session.status" or args.get("dry_run") for verb, args in asked.asked)


def test_merge_exits_3_on_conflicts(capsys: pytest.CaptureFixture[str]) -> None:
    """What did not land is exit 3, with the conflicts on stdout and the way out on stderr."""
    clash = MERGED | {"merged": False, "commit": None, "conflicts": [replies.conflict()]}
    assert main(["merge", "p"], client(merge=clash).dial) == 3
    told = capsys.readouterr()
    assert "did not land on main: 1 conflict." in told.out
    assert "Edit .gitsession/conflicts/tttuuuvvvwww/shop/user.py" in told.out
    assert told.err.startswith("hint: git session conflict show tttu\nhint: git session resolve tttu\n")
    assert main(["merge", "p", "--json"], client(merge=clash).dial) == 3


def test_close_exits_3_when_a_patch_did_not_land() -> None:
    """The session is closed all the same; the exit code tells that something is left."""
    error = {"code": "conflicts", "message": "1 conflict", "hint": "git session conflicts", "exit": 3}
    failed = ENDED | {"failed": [NAMED | {"error": error}]}
    assert main(["close", "--yes"], client(**{"session.close": failed}).dial) == 3


@pytest.mark.parametrize(
    ("codes", "exit_code"), [([], 0), (["conflicts"], 3), (["conflicts", "draft"], 4), (["draft"], 4)]
)
def test_validate_exits_as_the_merge_would(codes: list[str], exit_code: int) -> None:
    """0 could be merged, 3 conflicts alone, 4 anything else."""
    blockers = [{"code": code, "message": "m", "hint": None} for code in codes]
    reply = {"patch": replies.validation(), "blockers": blockers, "warnings": []}
    assert main(["patch", "validate", "p"], client(**{"patch.validate": reply}).dial) == exit_code


def test_doctor_exits_1_while_something_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """A check that failed and was not fixed is exit 1, front's too; a warning is 0. Each hint is given once."""
    bad = CHECK | {"ok": False, "state": "fail", "message": "damaged", "hint": "git session doctor --fix"}
    assert main(["doctor"], client(doctor={"checks": [bad, bad]}).dial) == 1
    assert capsys.readouterr().err == "hint: git session doctor --fix\n"
    assert main(["doctor"], client(**{"daemon.health": {"checks": [bad]}}).dial) == 1
    assert main(["doctor", "--fix"], client(doctor={"checks": [bad | {"fixed": True}]}).dial) == 0
    low = CHECK | {"name": "disk", "state": "warn", "message": "little is free", "hint": "df -h /x"}
    capsys.readouterr()
    assert main(["doctor"], client(doctor={"checks": [low]}, **{"daemon.health": Unreachable("no daemon")}).dial) == 0
    told = capsys.readouterr()
    assert told.err == "hint: df -h /x\n" and "warn   disk: little is free" in told.out
    assert told.out.startswith("ok     front: no daemon runs")


def test_a_bug_is_one_sentence_and_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    """What nobody foresaw exits 70, prints no traceback, and names the file that has it."""
    assert main(["unassigned"], client(unassigned=RuntimeError("boom")).dial) == 70
    told = capsys.readouterr().err
    assert "Traceback" not in told
    log = Path(told.splitlines()[0].rpartition("log: ")[2])
    assert "RuntimeError: boom" in log.read_text()


def test_interrupted_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C while waiting ends with 130 and without a traceback."""
    assert main(["unassigned"], client(unassigned=KeyboardInterrupt()).dial) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


class Terminal(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(text))


def test_resolve_asks_nothing_where_nothing_is_to_be_settled(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal says what it ends with; no way is offered first."""
    typed(monkeypatch, "ours\n")
    shown = ANSWERS["conflict.show"]
    notice = shown | {"hunks": [], "conflict": shown["conflict"] | {"kind": "resource_lock"}}
    asked = client(**{"conflict.show": notice, "resolve": Refused("nothing is to be settled", hint="git session")})
    assert main(["resolve", "tttu"], asked.dial) == 4
    assert capsys.readouterr().err == "error: nothing is to be settled\nhint: git session\n"


PENDING = {"patch": None, "moved": [], "refused": [], "already": [], "choices": []}


def pending(*rows: dict[str, Any]) -> Any:
    """``assign`` that lists these rows when no patch is named."""
    return lambda args: PENDING | {"pending": list(rows)} if args["patch"] is args["new"] else ANSWERS["assign"]


def test_assign_asks_with_a_numbered_list(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The patches in order, "Create new patch" last; a number assigns."""
    typed(monkeypatch, "2\n")
    asked = client(assign=pending(replies.row("a.py", (1, 2), text="x = 1")))
    assert main(["assign", "a.py"], asked.dial) == 0
    told = capsys.readouterr().err
    assert told.startswith(
        "a.py:1-2 (no patch in use)\n    x = 1\n"
        "  1  validation-enhancements\n  2  performance-optimizations\n  3  Create new patch\nPatch for this edit: "
    )
    assert asked.asked[1:] == [("assign", {"what": "a.py", "all": False, "patch": replies.PERFORMANCE, "new": None})]


def test_the_last_choice_makes_a_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    """ "Create new patch" asks for its name and sends both in one request."""
    typed(monkeypatch, "9\n3\nprofile page\n")
    asked = client(assign=pending(replies.row("a.py", (1, 2), text=None)))
    assert main(["assign", "--all"], asked.dial) == 0
    assert asked.asked[1:] == [("assign", {"what": None, "all": True, "patch": None, "new": "profile page"})]


def test_edits_with_other_choices_are_asked_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """One question for each set of choices; a patch made by the first can be chosen in the second."""
    typed(monkeypatch, "3\nnew one\n2\n")
    rows = [replies.row("a.py", (1, 2)), replies.row("b.py", (4, 3)), replies.row("c.py", choices=[NAMED])]
    asked = client(assign=pending(*rows))
    assert main(["assign", "--all"], asked.dial) == 0
    assert [(args["what"], args["patch"], args["new"]) for _, args in asked.asked[1:]] == [
        ("a.py:1-2", None, "new one"),
        ("b.py:4-3", "new one", None),
        ("c.py", "new one", None),
    ]


@pytest.mark.parametrize("answer", ["", "3\n", "x\n"])
def test_an_end_of_input_changes_nothing(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C or Ctrl-D at any question: exit 130, nothing was sent."""
    typed(monkeypatch, answer)
    asked = client(assign=pending(replies.row("a.py", (1, 2))))
    assert main(["assign", "a.py"], asked.dial) == 130
    assert len(asked.asked) == 1


def test_assign_without_a_terminal_needs_a_patch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No question is asked where nobody can answer; with --json the choices are data."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    rows = pending(replies.row("a.py", (1, 2), text=None))
    assert main(["assign", "a.py"], client(assign=rows).dial) == 2
    assert capsys.readouterr().err.endswith("hint: add --patch P or --new NAME\n")
    assert main(["assign", "a.py", "--json"], client(assign=rows).dial) == 0
    found = SCHEMAS["assign"].model_validate_json(capsys.readouterr().out)
    assert [choice.name for choice in found.pending[0].choices] == [  # type: ignore[attr-defined]
        "validation-enhancements", "performance-optimizations",
    ]  # fmt: skip


@pytest.mark.parametrize(("answer", "exit_code", "closed"), [("y\n", 0, True), ("n\n", 1, False), ("", 130, False)])
def test_close_asks_on_a_terminal(answer: str, exit_code: int, closed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a yes closes."""
    typed(monkeypatch, answer)
    asked = client()
    assert main(["close"], asked.dial) == exit_code
    assert [args["dry_run"] for _, args in asked.asked] == ([True, False] if closed else [True])


def test_closing_again_asks_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A closed session is closed: exit 0, no question."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["close"], client(**{"session.close": ENDED | {"already": True}}).dial) == 0
    assert capsys.readouterr().out == "Session user-improvements is already closed.\n"


def test_resolve_sends_the_bytes_of_a_file(tmp_path: Path) -> None:
    """--file carries any bytes; a file that is not there is exit 10."""
    (tmp_path / "f").write_bytes(b"\xff\n")
    asked = client()
    assert main(["resolve", "t", "--file", str(tmp_path / "f")], asked.dial) == 0
    assert asked.asked[0][1]["how"] == "file"
    assert base64.b64decode(asked.asked[0][1]["content"]) == b"\xff\n"
    assert main(["resolve", "t", "--file", str(tmp_path / "none")], asked.dial) == 10


def test_paths_travel_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are not UTF-8, quotes and already quoted paths reach the daemon in one spelling."""
    monkeypatch.chdir(tmp_path)
    typed_and_sent = [
        (os.fsdecode(b"caf\xe9"), '"caf\\351"'),
        ('"caf\\351"', '"caf\\351"'),
        ('say "x"', '"say \\"x\\""'),
        (os.fsdecode(b"caf\xe9:3-4"), '"caf\\351":3-4'),
    ]
    for word, sent in typed_and_sent:
        asked = client()
        assert main(["assign", word, "--patch", "p"], asked.dial) == 0
        assert asked.asked[0][1]["what"] == sent


def test_daemon_stop_starts_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """status, stop and logs look at the daemon that is there and never start one."""
    (tmp_path / "log").write_text("one\ntwo\n")
    asked = client(**{"daemon.stop": Unreachable("no daemon"), "log": tmp_path / "log"})
    assert main(["daemon", "stop"], asked.dial) == 0
    assert main(["daemon", "status"], asked.dial) == 0
    assert main(["daemon", "logs", "-n", "1"], asked.dial) == 0
    assert asked.starts == [False, False, False]
    assert capsys.readouterr().out.endswith("\ntwo\n")
    assert main(["daemon", "logs"], client(log=tmp_path / "none").dial) == 10


def test_daemon_stop_says_what_becomes_of_sessions_and_locks(capsys: pytest.CaptureFixture[str]) -> None:
    """As far as it was told; one that does not say what it has at hand is stopped all the same."""
    at_hand = {"daemon.status": DAEMON | {"sessions": 2, "locks": {"held": 3, "waiting": 1}}}
    assert main(["daemon", "stop"], client(**at_hand).dial) == 0
    assert capsys.readouterr().out == (
        "The daemon has stopped.\nWhen it runs again what changed in 2 open sessions is recorded and "
        "3 locks, held all the while, last their whole time once more.\n"
    )
    assert main(["daemon", "stop", "--json"], client(**at_hand).dial) == 0
    assert json.loads(capsys.readouterr().out) == {"v": 1, "stopped": True, "sessions": 2, "locks": 3}
    ill = client(**{"daemon.status": Unreachable("no answer")})
    assert main(["daemon", "stop"], ill.dial) == 0 and ill.asked[-1][0] == "daemon.stop"
    assert capsys.readouterr().out == "The daemon has stopped.\n"
    assert stopped_lines({"locks": 1}) == [
        "When it runs again 1 lock, held all the while, lasts its whole time once more."
    ]


def test_hooks_speak_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """What the user's hooks printed is shown, and never mixed with data."""
    assert main(["patch", "ready", "p"], client().dial) == 0
    told = capsys.readouterr()
    assert "hook says hello\n" in told.err
    assert "hook" not in told.out


def test_switch_prints_the_directory_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """cd "$(git session switch x)" works."""
    assert main(["switch", "x"], client().dial) == 0
    assert capsys.readouterr().out == "/home/shop\n"


def test_refused_assignments_exit_4() -> None:
    """If every edit had to stay, the exit code says so."""
    reply = PENDING | {"refused": [{"path": "a", "lines": None, "reason": "r"}]}
    assert main(["assign", "a", "--patch", "p"], client(assign=reply).dial) == 4


def test_help_needs_no_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    """-h, --help and --version never ask anything."""
    for words in (["-h"], ["merge", "--help"], ["patch", "-h"], ["--version"]):
        asked = client()
        assert main(words, asked.dial) == 0
        assert asked.sessions == []
    assert "Traceback" not in capsys.readouterr().err


WORDS = st.sampled_from(
    [word for line in LINES.values() for word in line]
    + [
        "-h",
        "--json",
        "--all",
        "-s",
        "--",
        "-",
        "",
        "--at",
        "-n",
        "0",
        "x" * 70,
        "\udcff",
        "a:1-0",
        "--take",
        "é",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(WORDS, max_size=6))
def test_no_line_of_words_makes_a_traceback(words: list[str]) -> None:
    """Whatever is typed ends with an exit code of the table, and with --json stdout is JSON."""
    if "demo" in words:
        return
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.stdout", out)
        patched.setattr("sys.stderr", err)
        patched.setattr("sys.stdin", io.StringIO())
        code = main(words, client(log=os.devnull, assign=pending(replies.row("a.py"))).dial)
    assert code in EXIT_CODES and code != 70
    told = out.buffer.getvalue().decode("utf-8", "surrogateescape")  # type: ignore[attr-defined]
    assert b"Traceback" not in err.buffer.getvalue()  # type: ignore[attr-defined]
    if "--json" in words and "-h" not in words and "--" not in words and code == 2:
        assert json.loads(told)["error"]["code"] == "usage"


def test_a_named_thing_that_is_missing_is_10() -> None:
    """NotFound of any verb is exit 10, Refused exit 4."""
    assert main(["patch", "show", "p"], client(**{"patch.show": NotFound("no")}).dial) == 10
    assert main(["merge", "p"], client(merge=Refused("no")).dial) == 4


def test_a_diff_keeps_its_bytes(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Bytes of a diff that are not UTF-8 are printed as they are."""
    assert main(["patch", "diff", "p"], client(**{"patch.diff": {"diff": "+caf\udce9\n"}}).dial) == 0
    assert capsysbinary.readouterr().out == b"+caf\xe9\n"


def test_config_names_what_means_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A bad value: 2, with the command that mends it; the other settings are printed all the same."""
    bad = SETTING | {"wrong": "LOCK_DEFAULT_TTL = '-1' is no time above 0", "hint": "unset LOCK_DEFAULT_TTL"}
    answers = {"settings": [bad, SETTING], "unknown": ["gitsession.mergge"]}
    assert main(["config"], client(config=answers).dial) == 2
    told = capsys.readouterr()
    assert told.out.splitlines() == ["gitsession.lockDefaultTtl = 5"] * 2
    assert told.err.splitlines() == [
        "warning: LOCK_DEFAULT_TTL = '-1' is no time above 0",
        "warning: gitsession.mergge is no setting of git session",
        "hint: unset LOCK_DEFAULT_TTL",
    ]
    assert main(["config", "--show-origin"], client().dial) == 0
    assert capsys.readouterr().out == "LOCK_DEFAULT_TTL  gitsession.lockDefaultTtl = 5\n"


def test_clients_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asks is marked; one that is silent is said to be; a process that was not believed as well."""
    assert main(["clients"], client().dial) == 0
    assert capsys.readouterr().out.splitlines() == [
        "* pts-3_1f2e3d4c  primary    terminal  Ann <ann@example.org>  pid 7, /home/shop",
        "  agent-1         secondary  agent                            heard of 2026-01-02 03:04:05, /home/shop, "
        "silent: it holds nothing any more",
    ]
    assert main(["client", "hello", "agent-1", "--pid", "7"], client().dial) == 0
    assert "process 7 is not seen to be yours" in capsys.readouterr().err
    assert main(["client", "hello", "--pid", "7"], client().dial) == 2


def test_the_client_can_be_named_before_and_after_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """--client with any command is as $GITSESSION_CLIENT."""
    for words in (["--client", "ag", "patch", "list"], ["patch", "list", "--client", "ag"], ["status", "--client=ag"]):
        monkeypatch.setenv("GITSESSION_CLIENT", "another")
        assert main(words, client().dial) == 0
        assert os.environ["GITSESSION_CLIENT"] == "ag"


def test_people_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asks is marked by the address; who is not named is told what that means."""
    assert main(["collaborators"], client().dial) == 0
    assert capsys.readouterr().out.splitlines() == [
        "  Ann <ann@example.org>  owner",
        "* bob@example.org        contributor  invited by Ann <ann@example.org> 2026-01-02 03:04:05",
    ]
    stranger = PEOPLE | {"you": {"user": "Eve <eve@x>", "role": None, "patches": 0}}
    assert main(["collaborators"], client(**{"session.collaborators": stranger}).dial) == 0
    assert capsys.readouterr().out.endswith("Eve <eve@x> is not named here, and may look.\n")
    alone = PEOPLE | {"counts": False}
    assert main(["collaborators"], client(**{"session.collaborators": alone}).dial) == 0
    assert "everybody may do everything" in capsys.readouterr().err
    assert main(["invite", "bob@example.org"], client().dial) == 0
    assert capsys.readouterr().out == "bob@example.org is a contributor of session user-improvements.\n"

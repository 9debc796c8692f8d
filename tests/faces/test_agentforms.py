"""The JSON of the agents' hooks, read and answered; and that an agent is never hindered by what is wrong with us."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gitsessiond.faces.cli.agentforms import event_of, going_on, refusal, remark
from gitsessiond.faces.cli.agenthook import by_directory, patience, repositories, run_agent_hook, told_after
from gitsessiond.faces.cli.applypatch import Written, written_by
from gitsessiond.faces.cli.hooklines import agent_lines
from tests.bench import Workbench, bench
from tests.conftest import git

__all__ = ["bench"]

CLAUDE = {"session_id": "6f1c", "cwd": "/w", "hook_event_name": "PreToolUse", "tool_use_id": "t"}
CURSOR = {
    "conversation_id": "c0ff",
    "workspace_roots": ["/w"],
    "cursor_version": "2.0",
    "hook_event_name": "preToolUse",
}
PATCH = """*** Begin Patch
*** Add File: new.py
+one
+
*** Update File: a.py
*** Move to: b.py
@@ def f():
 keep
-old
+new
*** Update File: c.py
@@
-x
+y
@@
 z
+w
*** Delete File: d.py
*** End Patch"""


def event(told: dict[str, Any], tool: str = "claude", **more: Any) -> Any:
    return event_of(tool, told | more)


def test_what_tools_are_told_to_write() -> None:
    """Claude Code's, Codex's and Cursor's tools; others do not matter here."""
    edit = {"file_path": "/w/a.py", "old_string": "x", "new_string": "y", "replace_all": True}
    found = event(CLAUDE, tool_name="Edit", tool_input=edit)
    assert (found.kind, found.tool, found.id) == ("before", "claude", "6f1c")
    assert found.writes == (Written("/w/a.py", pieces=(("x", "y", True),)),)
    found = event(CLAUDE, tool_name="MultiEdit", tool_input={"file_path": "a.py", "edits": [edit, edit]})
    assert found.writes == (Written("/w/a.py", pieces=(("x", "y", True),) * 2),)
    found = event(CLAUDE, tool_name="Write", tool_input={"file_path": "/w/n.py", "content": "n\n"})
    assert found.writes == (Written("/w/n.py", content="n\n"),)
    found = event(CLAUDE, hook_event_name="PostToolUse", tool_name="Bash", tool_input={"command": "ls"})
    assert (found.kind, found.command, found.call) == ("after", "ls", "t")
    assert event(CLAUDE, tool_name="Read", tool_input={"file_path": "/w/a.py"}) is None
    assert event(CLAUDE, hook_event_name="Notification") is None
    ends = ("Stop", "UserPromptSubmit", "SessionEnd")
    assert [event(CLAUDE, hook_event_name=name).kind for name in ends] == ["stop", "stop", "end"]
    found = event(CURSOR, tool_name="Delete", tool_input={"path": "d.py"})
    assert (found.tool, found.id, found.writes) == ("cursor", "c0ff", (Written("/w/d.py", deleted=True),))
    found = event(CURSOR, hook_event_name="afterFileEdit", file_path="/w/a.py", edits=[edit])
    assert (found.kind, found.writes[0].path) == ("after", "/w/a.py")
    assert event(CURSOR, hook_event_name="beforeShellExecution", command="ls").command == "ls"


def test_apply_patch() -> None:
    """Added, updated in pieces, moved and deleted files; also by a shell; nonsense writes nothing."""
    wanted = [
        Written("new.py", content="one\n\n"),
        Written("a.py", deleted=True),
        Written("b.py", pieces=((" keep\nold\n"[1:], "keep\nnew\n", False),), origin="a.py"),
        Written("c.py", pieces=(("x\n", "y\n", False), ("z\n", "z\nw\n", False))),
        Written("d.py", deleted=True),
    ]
    assert written_by(PATCH) == wanted
    found = event(CLAUDE, "codex", tool_name="Bash", tool_input={"command": f"apply_patch <<'EOF'\n{PATCH}\nEOF"})
    assert [one.path for one in found.writes] == [os.path.join("/w", one.path) for one in wanted]
    found = event(CLAUDE, "codex", tool_name="Bash", tool_input={"command": f"cd 'a b' && applypatch '{PATCH}'\n"})
    assert [one.path for one in found.writes] == [os.path.join("/w/a b", one.path) for one in wanted]
    spaced = PATCH.replace("*** Add File: new.py", " *** Add File: new.py").replace("*** Upd", " *** Upd", 1)
    assert written_by(spaced) == wanted  # as Codex reads it; between the lines of an update it would be one of them
    assert written_by("*** Begin Patch") == [] and written_by("nothing") == []


@pytest.mark.parametrize(
    "command",
    [
        "grep -rn '*** Begin Patch' . > hits.txt",
        f"cat > p.diff <<'E'\n{PATCH}\nE\nsed -i s/a/b/ other.py",
        f"apply_patch <<'E'\n{PATCH}\nE\nsed -i s/a/b/ other.py",
        f"cd $HERE && apply_patch <<'E'\n{PATCH}\nE",
        f"apply_patch '{PATCH}' || rm a.py",
    ],
    ids=range(5),
)
def test_a_command_with_a_patch_in_it_is_a_command(command: str) -> None:
    """Only one that is apply_patch, in a directory that is sure, and nothing else, says all it writes."""
    found = event(CLAUDE, "codex", tool_name="Bash", tool_input={"command": command})
    assert found.command == command and not found.writes


def test_answers_in_the_form_of_each_tool() -> None:
    """As each has it documented: silence is "go on" for Claude Code, and for Cursor it is not."""
    assert [going_on("claude", one) for one in (CLAUDE, CURSOR)] == [None, {"permission": "allow"}]
    assert going_on("codex", CLAUDE | {"hook_event_name": "Stop"}) == {"continue": True}
    assert going_on("cursor", CURSOR | {"hook_event_name": "stop"}) == {}
    first = event(CLAUDE, tool_name="Delete", tool_input={"file_path": "x"})
    assert refusal(first, "why") == {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": "why",
        }
    }
    names = ((CLAUDE, "PostToolUse"), (CURSOR, "postToolUse"), (CURSOR, "postToolUseFailure"))
    after = [event(one, hook_event_name=name, tool_name="Bash", tool_input={"command": "x"}) for one, name in names]
    assert [remark(one, "so") for one in after] == [
        {"hookSpecificOutput": {"hookEventName": "PostToolUse", "additionalContext": "so"}},
        {"additional_context": "so"},
        None,
    ]
    second = event(CURSOR, tool_name="Delete", tool_input={"file_path": "x"})
    assert refusal(second, "why")["permission"] == "deny" and refusal(second, "why")["agent_message"] == "why"


@pytest.mark.parametrize("tool, answer", [("claude", ""), ("codex", ""), ("cursor", '{"permission": "allow"}\n')])
def test_nonsense_is_answered_with_go_on(
    tool: str, answer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No JSON, JSON too deep to read, no object, no standard input at all, a tool of Cursor's that is not understood."""
    deep, strange = b"[" * 100000, json.dumps(CURSOR | {"tool_name": "Write", "tool_input": {}}).encode()
    for content in (b"{", deep, b'{"a":' + deep, b"[]", b"{}", b"\xff", None, *([strange] if tool == "cursor" else [])):
        stdin = None if content is None else SimpleNamespace(buffer=io.BytesIO(content))
        monkeypatch.setattr(sys, "stdin", stdin)
        assert run_agent_hook([tool]) == 0 and capsys.readouterr() == (answer, "")
    for words in ([], ["claude", "now"], ["vim"], ["--json"]):  # 2 would be a refusal to Claude Code
        assert run_agent_hook(words) == 1 and "hint: git session agent-hook -h" in capsys.readouterr().err
    assert run_agent_hook(["-h"]) is None


def test_codex_asks_whether_its_hooks_are_trusted() -> None:
    """It skips them without a word until they are: so we say it, wherever they are said to be there."""
    reply = {"agent": "codex", "file": "/w/.codex/hooks.json", "state": "installed", "changed": True}
    for verb, changed in (("install", True), ("install", False), ("status", False)):
        assert "until they are trusted: /hooks" in agent_lines(reply | {"changed": changed}, verb)[-1]
    assert len(agent_lines(reply | {"agent": "claude"}, "install")) == 1
    assert len(agent_lines(reply | {"state": "missing"}, "uninstall")) == 1


def hooked(bench: Workbench, told: bytes, tool: str = "claude") -> tuple[int, str, str]:
    """What the hook ends with and prints; started for another session, which says nothing of the files here."""
    words, env = ["git", "session", "agent-hook", tool], {**os.environ, "GITSESSION": "another"}
    done = subprocess.run(words, cwd=bench.root, env=env, input=told, capture_output=True, timeout=20)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_the_worktree_of_a_link_is_that_of_the_file(tmp_path: Path) -> None:
    """An edit through it is made there; to delete it changes nothing there."""
    here, there = tmp_path / "here", tmp_path / "there"
    for tree in (here, there):
        (tree / ".git").mkdir(parents=True)
    (here / "link").symlink_to(there / "file")
    edit, gone = Written(str(here / "link"), content="x"), Written(str(here / "link"), deleted=True)
    assert by_directory([edit, gone]) == {str(there): [edit._replace(path=str(there / "file"))], str(here): [gone]}


def test_the_end_is_told_in_all_repositories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an agent stands now, where it began, and what Cursor has open beside; each once."""
    for name in ("one", "two", "three"):
        git(tmp_path, "init", "-q", name)
    roots = [str(tmp_path / name) for name in ("one", "two", "none")]
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(tmp_path / "three"))
    for told in (
        CURSOR | {"workspace_roots": roots},
        CURSOR | {"workspace_roots": [*roots, 7], "cwd": f"{tmp_path}/two/../one"},
    ):
        ended = event(told, hook_event_name="sessionEnd")
        assert [name[-3:] for name in repositories(ended)] == [ended.cwd[-3:], "two", "ree"]


TOOL = {"tool_name": "Edit", "tool_input": {"file_path": "a.txt", "old_string": "line 1", "new_string": "one"}}


def test_an_agent_is_not_hindered(bench: Workbench) -> None:
    """No daemon: exit 0 and nothing said; a claimed path is a refusal."""
    told = json.dumps(CLAUDE | {"cwd": str(bench.root)} | TOOL).encode()
    assert hooked(bench, told) == (0, "", "")
    bench.run("start", "x", "--here")
    bench.quiet = False
    assert hooked(bench, told) == (0, "", "") and bench.status()["claims"][0]["paths"] == ["a.txt"]
    refused = json.loads(hooked(bench, told.replace(b"6f1c", b"0199"), "codex")[1])
    assert "a.txt is claimed for claude-6f1c" in refused["hookSpecificOutput"]["permissionDecisionReason"]


@pytest.mark.soak
def test_the_commands_as_tools_and_people_run_them(bench: Workbench) -> None:
    """Nonsense is no harm, an unknown tool no refusal; the settings of a tool come and go."""
    told = json.dumps(CLAUDE | {"cwd": str(bench.root)} | TOOL).encode()
    assert hooked(bench, b"{") == (0, "", "")
    cursor = json.dumps(CURSOR | {"cwd": str(bench.root)} | TOOL).encode()
    assert hooked(bench, cursor, "cursor") == (0, '{"permission": "allow"}\n', "")
    assert hooked(bench, told, "vim")[0] == 1  # 2 would be a refusal
    bench.run("start", "x", "--here")
    bench.quiet = False  # the settings are the user's, and asked for
    bench.run("hooks", "install", "--agent", "cursor")
    assert "agent-hook cursor" in bench.read(".cursor/hooks.json")
    bench.run("hooks", "uninstall", "--agent", "cursor")
    assert not (bench.root / ".cursor").exists()
    assert bench.json("hooks", "status", "--agent", "cursor")["state"] == "missing"


def test_an_agent_is_told_of_what_is_not_its_own() -> None:
    """Edits that nothing proves, and a patch of the environment that is not there; else nothing."""
    after = event(CLAUDE, hook_event_name="PostToolUse", tool_name="Bash", tool_input={"command": "x"})
    wrong, left = {"told": "gone", "name": "claude-6f1c"}, [{"path": "a.txt"}]
    for done, wanted in (
        ({"instead": wrong, "left": left}, ("'gone' of GITSESSION_PATCH", "edits go to claude-6f1c", "edits of a.txt")),
        ({"instead": wrong, "left": []}, ("'gone' of GITSESSION_PATCH",)),
        ({"left": left}, ("edits of a.txt",)),
    ):
        words = told_after(after, done)["hookSpecificOutput"]["additionalContext"]
        assert all(one in words for one in wanted) and ("gone" in words) == ("instead" in done)
    assert told_after(after, {"instead": None, "left": []}) is None and told_after(after, None) is None


def test_a_recorder_that_is_ill_is_not_waited_for() -> None:
    """One that is stopped at all; one that is long at work only as long as is left of what a hook may take."""
    with subprocess.Popen(["sleep", "100"]) as child:
        try:
            assert patience({"ok": {"pid": 1, "recorder_pid": child.pid, "busy_s": 0.0}}) == 5.0
            os.kill(child.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
            assert patience({"ok": {"pid": 1, "recorder_pid": child.pid, "busy_s": 0.0}}) is None
        finally:
            child.kill()
    assert [patience({"ok": {"busy_s": busy}}) for busy in (2, 4.9, 60.0)] == [3.0, 0.3, 0.3]
    assert patience({"ok": {"recorder_pid": None}}) == patience(None) == 5.0


@pytest.mark.soak
@pytest.mark.alone
def test_a_daemon_that_is_ill_costs_nothing(bench: Workbench) -> None:
    """Beside the start of Python itself, the hook takes no 100 ms where the daemon or its recorder is stopped, or gone."""
    bench.run("start", "x", "--here")
    told = json.dumps(CLAUDE | {"cwd": str(bench.root)} | TOOL).encode()

    def seconds(words: list[str]) -> float:
        begun = time.monotonic()
        done = subprocess.run(words, cwd=bench.root, input=told, check=True, capture_output=True)
        assert not done.stdout and not done.stderr
        return time.monotonic() - begun

    plain = min(seconds([sys.executable, "-c", "import json, socket"]) for _ in range(7))
    pids, stopped = bench.daemon(), 0.0
    for key in ("pid", "recorder_pid"):
        os.kill(pids[key], signal.SIGSTOP)
        try:
            stopped = max(stopped, min(seconds(["git", "session", "agent-hook", "claude"]) for _ in range(7)))
        finally:
            os.kill(pids[key], signal.SIGCONT)
    bench.stop()
    gone = min(seconds(["git", "session", "agent-hook", "claude"]) for _ in range(7))
    assert stopped - plain < 0.1 and gone - plain < 0.1, (plain, stopped, gone)

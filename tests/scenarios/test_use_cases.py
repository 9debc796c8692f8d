"""Three use cases, told with terminals: several in one project, two projects at once, two people in one project.

Each says what it promises in its own words; git alone judges the session at the end.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench import Workbench, wait_for
from tests.conftest import make_repo
from tests.scenarios.terminals import Terminal, events_in

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux tells of processes")

Open = Callable[..., Terminal]


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Open]:
    """Opens terminals, and closes them."""
    opened: list[Terminal] = []

    def open_terminal(cwd: Path, **env: str) -> Terminal:
        opened.append(Terminal(tmp_path / f"terminal-{len(opened)}", cwd, **env))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.close()


def follow(terminal: Terminal, *words: str) -> Path:
    """Follow events in the background of a terminal, from the first one on."""
    return terminal.begin(f"git session events --follow --since 0 --json {' '.join(words)}")


def told(printed: Path, kind: str, /, **fields: object) -> list[dict[str, Any]]:
    """The events of a kind with these fields that a follower has printed."""
    wanted = {"type": kind, **fields}
    return [one for one in events_in(printed) if wanted.items() <= one.items()]


def second_repository(bench: Workbench, tmp_path: Path) -> Workbench:
    """Another project."""
    root = tmp_path / "hotfix"
    make_repo(root)
    return Workbench(root)


# -- one project, several terminals ---------------------------------------------------------------------------


def test_two_terminals_are_two_clients(bench: Workbench, window: Open) -> None:
    """Each has an id of its own; the first is primary and locks a file; when its window closes the second does."""
    first, second = window(bench.root), window(bench.root)
    first.run("start", "day")
    clients = second.json("clients")["clients"]
    assert [(one["pid"], one["role"]) for one in clients] == [
        (first.shell.pid, "primary"),
        (second.shell.pid, "secondary"),
    ]
    assert len({one["id"] for one in clients}) == 2
    first.run("lock", "a.txt")
    refused = second.json("lock", "a.txt", code=11)["error"]
    assert [one["client"] for one in refused["held"]] == [clients[0]["id"]]
    first.close()
    second.run("lock", "a.txt", "--wait", "20")
    assert second.me()["role"] == "primary"


@pytest.mark.soak
def test_three_terminals_in_one_project(bench: Workbench, window: Open) -> None:
    """Tests run in the first, the second edits the backend, the third the frontend; each save reaches all three."""
    tests, backend, frontend = (window(bench.root) for _ in range(3))
    tests.run("start", "day")
    everybody = [tests, backend, frontend]
    assert len({one.me()["id"] for one in everybody}) == 3
    assert [one.me()["role"] for one in everybody] == ["primary", "secondary", "secondary"]

    runs = tests.begin("git session watch -- sh -c 'echo tested $GITSESSION_CHANGED'")
    wait_for(lambda: runs.read_text() == "watching session day\n")
    heard = [follow(one) for one in everybody]
    wait_for(lambda: all(told(one, "client_connected") for one in heard))
    backend.run("patch", "new", "backend")
    bench.write("server.py", "print('backend')\n")
    frontend.run("patch", "new", "frontend")
    bench.write("page.js", "// frontend\n")
    for path in ("server.py", "page.js"):
        wait_for(lambda path=path: all(len(told(one, "file_changed", path=path)) == 1 for one in heard))
        wait_for(lambda path=path: runs.read_text().splitlines().count(f"tested {path}") == 1)

    ops = {name: tests.json("patch", "ops", name)["ops"] for name in ("backend", "frontend")}
    assert {name: [op["path"] for op in found] for name, found in ops.items()} == {
        "backend": ["server.py"],
        "frontend": ["page.js"],
    }

    texts = {}  # of one file that both save, neither of which is lost
    for one, text in ((backend, "from the backend\n"), (frontend, "from the frontend\n")):
        bench.write("shared.py", text)
        texts[one.json("history", "shared.py")["steps"][0]["number"]] = text
    for step, text in texts.items():
        backend.run("restore", "shared.py", "--at", str(step))
        assert bench.read("shared.py") == text

    backend.run("lock", "shared.py", "server.py", "--reason", "both of us need it")
    refused = frontend.json("lock", "page.js", "shared.py", code=11)["error"]
    assert [(one["name"], one["pid"]) for one in refused["held"]] == [("path/shared.py", backend.shell.pid)]
    frontend.run("lock", "page.js")
    waiting = frontend.begin("git session lock shared.py --wait 60 --json")
    wait_for(lambda: tests.json("locks")["waiting"])
    backend.kill()
    wait_for(lambda: all(told(heard[place], "client_disconnected") for place in (0, 2)))
    wait_for(lambda: events_in(waiting))
    for kind in ("lock_acquired", "lock_denied", "lock_waiting"):
        wait_for(lambda kind=kind: all(told(heard[place], kind) for place in (0, 2)))
    held = {one["name"]: one["pid"] for one in tests.json("locks")["locks"]}
    assert held == {"path/page.js": frontend.shell.pid, "path/shared.py": frontend.shell.pid}
    assert {one["pid"] for one in frontend.json("clients")["clients"]} == {tests.shell.pid, frontend.shell.pid}
    tests.close()
    wait_for(lambda: told(heard[2], "primary_promoted"))
    assert frontend.me()["role"] == "primary"
    bench.judge()


# -- two projects at once -------------------------------------------------------------------------------------


@pytest.mark.soak
def test_two_projects_in_parallel(bench: Workbench, window: Open, tmp_path: Path) -> None:
    """A feature in one, an emergency in the other: neither sees the other's sessions, clients or events, nor waits for it."""
    other = second_repository(bench, tmp_path)
    try:
        feature, hotfix = window(bench.root), window(other.root)
        feature.run("start", "feature")
        feature.run("patch", "new", "api")
        bench.edit("a.txt", "line 3\n", "line three\n")
        bench.write("loose.txt", "half a thought\n")
        left = feature.json("status")

        hotfix.run("start", "emergency")
        heard = {one: follow(one) for one in (feature, hotfix)}
        hotfix.run("patch", "new", "fix")
        other.edit("a.txt", "line 3\n", "line 3, mended\n")
        hotfix.run("commit", "-m", "mend")
        hotfix.run("merge", "fix", "--ready")
        wait_for(lambda: told(heard[hotfix], "patch_status_changed", to="merged"))

        names = {one: [row["name"] for row in one.json("list")["sessions"]] for one in (feature, hotfix)}
        assert names == {feature: ["feature"], hotfix: ["emergency"]}
        for one in (feature, hotfix):
            assert [row["pid"] for row in one.json("clients")["clients"]] == [one.shell.pid]
        sids = {one: {event["session"] for event in events_in(heard[one])} - {None} for one in (feature, hotfix)}
        assert sids[feature] == {left["session"]["id"]} and len(sids[hotfix]) == 1
        assert bench.git("log", "--format=%s", "main").out == "first\n"
        assert other.read("a.txt").count("mended") == 1

        other.git("config", "gitsession.maxSessions", "1")  # what one project may use is its own affair
        assert "maxSessions" in hotfix.run("start", "second", code=4)
        feature.run("start", "second", "--worktree", "../second")
        feature.run("close", "--yes", "-s", "second")

        for one in (feature, hotfix):  # the same names in both
            one.run("lock", "a.txt")
            one.run("lock", "--type", "git", "main")
        assert [len(one.json("locks")["locks"]) for one in (feature, hotfix)] == [2, 2]

        back = feature.json("status")
        for part in ("session", "patches", "unassigned", "editors"):
            assert back[part] == left[part], part

        blocked = [int(bench.daemon()[who]) for who in ("pid", "recorder_pid")]
        for pid in blocked:
            os.kill(pid, signal.SIGSTOP)
        try:
            other.edit("a.txt", "line 5\n", "line five\n")
            assert [one["path"] for one in hotfix.json("status")["unassigned"]] == ["a.txt"]
        finally:
            for pid in reversed(blocked):
                os.kill(pid, signal.SIGCONT)
        assert feature.json("status")["patches"] == left["patches"]

        bench.stop()
        shutil.rmtree(bench.root / ".git/gitsession")
        (bench.root / ".git/gitsession").write_text("in the way")
        feature.run("status", code=15)
        assert hotfix.json("list")["sessions"][0]["name"] == "emergency"
        other.judge()
    finally:
        other.stop()


# -- two people, one project ----------------------------------------------------------------------------------


@pytest.mark.soak
def test_two_people_in_one_project(bench: Workbench, window: Open) -> None:
    """Each is known by name, has a session and a worktree, hears of the other's saves, and is warned of a shared file."""
    ann = window(bench.root)
    ann.run("start", "api", "--worktree", "../api")
    ann = window(bench.root.parent / "api", GIT_AUTHOR_NAME="Ann", GIT_AUTHOR_EMAIL="ann@example.org")
    bob = window(bench.root, GIT_AUTHOR_NAME="Bob", GIT_AUTHOR_EMAIL="bob@example.org")
    bob.run("start", "ui")
    api, ui = bench.at(bench.root.parent / "api"), bench
    ann.run("patch", "new", "backend")
    bob.run("patch", "new", "frontend")
    users = {one["pid"]: one["user"] for one in ann.json("clients")["clients"]}
    assert users[ann.shell.pid] == "Ann <ann@example.org>" and users[bob.shell.pid] == "Bob <bob@example.org>"

    heard = {one: follow(one) for one in (ann, bob)}
    api.write("server.py", "print('api')\n")
    ui.write("page.js", "// ui\n")
    for path in ("server.py", "page.js"):
        wait_for(lambda path=path: all(told(one, "file_changed", path=path) for one in heard.values()))

    ann.run("lock", "a.txt")
    bob.run("lock", "src/b.txt")
    refused = bob.json("lock", "a.txt", code=11)["error"]
    assert [one["who"] for one in refused["held"]] == ["Ann <ann@example.org>"]
    assert "locked by Ann" in bob.run("status")

    api.edit("a.txt", "line 4\n", "line 4, by Ann\n")
    ui.edit("a.txt", "line 4\n", "line 4, by Bob\n")
    wait_for(lambda: all(told(one, "conflict_detected", kind="resource_lock", path="a.txt") for one in heard.values()))
    ann.run("unlock", "--all")
    seen = {one: one.json("status")["collisions"] for one in (ann, bob)}
    assert [row["path"] for row in seen[ann]] == ["a.txt"] == [row["path"] for row in seen[bob]]
    assert bob.json("conflicts")["conflicts"] == []
    ui.edit("a.txt", "line 6\n", "line 6, by Bob\n")  # nobody has it locked now: both are told, in real time
    wait_for(lambda: all(told(one, "conflict_detected", kind="file_edit", path="a.txt") for one in heard.values()))
    both = {one.json("status")["session"]["id"] for one in (ann, bob)}
    for one in (ann, bob):
        (shared,) = one.json("conflicts", "--all", "--type", "file_edit")["conflicts"]
        assert set(shared["sessions"]) == both and shared["status"] == "open"

    ann.run("merge", "backend", "--ready")
    bob.run("merge", "frontend", "--ready", code=3)
    (conflict,) = bob.json("conflicts")["conflicts"]
    assert conflict["path"] == "a.txt"
    shown = bob.json("conflict", "show", conflict["id"])
    assert "by Ann" in shown["ours"] + shown["theirs"] and "by Bob" in shown["ours"] + shown["theirs"]
    wait_for(lambda: all(told(one, "conflict_detected", kind=conflict["kind"]) for one in heard.values()))
    assert "by Ann" in api.read("a.txt") and "by Bob" in ui.read("a.txt")
    api.judge()

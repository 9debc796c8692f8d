"""`doctor`, `metrics`, `daemon status`, `events` and `config` of a real repository: what they say is so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from gitsessiond.store.room import bytes_below
from tests.bench import Workbench, wait_for
from tests.exposition import Metric, read_exposition

pytestmark = pytest.mark.soak


@pytest.fixture
def two(bench: Workbench) -> Workbench:
    """A repository with two sessions."""
    bench.run("start", "one")
    bench.run("start", "two")
    return bench


def figures(bench: Workbench, **env: str) -> dict[str, Metric]:
    return read_exposition(bench.run("metrics", env=env or None).out)


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    return found[f"gitsession_{name}"].samples[frozenset(labels.items())]


def resident(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmRSS")).split()[1]) * 1024


def checks(bench: Workbench, code: int = 0) -> dict[str, Any]:
    return {one["name"]: one for one in json.loads(bench.run("doctor", "--json", code=code).out)["checks"]}


def client(name: str) -> dict[str, str]:
    return {"GITSESSION_CLIENT": name}


def test_figures_are_so(two: Workbench) -> None:
    """Sessions, clients, locks of which 3 of 10 are refused, followers, memory, disk space; with JSON and labels."""
    for n in range(7):
        two.run("lock", f"f{n}", env=client("ann"))
    for n in range(3):
        two.run("lock", f"f{n}", code=11, env=client("bob"))
    found = figures(two, **client("eve"))
    assert value(found, "up") == 1
    assert value(found, "active_sessions") == value(found, "sessions") == 2
    assert value(found, "attached_clients") >= 3
    assert value(found, "lock_requests_total") == 10 and value(found, "lock_denied_total") == 3
    assert value(found, "lock_contention_ratio", window="15m") == 0.3
    assert value(found, "locks_held") == 7 and value(found, "locks_waiting") == 0
    status = two.json("daemon", "status")
    assert status["locks"] == {"held": 7, "waiting": 0}
    for process, pid in (("front", status["pid"]), ("recorder", status["recorder_pid"])):
        assert value(figures(two), "resident_memory_bytes", process=process) == pytest.approx(resident(pid), rel=0.1)
    kept = bytes_below(str(two.root / ".git/gitsession"))
    assert value(figures(two), "state_bytes", part="all") == pytest.approx(kept, rel=0.1)
    labelled = read_exposition(two.run("metrics", "--label", 'repository=the "shop"').out)
    assert value(labelled, "up", repository='the "shop"') == 1
    assert {one["name"] for one in two.json("metrics")["metrics"]} == set(labelled)
    two.run("metrics", "--label", "1=2", code=2)
    two.run("unlock", "--all", env=client("ann"))
    assert value(figures(two), "locks_held") == 0


def test_conflicts_are_counted(bench: Workbench) -> None:
    """Two found and one settled by a person: 0.5; who follows the conflicts alone is told of these alone."""
    bench.run("start", "day")
    for name, path in (("p", "a.txt"), ("q", "src/b.txt")):
        bench.run("patch", "new", name)
        bench.write(path, "ours\n")
        bench.run("commit", "-m", name)
    tree = bench.root.parent / "main"
    bench.git("worktree", "add", "-q", str(tree), "main")
    theirs = bench.at(tree)
    for path in ("a.txt", "src/b.txt"):
        theirs.write(path, "theirs\n")
    theirs.git("commit", "-qam", "theirs")
    for name in ("p", "q"):
        bench.run("merge", name, "--ready", code=3)
    first, _ = bench.json("conflicts")["conflicts"]
    bench.run("resolve", first["id"], "--theirs")
    found = figures(bench)
    assert value(found, "conflicts_detected_total", kind="git_merge") == 2
    assert value(found, "conflicts_open", kind="git_merge") == 1
    assert value(found, "conflicts_resolved_total", how="manual") == 1
    assert value(found, "conflict_resolution_success_ratio") == 0.5
    lines = bench.run("events", "--channel", "conflicts", "--json", "-s", "day").out.splitlines()
    assert [json.loads(line)["type"] for line in lines] == [
        "conflict_detected", "conflict_detected", "resolve", "conflict_resolved",
    ]  # fmt: skip
    assert bench.run("events", "--type", "conflict_resolved").out.count("\n") == 1


def test_doctor_finds_what_is_planted(two: Workbench) -> None:
    """All well at first; then a lock table that was written by somebody else, a mistyped key, a dead recorder."""
    found = checks(two)
    assert {one["state"] for one in found.values()} == {"ok"}, found
    assert {"front", "recorder", "watcher", "lock table", "clients", "connections", "store", "refs", "disk"} <= set(
        found
    )
    two.run("lock", "a.txt", env=client("ann"))
    journal = two.root / ".git/gitsession/locks.journal"
    first, _, _ = journal.read_bytes().partition(b"\n")
    journal.write_bytes(first + b"\n")
    two.git("config", "gitsession.mergge", "squash")
    bad = checks(two)
    assert bad["lock table"]["state"] == "warn"
    assert bad["lock table"]["message"].startswith("locks that are not written down: 1; all locks have been written")
    assert bad["config"]["state"] == "warn" and bad["config"]["ok"]
    two.git("config", "--unset", "gitsession.mergge")
    two.run("unlock", "--all", env=client("ann"))
    os.kill(two.json("daemon", "status")["recorder_pid"], signal.SIGKILL)
    assert wait_for(lambda: two.json("daemon", "status")["recorder_restarts"] == 1)
    again = checks(two)
    assert again["recorder"]["state"] == "warn" and again["lock table"]["state"] == "ok"
    told = two.run("doctor")
    assert "warn   recorder: " in told.out and "hint: git session daemon logs" in told.err
    os.kill(two.json("daemon", "status")["pid"], signal.SIGKILL)
    two.run("daemon", "status", code=13)
    assert {one["state"] for one in checks(two).values()} == {"ok"}


def test_without_a_daemon(bench: Workbench) -> None:
    """Under CI=true: what is kept is checked and counted, and no daemon is left behind."""
    env = {"CI": "true"}
    bench.run("start", "day", env=env)
    assert "ok     front: no daemon runs" in bench.run("doctor", env=env).out
    found = figures(bench, **env)
    assert value(found, "up") == 0 and value(found, "active_sessions") == 1
    assert "gitsession_connections" not in found
    assert bench.run("events", env=env).out == ""
    assert "LOCK_DEFAULT_TTL" in bench.run("config", "--show-origin", env=env | {"LOCK_DEFAULT_TTL": "7"}).out
    bench.run("daemon", "status", code=13)


def test_settings_reach_the_locks(bench: Workbench) -> None:
    """A variable before the command, then git's configuration, then the option; a bad one is an error of that command."""
    bench.run("start", "day")

    def expires_in(*words: str, **env: str) -> float:
        done = json.loads(bench.run("lock", "a.txt", *words, "--json", env=client("ann") | env).out)
        return float(done["locks"][0]["expires_in"])

    assert expires_in() == pytest.approx(300, abs=5)
    assert expires_in(LOCK_DEFAULT_TTL="60") == pytest.approx(60, abs=5)
    assert expires_in() == pytest.approx(300, abs=5), "it was for that command alone"
    bench.git("config", "gitsession.lockDefaultTtl", "2m")
    assert expires_in(LOCK_DEFAULT_TTL="60") == pytest.approx(120, abs=5)
    assert expires_in("--ttl", "30", LOCK_DEFAULT_TTL="60") == pytest.approx(30, abs=5)
    bench.git("config", "gitsession.lockDefaultTtl", "-1")
    wrong = bench.run("lock", "a.txt", code=2, env=client("ann"))
    assert wrong.err.splitlines() == [
        "error: gitsession.lockDefaultTtl = '-1' is no time above 0", "hint: git config gitsession.lockDefaultTtl 300",
    ]  # fmt: skip
    bench.git("config", "--unset", "gitsession.lockDefaultTtl")
    wrong = bench.run("lock", "a.txt", code=2, env=client("ann") | {"LOCK_DEFAULT_TTL": "soon"})
    assert wrong.err.splitlines()[0] == "error: LOCK_DEFAULT_TTL = 'soon' is no time above 0"


@pytest.fixture
def follower(bench: Workbench) -> Iterator[subprocess.Popen[str]]:
    """`git session events --follow` in a terminal of its own."""
    bench.run("start", "day")
    child = subprocess.Popen(
        ["git-session", "events", "--follow", "--json", "--type", "saved", "--since", "0"],
        cwd=bench.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield child
    child.kill()
    child.communicate()


def test_a_follower_outlives_daemons(bench: Workbench, follower: subprocess.Popen[str]) -> None:
    """Stopped, killed and begun again by the next command: each save is told once, in order."""
    assert follower.stdout is not None and follower.stderr is not None
    heard = []
    for turn in range(4):
        bench.write("a.txt", f"turn {turn}\n")
        bench.run("status")
        heard.append(json.loads(follower.stdout.readline()))
        if turn % 2:
            bench.run("daemon", "stop")
        else:
            os.kill(bench.json("daemon", "status")["pid"], signal.SIGKILL)
        assert follower.stderr.readline() == "the daemon has ended; waiting for the next one\n"
    assert [event["paths"] for event in heard] == [["a.txt"]] * 4
    numbers = [event["seq"] for event in heard]
    assert numbers == sorted(set(numbers))
    told = [json.loads(line) for line in bench.run("events", "--json").out.splitlines()]
    assert [event["seq"] for event in told if event["type"] == "saved"] == numbers
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1)), "no number is left out"

"""Counts of what goes through front, and what it says of itself."""

from __future__ import annotations

from typing import Any

from gitsessiond.daemon.beside import LookedAt
from gitsessiond.daemon.locks import Locks
from gitsessiond.daemon.presence import Presence
from gitsessiond.daemon.tally import Tally
from gitsessiond.faces.cli.metriclines import exposition
from gitsessiond.model.health import contention
from gitsessiond.wire.client import Talk, dial
from gitsessiond.wire.place import find_place
from gitsessiond.wire.requests import request
from tests.daemon.test_front import Daemon, daemon
from tests.exposition import Metric, read_exposition

__all__ = ["daemon"]


def read(families: list[dict[str, Any]]) -> dict[str, Metric]:
    return read_exposition("".join(line + "\n" for line in exposition(families, {})))


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    return found[f"gitsession_{name}"].samples[frozenset(labels.items())]


def test_a_lock_that_keeps_others_out_often() -> None:
    """It is named by doctor once it did so ten times in an hour, and no more when that is over."""
    now = 0.0
    tally = Tally(lambda: now)
    refused = {"type": "lock_denied", "resource": "path/src/a.py", "held_by": {"name": "path/src/"}}
    for event in [refused] * 9 + [refused | {"held_by": None}, {"type": "lock_denied"}]:
        tally.hear(event)
    assert contention(*tally.contended()).state == "ok"
    tally.hear(refused | {"held_by": {"name": "path/b"}})
    tally.hear(refused)
    found = contention(*tally.contended())
    assert found.state == "warn" and "src/ kept others out 10 times" in found.message
    now = 3601.0
    assert tally.contended() == ("", 0)


def test_counts_of_locks_and_conflicts() -> None:
    """10 asked for, 3 refused; 2 conflicts of a kind; 1 of 2 settled, by a person."""
    now = 0.0
    tally = Tally(lambda: now)
    for _ in range(5):
        tally.asked_for("lock.acquire", {"resources": [{"name": "path/a"}, {"name": "path/b"}]})
    tally.asked_for("lock.acquire", {"resources": "all"})
    tally.asked_for("lock.release", {"resources": [1]})
    for event in [{"type": "lock_denied"}] * 3 + [{"type": "conflict_detected", "kind": "file_edit"}] * 2:
        tally.hear(event)
    tally.hear({"type": "conflict_resolved", "kind": "file_edit", "automatic": False})
    tally.hear({"type": "recorder_restarted"})
    found = read([one.as_dict() for one in tally.families()])
    assert value(found, "lock_requests_total") == 10 and value(found, "lock_denied_total") == 3
    assert value(found, "lock_contention_ratio", window="5m") == 0.3
    assert value(found, "conflicts_detected_total", kind="file_edit") == 2
    assert value(found, "conflicts_last_hour", kind="file_edit") == 2
    assert value(found, "conflicts_resolved_total", how="manual") == 1
    assert value(found, "conflict_resolution_success_ratio") == 0.5
    assert value(found, "conflict_resolution_ratio", how="auto") == 0
    assert value(found, "recorder_restarts_total") == 1
    assert value(found, "events_per_second", window="1m") == round(7 / 60, 4)
    now = 4000.0
    assert tally.contention()["15m"] == 0 and tally.families()[5].samples == [({"kind": "file_edit"}, 0.0)]


def test_what_front_says_of_itself(daemon: Daemon) -> None:
    """Status, figures and checks agree; followers are connections, events are counted, memory is what the system says."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    connection = dial(find_place(str(daemon.repo)))
    assert connection is not None
    with connection:
        talk = Talk(connection)
        talk.send(request("events", {"follow": True}, {}))
        assert talk.next(20) is not None
        before = daemon.status()["events"]["published"]
        for n in range(5):
            (daemon.repo / "a.txt").write_text(f"{n}")
            daemon.call("echo")
        status = daemon.status()
        assert status["events"]["published"] - before == 5
        assert (status["connections"]["open"], status["connections"]["followers"]) == (2, 1)
        found = read(daemon.call("daemon.metrics")["metrics"])
        assert value(found, "followers") == 1 and value(found, "events_total", type="saved") == 5
        assert value(found, "start_time_seconds") > 1.7e9
        assert value(found, "info", version="test") == 1
        resident = value(found, "resident_memory_bytes", process="front")
        with open(f"/proc/{status['pid']}/status", encoding="ascii") as file:
            told = next(line for line in file if line.startswith("VmRSS"))
        assert abs(resident - int(told.split()[1]) * 1024) < 0.1 * resident
    checks = {check["name"]: check for check in daemon.call("daemon.health")["checks"]}
    assert {"front", "recorder", "watcher", "connections", "clients", "lock table"} <= set(checks)
    assert {check["state"] for check in checks.values()} == {"ok"}, checks
    assert {"clients", "locks", "queue", "versions"} <= set(status)


def test_who_has_figures() -> None:
    """Clients and locks are looked at."""
    assert issubclass(Presence, LookedAt) and issubclass(Locks, LookedAt)

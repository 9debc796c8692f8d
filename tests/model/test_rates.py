"""How often something happened lately, and when a check is bad."""

from __future__ import annotations

import pytest

from gitsessiond.model.health import (
    Finding,
    coverage,
    disk_space,
    open_conflicts,
    recorder_at_work,
    room_for_connections,
    settings_judged,
)
from gitsessiond.model.rates import Rate, counter, gauge, gauges, shares


def test_counts_of_windows() -> None:
    """The last minute, five, fifteen, an hour; what is older is forgotten, but not by the total."""
    rate = Rate()
    rate.add(1000.0, 60)
    rate.add(1100.0)
    assert [rate.within(1100.0, seconds) for seconds in (60, 300, 900)] == [1, 61, 61]
    assert rate.per_second(1100.0) == {"1m": round(1 / 60, 4), "5m": round(61 / 300, 4), "15m": round(61 / 900, 4)}
    rate.add(9000.0)
    assert (rate.within(9000.0, 3600), rate.total) == (1, 62)
    assert rate.within(20000.0, 3600) == 0


def test_a_clock_that_stands_still() -> None:
    """Many at once are one grain: a day of locks takes no room."""
    rate = Rate()
    for second in range(0, 86400, 2):
        rate.add(float(second), 3)
    assert len(rate._grains) <= 3600 / 5 + 2
    assert rate.within(86399.0, 60) == pytest.approx(90, abs=8)


def test_contention() -> None:
    """10 asked for, 3 refused: 0.3; of nothing, 0."""
    asked, denied = Rate(), Rate()
    assert shares(denied, asked, 0.0) == {"1m": 0.0, "5m": 0.0, "15m": 0.0}
    asked.add(0.0, 10)
    denied.add(0.0, 3)
    assert shares(denied, asked, 1.0) == {"1m": 0.3, "5m": 0.3, "15m": 0.3}
    assert shares(denied, asked, 200.0) == {"1m": 0.0, "5m": 0.3, "15m": 0.3}


def test_figures() -> None:
    """Names as Prometheus wants them; what nobody can tell has no value."""
    assert gauge("x", "words", None).samples == []
    assert counter("x", "words", 2).as_dict() == {
        "name": "gitsession_x_total", "type": "counter", "help": "words", "samples": [{"labels": {}, "value": 2}],
    }  # fmt: skip
    assert gauges("x", "words", "process", {"front": 1.0, "recorder": None}).samples == [({"process": "front"}, 1.0)]


GB = 10**9


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (disk_space("/x", 50 * GB, 100 * GB, 10, 100), "ok"),
        (disk_space("/x", GB // 2, 100 * GB, 10, 100), "warn"),
        (disk_space("/x", GB // 2, GB, 10, 100), "ok"),
        (disk_space("/x", 5 << 20, 6 << 20, 10, 100), "warn"),
        (disk_space("/x", 1 << 19, 100 * GB, 10, 100), "fail"),
        (disk_space("/x", 50 * GB, 100 * GB, 0, 1000), "warn"),
        (disk_space("/x", 50 * GB, 100 * GB, 0, 0), "ok"),
        (open_conflicts(0), "ok"),
        (open_conflicts(99), "ok"),
        (open_conflicts(100), "warn"),
        (recorder_at_work(1, 0.0, 5, 0), "ok"),
        (recorder_at_work(1, 90.0, 5, 0), "warn"),
        (recorder_at_work(1, 0.0, 0, 2), "warn"),
        (recorder_at_work(None, 0.0, 0, 0), "warn"),
        (coverage(2, ([], ""), 100, 1000, 0), "ok"),
        (coverage(2, ([], ""), 100, None, 3), "ok"),
        (coverage(2, ([], ""), 950, 1000, 0), "warn"),
        (coverage(2, (["/x"], "no more directories can be watched"), 5, 1000, 0), "warn"),
        (room_for_connections(10, 1000, 0), "ok"),
        (room_for_connections(900, 1000, 5), "warn"),
        (settings_judged([], []), "ok"),
        (settings_judged(["a = 'b' is no time"], []), "warn"),
        (settings_judged([], ["REDIS_HOST is ignored"]), "warn"),
    ],
)
def test_when_a_check_is_bad(found: Finding, state: str) -> None:
    """Ok, warn or fail; what is not ok says what to run."""
    assert found.state == state and found.message
    assert (found.hint is None) == (state == "ok")
    assert found.as_dict()["ok"] == (state != "fail")

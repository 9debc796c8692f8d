"""Events and many clients: how soon a hundred followers hear, how long a hundred clients wait, how much one can follow."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.collisions import processes
from tests.benchmarks.figures import lost_states, rss, settled, size
from tests.benchmarks.followers import Orders, dialled
from tests.benchmarks.ground import Ground, Row, ms, percentile
from tests.benchmarks.locks import yardsticks
from tests.lockclient import Wire

TOP = Path(__file__).parent.parent.parent
FOLLOWERS, NEAR = 100, 3
MANY = 999  # and who tells them: as many connections as may stay
EVENTS, EACH_S = 150, 0.02
CLIENTS, ASKERS, SECONDS = 100, 4, 5.0
LONG_NAMES, PAIRS_S = 25, 25.0  # of 4,000 characters each: acquired and released, 25 times a second, 10 MB/s of events
MEGABYTE = 1_000_000


def events(ground: Ground) -> list[Row]:
    """Every row of them."""
    os.environ.update(ground.env)
    common = str(ground.root / ".git")
    return [
        *heard_by_many(ground, common),
        near(ground, common),
        *asked(ground, common),
        flood(ground, common),
    ]


class Child:
    """One process of load, ready to begin."""

    def __init__(self, orders: Orders) -> None:
        words = [sys.executable, "-m", "tests.benchmarks.followers", json.dumps(orders._asdict())]
        self._process = subprocess.Popen(words, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ready(self) -> None:
        assert self._process.stdout is not None and self._process.stdout.readline() == "ready\n"

    def go_on(self) -> None:
        """Begin; or, if it follows, say what was heard."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, Any]:
        out, _ = self._process.communicate()
        found: dict[str, Any] = json.loads(out)
        return found

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@contextmanager
def children(*orders: Orders) -> Iterator[list[Child]]:
    """Several at once: all are ready before any begins."""
    made = [Child(one) for one in orders]
    try:
        for one in made:
            one.ready()
        for one in made:
            one.go_on()
        yield made
    finally:
        for one in made:
            one.end()


def heard(orders: Orders, tell: Callable[[int], str], count: int) -> tuple[list[float], list[float], dict[str, Any]]:
    """From telling something until each follower has heard it, and until the last has; what else was seen."""
    at: dict[str, float] = {}
    with children(orders) as (child,):
        for number in range(count):
            began = time.monotonic()
            at[tell(number)] = began
            time.sleep(max(0.0, began + EACH_S - time.monotonic()))
        time.sleep(0.5)
        child.go_on()
        found = child.result()
    took = [[(one - at[key]) * 1000 for one in times] for key, times in found["heard"].items() if key in at]
    assert len(took) == count and all(len(times) == orders.many for times in took), (len(took), count)
    return [one for times in took for one in times], [max(times) for times in took], found


def spread(took: list[float]) -> str:
    return f"p50 {ms(statistics.median(took))}, p99 {ms(percentile(took, 0.99))}"


def heard_by_many(ground: Ground, common: str) -> list[Row]:
    """An event from its cause (a lock that is acquired) to the followers; Redis hands on the same bytes."""
    wire = Wire(common, "teller")

    def lock(number: int) -> str:
        name = f"db/told-{time.monotonic_ns()}"
        wire.call("lock.acquire", resources=[{"name": name, "mode": "X"}], ttl=60, wait=0, request=None, reason=None)
        return f"lock_acquired {name}"

    types = ("lock_acquired",)
    hundred, _, _ = heard(Orders("follow", common, FOLLOWERS, types=types), lock, EVENTS)
    _, last, found = heard(Orders("follow", common, MANY, types=types), lock, EVENTS // 5)
    wire.call("lock.release", all=True)
    theirs = {FOLLOWERS: "redis not installed", MANY: "redis not installed"}
    with yardsticks(ground) as kinds:
        if "redis" in kinds.at:
            for many in theirs:
                each, latest = by_redis(kinds.at["redis"], many)
                theirs[many] = f"redis {spread(each if many == FOLLOWERS else latest)}"
    stay = "next refused" if "as many as it may" in found["refused"] else "next NOT refused"
    return [
        Row(f"event -> {FOLLOWERS} followers", size(ground), spread(hundred), theirs[FOLLOWERS], "p99 <= 20 ms"),
        Row(f"event -> last of {MANY:,} followers; {stay}", size(ground), spread(last), theirs[MANY], "-"),
    ]


def by_redis(at: str, many: int) -> tuple[list[float], list[float]]:
    """The same of Redis: ``PUBLISH`` of an event as long as ours."""
    connection = dialled(at)

    def publish(number: int) -> str:
        text = json.dumps({"type": "lock_acquired", "resource_id": f"db/told-{number}", "rest": "x" * 300})
        connection.sendall(f"*3\r\n$7\r\nPUBLISH\r\n$6\r\nevents\r\n${len(text)}\r\n{text}\r\n".encode())
        connection.recv(1 << 16)
        return f"lock_acquired db/told-{number}"

    with connection:
        each, last, _ = heard(
            Orders("follow", at, many, "redis"), publish, EVENTS if many == FOLLOWERS else EVENTS // 5
        )
    return each, last


def near(ground: Ground, common: str) -> Row:
    """A save, until each of three followers has heard that the file changed."""

    def save(number: int) -> str:
        path = ground.path(number)
        (ground.root / path).write_text(f"{time.monotonic_ns()}\n" * 20)
        return f"file_changed {path}"

    took, _, _ = heard(Orders("follow", common, NEAR, types=("file_changed",)), save, EVENTS)
    return Row(f"save -> {NEAR} followers", size(ground), spread(took), "-", "p99 <= 50 ms")


def asked(ground: Ground, common: str) -> list[Row]:
    """A hundred clients that ask, first what front answers and then the recorder, the latter while each saves a file."""
    rows = []
    first: list[float] = []
    for verb, args, rate, reach in (("client.heartbeat", {}, 500.0, "p99 <= 50 ms"), ("session.status", {"most": 12}, 40.0, "p99 <= 50 ms")):  # fmt: skip
        each = {"rate": rate / ASKERS, "seconds": SECONDS, "verb": verb, "args": args}
        orders = [Orders("ask", common, CLIENTS // ASKERS, name=f"asker-{verb}-{n}", **each) for n in range(ASKERS)]  # type: ignore[arg-type]
        with saving(ground, on=verb == "session.status") as saved, children(*orders) as made:
            found = [one.result() for one in made]
        took = [one for part in found for one in part["took"]]
        first += [one for part in found for one in part["hello"]]
        what = f"{verb}, {CLIENTS} clients, {rate:,.0f} requests/s" + (", each saves a file a second" if saved else "")
        rows.append(Row(what, size(ground), spread(took), "-", reach))
    settled(ground)
    lost = lost_states(ground)
    used = sum(rss(pid) for pid in processes(ground))
    words = f"{used:.0f} MB, {lost} of {len(saved):,} saves lost"
    return [
        Row("connect, hello, first reply", size(ground), spread(first), "-", "<= 100 ms"),
        *rows,
        Row(f"daemon after {CLIENTS} clients that edit", size(ground), words, "-", "<= 500 MB, 0 lost"),
    ]


@contextmanager
def saving(ground: Ground, *, on: bool) -> Iterator[list[str]]:
    """A hundred files, each saved once a second, if ``on``; the list of the saves."""
    done, saved = threading.Event(), list[str]()

    def write() -> None:
        while not done.wait(1 / CLIENTS):
            path = ground.path(len(saved) % CLIENTS)
            (ground.root / path).write_text(f"save {len(saved)}\n" * 20)
            saved.append(path)

    thread = threading.Thread(target=write)
    if on:
        thread.start()
    try:
        yield saved
    finally:
        done.set()
        if on:
            thread.join()


def flood(ground: Ground, common: str) -> Row:
    """Ten megabytes of events a second to one follower of everything: nothing is left out, and front does not grow."""
    wire, pid = Wire(common, "flood"), processes(ground)[0]
    parts = "/".join(["x" * 240] * 16)
    wanted = [{"name": f"db/{number}/{parts}", "mode": "X"} for number in range(LONG_NAMES)]
    used: list[float] = []
    with children(Orders("follow", common, 1)) as (child,):
        before, began, turns = rss(pid), time.monotonic(), 0
        while (now := time.monotonic()) < began + SECONDS:
            wire.call("lock.acquire", resources=wanted, ttl=60, wait=0, request=None, reason=None)
            wire.call("lock.release", all=True)
            turns += 1
            if turns % 10 == 0:
                used.append(rss(pid))
            time.sleep(max(0.0, began + turns / PAIRS_S - now - (time.monotonic() - now)))
        took = time.monotonic() - began
        time.sleep(0.5)
        child.go_on()
        found = child.result()
    told = sum(len(times) for key, times in found["heard"].items() if key.startswith("lock_"))
    lost = 2 * LONG_NAMES * turns - told + found["left_out"]
    ours = (
        f"{found['bytes'] / took / MEGABYTE:.1f} MB/s, {lost} lost, front {before:.0f} MB, at most {max(used):.0f} MB"
    )
    return Row("events to one follower", size(ground), ours, "-", "10 MB/s, 0 lost, bounded")


EVENTS_FIGURES: dict[str, Callable[[Ground], list[Row]]] = {"events": events}

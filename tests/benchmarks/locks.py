"""Locks beside redis-py's and portalocker's, all while ten writers save in the repository."""

from __future__ import annotations

import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.ground import Ground, Row, ms, percentile
from tests.benchmarks.lockload import Load

REPEATS, KILLS = 3, 9
PACED_REPEATS = 7  # one round's p99 is up to twice another's: 2.8 to 5.8 ms in six of them
WRITERS, EACH_S = 10, 0.2
RATE, CLIENTS, PROCESSES = 1000, 100, 4
CONTENDERS = 10
TOP = Path(__file__).parent.parent.parent
REDIS_TTL_S = 2.0  # what redis-py waits out where a holder was killed; its users set 30 or more


def locks(ground: Ground) -> list[Row]:
    """Every row of them; yardsticks take turns with ours."""
    with saving(ground), yardsticks(ground) as kinds:
        return [*at_a_pace(ground, kinds), *throughput(ground, kinds), contention(ground, kinds), killed(ground, kinds)]


# -- who measures ---------------------------------------------------------------------------------------------


class Kinds:
    """Where each kind of lock is, or why it is not."""

    def __init__(self, at: dict[str, str], missing: dict[str, str]) -> None:
        self.at, self.missing = at, missing

    def beside(self, told: dict[str, str]) -> str:
        """The yardsticks in words: what was measured, or that it is not installed."""
        return ", ".join([*told.values(), *(f"not installed: {name}" for name in self.missing.values())])


@contextmanager
def yardsticks(ground: Ground) -> Iterator[Kinds]:
    """A Redis of our own behind a unix socket, and a directory for portalocker."""
    at, missing, server = {"ours": str(ground.root / ".git")}, {}, None
    files = ground.top / "portalocker"
    files.mkdir(exist_ok=True)
    at["portalocker"] = str(files)
    redis = shutil.which("redis-server")
    if redis is None or importlib.util.find_spec("redis") is None:
        missing["redis"] = "redis-server" if redis is None else "redis (pip install 'gitsessiond[benchmark]')"
    else:
        at["redis"] = str(ground.top / "redis.sock")
        words = [redis, "--port", "0", "--unixsocket", at["redis"], "--save", "", "--appendonly", "no"]
        # in a session of its own, as a service of the system and our daemon are: Linux shares processors among sessions
        server = subprocess.Popen(words, stdout=subprocess.DEVNULL, cwd=ground.top, start_new_session=True)
        while not Path(at["redis"]).exists():
            time.sleep(0.01)
    try:
        yield Kinds(at, missing)
    finally:
        if server is not None:
            server.terminate()
            server.wait()


@contextmanager
def saving(ground: Ground) -> Iterator[None]:
    """Ten writers, each of whom saves a file of its own five times a second."""
    done = threading.Event()

    def write(number: int) -> None:
        path, count = ground.root / ground.path(number), 0
        while not done.wait(EACH_S):
            count += 1
            path.write_text(f"save {count} of writer {number}\n" * 20)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


class Process:
    """One process of load, ready to begin."""

    def __init__(self, ground: Ground, load: Load) -> None:
        words = [sys.executable, "-m", "tests.benchmarks.lockload", json.dumps(load._asdict())]
        self.process = subprocess.Popen(words, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin is not None and self.process.stdout is not None
        self._in, self._out = self.process.stdin, self.process.stdout

    def ready(self) -> None:
        assert self._out.readline() == "ready\n"

    def begin(self) -> None:
        self._in.write("\n")
        self._in.flush()

    def line(self) -> str:
        return self._out.readline()

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.line())
        self.end()
        return found

    def end(self) -> None:
        """Take it away, by kill -9 if it is at work."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._in.close()
        self._out.close()


def run(ground: Ground, loads: list[Load]) -> list[dict[str, Any]]:
    """Several at once: all are ready before any begins."""
    processes = [Process(ground, load) for load in loads]
    try:
        for process in processes:
            process.ready()
        for process in processes:
            process.begin()
        return [process.result() for process in processes]
    finally:
        for process in processes:
            process.end()


def several(what: str, kind: str, at: str, processes: int, **more: Any) -> list[Load]:
    return [Load(what, kind, at, f"{what}-{time.monotonic_ns()}-{number}", **more) for number in range(processes)]


def repeated(kinds: list[str], once: Callable[[str], Any], times: int = REPEATS) -> dict[str, list[Any]]:
    """Each kind in turn, several times, so that whatever else the machine does is shared."""
    found: dict[str, list[Any]] = {kind: [] for kind in kinds}
    for _ in range(times):
        for kind in kinds:
            found[kind].append(once(kind))
    return found


def known(kinds: Kinds, *wanted: str) -> list[str]:
    return [kind for kind in wanted if kind in kinds.at]


NAMES = {"redis": "redis-py", "portalocker": "portalocker"}


# -- what is measured -----------------------------------------------------------------------------------------


def at_a_pace(ground: Ground, kinds: Kinds) -> list[Row]:
    """A thousand operations a second over a hundred clients."""

    def once(kind: str) -> dict[str, list[float]]:
        each = {"clients": CLIENTS // PROCESSES, "rate": RATE / PROCESSES, "seconds": 5.0}
        found = run(ground, several("paced", kind, kinds.at[kind], PROCESSES, **each))
        return {what: [one for part in found for one in part[what]] for what in ("acquire", "release")}

    found = repeated(known(kinds, "ours", "redis"), once, PACED_REPEATS)

    def told(kind: str, what: str) -> str:
        parts = [
            f"{name} {ms2(statistics.median(percentile(one[what], share) for one in found[kind]))}"
            for name, share in (("p50", 0.5), ("p99", 0.99))
        ]
        return ", ".join(parts)

    return [
        Row(
            f"lock {what}, {RATE:,} operations/s, {CLIENTS} clients",
            files(ground),
            told("ours", what),
            kinds.beside({kind: f"{NAMES[kind]} {told(kind, what)}" for kind in found if kind != "ours"}),
            "p99 <= 2 ms",
        )
        for what in ("acquire", "release")
    ]


def throughput(ground: Ground, kinds: Kinds) -> list[Row]:
    """Acquire and release as fast as it goes, each client its own lock: 1, 10, and 10 processes of 10 threads."""
    rows = []
    for processes, clients in ((1, 1), (10, 1), (10, 10)):

        def once(kind: str, processes: int = processes, clients: int = clients) -> float:
            found = run(ground, several("closed", kind, kinds.at[kind], processes, clients=clients, seconds=2.0))
            return sum(one["operations"] for one in found) / 2.0

        found = {
            kind: statistics.median(rates) for kind, rates in repeated(known(kinds, "ours", "redis"), once).items()
        }
        count = processes * clients
        rows.append(
            Row(
                f"lock throughput, {count} client{'s' if count > 1 else ''}",
                files(ground),
                f"{found['ours']:,.0f} operations/s",
                kinds.beside({kind: f"{NAMES[kind]} {rate:,.0f}/s" for kind, rate in found.items() if kind != "ours"}),
                ">= 1 x",
            )
        )
    return rows


def contention(ground: Ground, kinds: Kinds) -> Row:
    """Ten want one lock: how long the unluckiest waits, and how even the grants are (Jain: 1 is even, 0.1 all to one)."""

    def once(kind: str) -> tuple[float, float, float]:
        found = run(ground, several("contend", kind, kinds.at[kind], CONTENDERS, seconds=3.0))
        grants = [one["grants"] for one in found]
        fair = sum(grants) ** 2 / (len(grants) * sum(count * count for count in grants))
        return max(one["longest"] for one in found), fair, sum(grants) / 3.0

    found = {
        kind: [statistics.median(values) for values in zip(*rounds, strict=True)]
        for kind, rounds in repeated(known(kinds, "ours", "redis", "portalocker"), once).items()
    }
    told = {kind: f"{ms(longest)}, {fair:.2f}, {rate:,.0f} grants/s" for kind, (longest, fair, rate) in found.items()}
    return Row(
        f"one lock, {CONTENDERS} contenders: longest wait, Jain fairness",
        files(ground),
        told.pop("ours"),
        kinds.beside({kind: f"{NAMES[kind]} {words}" for kind, words in told.items()}),
        "<= 50 ms, >= 0.99",
    )


def killed(ground: Ground, kinds: Kinds) -> Row:
    """From kill -9 of the holder until who waits has the lock."""

    def once(kind: str, ttl: float) -> float:
        loads = [several(what, kind, kinds.at[kind], 1, ttl=ttl)[0] for what in ("hold", "wait")]
        holder, waiter = (Process(ground, load) for load in loads)
        try:
            for process in (holder, waiter):
                process.ready()
            holder.begin()
            assert holder.line() == "holding\n"
            waiter.begin()
            time.sleep(0.3)  # it waits by now
            at = time.monotonic()
            holder.process.kill()
            granted: float = waiter.result()["at"]
        finally:
            holder.end()
            waiter.end()
        return (granted - at) * 1000

    ours = [once("ours", 60.0) for _ in range(KILLS)]
    told = {}
    if "redis" in kinds.at:
        told["redis"] = f"redis-py {ms(once('redis', REDIS_TTL_S))} (its TTL here: {REDIS_TTL_S:.0f} s)"
    told["portalocker"] = f"portalocker {ms(statistics.median(once('portalocker', 60.0) for _ in range(REPEATS)))}"
    return Row(
        "holder killed -> next granted",
        files(ground),
        f"{ms(statistics.median(ours))}, longest of {KILLS} {ms(max(ours))}",
        kinds.beside(told),
        "<= 20 ms",
    )


def ms2(value: float) -> str:
    """Milliseconds, of which tenths say too little."""
    return f"{value:.2f} ms" if value < 10 else ms(value)


def files(ground: Ground) -> str:
    return f"{ground.files:,} files"


LOCKS: dict[str, Callable[[Ground], list[Row]]] = {"locks": locks}

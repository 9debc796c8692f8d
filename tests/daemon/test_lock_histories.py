"""Ten processes fight for a few locks while they, the daemon and the clock are treated badly: no two hold one at once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bench import Workbench, wait_for
from tests.daemon.test_front import Daemon
from tests.histories import History, read, violations
from tests.lockclient import Denied, Orders, Wire

NAMES = ["path/a.txt", "path/src/", "path/src/b.txt", "ref/refs/heads/x", "db/stock"]
TOP = Path(__file__).parent.parent.parent


class Crowd:
    """Client processes and what they noted; ``restart`` brings a daemon up where there was none."""

    def __init__(self, repo: Path, where: Path, restart: Callable[[], None], ttl: float) -> None:
        self.common, self.where, self.restart, self.ttl = repo / ".git", where, restart, ttl
        self.notes = where / "clients"
        self.notes.mkdir()
        self.stop = where / "stop"
        self.clients: dict[str, subprocess.Popen[bytes]] = {}
        self.killed: dict[str, float] = {}
        self.did: Counter[str] = Counter()
        self._read: dict[Path, tuple[int, int]] = {}  # bytes, grants

    def add(self, seed: int) -> None:
        """One more client."""
        name = f"c{len(self.clients) + len(self.killed)}"
        orders = Orders(
            str(self.common), name, str(self.notes / f"{name}.notes"), str(self.stop), seed, NAMES, self.ttl
        )
        words = [sys.executable, "-m", "tests.lockclient", json.dumps(orders._asdict())]
        with open(self.where / f"{name}.err", "wb") as err:
            self.clients[name] = subprocess.Popen(words, cwd=TOP, stderr=err)

    def grants(self) -> int:
        """How many grants have been noted by now."""
        for path in self.notes.iterdir():
            at, known = self._read.get(path, (0, 0))
            with open(path, "rb") as file:
                file.seek(at)
                text = file.read()
            self._read[path] = at + text.rfind(b"\n") + 1, known + text[: text.rfind(b"\n") + 1].count(b'"grant"')
        return sum(known for _, known in self._read.values())

    def complain(self) -> None:
        """Nobody may have ended by himself."""
        for name, process in self.clients.items():
            if process.poll() is not None:
                raise AssertionError(
                    f"{name} ended with {process.returncode}: {(self.where / f'{name}.err').read_text()}"
                )

    def kill_client(self, rng: random.Random) -> None:
        """kill -9 one of them, and have another take its place."""
        name = rng.choice(sorted(self.clients))
        process = self.clients.pop(name)
        self.killed[name] = time.monotonic()
        process.kill()
        process.wait()
        self.did["client killed"] += 1
        self.add(rng.getrandbits(30))

    def pause_client(self, rng: random.Random) -> None:
        """Stop one that hears signals by now, anywhere or while it holds something, until its lease is over, or shorter."""
        begun = wait_for(lambda: [name for name in sorted(self.clients) if (self.notes / f"{name}.notes").exists()], 60)
        process = self.clients[rng.choice(begun)]
        if rng.random() < 0.3:
            process.send_signal(signal.SIGSTOP)
        else:
            process.send_signal(signal.SIGUSR1)
        wait_for(lambda: stopped(process.pid) or self.complain(), 60)
        time.sleep(self.ttl * rng.choice([0.5, 1.3, 1.3]))
        process.send_signal(signal.SIGCONT)
        self.did["client paused"] += 1

    def kill_daemon(self, rng: random.Random) -> None:
        """kill -9 the front process; the next daemon takes over."""
        os.kill(self.front(), signal.SIGKILL)
        self.restart()
        self.did["front killed"] += 1

    def pause_daemon(self, rng: random.Random) -> None:
        """Stop the front process for a moment."""
        pid = self.front()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self.ttl * rng.choice([0.1, 0.6, 1.2]))
        os.kill(pid, signal.SIGCONT)
        self.did["front paused"] += 1

    def front(self) -> int:
        wire = Wire(str(self.common), "crowd")
        pid: int = wire.call("ping")["pid"]
        wire.drop()
        return pid

    def end(self) -> History:
        """Have all of them end in peace: nothing is held and nobody waits then."""
        self.stop.touch()
        for name, process in self.clients.items():
            code = process.wait(60)
            assert code == 0, f"{name} ended with {code}: {(self.where / f'{name}.err').read_text()}"
        wire = Wire(str(self.common), "crowd")
        wait_for(lambda: not any(wire.call("lock.list", name=None).values()), why="for all locks to be free")
        wire.drop()
        return read(sorted(self.notes.iterdir()), self.killed)

    def close(self) -> None:
        for process in self.clients.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()


def stopped(pid: int) -> bool:
    """Whether a process is stopped (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.fixture
def daemon(repo: Path, tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(repo, tmp_path)
    yield made
    made.end()


def tell(crowd: Crowd, history: History, seconds: float) -> str:
    """What a history holds, in words."""
    reasons: Counter[str] = Counter()
    for path in crowd.notes.iterdir():
        for line in path.read_text().splitlines():
            note = json.loads(line)
            if note["what"] in ("denied", "late"):
                reasons[note.get("reason") or note["what"]] += 1
    refused = sum(not check.good for check in history.checks)
    return (
        f"{len(history.grants)} grants, {len(history.checks)} checks of which {refused} refused, "
        + ", ".join(f"{count} {what}" for what, count in sorted((crowd.did + reasons).items()))
        + f" in {seconds:.0f} s"
    )


def test_ten_processes_and_a_dead_front(daemon: Daemon, tmp_path: Path) -> None:
    """A few hundred grants; a client and the front process are killed, another client stopped past its lease."""

    def restart() -> None:
        daemon.end()
        daemon.start(daemon.repo)

    rng, began = random.Random(7), time.monotonic()
    daemon.start(daemon.repo)
    crowd = Crowd(daemon.repo, tmp_path, restart, ttl=0.5)
    try:
        for _ in range(10):
            crowd.add(rng.getrandbits(30))
        wait_for(lambda: crowd.grants() > 100, 60)
        crowd.kill_client(rng)
        crowd.pause_client(rng)
        crowd.kill_daemon(rng)
        before = crowd.grants()
        wait_for(lambda: crowd.grants() > before + 100, 60)
        history = crowd.end()
    finally:
        crowd.close()
    print(tell(crowd, history, time.monotonic() - began))
    assert violations(history) == []


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [int(os.environ.get("GITSESSION_TEST_SEED", "1")) + n for n in range(4)])
def test_a_hundred_thousand_grants(bench: Workbench, tmp_path: Path, seed: int) -> None:
    """A quarter of them, with the real daemon, which whoever asks next starts again."""
    rng, began, wanted = random.Random(seed), time.monotonic(), 25_000
    bench.run("start", "one")
    crowd = Crowd(bench.root, tmp_path, lambda: bench.run("status") and None, ttl=1.0)
    acts = [crowd.kill_client] * 4 + [crowd.pause_client] * 3 + [crowd.pause_daemon, crowd.kill_daemon]
    try:
        for _ in range(10):
            crowd.add(rng.getrandbits(30))
        while crowd.grants() < wanted:
            time.sleep(rng.random())
            crowd.complain()
            rng.choice(acts)(rng)
        history = crowd.end()
    finally:
        crowd.close()
    print(f"seed {seed}: {tell(crowd, history, time.monotonic() - began)}")
    assert violations(history) == []


def test_stale_token_of_a_paused_holder_is_refused(daemon: Daemon, tmp_path: Path) -> None:
    """It was stopped, its lease ran out, another holds the lock: its token is no good, and it can take nothing back."""
    daemon.start(daemon.repo)
    paused, other = (Wire(str(daemon.repo / ".git"), name) for name in ("paused", "other"))
    resource = {"resources": [{"name": "path/a.txt", "mode": "X"}], "request": None, "reason": None}
    [old] = paused.call("lock.acquire", ttl=0.3, wait=0, **resource)["locks"]
    paused.call("lock.check", names=["path/a.txt"], token=old["token"])
    [new] = other.call("lock.acquire", ttl=60, wait=20, **resource)["locks"]  # it says nothing more: so it is over
    assert new["token"] > old["token"]
    with pytest.raises(Denied) as caught:
        paused.call("lock.check", names=["path/a.txt"], token=old["token"])
    assert caught.value.error["code"] == "locked"
    other.call("lock.check", names=["path/a.txt"], token=new["token"])
    assert paused.call("lock.release", names=["path/a.txt"])["released"] == []
    other.call("lock.check", names=["path/a.txt"], token=new["token"])

"""Processes that use locks as fast as told: ``python -m tests.benchmarks.lockload LOAD`` (JSON, see :class:`Load`).

It says ``ready``, begins when a line comes, and prints what it measured. The same loads go to our locks, to redis-py's
and to portalocker's, each through the plain blocking calls that a user of it would write.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from tests.lockclient import Wire

TTL = 60.0


class Load(NamedTuple):
    """``what``: paced, closed, contend, hold or wait; ``kind``: ours, redis or portalocker; ``at``: where that is."""

    what: str
    kind: str
    at: str
    name: str
    clients: int = 1
    seconds: float = 2.0
    rate: float = 0.0  # operations a second of this process, if paced
    ttl: float = TTL


class Lock(Protocol):
    """One lock of one client."""

    def acquire(self) -> object: ...

    def release(self) -> object: ...


class Ours:
    """A client with a connection of its own."""

    def __init__(self, at: str, client: str, name: str, ttl: float) -> None:
        self.wire, self.name, self.ttl = Wire(at, client), f"db/{name}", ttl

    def acquire(self) -> object:
        wanted = [{"name": self.name, "mode": "X"}]
        return self.wire.call("lock.acquire", resources=wanted, ttl=self.ttl, wait=30, request=None, reason=None)

    def release(self) -> object:
        return self.wire.call("lock.release", names=[self.name])


def made(load: Load, number: int) -> Lock:
    """The lock of one client: each its own, but for those who contend."""
    shared = load.what in ("contend", "hold", "wait")
    name = "one" if shared else f"{load.name}-{number}"
    if load.kind == "ours":
        return Ours(load.at, f"{load.name}-{number}", name, load.ttl)
    if load.kind == "redis":
        redis = importlib.import_module("redis")
        lock: Lock = redis.Redis(unix_socket_path=load.at).lock(name, timeout=load.ttl)
        return lock
    portalocker = importlib.import_module("portalocker")
    held: Lock = portalocker.Lock(os.path.join(load.at, name), timeout=60)
    return held


def paced(load: Load, locks: list[Lock]) -> dict[str, Any]:
    """Acquire and release, client after client, one operation when its time has come."""
    took: dict[str, list[float]] = {"acquire": [], "release": []}
    start, number = time.perf_counter(), 0
    while (due := start + number / load.rate) < start + load.seconds:
        if (early := due - time.perf_counter()) > 0:
            time.sleep(early)
        lock = locks[number // 2 % len(locks)]
        what, act = ("release", lock.release) if number % 2 else ("acquire", lock.acquire)
        began = time.perf_counter()
        act()
        took[what].append((time.perf_counter() - began) * 1000)
        number += 1
    return took


def closed(load: Load, locks: list[Lock]) -> dict[str, Any]:
    """Each client, in a thread, acquires and releases as fast as it goes."""
    until = time.perf_counter() + load.seconds

    def one(lock: Lock) -> int:
        done = 0
        while time.perf_counter() < until:
            lock.acquire()
            lock.release()
            done += 2
        return done

    return {"operations": sum(in_threads(one, locks))}


def in_threads(act: Callable[[Lock], int], locks: list[Lock]) -> list[int]:
    """What each said; a single one needs no thread."""
    if len(locks) == 1:
        return [act(locks[0])]
    done: list[int] = []
    threads = [threading.Thread(target=lambda lock=lock: done.append(act(lock))) for lock in locks]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def contend(load: Load, locks: list[Lock]) -> dict[str, Any]:
    """All want the same lock, hold it for a millisecond, and want it again."""
    waits = []
    until = time.perf_counter() + load.seconds
    while (began := time.perf_counter()) < until:
        locks[0].acquire()
        waits.append((time.perf_counter() - began) * 1000)
        time.sleep(0.001)
        locks[0].release()
    return {"grants": len(waits), "longest": max(waits, default=0.0)}


def hold(load: Load, locks: list[Lock]) -> dict[str, Any]:
    """Take the lock and keep it until killed."""
    locks[0].acquire()
    print("holding", flush=True)
    time.sleep(600)
    return {}


def wait(load: Load, locks: list[Lock]) -> dict[str, Any]:
    """When the lock was granted, by the clock that all processes share."""
    locks[0].acquire()
    return {"at": time.monotonic()}


def main() -> int:
    load = Load(**json.loads(sys.argv[1]))
    locks = [made(load, number) for number in range(load.clients)]
    for lock in locks:  # connections, scripts, whatever a first time needs
        if load.what in ("paced", "closed"):
            lock.acquire()
            lock.release()
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(WHAT[load.what](load, locks)), flush=True)
    return 0


WHAT: dict[str, Callable[[Load, list[Lock]], dict[str, Any]]] = {
    "paced": paced,
    "closed": closed,
    "contend": contend,
    "hold": hold,
    "wait": wait,
}

if __name__ == "__main__":
    sys.exit(main())

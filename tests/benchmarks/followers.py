"""Processes that follow events, or ask: ``python -m tests.benchmarks.followers ORDERS`` (JSON, see :class:`Orders`).

It says ``ready``, begins when a line comes, and prints what it saw. Times are of the clock that all processes share.
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import socket
import sys
import time
from typing import Any, NamedTuple

from tests.lockclient import Wire


class Orders(NamedTuple):
    """``what``: follow (until a second line comes), ask; ``at``: the git common dir, or a Redis' socket."""

    what: str
    at: str
    many: int
    kind: str = "ours"  # or redis
    types: tuple[str, ...] = ()
    name: str = ""
    verb: str = ""
    args: dict[str, Any] = {}
    rate: float = 0.0  # requests a second of this process
    seconds: float = 0.0


def dialled(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.connect(path)
    return made


def followed(orders: Orders) -> socket.socket:
    """A connection that is sent events from now on."""
    if orders.kind == "redis":
        made = dialled(orders.at)
        made.sendall(b"SUBSCRIBE events\r\n")
        made.recv(1 << 16)
        return made
    with open(os.path.join(orders.at, "gitsession", "sock"), encoding="utf-8") as file:
        made = dialled(file.readline().rstrip("\n"))
    args = {"follow": True, "types": list(orders.types)}
    who = {"cwd": os.path.dirname(orders.at), "session": None, "tty": None, "pid": os.getpid(), "env": {}}
    made.sendall(json.dumps({"v": 1, "id": 1, "verb": "events", "args": args, "who": who}).encode() + b"\n")
    reply = b""
    while not reply.endswith(b"\n"):
        reply += made.recv(1 << 16)
    if b'"ok"' not in reply:
        raise ConnectionRefusedError(reply.decode())
    return made


def follow(orders: Orders) -> dict[str, Any]:
    """When each follower got each event, by what the event is about; bytes in all, and numbers that were left out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, orders.many + 100)), hard))
    select = selectors.DefaultSelector()
    for number in range(orders.many):
        select.register(followed(orders), selectors.EVENT_READ, number)
    refused = ""
    try:
        followed(orders).close()
    except ConnectionRefusedError as exc:
        refused = json.loads(str(exc))["error"]["message"]
    print("ready", flush=True)
    select.register(sys.stdin, selectors.EVENT_READ, None)
    chunks: list[tuple[int, float, bytes]] = []
    lines = 0
    while lines < 2:
        for key, _ in select.select():
            if key.data is None:
                sys.stdin.readline()
                lines += 1
                continue
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            data = connection.recv(1 << 18)
            if not data:
                select.unregister(connection)
            chunks.append((key.data, time.monotonic(), data))
    return told(chunks) | {"refused": refused}


def told(chunks: list[tuple[int, float, bytes]]) -> dict[str, Any]:
    """What the bytes were."""
    rest: dict[int, bytes] = {}
    last: dict[int, int] = {}
    heard: dict[str, list[float]] = {}
    left_out = 0
    for number, at, data in chunks:
        *whole, rest[number] = (rest.get(number, b"") + data).split(b"\n")
        for line in whole:
            if not line.startswith(b"{"):
                continue  # what Redis says around it
            event = json.loads(line)
            seq = event.get("seq", 0)
            left_out += event["type"] == "missed" or (number in last and seq != last[number] + 1)
            last[number] = seq
            heard.setdefault(about(event), []).append(at)
    return {"heard": heard, "bytes": sum(len(data) for _, _, data in chunks), "left_out": left_out}


def about(event: dict[str, Any]) -> str:
    """What tells an event from others of its type."""
    return f"{event['type']} {event.get('resource_id') or event.get('path') or event.get('seq')}"


def ask(orders: Orders) -> dict[str, Any]:
    """Clients with a connection each, in turn, one request when its time has come: how long each reply took."""
    wires = [Wire(orders.at, f"{orders.name}-{number}") for number in range(orders.many)]
    hello = []
    for wire in wires:
        began = time.perf_counter()
        wire.call("client.heartbeat")
        hello.append((time.perf_counter() - began) * 1000)
    print("ready", flush=True)
    sys.stdin.readline()
    took: list[float] = []
    start, number = time.perf_counter(), 0
    while orders.rate and (due := start + number / orders.rate) < start + orders.seconds:
        if (early := due - time.perf_counter()) > 0:
            time.sleep(early)
        began = time.perf_counter()
        wires[number % len(wires)].call(orders.verb, **orders.args)
        took.append((time.perf_counter() - began) * 1000)
        number += 1
    return {"hello": hello, "took": took}


WHAT = {"follow": follow, "ask": ask}

if __name__ == "__main__":
    found = Orders(**json.loads(sys.argv[1]))
    print(json.dumps(WHAT[found.what](found)), flush=True)

"""Whatever is sent to the socket: one answer each, both processes alive, and nothing of the user's touched by a refusal."""

from __future__ import annotations

import os
import pwd
import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitsessiond.daemon.dispatch import VERBS
from gitsessiond.wire.client import Client
from gitsessiond.wire.place import find_place, read_pointer
from gitsessiond.wire.requests import OWN
from tests.bench import Workbench
from tests.hostile import MAY_CHANGE, Requests, Siege, verbs_told

GROWTH_MB = 150.0  # of both processes together: what Python does not give back of lines of a megabyte


def besieged(bench: Workbench, home: Path, seed: int, count: int) -> Siege:
    """Send so many lines (none: each line that is no request, and one of each verb); what may be said of all of them."""
    siege = Siege(bench, home)
    lines = Requests(seed, str(bench.root), siege.known())
    before = siege.client.call("daemon.status", {})["rss_mb"]
    for line in (lines.next() for _ in range(count)) if count else lines.each():
        siege.attack(*line)
        if count and sum(siege.met.values()) % 100 == 0:
            lines.known[-len(siege.known()) :] = siege.known()
    grown = siege.client.call("daemon.status", {})["rss_mb"] - before
    print(f"seed {seed}: {sum(siege.met.values())} hostile lines, {grown:+.0f} MB, {sorted(siege.met.items())}")
    assert siege.both() == siege.pids
    assert not siege.said, "\n".join(siege.said)
    assert grown < GROWTH_MB
    return siege


def test_every_verb_is_sent() -> None:
    """The lines are made from the tables of docs/protocol.md; these have every verb there is."""
    assert verbs_told().keys() >= (VERBS.keys() - {"checkpoint"}) | OWN


def test_hostile_lines(bench: Workbench, sealed: Path) -> None:
    """A line of each verb, and half frames: names built to escape, wrong types, a megabyte of anything."""
    siege = besieged(bench, sealed, int(os.environ.get("GITSESSION_TEST_SEED", "1")), 0)
    assert siege.met.keys() >= {"ok", "usage", "not_found"}


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(11, 16))
def test_ten_thousand_hostile_lines(bench: Workbench, sealed: Path, seed: int) -> None:
    """The same, two thousand lines of five seeds; afterwards git still judges the session sound."""
    siege = besieged(bench, sealed, seed, 2000)
    siege.set_right()
    bench.judge(full=False)


@pytest.mark.soak
@pytest.mark.parametrize("value", ["x\udcff", "a\0b", "\x1b[2J", "../outside/secret"])
def test_each_argument_alone(bench: Workbench, sealed: Path, value: str) -> None:
    """Every argument of every verb, while the others are what they may well be."""
    siege = Siege(bench, sealed)
    for line in Requests(7, str(bench.root), siege.known()).one_by_one(value):
        siege.attack(*line)
    print(f"{value!a}: {sum(siege.met.values())} hostile lines, {sorted(siege.met.items())}")
    assert siege.both() == siege.pids
    assert not siege.said, "\n".join(siege.said)


@pytest.mark.soak
def test_connections_that_end_anywhere(bench: Workbench, sealed: Path) -> None:
    """A thousand clients that go away in the middle of a line, before the answer, or while it is sent."""
    siege = Siege(bench, sealed)
    lines, pick = Requests(3, str(bench.root), siege.known()), random.Random(3)
    for _ in range(1000):
        siege.connection.settimeout(20)
        line = lines.next()
        sent = line.sent + b"\n"
        siege.connection.sendall(
            sent[: pick.randrange(len(sent))] if pick.random() < 0.7 or line.verb in MAY_CHANGE else sent
        )
        if pick.random() < 0.3:
            siege.connection.shutdown(socket.SHUT_WR)
        siege.connection.close()
        siege.connect()
    assert siege.both() == siege.pids
    siege.attack(*lines.of("patch.list"))
    assert not siege.said, "\n".join(siege.said)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for sockets that other users can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="run-", dir="/tmp") as found:
        os.chmod(found, 0o755)
        monkeypatch.setenv("XDG_RUNTIME_DIR", found)
        yield Path(found)


def as_another(uid: int, path: str) -> str:
    """What another user gets who connects to this socket and asks."""
    code = f"""
import os, socket
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
with socket.socket(socket.AF_UNIX) as asking:
    try:
        asking.settimeout(20)
        asking.connect({path!r})
        asking.sendall(b'{{"v":1,"id":1,"verb":"ping"}}\\n')
        print(asking.recv(4096))
    except OSError as exc:
        print(type(exc).__name__)
"""
    return subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_is_refused(bench: Workbench, runtime: Path) -> None:
    """The directory keeps others out; where somebody has opened it and the socket, the daemon hangs up on them."""
    client, other = Client(str(bench.root)), pwd.getpwnam("nobody").pw_uid
    pids = client.call("ping", {})
    path = read_pointer(find_place(str(bench.root)))
    assert path is not None and path.startswith(f"{runtime}/")
    assert as_another(other, path) == "PermissionError"
    os.chmod(os.path.dirname(path), 0o755)
    assert as_another(other, path) == "PermissionError"
    os.chmod(path, 0o666)
    assert as_another(other, path) in ("b''", "ConnectionResetError", "BrokenPipeError")
    assert client.call("ping", {})["pid"] == pids["pid"]

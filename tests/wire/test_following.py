"""A client that follows: sent away because it did not read, it asks for what was kept from it."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.wire import client as wire
from gitsessiond.wire.client import Client
from gitsessiond.wire.frames import Decoder, encode
from gitsessiond.wire.place import Place


def event(seq: int, **more: Any) -> dict[str, Any]:
    return {"v": 1, "seq": seq, "type": "saved", **more}


def test_one_that_was_sent_away_asks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on where it was; what is missed for good is told; at the end of all daemons it ends."""
    away = event(9, type="missed", closing=True) | {"from": 3, "to": 9}
    lost = event(4, type="missed") | {"from": 3, "to": 4}
    streams = [
        [{"v": 1, "id": 1, "ok": {"seq": 1, "events": []}}, event(2), away],
        [{"v": 1, "id": 1, "ok": {"seq": 6, "events": [lost, event(5), event(6)]}}, event(7)],
    ]
    theirs: list[socket.socket] = []
    with ExitStack() as stack:

        def connected(*_: Any) -> socket.socket | None:
            if not streams:
                return None
            ours, other = socket.socketpair()
            theirs.append(stack.enter_context(other))
            other.sendall(b"".join(encode(one) for one in streams.pop(0)))
            other.shutdown(socket.SHUT_WR)
            return ours

        place = Place(str(tmp_path))
        monkeypatch.setattr(wire, "find_place", lambda cwd: place)
        monkeypatch.setattr(wire, "read_pointer", lambda place: "socket")
        monkeypatch.setattr(wire, "dial", connected)
        told: list[str] = []
        found = list(Client(str(tmp_path)).events(None, True, {"types": ["saved"]}, lambda: told.append("waits")))
        asked = [Decoder().feed(one.recv(1 << 16))[0] for one in theirs]
    assert [one["seq"] for one in found] == [2, 4, 5, 6, 7] and told == ["waits"]
    assert [one["args"] for one in asked if isinstance(one, dict)] == [
        {"since": None, "follow": True, "types": ["saved"]}, {"since": 2, "follow": True, "types": ["saved"]},
    ]  # fmt: skip

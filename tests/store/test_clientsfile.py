"""The file of clients: what was kept comes back, anything else is nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.model.clients import Client
from gitsessiond.store.clientsfile import FILE, Kept, read_clients, write_clients

KEPT = Kept(
    [
        Client("pts-3_1f2e3d4c", "terminal", None, user="Ann <a@b>", host="h", pid=7, began="99", tty="/dev/pts/3"),
        Client("agent-1", "agent", "agent-1", ttl=5.0, session="fix", since=1.5, last_seen=2.5, cwd="/a/\udcff"),
    ],
    "pts-3_1f2e3d4c",
    ["agent-1"],
)


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    """Every field, in the order they came."""
    write_clients(str(tmp_path), KEPT)
    assert read_clients(str(tmp_path)) == KEPT
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "changes",
    [
        {"boot": "another"},
        {"format": 2},
        {"clients": 3},
        {"clients": [{"id": "x"}]},
        {"clients": [KEPT.clients[0]._asdict() | {"pid": "7"}]},
        {"clients": [KEPT.clients[0]._asdict() | {"kind": "robot"}]},
        {"clients": [KEPT.clients[0]._asdict() | {"since": None}]},
        {"clients": [KEPT.clients[0]._asdict() | {"more": 1}]},
    ],
)
def test_what_is_of_another_boot_or_not_whole_is_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Processes of another run of the machine say nothing; a client that is not whole is none."""
    write_clients(str(tmp_path), KEPT)
    file = tmp_path / FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    assert read_clients(str(tmp_path)).clients == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'"' + b"x" * 1000])
def test_a_damaged_file_is_nothing(tmp_path: Path, content: bytes) -> None:
    """Whoever is at work is known again by the next word."""
    assert read_clients(str(tmp_path)) == Kept([], None, [])
    (tmp_path / FILE).write_bytes(content)
    assert read_clients(str(tmp_path)) == Kept([], None, [])

"""Which shell commands of agents are running, in a file: so that a recorder which starts meanwhile knows of them.

It is a help, not a record: what cannot be read or written is as if nothing ran.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from gitsessiond.store.layout import write_whole


class Running(NamedTuple):
    """A command of an agent; its process, as far as it is known, and when that began."""

    agent: str
    begun: datetime
    pid: int | None
    started: str


def running_file(state_dir: str, sid: str) -> str:
    """Where a session's commands are."""
    return os.path.join(state_dir, "agents", f"running-{sid}")


def read_running(path: str) -> dict[str, Running]:
    """The commands by what they are known by."""
    try:
        with open(path, encoding="utf-8") as file:
            rows = json.load(file)
        found = {
            str(key): Running(str(agent), datetime.fromisoformat(begun), pid, str(started))
            for key, (agent, begun, pid, started) in rows.items()
            if pid is None or isinstance(pid, int)
        }
        return {key: one for key, one in found.items() if one.begun.tzinfo is not None}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def write_running(path: str, running: Mapping[str, Running]) -> None:
    """Replace what is known; of nothing there is no file."""
    with suppress(OSError):
        if not running:
            os.unlink(path)
            return
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        rows = {key: [one.agent, one.begun.isoformat(), one.pid, one.started] for key, one in running.items()}
        write_whole(path, json.dumps(rows).encode())

"""The authority lock: one at a time, given back by the kernel, waited for without sleeping."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitsessiond.model.errors import Locked
from gitsessiond.store.statelock import take_lock

HOLD = """
import sys, time
from gitsessiond.store.statelock import take_lock
lock = take_lock(sys.argv[1], 0)
print("held", flush=True)
sys.stdin.read()
"""


def holder(directory: Path) -> subprocess.Popen[bytes]:
    held = subprocess.Popen([sys.executable, "-c", HOLD, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert held.stdout is not None
    assert held.stdout.readline() == b"held\n"
    return held


def test_one_at_a_time(tmp_path: Path) -> None:
    """Whoever comes second is told whose it is; after kill -9 of the holder the lock is free."""
    held = holder(tmp_path)
    with pytest.raises(Locked, match=str(held.pid)):
        take_lock(str(tmp_path))
    held.kill()
    held.communicate()
    take_lock(str(tmp_path)).release()


def test_waiting(tmp_path: Path) -> None:
    """A wait ends when the lock is given back, or when its time is over."""
    held = holder(tmp_path)
    started = time.monotonic()
    with pytest.raises(Locked):
        take_lock(str(tmp_path), 0.2)
    assert 0.15 < time.monotonic() - started < 5
    assert held.stdin is not None
    held.stdin.close()
    take_lock(str(tmp_path), 20).release()
    held.wait()


def test_held_by_a_child_too(tmp_path: Path) -> None:
    """A child that inherited the descriptor holds the lock when its parent is gone."""
    lock = take_lock(str(tmp_path))
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[lock.fileno()])
    lock.release()
    with pytest.raises(Locked, match=str(os.getpid())):
        take_lock(str(tmp_path))
    child.communicate()
    take_lock(str(tmp_path)).release()

"""Locks are read from disk so that nothing in their place can hold the reader up, or be read in their stead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitsessiond.model.swapfiles import Kind
from gitsessiond.store.editors import (
    names_in,
    process_of,
    read_lock,
    swap_directories,
    written_at,
)
from gitsessiond.store.unsaved import unsaved_among
from tests.model.test_swapfiles import VIM, block


def at(path: Path) -> bytes:
    return os.fsencode(path)


def test_a_swap_file(tmp_path: Path) -> None:
    """Its first block only, and when it was written."""
    swap = tmp_path / ".a.txt.swp"
    swap.write_bytes(block() + bytes(1 << 20))
    os.utime(swap, (1000, 1000))
    found = read_lock(at(swap), "swap")
    assert found is not None and found.said == VIM and found.written == 1000.0
    assert written_at(at(swap)) == 1000.0 and written_at(at(tmp_path / "none")) is None


def test_a_link_is_read_and_not_followed(tmp_path: Path) -> None:
    link = tmp_path / ".#a.txt"
    link.symlink_to("ann@desk.4711")
    found = read_lock(at(link), "link")
    assert found is not None and found.said.pid == 4711
    (tmp_path / "real").write_bytes(block())
    swap = tmp_path / ".a.txt.swp"
    swap.symlink_to("real")
    assert read_lock(at(swap), "swap") is None


@pytest.mark.parametrize("kind", ["swap", "link", "kate", "office"])
def test_other_things_in_a_locks_place(tmp_path: Path, kind: Kind) -> None:
    """A FIFO, a directory, a circle of links, a socket's and a device's place, nothing at all: none is waited for."""
    place = tmp_path / "place"
    os.mkfifo(place)
    assert read_lock(at(place), kind) is None
    place.unlink()
    place.mkdir()
    assert read_lock(at(place), kind) is None
    assert read_lock(at(place / "below" / "that"), kind) is None
    place.rmdir()
    place.symlink_to(place)
    assert read_lock(at(place), kind) is None
    place.unlink()
    place.symlink_to("/dev/tty")
    assert read_lock(at(place), kind) is None
    place.unlink()
    place.write_bytes(b"")
    assert read_lock(at(place), kind) is None
    place.chmod(0)
    assert read_lock(at(place), kind) is None
    assert read_lock(at(tmp_path) + b"/" + b"x" * 5000, kind) is None
    assert read_lock(b"/a\0b", kind) is None


def test_what_has_a_pid() -> None:
    """Its name and when it began; nothing for one that has ended, though nobody took note yet."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    seen = process_of(child.pid)
    assert seen is not None and seen.name is not None and seen.name.startswith("python")
    assert abs(seen.began - time.time()) < 60
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process_of(child.pid) is None
    child.communicate()
    assert process_of(child.pid) is None and process_of(None) is None


def test_where_neovim_keeps_swap_files(tmp_path: Path) -> None:
    home = {"HOME": "/home/ann"}
    assert swap_directories(home) == [b"/home/ann/.local/state/nvim/swap", b"/home/ann/.local/share/nvim/swap"]
    told = {**home, "XDG_STATE_HOME": "/s", "XDG_DATA_HOME": "/d", "NVIM_APPNAME": "../lazy"}
    assert swap_directories(told) == [b"/s/lazy/swap", b"/d/lazy/swap"]
    (tmp_path / "x").touch()
    assert names_in(at(tmp_path)) == [b"x"] and names_in(b"/none") == []


def test_files_with_unsaved_changes(tmp_path: Path) -> None:
    """Those of an editor that may live; a FIFO where a swap file would be keeps nobody waiting."""
    elsewhere = block(host=b"laptop", pid=1, file=b"/w/a.txt")
    (tmp_path / ".a.txt.swp").write_bytes(elsewhere)
    (tmp_path / ".b.txt.swp").write_bytes(block(host=b"laptop", dirty=0))
    (tmp_path / ".env.swp").write_bytes(block(host=b"laptop", file=b"/w/.env"))
    os.mkfifo(tmp_path / ".c.txt.swp")
    (tmp_path / ".c.txt.swo").write_bytes(elsewhere)
    (tmp_path / ".d.txt.kate-swp").write_bytes(b"\0\0\0\x12Kate Swap File 2.0")
    (tmp_path / ".#e.txt").symlink_to("ann@laptop.7")
    (tmp_path / ".~lock.f.odt#").write_bytes(b",ann,laptop,now,x;")
    names = [b"a.txt", b"b.txt", b".env", b"env", b"c.txt", b"d.txt", b"e.txt", b"f.odt", b"g.txt"]
    assert unsaved_among(str(tmp_path), names) == [
        (b".env", "vim"), (b"a.txt", "vim"), (b"c.txt", "vim"), (b"d.txt", "kate"), (b"e.txt", "an editor"),
    ]  # fmt: skip
    assert unsaved_among(str(tmp_path / "none"), names) == []

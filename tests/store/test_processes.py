"""Whether a process has ended: said only where that is sure."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from pathlib import Path

import pytest

from gitsessiond.faces.cli.agenthook import process
from gitsessiond.store.processes import end_of, is_gone, leader_of, lives, seen, terminal_name
from tests.bench import wait_for

GONE = 2**22 + 1  # no system has such a process

pytestmark = pytest.mark.skipif(not Path("/proc/self/ns/pid").exists(), reason="/proc is needed")


def test_a_process_of_another_namespace_is_not_known() -> None:
    """A number that a container's hook tells is another process here, or none: nobody can tell then."""
    here = os.readlink("/proc/self/ns/pid")
    began = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
    assert not is_gone(os.getpid(), f"{began} {here}") and not is_gone(os.getpid(), began)
    assert is_gone(os.getpid(), f"1 {here}") and is_gone(GONE, f"{began} {here}") and is_gone(GONE, began)
    assert not is_gone(GONE, f"{began} pid:[1]") and not is_gone(os.getpid(), "1 pid:[1]")
    pid, started = process()
    assert pid is None or (started.endswith(f" {here}") and not is_gone(pid, started))


def test_a_process_is_seen_as_the_kernel_tells_it() -> None:
    """Its session's leader, its parent, its user; nothing of one that is not there or has ended."""
    here = seen(os.getpid())
    assert here is not None and (here.parent, here.leader, here.uid) == (os.getppid(), os.getsid(0), os.geteuid())
    assert lives(here.pid, here.began) and not lives(here.pid, "1") and not lives(GONE, here.began)
    assert [seen(pid) for pid in (None, 0, -1, GONE)] == [None] * 4
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert seen(child.pid) is None  # it waits to be taken note of


def test_a_command_lives_by_the_leader_of_its_session() -> None:
    """A shell for those it starts; once it has ended, the eldest of them that is left."""
    script = "sh -c 'sleep 60 & wait' & echo $!; read -r line; exit"
    leader = subprocess.Popen(
        ["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    with leader:
        assert leader.stdin is not None and leader.stdout is not None
        middle = int(leader.stdout.readline())
        wait_for(lambda: children_of(middle))
        (last,) = children_of(middle)
        command = seen(last)
        assert command is not None and leader_of(command).pid == leader.pid
        end = end_of(leader.pid, leader_of(command).began)
        assert end is not None and not select.select([end], [], [], 0)[0]
        leader.stdin.close()
        assert select.select([end], [], [], 60)[0]
        os.close(end)
    assert leader_of(command).pid == middle
    assert end_of(leader.pid, "1") is None and end_of(os.getpid(), "1") is None and end_of(leader.pid, None) is None
    own = end_of(os.getpid(), None)
    assert own is not None
    os.close(own)
    os.killpg(leader.pid, signal.SIGKILL)


def children_of(pid: int) -> list[int]:
    """Their numbers."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_terminals_have_their_names() -> None:
    """Device numbers as they stand in /proc."""
    assert terminal_name(os.makedev(136, 3)) == "/dev/pts/3" and terminal_name(os.makedev(137, 1)) == "/dev/pts/257"
    assert terminal_name(os.makedev(4, 1)) == "/dev/tty1" and terminal_name(0) is None
    assert terminal_name(os.makedev(204, 64)) is None

"""Whether a process has ended: said only where that is sure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitsessiond.faces.cli.agenthook import process
from gitsessiond.store.processes import is_gone

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

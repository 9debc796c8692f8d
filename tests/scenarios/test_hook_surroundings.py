"""The user's own hooks run in the environment of whoever gave the command, not in the daemon's."""

from __future__ import annotations

import os
from pathlib import Path

from tests.bench import Workbench


def test_a_hook_finds_the_tools_of_the_shell_that_commits(bench: Workbench, tmp_path: Path) -> None:
    """A program on a PATH set after the daemon's start, a variable of that shell, and none of the daemon's own."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "mytool").write_text('#!/bin/sh\necho "tool: $FOO, ${LEFT-nothing left}, ${GIT_EDITOR}"\n')
    (tools / "mytool").chmod(0o755)
    for name in ("pre-commit", "commit-msg"):
        hook = bench.root / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\nmytool >> {tmp_path}/{name}\n")
        hook.chmod(0o755)
    bench.run("start", "s", env={"LEFT": "of the daemon"})
    bench.run("patch", "new", "p")
    bench.edit("a.txt", "line 2\n", "line two\n")
    assert "mytool" in bench.run("commit", "-m", "early", code=4).err
    shell = {"FOO": "bar", "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    bench.run("commit", "-m", "two", env=shell)
    bench.run("merge", "p", "--ready", env=shell)
    assert (tmp_path / "pre-commit").read_text() == "tool: bar, nothing left, :\n"
    assert (tmp_path / "commit-msg").read_text() == "tool: bar, nothing left, :\n" * 2

"""`git session exec`: many processes use git in one repository at once, and none fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.bench import SCRIPT, Workbench, wait_for
from tests.conftest import git

IN_TURN = f"{SCRIPT} exec --"


def all_at_once(root: Path, scripts: Sequence[str]) -> list[tuple[int, str]]:
    """Let go of all shell scripts in the same moment; exit code and messages of each."""
    ready, go = os.pipe()
    children = [
        subprocess.Popen(
            ["sh", "-c", f"cat >/dev/null; {script}"],
            cwd=root,
            stdin=ready,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for script in scripts
    ]
    os.close(ready)
    os.close(go)  # the end of file is the starting shot
    told = [child.communicate(timeout=120)[0] for child in children]
    return [(child.returncode, words) for child, words in zip(children, told, strict=True)]


def commits(count: int, prefix: str, each: str) -> list[str]:
    """Scripts, each of which adds and commits a file of its own."""
    return [
        f"echo {n} >{prefix}-{n} && {each} git add {prefix}-{n} && {each} git commit -q -m {prefix}-{n} {prefix}-{n}"
        for n in range(count)
    ]


def worktrees(count: int, prefix: str, each: str) -> list[str]:
    """Scripts, each of which makes a worktree with a branch of its own."""
    return [f"{each} git worktree add -q --track -b {prefix}-{n} ../{prefix}-{n} main" for n in range(count)]


@pytest.mark.parametrize("count", [5, pytest.param(13, marks=pytest.mark.soak)])
@pytest.mark.parametrize("work", [commits, worktrees])
def test_many_at_once(repo: Path, work: Callable[[int, str, str], list[str]], count: int) -> None:
    """Without turns some of thirteen fail (tried until one does); in turns none, and all is there."""
    failed: list[tuple[int, str]] = []
    for number in range(5 if count > 5 else 0):
        failed = [one for one in all_at_once(repo, work(count, f"bare{number}", "")) if one[0]]
        if failed:
            break
    assert failed or count == 5, "git itself has learned to wait"
    git(repo, "reset", "-q")
    done = all_at_once(repo, work(count, "turn", IN_TURN))
    assert [code for code, _ in done] == [0] * count, done
    names = sorted(f"turn-{n}" for n in range(count))
    if work is commits:
        assert sorted(git(repo, "log", "--format=%s", f"-{count}").decode().split()) == names
        assert not git(repo, "status", "--porcelain", "turn-*")
    else:
        listed = git(repo, "worktree", "list", "--porcelain").decode()
        assert all(f"branch refs/heads/{name}\n" in listed for name in names)
        assert all(git(repo, "config", f"branch.{name}.merge") for name in names)
    assert not list(repo.glob(".git/**/*.lock"))


def in_turn(repo: Path, *words: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, "exec", *words], cwd=repo, capture_output=True, text=True, **more)  # type: ignore[call-overload]


def test_it_ends_as_the_command_ends(repo: Path) -> None:
    """Exit codes, a signal's as a shell has it, words as they are, and 127 for a command that is not there."""
    assert in_turn(repo, "--", "sh", "-c", "exit 41").returncode == 41
    assert in_turn(repo, "sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM
    assert in_turn(repo, "--", "printf", "%s|", "a b", "--json", "-h").stdout == "a b|--json|-h|"
    missing = in_turn(repo, "--", "no-such-command")
    assert (missing.returncode, missing.stderr) == (127, "error: no-such-command: No such file or directory\n")
    told = in_turn(repo, "--json", "--", "echo", "hello").stdout.splitlines()
    assert told[0] == "hello" and json.loads(told[1]).keys() == {"v", "code", "waited_s"}
    assert in_turn(repo).returncode == 2
    assert in_turn(repo.parent, "--", "true").returncode == 10


def test_a_turn_inside_a_turn(repo: Path) -> None:
    """A script in its turn may call commands that would take one; a smaller turn is not waited out for more."""
    again = f"{SCRIPT} exec --"
    assert in_turn(repo, "--", "sh", "-c", f"{again} git status -s && {again} git add -A").returncode == 0
    hook = repo / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{again} git add -A && {again} git branch other\n")
    hook.chmod(0o755)
    done = in_turn(repo, "--", "git", "commit", "-q", "--allow-empty", "-m", "x")
    assert done.returncode == 1 and "which holds only the index" in done.stderr


def test_a_turn_is_waited_for_and_given_back(repo: Path) -> None:
    """--wait ends the wait with 11 and names who has the turn; a holder that is killed, or leaves something running, has it no more."""
    holder = subprocess.Popen([SCRIPT, "exec", "--", "sh", "-c", "echo >../begun; exec sleep 60"], cwd=repo)
    wait_for((repo.parent / "begun").exists)
    waited = in_turn(repo, "--wait", "0.2", "--", "git", "add", "-A")
    assert waited.returncode == 11 and f"(process {holder.pid}) was not" in waited.stderr
    assert "was not done within 0.2 s" in waited.stderr and waited.stderr.count("\n") == 2
    holder.send_signal(signal.SIGTERM)
    assert holder.wait(20) == 128 + signal.SIGTERM
    assert in_turn(repo, "--", "sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $! >../left").returncode == 0
    assert in_turn(repo, "--", "git", "add", "-A").returncode == 0
    os.kill(int((repo.parent / "left").read_text()), signal.SIGTERM)  # it ran all the while


@pytest.mark.soak
def test_who_wants_all_is_told_who_has_an_index(repo: Path) -> None:
    """The message names the holder of the index, of whichever worktree."""
    git(repo, "worktree", "add", "-q", "../linked")
    hook = repo / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho >{repo.parent}/begun\nexec sleep 60\n")
    hook.chmod(0o755)
    words = [SCRIPT, "exec", "--", "git", "commit", "-q", "--allow-empty", "-m", "x"]
    holder = subprocess.Popen(words, cwd=repo.parent / "linked")
    wait_for((repo.parent / "begun").exists)
    waited = in_turn(repo, "--wait", "0.2", "--", "git", "fetch")
    assert waited.returncode == 11 and f"-m x (process {holder.pid}) was not" in waited.stderr
    holder.send_signal(signal.SIGTERM)
    holder.wait(20)


def test_turns_of_two_repositories(repo: Path) -> None:
    """What a grandparent has is had, though between them is a turn of another repository."""
    git(repo.parent, "init", "-q", "second")
    again = f"{SCRIPT} exec --wait 5 --"
    script = f"cd ../second && {again} sh -c 'cd ../shop && {again} git add -A && cd ../second && {again} git add -A'"
    done = in_turn(repo, "--wait", "5", "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr


def test_no_turn_for_what_waits_for_the_recorder(bench: Workbench) -> None:
    """A hook of `git session commit` may use exec while our own commands are run by exec: they have no turn to wait for."""
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    hook = bench.root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{SCRIPT} exec --wait 5 -- git add made\n")
    hook.chmod(0o755)
    bench.write("made", "made\n")
    holder = subprocess.Popen([SCRIPT, "exec", "--", "sh", "-c", "echo >../begun; exec sleep 60"], cwd=bench.root)
    wait_for((bench.root.parent / "begun").exists)
    assert in_turn(bench.root, "--wait", "5", "--", "git", "session", "status").returncode == 0
    bench.quiet = False  # the hook writes the index
    bench.run("commit", "-m", "made")
    holder.send_signal(signal.SIGTERM)
    holder.wait(20)


@pytest.mark.soak
def test_commits_in_turn_are_adopted(bench: Workbench) -> None:
    """In a session with a daemon: what thirteen commit in turn is all of the patch in use."""
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    done = all_at_once(bench.root, commits(13, "made", IN_TURN))
    assert [code for code, _ in done] == [0] * 13, done
    assert bench.patch("p")["commits"] == 13 and not bench.status()["unassigned"]
    bench.judge(full=False)

"""gitsession.check: a command of the user's that must pass on the merged files, run where nobody else waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gitsessiond.wire.client import Client
from tests.bench import SCRIPT, Workbench, wait_for

GREEN = "test -f n.txt && grep -q 'line 2 of p' a.txt && ! grep -q unfinished a.txt"


@pytest.fixture
def it(bench: Workbench) -> Workbench:
    """Patch p: line 2 of a.txt, and n.txt; q, in use: line 9 of a.txt. main moved on in README."""
    bench.run("start", "x")
    bench.run("patch", "new", "p")
    bench.edit("a.txt", "line 2\n", "line 2 of p\n")
    bench.write("n.txt", "n\n")
    bench.run("patch", "new", "q")
    bench.edit("a.txt", "line 9\n", "unfinished\n")
    bench.run("patch", "ready", "p")
    tree = bench.git("rev-parse", "main^{tree}").out.strip()
    moved = bench.git("commit-tree", "-p", "main", "-m", "main moves", tree).out.strip()
    bench.git("update-ref", "refs/heads/main", moved)
    return bench


def check(it: Workbench, command: str, **more: str) -> None:
    it.git("config", "gitsession.check", command)
    for key, value in more.items():
        it.git("config", f"gitsession.{key}", value)


def left(it: Workbench) -> list[str]:
    """What a check left: worktrees, notes, directories, in git's eyes and on the disk."""
    state = it.root / ".git" / "gitsession" / "checks"
    found = it.git("worktree", "list").out.splitlines()[1:]
    found += [str(path) for path in (it.root / ".git" / "worktrees").glob("*")]
    found += [str(path) for path in state.glob("*")]
    return found + [str(path) for path in Path(os.environ["TMPDIR"]).glob("gitsession-check-*")]


def test_it_sees_the_merged_files_and_nothing_else(it: Workbench) -> None:
    """The check runs at the merged tree, HEAD at the target, without the other patch; what passed is not run again."""
    runs = it.root.parent / "runs"
    it.git("config", "filter.shout.smudge", "tr a-z A-Z")
    it.git("config", "filter.shout.clean", "tr A-Z a-z")
    (it.root / ".git" / "info" / "attributes").write_text("src/* filter=shout\n")
    seen = f"git rev-parse HEAD > {runs}.head; git diff --cached --name-only >> {runs}; cat src/b.txt > {runs}.b"
    check(it, f'{seen}; echo "$GITSESSION_CHECK" >> {runs}; test -z "$(git status --porcelain)" && exit 1; {GREEN}')
    found = it.json("patch", "validate", "p")
    assert (found["blockers"], found["check"]["code"], found["check"]["current"]) == ([], 0, True)
    assert runs.read_text() == "a.txt\nn.txt\np\n"
    assert Path(f"{runs}.head").read_text() == it.git("rev-parse", "main").out
    assert Path(f"{runs}.b").read_text().startswith("B 1\n")
    assert it.run("merge", "p").out.startswith("Merged p into main")
    assert runs.read_text() == "a.txt\nn.txt\np\n"
    assert left(it) == []


def test_a_red_check_blocks(it: Workbench) -> None:
    """Exit 4 and nothing has moved; code and last lines are kept and shown; --no-verify skips it."""
    before = it.git("rev-parse", "main", "HEAD").out
    check(it, "seq 100; echo oh no >&2; exit 3")
    refused = it.run("merge", "p", code=4)
    assert "exited 3" in refused.err and "hint: git session patch show p" in refused.err and "oh no" in refused.err
    assert it.git("rev-parse", "main", "HEAD").out == before
    shown = it.json("patch", "show", "p")
    assert (shown["check"]["code"], len(shown["check"]["output"].splitlines())) == (3, 40)
    assert shown["check"]["output"].endswith("100\noh no\n")
    assert "oh no" in it.run("patch", "show", "p").out
    assert [one["code"] for one in it.patch("p")["blockers"]] == ["check"]
    assert not it.patch("p")["ready_to_merge"]
    found = it.run("patch", "validate", "p", "--json", code=4)
    assert '"code": "check"' in found.out
    assert it.json("patch", "validate", "p", "--no-verify")["blockers"] == []
    it.run("merge", "p", "--no-verify")
    assert left(it) == []


@pytest.mark.soak
def test_what_failed_is_run_again(it: Workbench) -> None:
    """A cause outside of the patch, mended, is all it takes; the run of before blocks nothing."""
    flag = it.root.parent / "flag"
    check(it, f"test -f {flag}")
    it.run("patch", "validate", "p", code=4)
    flag.touch()
    it.run("patch", "validate", "p")
    assert it.patch("p")["ready_to_merge"]


@pytest.mark.soak
def test_uncommitted_edits_are_checked_before_they_are_committed(it: Workbench) -> None:
    """A red check leaves uncommitted what was; a green one is not run again for the commit."""
    runs = it.root.parent / "runs"
    check(it, f"echo run >> {runs}; ! grep -q unfinished a.txt")
    head = it.git("rev-parse", "HEAD").out
    it.run("merge", "q", "--ready", code=4)
    assert it.git("rev-parse", "HEAD").out == head
    it.edit("a.txt", "unfinished\n", "done\n")
    it.run("merge", "q", "--ready")
    assert runs.read_text() == "run\nrun\n"
    assert "done" in it.git("show", "main:a.txt").out


@pytest.mark.soak
def test_every_reason_at_once(it: Workbench) -> None:
    """A draft that would conflict, depends on a draft, and whose check fails: all told by one call."""
    it.run("patch", "depend", "q", "--on", "p")
    tree = it.root.parent / "main"
    it.git("worktree", "add", "-q", str(tree), "main")
    at = it.at(tree)
    at.edit("a.txt", "line 9\n", "main's\n")
    at.git("commit", "-qam", "theirs")
    codes = [one["code"] for one in it.json("patch", "validate", "q", code=4)["blockers"]]
    assert codes == ["draft", "dependency", "conflicts"]
    check(it, "false")
    it.run("patch", "ready", "p", "--undo")
    assert [one["code"] for one in it.json("patch", "validate", "p", code=4)["blockers"]] == ["draft", "check"]


@pytest.mark.soak
def test_close_checks_each_patch(it: Workbench) -> None:
    """`close` runs it for each ready patch on what the ones before it made; a red one fails alone."""
    it.run("patch", "ready", "q")
    check(it, "! grep -q unfinished a.txt")
    done = it.json("close", "--yes", code=3)
    assert [one["name"] for one in done["merged"]] == ["p"]
    assert [(one["name"], one["error"]["exit"]) for one in done["failed"]] == [("q", 4)]
    assert left(it) == []


@pytest.mark.soak
def test_too_long(it: Workbench) -> None:
    """After gitsession.checkTimeout it is ended, and has failed."""
    check(it, "echo begun; sleep 1000", checkTimeout="0.2")
    found = it.json("patch", "validate", "p", code=4)
    assert (found["check"]["timed_out"], found["check"]["code"], found["check"]["output"]) == (True, 143, "begun\n")
    assert left(it) == []


def begun(it: Workbench, runs: Path) -> subprocess.Popen[bytes]:
    """`validate` with a check that runs for ever, once it has begun."""
    check(it, f"sleep 1000 & echo $! > {runs}.new; mv {runs}.new {runs}; wait")
    command = [sys.executable, SCRIPT, "patch", "validate", "p"]
    child = subprocess.Popen(command, cwd=it.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0)
    wait_for(runs.exists, why="for the check to begin")
    return child


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.soak
def test_others_go_on_meanwhile(it: Workbench) -> None:
    """While a check runs, saves are recorded and other commands answered; Ctrl-C ends it, and nothing is left."""
    runs = it.root.parent / "runs"
    child = begun(it, runs)
    it.write("b.txt", "saved meanwhile\n")
    assert "b.txt" in [op["path"] for op in it.json("patch", "ops", "q")["ops"]]
    it.run("merge", "p", "--no-verify")
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate()
    assert (child.returncode, said.decode().splitlines()[-1]) == (130, "interrupted")
    assert gone(int(runs.read_text())) and left(it) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.soak
def test_a_killed_command_takes_its_check_along(it: Workbench, number: signal.Signals) -> None:
    """However the command ends, the check, its children and its worktree go."""
    runs = it.root.parent / "runs"
    child = begun(it, runs)
    os.kill(child.pid, number)
    child.communicate()
    wait_for(lambda: gone(int(runs.read_text())) and not left(it), why="for the check to go")


def runner_of(it: Workbench) -> int:
    """The process of the check that runs."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"check" in words and os.fsencode(it.root) in words:
            return int(path.parent.name)
    raise AssertionError("no check runs")


@pytest.mark.soak
def test_its_own_process_killed(it: Workbench) -> None:
    """kill -9 of the process that runs the check: the command says so, and has what it left cleared away."""
    runs = it.root.parent / "runs"
    child = begun(it, runs)
    os.kill(runner_of(it), signal.SIGKILL)
    _, said = child.communicate()
    assert child.returncode == 13 and b"was killed" in said
    wait_for(lambda: gone(int(runs.read_text())) and not left(it), why="for the check to go")


@pytest.mark.soak
def test_everybody_killed(it: Workbench) -> None:
    """Command, check and daemon killed together: the next daemon clears away, and kills nobody else."""
    runs = it.root.parent / "runs"
    child = begun(it, runs)
    pids = [runner_of(it), child.pid, *(int(it.daemon()[who]) for who in ("pid", "recorder_pid"))]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    child.communicate()
    it.quiet = False
    it.run("status")
    wait_for(lambda: gone(int(runs.read_text())) and not left(it), why="for the check to go")


@pytest.mark.soak
def test_without_a_daemon(it: Workbench) -> None:
    """Under CI=true no daemon stays, and the check runs all the same."""
    it.stop()
    check(it, GREEN)
    done = it.run("merge", "p", env={"CI": "true"})
    assert done.out.startswith("Merged p into main")
    assert left(it) == []


@pytest.mark.soak
def test_two_at_once(it: Workbench) -> None:
    """Two checks of one patch run beside each other, each in a worktree of its own."""
    check(it, f"sleep 0.3; {GREEN}")
    codes: list[int] = []
    it.quiet = False
    threads = [threading.Thread(target=lambda: codes.append(it.run("patch", "validate", "p").code)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0, 0] and left(it) == []


@pytest.mark.soak
def test_the_target_moves_under_it(it: Workbench) -> None:
    """A target that moves while a check runs is checked again; one that always moves is given up, exit 12."""
    moves = 'git update-ref refs/heads/main "$(git commit-tree -p main -m again main^{tree})"'
    tree = "$(git rev-parse main^{tree})"
    check(it, f"echo {tree} >/dev/null; {moves}")
    assert it.run("merge", "p").out.startswith("Merged")  # another commit, but the same tree: checked once
    moves = 'git commit-tree -p main -m again "$( (git ls-tree main; date +%N | git hash-object -w --stdin' \
        ' | sed "s/.*/100644 blob &\tfresh/") | git mktree)" | xargs git update-ref refs/heads/main'  # fmt: skip
    check(it, moves)
    it.edit("a.txt", "unfinished\n", "done\n")
    it.run("merge", "q", "--ready", code=12)


@pytest.mark.soak
def test_a_client_that_runs_nothing(it: Workbench) -> None:
    """The protocol: what is due is said, and said again until somebody tells what came of it."""
    check(it, "true")
    client = Client(str(it.root))
    due = client.call("merge", {"patch": "p"})["check_due"]
    assert client.call("merge", {"patch": "p", "ran": [due["tree"]]})["check_due"] == due
    told = {"patch": "p", "tree": due["tree"], "command": "true", "seconds": 1, "output": ""}
    client.call("patch.checked", told | {"code": 1})
    assert client.call("merge", {"patch": "p"})["check_due"] == due
    client.call("patch.checked", told | {"code": 0})
    assert client.call("merge", {"patch": "p"})["merged"]


@pytest.mark.soak
def test_a_revert_is_checked_too(it: Workbench) -> None:
    """On the target without the patch: what fails there is refused, what passes lands, and --no-verify skips it."""
    runs = it.root.parent / "runs"
    it.run("merge", "p")
    at = it.git("rev-parse", "main").out
    check(it, f"git diff --cached --name-only >> {runs}; test -e n.txt")
    refused = it.run("revert", "p", code=4)
    assert "without p failed" in refused.err and "hint: git session revert p --no-verify" in refused.err
    assert it.git("rev-parse", "main").out == at and runs.read_text() == "a.txt\nn.txt\n" and left(it) == []
    it.git("config", "gitsession.check", f"echo again >> {runs}")
    it.run("revert", "p")
    assert runs.read_text() == "a.txt\nn.txt\nagain\n"
    assert it.json("patch", "show", "p")["check"] is None and it.patch("p")["status"] == "draft"
    it.run("merge", "p", "--ready")
    it.git("config", "gitsession.check", "false")
    it.run("revert", "p", "--no-verify")

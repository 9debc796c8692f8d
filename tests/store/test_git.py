"""git as a child process: clean, bounded, and answering."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from gitsessiond.model.errors import StoreFailed
from gitsessiond.store.git import KeptGit, _end, clean_environment, run_git, run_with_hooks
from gitsessiond.store.hooks import while_asked
from tests.bench import wait_for
from tests.conftest import git


def test_no_git_variable_of_ours_reaches_a_child(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that a hook started does not hand the hook's repository and index on."""
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert run_git(["rev-parse", "--show-toplevel"], cwd=str(repo)).out.decode().strip() == str(repo)
    assert not {"GIT_DIR", "GIT_INDEX_FILE"} & clean_environment().keys()
    assert clean_environment({"GIT_DIR": "x"})["GIT_DIR"] == "x"


def test_a_failure_carries_what_git_said(repo: Path) -> None:
    """The error names the subcommand and git's own words; unchecked, the code and words are returned."""
    with pytest.raises(StoreFailed, match=r"git cat-file failed: .*nonsense") as caught:
        run_git(["-c", "core.quotePath=false", "cat-file", "-t", "nonsense"], cwd=str(repo))
    assert caught.value.exit_code == 15
    assert run_git(["rev-parse", "--verify", "nonsense"], cwd=str(repo), check=False).code == 128


def test_input_paths_and_bytes_go_through(repo: Path) -> None:
    """Arguments and input are bytes; a repository is named by directory or git directory."""
    oid = run_git(["hash-object", "-w", "--stdin"], git_dir=str(repo / ".git"), input=b"\xff\0x").out.strip()
    assert run_git([b"cat-file", b"blob", oid], cwd=os.fsencode(repo)).out == b"\xff\0x"


def test_hooks_end_with_whoever_asked(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits any more: the whole group is interrupted, and what does not mind that is terminated."""
    monkeypatch.setattr("gitsessiond.store.hooks.GRACE_S", 0.1)
    script = f"!trap '' INT; sleep 300 & echo $! > {tmp_path}/pid; wait"
    ours, theirs = socket.socketpair()
    with ours, theirs, while_asked(ours.fileno(), (tmp_path / "pid").exists):
        theirs.send(b"news")
        assert run_with_hooks(["-c", f"alias.x={script}", "x"], cwd=str(repo)).code != 0
    wait_for(lambda: not is_running(int((tmp_path / "pid").read_text())))


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended: nobody may have waited for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_that_does_not_end_is_killed_with_its_children(repo: Path) -> None:
    """A timeout ends the whole process group and says so."""
    begun = time.monotonic()
    with pytest.raises(StoreFailed, match="did not end"):
        run_git(["-c", "alias.wait=!sleep 60", "wait"], cwd=str(repo), timeout=0.2)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("told", [True, False])
def test_a_stuck_child_is_waited_for_once(monkeypatch: pytest.MonkeyPatch, told: bool) -> None:
    """Whether the system tells of a child's end or ``Popen.wait`` has to look: a second, and then it is killed."""
    waited: list[float] = []

    class Stuck(subprocess.Popen[bytes]):
        def wait(self, timeout: float | None = None) -> int:
            waited.append(timeout or 0)
            return super().wait(timeout=0 if timeout is not None else None)

    def not_ended(_: object, seconds: float) -> bool | None:
        waited.append(seconds if told else 0)
        return False if told else None

    monkeypatch.setattr("gitsessiond.store.git.await_end", not_ended)
    child = Stuck(["sleep", "60"], process_group=0)
    _end(child)
    assert child.returncode == -signal.SIGKILL and sum(waited) == 1.0


def test_git_that_cannot_be_started_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """No git on PATH is a refusal with a hint, not a traceback."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StoreFailed, match="cannot be started"):
        run_git(["version"])


def test_a_kept_child_answers_many_questions(repo: Path) -> None:
    """One check-ignore answers again and again, also more than a pipe holds at once."""
    (repo / ".gitignore").write_text("*.o\n")
    with KeptGit(["check-ignore", "-z", "-v", "-n", "--stdin"], cwd=str(repo)) as ask:
        for number in range(3):
            name = b"x%d.o" % number
            assert ask.ask(name + b"\0", 4) == [b".gitignore", b"1", b"*.o", name]
        many = b"".join(b"dir/%05d.c\0" % number for number in range(20_000))
        answer = ask.ask(many, 4 * 20_000)
        assert answer[3] == b"dir/00000.c" and len(answer) == 80_000


def test_a_kept_child_that_dies_is_started_again(repo: Path) -> None:
    """The question that met the death fails, the next one is answered."""
    kept = KeptGit(["cat-file", "--batch-check"], cwd=str(repo))
    assert kept.ask(b"HEAD\n", 1, end=b"\n")[0].split()[1] == b"commit"
    assert kept._child is not None
    kept._child.kill()
    kept._child.wait()
    with pytest.raises(StoreFailed, match="ended unexpectedly"):
        kept.ask(b"HEAD\n", 1, end=b"\n")
    assert kept.ask(b"HEAD^{tree}\n", 1, end=b"\n")[0].split()[1] == b"tree"
    kept.close()


def test_our_identity_is_used_where_the_user_has_none(repo: Path, sealed: Path) -> None:
    """A commit of ours never fails for want of user.email, and never uses the user's name."""
    (sealed / ".gitconfig").write_text("")
    tree = git(repo, "rev-parse", "HEAD^{tree}").decode().strip()
    made = run_git(["commit-tree", "-m", "x", tree], git_dir=str(repo / ".git")).out.decode().strip()
    assert git(repo, "log", "-1", "--format=%an %ce", made) == b"gitsessiond gitsessiond@localhost\n"


def test_what_a_hook_leaves_in_the_background_is_not_waited_for(repo: Path) -> None:
    """A hook may start a server, or notify somebody slowly: the command goes on, with all that was said till then."""
    hook = repo / ".git/hooks/post-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n(sleep 60; echo late) &\necho said\necho warned >&2\ncat\nexit 3\n")
    hook.chmod(0o755)
    began = time.monotonic()
    done = run_with_hooks(["hook", "run", "post-commit"], cwd=repo)
    assert time.monotonic() - began < 30
    assert done.code == 3 and b"said\n" in done.out + done.err and b"warned\n" in done.err
    assert run_with_hooks(["hash-object", "--stdin"], cwd=repo, input=b"x" * 200_000).out == (
        run_git(["hash-object", "--stdin"], cwd=repo, input=b"x" * 200_000).out
    )

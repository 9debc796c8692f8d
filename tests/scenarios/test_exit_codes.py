"""Every exit code of docs/cli.md, met for real: one plain error, a hint that names a command, state as before."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
from pathlib import Path

import pytest

from tests.bench import SCRIPT, Result, Workbench, wait_for
from tests.conftest import git


def plain(result: Result) -> None:
    """One error in plain words and one hint that names something to do."""
    assert result.err.startswith("error: "), result
    assert "\nhint: " in result.err and "Traceback" not in result.err, result


def refs(bench: Workbench) -> str:
    return bench.git("for-each-ref").out + bench.git("status", "--porcelain").out


def test_1_something_is_not_sound(bench: Workbench) -> None:
    """`doctor` finds damage: 1, what it is and the command that mends it; nothing is changed until that is run."""
    bench.run("start", "day")
    empty = bench.root / ".git/objects/ab/cdef0123456789012345678901234567890123"
    empty.parent.mkdir(exist_ok=True)
    empty.touch()
    before = refs(bench)
    found = bench.run("doctor", code=1)
    assert "is empty" in found.out and "hint: git session doctor --fix" in found.err, found
    assert empty.exists() and refs(bench) == before
    bench.run("doctor", "--fix")
    assert not empty.exists()
    bench.run("doctor")


def test_1_unknown_kind() -> None:
    """An error of a kind this client does not know (a newer daemon's) still ends in words, a hint and exit 1."""
    from gitsessiond.model.errors import error_from

    found = error_from({"code": "of the future", "message": "cannot yet", "hint": "wait", "exit": 99})
    assert (found.exit_code, found.message, found.hint) == (1, "cannot yet", "wait")


def test_4_a_failing_hook(bench: Workbench) -> None:
    """A pre-commit hook of the user's that fails: the commit is not made and the hook's words are shown."""
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    bench.edit("a.txt", "line 2\n", "line two\n")
    hook = Path(bench.git("rev-parse", "--path-format=absolute", "--git-path", "hooks/pre-commit").out.strip())
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no such luck\nexit 1\n")
    hook.chmod(0o755)
    before = refs(bench)
    failed = bench.run("commit", "-m", "x", code=4)
    plain(failed)
    assert "no such luck" in failed.err
    assert refs(bench) == before
    bench.run("commit", "-m", "x", "--no-verify")


def test_130_an_interrupted_commit_is_not_made(bench: Workbench, tmp_path: Path) -> None:
    """Ctrl-C ends the hook of one's commit; who asks meanwhile is told what is waited for, and the way is free again."""
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    bench.edit("a.txt", "line 2\n", "line two\n")
    hook = bench.root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/began\nexec sleep 300\n")
    hook.chmod(0o755)
    before = refs(bench)
    commit = subprocess.Popen([SCRIPT, "commit", "-m", "x"], cwd=bench.root, stderr=subprocess.PIPE)
    asking = None
    try:
        wait_for(lambda: (tmp_path / "began").exists() and (tmp_path / "began").read_text().strip(), 60)
        asking = subprocess.Popen([SCRIPT, "status"], cwd=bench.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert asking.stderr is not None
        told = asking.stderr.readline()
        assert told == f"git session: waiting for git session commit, process {commit.pid}\n".encode()
        commit.send_signal(signal.SIGINT)
        assert commit.wait(60) == 130
        assert asking.wait(60) == 0 and asking.stderr.read() == b""
        wait_for(lambda: not Path(f"/proc/{(tmp_path / 'began').read_text().strip()}").exists(), 60)
    finally:
        for child in filter(None, (commit, asking)):
            child.kill()
            child.communicate()
    assert refs(bench) == before
    hook.unlink()
    bench.run("commit", "-m", "x")
    bench.judge(full=False)


def test_2_usage(bench: Workbench) -> None:
    """Words that mean nothing: usage, and the nearest command is named."""
    for words in (
        ["strat", "x"],
        ["start"],
        ["patch", "nwe", "x"],
        ["start", "--no-such"],
        ["start", ""],
        ["start", "x\ny"],
    ):
        done = bench.run(*words, code=2)
        assert "error" in done.err.lower() and "hint" in done.err, done


def test_3_conflicts(bench: Workbench) -> None:
    """Conflicts: the patch did not land, nothing else moved, the records are listed."""
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    bench.edit("a.txt", "line 2\n", "line two\n")
    bench.run("patch", "ready", "p")
    other = bench.at(bench.root.parent / "other")
    bench.git("worktree", "add", "-q", str(other.root), "main")
    other.edit("a.txt", "line 2\n", "line 2 by others\n")
    other.git("commit", "-qam", "others")
    before = refs(bench)
    done = bench.run("merge", "p", code=3)
    assert "1 conflict" in done.out + done.err and "hint: git session resolve" in done.err, done
    assert [line for line in refs(bench).splitlines() if "refs/heads" in line] == [
        line for line in before.splitlines() if "refs/heads" in line
    ]
    assert bench.patch("p")["status"] == "conflicts"


def test_0_done_and_4_refused(bench: Workbench) -> None:
    """A command that did what it says prints no error; one that is understood but not allowed in this state does."""
    assert "error" not in bench.run("start", "day").err
    bench.run("patch", "new", "p")
    before = refs(bench)
    for words in (
        ["merge", "p"],
        ["patch", "ready", "p"],
        ["commit", "-m", "x"],
        ["patch", "depend", "p", "--on", "p"],
        ["start", "DAY"],
        ["patch", "new", "P"],
        ["patch", "reopen", "p"],
    ):
        plain(bench.run(*words, code=4))
    assert refs(bench) == before


def test_10_not_found(bench: Workbench, tmp_path: Path) -> None:
    """No such session, patch, conflict, path or repository."""
    plain(bench.run("status", code=10))
    plain(bench.run("status", "-s", "nobody", code=10))
    bench.run("start", "day")
    for words in (
        ["patch", "show", "p"],
        ["conflict", "show", "kkkk"],
        ["history", "nothing.txt"],
        ["switch", "x"],
        ["restore", "a.txt", "--at", "999"],
    ):
        plain(bench.run(*words, code=10))
    outside = Workbench(tmp_path)
    plain(Result(subprocess.run(["git-session", "status"], cwd=outside.root, capture_output=True)))


@pytest.mark.parametrize("mode", [{}, pytest.param({"GITSESSION_DAEMON": "never"}, marks=pytest.mark.soak)])
def test_11_another_process_holds_the_repository(bench: Workbench, tmp_path: Path, mode: dict[str, str]) -> None:
    """Somebody keeps the authority lock for ever: who waited long enough is told its pid; nothing is changed."""
    bench.run("start", "day")
    bench.stop()
    before = refs(bench)
    (tmp_path / "sitecustomize.py").write_text(
        "import signal\n"
        "wait = signal.setitimer\n"
        "signal.setitimer = lambda which, seconds, *rest: wait(which, min(seconds, 0.2), *rest)\n"
    )
    state = bench.root / ".git" / "gitsession"
    with open(state / "lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write("4242\n")
        lock.flush()
        done = bench.run("patch", "new", "p", code=11, env={"PYTHONPATH": str(tmp_path), **mode})
        plain(done)
        assert "4242" in done.err, done
    assert refs(bench) == before
    bench.run("patch", "new", "p")


def test_12_the_target_moves_at_every_try(bench: Workbench, tmp_path: Path) -> None:
    """Somebody commits to the target each time the merge commit is being signed: given up after three tries."""
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    bench.edit("a.txt", "line 2\n", "line two\n")
    bench.run("patch", "ready", "p")
    signer = tmp_path / "sign"
    signer.write_text(
        "#!/bin/sh\n"
        "cat >/dev/null\n"
        "git update-ref refs/heads/main $(git commit-tree -p main -m others 'main^{tree}')\n"
        "printf '\\n[GNUPG:] SIG_CREATED x\\n' >&2\n"
        "printf -- '-----BEGIN PGP SIGNATURE-----\\n\\nx\\n-----END PGP SIGNATURE-----\\n'\n"
    )
    signer.chmod(0o755)
    bench.git("config", "gpg.program", str(signer))
    bench.git("config", "commit.gpgSign", "true")
    head = bench.git("rev-parse", "HEAD").out
    bench.quiet = False  # the signer moves the target
    plain(bench.run("merge", "p", code=12))
    assert bench.git("log", "--format=%s", "main").out.split() == ["others", "others", "others", "first"]
    assert bench.git("rev-parse", "HEAD").out == head and bench.patch("p")["status"] == "ready"
    bench.git("config", "commit.gpgSign", "false")
    bench.run("merge", "p")


def test_13_unreachable(bench: Workbench) -> None:
    """A daemon that does not run and may not be started."""
    plain(bench.run("daemon", "status", code=13))


def test_14_unreadable(bench: Workbench) -> None:
    """State of a newer format is refused, never replaced by an empty one."""
    bench.run("start", "day")
    bench.stop()
    path = bench.root / ".git" / "gitsession" / "format"
    path.write_text("99\n")
    plain(bench.run("status", code=14))
    assert path.read_text() == "99\n"
    path.write_text("1\n")
    assert bench.status()["session"]["name"] == "day"


def test_15_git_refused(bench: Workbench, tmp_path: Path) -> None:
    """A SHA-256 repository cannot be read here, and is told apart from no repository."""
    root = tmp_path / "sha256"
    root.mkdir()
    git(root, "init", "-q", "--object-format=sha256")
    (root / "a").write_text("a\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "a")
    done = Workbench(root).run("start", "day", code=15)
    plain(done)
    assert "SHA-256" in done.err or "sha256" in done.err


def test_70_a_bug_names_its_log(bench: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What nobody foresaw: one line with the path of the log, no traceback on the terminal."""
    bench.run("start", "day")
    hurt = tmp_path / "hurt"
    hurt.mkdir()
    (hurt / "sitecustomize.py").write_text(
        "import sys\n"
        "class Breaker:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'gitsessiond.faces.cli.panel': raise ZeroDivisionError('broken on purpose')\n"
        "sys.meta_path.insert(0, Breaker())\n"
    )
    done = Result(
        subprocess.run(
            ["git-session", "patch", "list"],
            cwd=bench.root,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(hurt)},
        )
    )
    if done.code == 0:
        done = Result(
            subprocess.run(
                ["git-session", "status"],
                cwd=bench.root,
                capture_output=True,
                env={**os.environ, "PYTHONPATH": str(hurt)},
            )
        )
    assert done.code == 70, done
    assert "Traceback" not in done.err and "log" in done.err, done


@pytest.mark.soak
def test_130_interrupted(bench: Workbench) -> None:
    """Ctrl-C while following events: 130, and nothing printed about it."""
    bench.run("start", "day")
    child = subprocess.Popen(
        ["git-session", "events", "--follow", "--json"], cwd=bench.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_for(lambda: bench.daemon() and child.poll() is None)
    assert child.stdout is not None
    heard = select.poll()
    heard.register(child.stdout, select.POLLIN)
    for turn in range(40):  # it hears only what is saved once it follows
        bench.write("a.txt", f"heard {turn}\n")
        if heard.poll(500):
            break
    assert b"saved" in child.stdout.readline()
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=20)
    assert child.returncode == 130 and b"Traceback" not in err, err

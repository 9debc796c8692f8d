"""The entry points, with the installed commands: start by themselves, end quietly, carry nothing along."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.daemon import listening
from gitsessiond.daemon.listening import is_private, listen, socket_directory
from gitsessiond.model.errors import Refused, StoreFailed, Unreachable
from gitsessiond.wire import place as places
from gitsessiond.wire.client import Client
from gitsessiond.wire.place import Place, find_place
from tests.bench import Workbench, wait_for
from tests.conftest import git

HEAVY = {"click", "pydantic", "dataclasses", "asyncio", "pygit2", "watchdog", "portalocker", "subprocess"}


def gitsessiond(*args: str, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["gitsessiond", *args], capture_output=True, text=True, timeout=60, **kwargs)


@pytest.mark.parametrize("words", [[], ["list"], ["status"], ["list", "--json"]])
def test_short_commands_load_nothing_heavy(bench: Workbench, words: list[str]) -> None:
    """`git session`, `status` and `list` answer before click, pydantic, asyncio and their like are imported."""
    bench.run("list")
    code = (
        "import sys; from gitsessiond.main import run_command; code = run_command(sys.argv[1:]); "
        "print(code, *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=bench.root, capture_output=True, text=True)
    loaded = done.stderr.splitlines()[-1].split()
    assert "gitsessiond.wire.client" in loaded
    assert not HEAVY & set(loaded)


def test_many_first_commands_start_one_daemon(bench: Workbench) -> None:
    """Eight commands at once, none of which finds a daemon: all are answered, by the same one."""
    running = [
        subprocess.Popen(["git", "session", "daemon", "start", "--json"], cwd=bench.root, stdout=subprocess.PIPE)
        for _ in range(8)
    ]
    pids = {json.loads(one.communicate(timeout=60)[0])["pid"] for one in running}
    assert len(pids) == 1


def test_killed_daemon_needs_no_hand(bench: Workbench) -> None:
    """After kill -9 of front, and then of both, the next command starts another daemon and is answered."""
    bench.run("list")
    first = bench.daemon()
    os.kill(first["pid"], signal.SIGKILL)
    bench.run("list")
    second = bench.daemon()
    assert second["pid"] != first["pid"]
    os.kill(second["recorder_pid"], signal.SIGKILL)
    os.kill(second["pid"], signal.SIGKILL)
    bench.run("list")
    assert bench.daemon()["pid"] not in (first["pid"], second["pid"])


def test_lost_socket_needs_no_hand(bench: Workbench) -> None:
    """When somebody cleans up /tmp under a daemon it leaves, and the next command starts another."""
    bench.run("list")
    first = bench.daemon()
    os.unlink(first["socket"])
    bench.run("list")
    assert bench.daemon()["pid"] != first["pid"]
    shutil.rmtree(os.path.dirname(bench.daemon()["socket"]))
    bench.run("list")


@pytest.mark.parametrize("env", [pytest.param({"CI": "true"}, marks=pytest.mark.soak), {"GITSESSION_DAEMON": "never"}])
def test_without_a_daemon(bench: Workbench, env: dict[str, str]) -> None:
    """Under CI=true, or when told so, a command is answered by a process of its own and leaves none behind."""
    started = json.loads(bench.run("start", "one", "--json", env=env).out)
    assert started["session"]["name"] == "one"
    bench.write("a.txt", "changed\n")
    told = json.loads(bench.run("status", "--json", env=env).out)
    assert [row["path"] for row in told["unassigned"]] == ["a.txt"]
    bench.run("daemon", "status", code=13, env=env)
    assert bench.run("events", env=env).out == ""
    bench.run("daemon", "checkpoint", env=env)


def test_explicit_start_is_no_start_by_itself(bench: Workbench) -> None:
    """`daemon start` starts one under CI=true too, and then it is used."""
    bench.run("daemon", "start", env={"CI": "true"})
    assert bench.daemon()["pid"]


def test_where_there_is_nothing(bench: Workbench, tmp_path: Path) -> None:
    """No repository: exit 10. Inside a git directory, or in a bare repository: exit 4. No daemon is left behind."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    bench.at(elsewhere).run("status", code=10)
    bench.at(bench.root / ".git" / "refs").run("status", code=4)
    git(elsewhere, "init", "-q", "--bare", "bare")
    bench.at(elsewhere / "bare").run("list", code=4)


def test_refusals_of_the_daemon_reach_the_person(bench: Workbench, tmp_path: Path) -> None:
    """What the daemon finds wrong when it starts is the command's own error."""
    fresh = tmp_path / "fresh"
    git(tmp_path, "init", "-q", "fresh")
    assert "no commit yet" in bench.at(fresh).run("list", code=4).err


def test_state_that_cannot_be_made(bench: Workbench) -> None:
    """A state directory that is a file is said, with exit 15."""
    (bench.root / ".git" / "gitsession").write_text("not ours")
    bench.run("list", code=15)


def test_ended_reader_is_no_error(bench: Workbench) -> None:
    """A reader that closes the pipe early causes no words and no traceback."""
    bench.run("list")
    done = subprocess.run("git-session -h | true", shell=True, cwd=bench.root, capture_output=True)
    assert done.stderr == b""
    done = subprocess.run("git session events --since 0 | true", shell=True, cwd=bench.root, capture_output=True)
    assert done.stderr == b""


def test_interrupt(bench: Workbench) -> None:
    """Ctrl-C ends a command with 130, and leaves the daemon alone."""
    bench.run("list")
    pid = bench.daemon()["pid"]
    following = subprocess.Popen(["git-session", "events", "--follow"], cwd=bench.root, stderr=subprocess.PIPE)
    wait_for(lambda: "socket" in os.popen(f"ls -l /proc/{following.pid}/fd").read())
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=20)
    assert following.returncode == 130
    assert b"Traceback" not in err
    assert bench.daemon()["pid"] == pid


def test_daemon_words(bench: Workbench) -> None:
    """`gitsessiond` explains itself; what it does not know is exit 2; stop and status are git session's."""
    assert gitsessiond("--version").stdout.startswith("gitsessiond ")
    assert "usage: gitsessiond" in gitsessiond("--help").stdout
    for words in ([], ["nonsense"], ["recorder"], ["once"]):
        done = gitsessiond(*words, cwd=bench.root)
        assert done.returncode == 2, words
        assert "Traceback" not in done.stderr
    assert gitsessiond("run", cwd=bench.root).returncode == 0
    assert "pid" in gitsessiond("status", cwd=bench.root).stdout
    assert gitsessiond("stop", cwd=bench.root).returncode == 0
    assert gitsessiond("status", cwd=bench.root).returncode == 13


def test_foreground(bench: Workbench) -> None:
    """`run --foreground` serves until SIGINT, logs to standard error, and a second one says who is there."""
    served = subprocess.Popen(
        ["gitsessiond", "run", "--foreground"], cwd=bench.root, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert served.stderr is not None
    assert b"serving" in served.stderr.readline()
    assert bench.daemon()["pid"] == served.pid
    second = gitsessiond("run", "--foreground", cwd=bench.root)
    assert second.returncode == 11 and f"another gitsessiond process (pid {served.pid})" in second.stderr
    served.send_signal(signal.SIGINT)
    assert b"stopped" in served.communicate(timeout=20)[1]
    assert served.returncode == 0


def test_daemon_carries_nothing_along(bench: Workbench) -> None:
    """A daemon started inside a hook has no GIT_ variable, stands in /, and holds none of the starter's files."""
    ours, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    env = {"GIT_INDEX_FILE": "/nowhere/index", "GIT_DIR": "/nowhere/.git"}
    subprocess.run(["git-session", "list"], cwd=bench.root, env={**os.environ, **env}, pass_fds=[theirs], check=True)
    os.close(theirs)
    told = bench.daemon()
    for pid in (told["pid"], told["recorder_pid"]):
        environ = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"GIT_INDEX_FILE" not in environ
        assert b"GIT_DIR" not in environ
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.read(ours, 1) == b"", "the starter's pipe is still open somewhere"
    os.close(ours)


def test_repository_is_no_place_to_import_from(bench: Workbench) -> None:
    """Python files in the repository, whatever they are called, are not run by the daemon."""
    for name in ("json.py", "gitsessiond.py", "watchdog.py", "sitecustomize.py"):
        bench.write(name, "raise SystemExit('imported')\n")
    bench.run("list")
    assert bench.daemon()["recorder_pid"]


def test_daemon_of_a_deleted_worktree(bench: Workbench, tmp_path: Path) -> None:
    """A daemon started in a worktree that is gone serves on from another one, its recorder too."""
    linked = tmp_path / "linked"
    bench.git("worktree", "add", "-q", str(linked), "-b", "other")
    bench.at(linked).run("list")
    bench.git("worktree", "remove", str(linked))
    bench.kill("recorder_pid")
    bench.run("list")


def test_socket_directory(monkeypatch: pytest.MonkeyPatch, sealed: Path, tmp_path: Path) -> None:
    """The socket lies in $XDG_RUNTIME_DIR; where that is missing, open to others or too long, in /tmp."""
    assert socket_directory("name") == str(sealed / "run" / "gitsessiond")
    ours = f"/tmp/gitsessiond-{os.geteuid()}"
    for bad in ("", "relative", str(sealed / "nowhere"), str(tmp_path / ("x" * 120))):
        monkeypatch.setenv("XDG_RUNTIME_DIR", bad)
        assert socket_directory("name") == ours
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(sealed / "run"))
    os.chmod(sealed / "run" / "gitsessiond", 0o755)
    assert socket_directory("name") == ours
    shutil.rmtree(sealed / "run" / "gitsessiond")
    os.symlink(tmp_path, sealed / "run" / "gitsessiond")
    assert not is_private(str(sealed / "run" / "gitsessiond"))


def test_somebody_else_has_made_the_directory_in_tmp(
    monkeypatch: pytest.MonkeyPatch, sealed: Path, tmp_path: Path
) -> None:
    """The socket lies at home then; where it cannot, the error says what can be done without that somebody."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    real = listening.is_private
    monkeypatch.setattr(
        listening, "is_private", lambda directory: not directory.startswith("/tmp/g") and real(directory)
    )
    assert socket_directory("name") == str(sealed / ".local/state/gitsessiond/run")
    assert (sealed / ".local/state/gitsessiond/run").stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert socket_directory("name") == str(tmp_path / "state/gitsessiond/run")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ("x" * 120)))
    with pytest.raises(StoreFailed) as refused:
        socket_directory("name")
    assert refused.value.hint == "export XDG_RUNTIME_DIR=DIR"


def test_socket_is_ours_alone(repo: Path) -> None:
    """The socket is 0600; a socket that cannot be made is a refusal with a hint."""
    place = find_place(str(repo))
    os.makedirs(place.state_dir)
    listener, path = listen(place)
    assert os.stat(path).st_mode & 0o777 == 0o600
    listener.close()
    with pytest.raises(StoreFailed):
        listen(Place(str(repo)))


def test_strangers_socket_is_refused(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client does not talk to a socket that another user listens on."""
    place = find_place(str(repo))
    os.makedirs(place.state_dir)
    listener, _ = listen(place)
    monkeypatch.setattr(places, "peer_of", lambda _: places.Peer(1, os.geteuid() + 12345))
    with pytest.raises(Unreachable, match="belongs to user"):
        Client(str(repo), autostart=False).call("ping", {})
    listener.close()


def test_finding_the_repository(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any directory of any worktree the common directory is found, as git finds it."""
    git(repo, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "other")
    (tmp_path / "linked" / "deep").mkdir()
    os.symlink(repo / "src", tmp_path / "shortcut")
    for directory in (repo, repo / "src", tmp_path / "linked", tmp_path / "linked" / "deep", tmp_path / "shortcut"):
        told = git(directory, "rev-parse", "--path-format=absolute", "--git-common-dir").decode().strip()
        assert find_place(str(directory)).common_dir == told
    (repo / "src" / ".git").mkdir()
    assert find_place(str(repo / "src")).common_dir == str(repo / ".git"), "an empty .git is none"
    with pytest.raises(Refused):
        find_place(str(repo / ".git" / "worktrees" / "linked"))

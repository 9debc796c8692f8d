"""The workbench of scenario tests: a real repository, the installed commands, a daemon of the test's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.model.errors import GitSessionError
from gitsessiond.wire.client import Client
from tests.bystanders import Watch
from tests.judge import Judge, unassigned_paths

SCRIPT = str(Path(sys.executable).parent / "git-session")


class Result:
    """What a command printed."""

    def __init__(self, done: subprocess.CompletedProcess[bytes]) -> None:
        self.code = done.returncode
        self.out = done.stdout.decode("utf-8", "surrogateescape")
        self.err = done.stderr.decode("utf-8", "surrogateescape")

    def __repr__(self) -> str:
        return f"Result({self.code})\n--- out\n{self.out}\n--- err\n{self.err}"


class Workbench:
    """One repository and whoever works in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.quiet = True  # False while others write: then I5 cannot be watched from outside

    def at(self, root: Path | str) -> Workbench:
        """The same repository seen from another worktree."""
        return Workbench(Path(root))

    def git(self, *args: str, check: bool = True, **kwargs: Any) -> Result:
        done = Result(subprocess.run(["git", *args], cwd=self.root, capture_output=True, **kwargs))
        if check and done.code:
            raise AssertionError(f"git {args}: {done!r}")
        return done

    def run(self, *args: str, code: int = 0, stdin: bytes | None = None, env: dict[str, str] | None = None) -> Result:
        """Run ``git session ARGS``; the exit code must be ``code``."""
        full = {**os.environ, **(env or {})}
        watch = Watch(self.root, args) if self.quiet else None
        done = Result(
            subprocess.run(
                ["git", "session", *args],
                cwd=self.root,
                input=stdin or b"",
                capture_output=True,
                env=full,
                timeout=120,
            )
        )
        if done.code != code:
            raise AssertionError(f"git session {' '.join(args)}: wanted exit {code}: {done!r}{self.logs()}")
        assert "Traceback" not in done.err, done
        if watch is not None:
            watch.check()
        return done

    def json(self, *args: str, code: int = 0) -> Any:
        """Run a command with ``--json`` and decode what it printed."""
        return json.loads(self.run(*args, "--json", code=code).out)

    def write(self, path: str, content: str | bytes) -> None:
        """Save a file as ``truncate and write`` editors do."""
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        with open(full, "wb") as file:
            file.write(data)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace one text in a file and save it."""
        text = (self.root / path).read_bytes().decode()
        assert text.count(old) == 1, (path, old, text)
        self.write(path, text.replace(old, new))

    def read(self, path: str) -> str:
        return (self.root / path).read_bytes().decode()

    def status(self) -> Any:
        return self.json("status")

    def patch(self, name: str) -> Any:
        """One patch of ``status --json`` by name."""
        return next(p for p in self.status()["patches"] if p["name"] == name)

    def logs(self) -> str:
        """The daemon's logs, for a failing test's message."""
        common = (
            subprocess.run(
                ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"],
                cwd=self.root,
                capture_output=True,
            )
            .stdout.decode()
            .strip()
        )
        found = sorted(Path(common, "gitsession", "logs").glob("*")) if common else []
        return "".join(f"\n--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in found)

    def daemon(self) -> Any:
        """``daemon status --json``."""
        return self.json("daemon", "status")

    def stop(self) -> None:
        """Stop the daemon if one runs; asked from here, since starting a command takes longer than the answer."""
        try:
            Client(str(self.root), autostart=False).call("daemon.stop", {})
        except (GitSessionError, OSError):
            pass  # none runs, or its repository is one of the damaged

    def kill(self, who: str = "recorder_pid") -> None:
        """kill -9 one of the daemon's two processes."""
        os.kill(int(self.daemon()[who]), signal.SIGKILL)

    def checkpoint(self) -> None:
        self.run("daemon", "checkpoint")

    def judge(self, *, full: bool = True, seed: int = 1) -> Judge:
        """Checkpoint, then let git judge I1, I2, I3 and I6 of this worktree's session."""
        status = self.status()
        self.checkpoint()
        session = status["session"]
        judge = Judge(self.root, session["id"], session["worktree_id"])
        judge.i1()
        live = [p for p in status["patches"] if p["status"] != "abandoned"]
        needs = {p["id"]: {d["id"] for d in p["depends_on"]} for p in live}
        judge.i6(needs)
        if full and not any(p["status"] == "abandoned" for p in status["patches"]):
            base = judge.out(["rev-parse", session["base"] + "^{tree}"])
            order = topological([p["id"] for p in live], needs)
            judge.i2(base, order, needs, *unassigned_paths(status))
            judge.i3(base, order, needs, seed)
        judge.fsck()
        return judge


def topological(pids: list[str], needs: dict[str, set[str]]) -> list[str]:
    """Dependencies first."""
    done: list[str] = []
    while len(done) < len(pids):
        step = [p for p in pids if p not in done and needs.get(p, set()) <= set(done)]
        assert step, ("circle", needs)
        done.append(step[0])
    return done


def wait_for(what: Callable[[], Any], seconds: float = 15.0, why: str = "") -> Any:
    """Poll until ``what()`` is true; its value."""
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain {why}")
        time.sleep(0.01)


@pytest.fixture
def bench(repo: Path) -> Iterator[Workbench]:
    """A repository on main with a.txt, src/b.txt, README; its daemon is stopped afterwards."""
    made = Workbench(repo)
    yield made
    made.stop()

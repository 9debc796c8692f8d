"""The ground of every benchmark: repositories of a given size, the installed commands, medians."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import sealed_environment


class Row(NamedTuple):
    """One line of the table: what, at which size, ours, the yardstick, and the figure to reach."""

    what: str
    size: str
    ours: str
    yardstick: str
    reach: str


class Ground:
    """One repository of ``files`` files in directories of a hundred, with a session started in it."""

    def __init__(self, top: Path, files: int) -> None:
        self.top, self.files = top, files
        self.root = top / f"repo-{files}"
        home = top / f"home-{files}"
        (home / "run").mkdir(parents=True, mode=0o700)
        (home / ".gitconfig").write_text(
            "[user]\n\tname = Ann\n\temail = ann@example.org\n[init]\n\tdefaultBranch = main\n"
        )
        self.env = sealed_environment(home)
        self.env.pop("GIT_AUTHOR_DATE"), self.env.pop("GIT_COMMITTER_DATE")
        self.root.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        for n in range(files):
            path = self.root / self.path(n)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"line {k} of file {n}\n" for k in range(20)))
        self.git("add", "-A")
        self.git("commit", "-qm", "all files")

    def path(self, n: int) -> str:
        return f"d{n // 100:03}/f{n}.txt"

    def git(self, *args: str, check: bool = True, cwd: Path | None = None) -> str:
        done = subprocess.run(["git", *args], cwd=cwd or self.root, env=self.env, capture_output=True)
        if check and done.returncode:
            raise RuntimeError(f"git {args}: {os.fsdecode(done.stderr)}")
        return os.fsdecode(done.stdout)

    def session(self, *args: str) -> str:
        return self.git("session", *args)

    def json(self, *args: str) -> Any:
        return json.loads(self.session(*args, "--json"))

    def close(self) -> None:
        self.git("session", "daemon", "stop", check=False)


@contextmanager
def grounds(sizes: list[int]) -> Iterator[Callable[[int], Ground]]:
    """Repositories by size, each made once; daemons stopped and files removed at the end."""
    top = Path(tempfile.mkdtemp(prefix="gitsessiond-bench-"))
    made: dict[int, Ground] = {}

    def ground(files: int) -> Ground:
        if files not in made:
            made[files] = Ground(top, files)
            made[files].session("start", "bench")
            made[files].session("patch", "new", "p")
        return made[files]

    try:
        yield ground
    finally:
        for one in made.values():
            one.close()
        shutil.rmtree(top, ignore_errors=True)


def timed(what: Callable[[], Any]) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    what()
    return (time.perf_counter() - start) * 1000


def median(what: Callable[[], Any], times: int = 9) -> float:
    """The median of several calls, in milliseconds; a first one warms up."""
    what()
    return statistics.median(timed(what) for _ in range(times))


def ms(value: float) -> str:
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

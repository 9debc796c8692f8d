"""pre-commit, husky and lefthook, as they are installed today, before ours and after: both run, and ours go as they came."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench import Workbench
from tests.scenarios.test_hooks import hooks_and_config, put_hook

pytestmark = pytest.mark.soak
Manager = Callable[[Workbench, Path, pytest.MonkeyPatch], Callable[[], None]]


def got(words: list[str], tool: Path, name: str) -> Path:
    """A tool, fetched by its own package manager the first time."""
    if not tool.exists():
        env = {**os.environ, "HOME": str(Path("~root").expanduser()) if os.geteuid() == 0 else os.environ["HOME"]}
        try:
            done = subprocess.run(words, capture_output=True, text=True, env=env, timeout=120)
        except FileNotFoundError:
            pytest.skip(f"no {words[0]} to install {name} with")
        if done.returncode or not tool.exists():
            pytest.skip(f"{name} cannot be installed here: {' '.join(words)}")
    return tool


def pip(tmp: Path, name: str) -> Path:
    home = tmp / name
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    return got([str(home / "bin/pip"), "install", "-q", name], home / "bin" / name, name)


def pre_commit(bench: Workbench, tmp: Path, patch: pytest.MonkeyPatch) -> Callable[[], None]:
    tool = pip(tmp, "pre-commit")
    hook = "{id: note, name: note, language: system, entry: sh -c 'echo >>../noted', pass_filenames: false}"
    bench.write(".pre-commit-config.yaml", f"repos: [{{repo: local, hooks: [{hook}]}}]\n")
    return lambda: bench_run(bench, str(tool), "install")


def lefthook(bench: Workbench, tmp: Path, patch: pytest.MonkeyPatch) -> Callable[[], None]:
    tool = pip(tmp, "lefthook")
    bench.write("lefthook.yml", "pre-commit:\n  commands:\n    note:\n      run: echo >>../noted\n")
    patch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    return lambda: bench_run(bench, str(tool), "install", "--force")


def husky(bench: Workbench, tmp: Path, patch: pytest.MonkeyPatch) -> Callable[[], None]:
    words = ["npm", "install", "--silent", "--no-fund", "--prefix", str(tmp), "husky"]
    got(words, tmp / "node_modules/husky/bin.js", "husky")
    bench.write(".husky/pre-commit", "echo >>../noted\n")
    return lambda: bench_run(bench, "node", str(tmp / "node_modules/husky/bin.js"))


def bench_run(bench: Workbench, *words: str) -> None:
    done = subprocess.run(words, cwd=bench.root, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout, done.stderr)


def noted(bench: Workbench, message: str) -> int:
    """Commit; how often the manager's check ran."""
    path = bench.root.parent / "noted"
    path.unlink(missing_ok=True)
    bench.write("a.txt", f"{message}\n")
    bench.git("commit", "-qam", message)
    return len(path.read_text()) if path.exists() else 0


def is_called(bench: Workbench) -> bool:
    """Whether git comes to our pre-commit hook, by whatever way."""
    states = {one["name"]: one["state"] for one in bench.json("hooks", "status")["hooks"]}
    return states["pre-commit"] in ("installed", "chained by pre-commit")


@pytest.mark.parametrize("manager", [pre_commit, husky, lefthook])
def test_a_manager_before_ours_and_again_after(
    bench: Workbench, manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checks run once with ours installed; installed again over ours it harms nothing, and `hooks install` mends."""
    install = manager(bench, tmp_path, monkeypatch)
    install()
    bench.git("add", "-A")
    bench.git("commit", "-qnm", "configured")
    before = hooks_and_config(bench.root)
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    bench.run("hooks", "install")
    assert noted(bench, "with ours") == 1 and is_called(bench)
    bench.run("hooks", "uninstall")
    assert hooks_and_config(bench.root) == before
    bench.run("hooks", "install")
    install()
    assert noted(bench, "installed over ours") == 1
    bench.run("hooks", "install")
    assert noted(bench, "and ours again") == 1 and is_called(bench)
    bench.run("hooks", "uninstall")
    assert noted(bench, "gone") == 1
    assert not any(b"# gitsession hook" in path.read_bytes() for path in (bench.root / ".git/hooks").glob("*"))
    assert "gitsession" not in bench.git("config", "--local", "--get", "core.hooksPath", check=False).out
    assert not bench.git("status", "--porcelain").out
    assert bench.patch("p")["commits"] == 4


def test_pre_commit_after_ours(bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pre-commit takes ours, and with it the user's, for hooks older than its own, and calls them; all three run."""
    put_hook(bench.root / ".git/hooks/pre-commit", "#!/bin/sh\necho >>../users\n")
    bench.run("hooks", "install")
    pre_commit(bench, tmp_path, monkeypatch)()
    bench.git("add", "-A")
    assert noted(bench, "all three") == 1 and is_called(bench)
    assert len((bench.root.parent / "users").read_text()) == 1
    bench.run("hooks", "uninstall")
    assert noted(bench, "two") == 1 and len((bench.root.parent / "users").read_text()) == 2

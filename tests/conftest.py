"""One sealed world for every test: its own HOME, git config, dates, time zone, locale and editor.

Tests that need the package's processes use the fixtures of ``tests/bench.py``; tests of one floor need only
``repo`` and ``git`` from here.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Machines are shared: how long an example takes says nothing about the code.
settings.register_profile(
    "shared", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("shared")

# A run in the background (``pytest &`` in a script) is started deaf to Ctrl-C, and all it starts would be so too.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What a person tells the tests themselves, by the environment of pytest.
FOR_TESTS = (
    "GITSESSIOND_REPOSITORIES",
    "GITSESSIOND_GIT_TREE",
    "GITSESSIOND_GIT_TESTS",
    "GITSESSIOND_SOAK_EDITS",
    "GITSESSIOND_SEED",
    "GITSESSION_TEST_SEED",
)
FIXED_TIME = "2026-01-02T03:04:05Z"


def sealed_environment(home: Path) -> dict[str, str]:
    """The whole environment of a test's processes: nothing of the machine's git config or session leaks in."""
    keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "HYPOTHESIS_PROFILE") if name in os.environ}
    scripts = str(Path(sys.executable).parent)
    return keep | {
        "PATH": scripts + os.pathsep + keep.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_AUTHOR_DATE": FIXED_TIME,
        "GIT_COMMITTER_DATE": FIXED_TIME,
        "GIT_EDITOR": "false",
        "EDITOR": "false",
        "VISUAL": "false",
        "GIT_TERMINAL_PROMPT": "0",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture(autouse=True)
def sealed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Seal the environment of the test itself too; yields its HOME. Control files are kept in long runs only."""
    home = tmp_path_factory.mktemp("home")
    (home / "run").mkdir(mode=0o700)
    (home / "tmp").mkdir()
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Ann\n\temail = ann@example.org\n"
        "[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n[commit]\n\tgpgSign = false\n"
        '[protocol "file"]\n\tallow = always\n[advice]\n\tdetachedHead = false\n'
        + ("" if request.node.get_closest_marker("soak") else "[gitsession]\n\tcontrolFiles = never\n")
    )
    for name in list(os.environ):
        leaks = name.startswith(("GIT_", "GITSESSION", "CI")) and name not in FOR_TESTS
        if leaks or name in ("EMAIL", "XDG_STATE_HOME"):
            monkeypatch.delenv(name, raising=False)
    for name, value in sealed_environment(home).items():
        monkeypatch.setenv(name, value)
    time.tzset()  # a test before may have been elsewhere
    monkeypatch.setattr(os, "fsync", as_if_synced)
    yield home


def as_if_synced(handle: int) -> None:
    """``os.fsync`` here, where no power is cut; commands and daemons have their own."""
    os.fstat(handle)


def git(repo: Path, *args: str | bytes, check: bool = True, stdin: bytes | None = None) -> bytes:
    """Run git in ``repo`` as a user would; returns stdout."""
    done = subprocess.run(["git", *args], cwd=repo, input=stdin, capture_output=True)
    if check and done.returncode:
        raise AssertionError(f"git {args} failed: {done.returncode}\n{done.stdout!r}\n{done.stderr.decode()}")
    return done.stdout


@pytest.fixture(scope="session")
def first_commit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first ``repo`` leaves a copy for all others: a copy takes half the time."""
    return tmp_path_factory.mktemp("first") / "shop"


@pytest.fixture
def repo(sealed: Path, tmp_path: Path, first_commit: Path) -> Path:
    """A repository on main with one commit: a.txt (ten numbered lines), src/b.txt, README."""
    root = tmp_path / "shop"
    if not first_commit.exists():
        make_repo(root)
        shutil.copytree(root, first_commit, symlinks=True)
        return root
    shutil.copytree(first_commit, root, symlinks=True)
    git(root, "update-index", "-q", "--refresh")  # the index knows inodes
    return root


def make_repo(root: Path) -> None:
    """The repository of ``repo``, by git."""
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    (root / "a.txt").write_text("".join(f"line {n}\n" for n in range(1, 11)))
    (root / "src").mkdir()
    (root / "src" / "b.txt").write_text("".join(f"b {n}\n" for n in range(1, 11)))
    (root / "README").write_text("shop\n")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")


@pytest.fixture
def shared(sealed: Path) -> Iterator[Path]:
    """A repository that every user of the machine can reach and write to, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="shared-", dir="/tmp") as found:
        root = Path(found) / "shop"
        make_repo(root)
        for path in (root.parent, root, root / ".git"):
            path.chmod(0o777)
        yield root


from tests.bench import bench  # noqa: E402, F401  (a fixture for every floor)
from tests.tiers import (  # noqa: E402, F401  (the hooks of every run)
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_runtest_logreport,
    pytest_runtest_makereport,
    pytest_runtest_protocol,
    pytest_terminal_summary,
)

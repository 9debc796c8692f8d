"""git's own test scripts with our hooks in every repository they make: none fails that passes without them.

They need git's source tree, of the version that is installed, with its test helper built:

    git clone --branch v2.39.5 https://github.com/git/git && make -C git NO_CURL=1 NO_GETTEXT=1 t/helper/test-tool
    GITSESSIOND_GIT_TREE=$PWD/git pytest -m soak -n0 tests/scenarios/test_git_own_tests.py

`GITSESSIOND_GIT_TESTS="t1 t24 t3404"` says which scripts, by how their names begin; without it those that commit, rebase
or push most, some minutes. What a script says that is to be a hook becomes the user's own behind ours, as `hooks install`
would have it. The tree is not written to.

Only one script looks at which hooks there are: t0091 has `git bugreport` list them, and fails with any in the template.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gitsessiond.store.hookscripts import OURS, script

TREE = os.environ.get("GITSESSIOND_GIT_TREE")
MOST_TELLING = "t1800 t3404 t3418 t3420 t5571 t7501 t7502 t7503 t7504 t7505 t7520 t7600"
LISTS_HOOKS = "t0091-bugreport.sh"
BEGINNINGS = tuple(os.environ.get("GITSESSIOND_GIT_TESTS", MOST_TELLING).split())
OF_A_HOOK = '\thook_file="$hook_dir/$1" &&\n'  # in git's test_hook
BEHIND_OURS = '\tif grep -q "^# gitsession hook " "$hook_file" 2>/dev/null; then hook_file=$hook_file.user; fi &&\n'


def scripts() -> list[str]:
    found = sorted(path.name for path in Path(TREE, "t").glob("t[0-9][0-9][0-9][0-9]-*.sh")) if TREE else []
    return [name for name in found if name.startswith(BEGINNINGS)]


def like(tree: Path, top: Path, hooks: Callable[[str], bytes] | None) -> Path:
    """A tree of links to git's own, but for the template of new repositories, and how a test puts a hook."""
    template = top / "templates/blt"
    for name in ("hooks", "info", "branches"):
        (template / name).mkdir(parents=True)
    for name in OURS if hooks else ():
        assert hooks is not None
        (template / "hooks" / name).write_bytes(hooks(name))
        (template / "hooks" / name).chmod(0o755)
    for path in tree.iterdir():
        if path.name not in ("t", "templates", ".git"):
            (top / path.name).symlink_to(path)
    (top / "t").mkdir()
    for path in (tree / "t").iterdir():
        if path.name != "test-lib-functions.sh" and not path.name.startswith(("trash", "test-results")):
            (top / "t" / path.name).symlink_to(path)
    text = (tree / "t/test-lib-functions.sh").read_text()
    assert text.count(OF_A_HOOK) == 1, "another git than this test knows"
    (top / "t/test-lib-functions.sh").write_text(text.replace(OF_A_HOOK, OF_A_HOOK + BEHIND_OURS))
    return top


def said(top: Path, name: str) -> list[str]:
    """What each test of a script came to."""
    git = shutil.which("git")
    assert git is not None
    env = {
        "PATH": os.environ["PATH"], "HOME": str(top), "LANG": "C", "TERM": "dumb",
        "GIT_TEST_INSTALLED": os.path.dirname(git), "TEST_OUTPUT_DIRECTORY": str(top / "out"),
    }  # fmt: skip
    (top / "out").mkdir(exist_ok=True)
    words = ["nice", "-n", "19", "sh", f"./{name}"]
    done = subprocess.run(words, cwd=top / "t", env=env, stdin=subprocess.DEVNULL, capture_output=True)
    lines = [
        line for line in done.stdout.decode("utf-8", "replace").splitlines() if re.match(r"(not )?ok \d|1\.\.", line)
    ]
    assert lines, done.stderr
    return [line.partition(" #")[0] for line in lines]


def all_passed(lines: list[str]) -> bool:
    """Whether a script came to its end, and each of its tests is ok: nothing is left to compare."""
    return lines[-1] == f"1..{len(lines) - 1}" and all(line.startswith("ok ") for line in lines[:-1])


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The tree without hooks, with ours, and with others that do nothing."""
    home, tree = tmp_path_factory.mktemp("git"), Path(str(TREE))
    ours = like(tree, home / "with", lambda name: script(name, f"{name}.user"))
    return like(tree, home / "without", None), ours, like(tree, home / "empty", lambda name: b"#!/bin/sh\n")


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.skipif(TREE is None, reason="GITSESSIOND_GIT_TREE names no tree of git's sources")
@pytest.mark.parametrize("name", scripts() or ["none"])
def test_the_same_with_our_hooks(trees: tuple[Path, Path, Path], name: str) -> None:
    """Each test of the script passes, or ends as it does without them."""
    without, hooked, empty = trees
    lines = said(hooked, name)
    if not all_passed(lines):
        assert lines == said(empty if name == LISTS_HOOKS else without, name)

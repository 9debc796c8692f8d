"""One session, two patches in one file: each is merged when its person says so.

Files are saved as editors were seen to save them (tests/scenarios/writers.py), with all that comes beside: swap files,
backups, probes, renames. Every run tells each story with one editor, `pytest -m soak` with the others.
"""

from __future__ import annotations

import pytest

from tests.bench import Workbench
from tests.scenarios.writers import (
    Save,
    Steps,
    emacs,
    in_place,
    jetbrains_in_place,
    jetbrains_renames,
    vim,
    vscode,
)

USER = "".join(f"def step_{n}(user):\n    return user.field_{n}\n\n\n" for n in range(1, 9))
FIELD = "    return user.field_{}\n"
DB = "def find(email):\n    return query(email)\n"


def shop(bench: Workbench) -> None:
    bench.write("shop/user.py", USER)
    bench.write("shop/db.py", DB)
    bench.write("tests/test_user.py", "def test_user():\n    pass\n")
    bench.git("add", "-A")
    bench.git("commit", "-qm", "shop")


def story(bench: Workbench, save: Save) -> None:
    """validation-enhancements with 3 ops, performance-optimizations with 1 op; both have edits in shop/user.py."""
    shop(bench)
    bench.git("config", "gitsession.scanEvery", "0")
    bench.run("start", "user-improvements", "-m", "Enhancing user validation and profile features", "--here")
    saved(bench, save, "shop/user.py", USER.replace(FIELD.format(1), "    check(user)\n" + FIELD.format(1)))
    saved(bench, save, "tests/test_user.py", "def test_user():\n    assert step_1(user)\n")
    saved(bench, save, "shop/checks.py", "def check(user):\n    assert user\n")
    bench.run("patch", "new", "validation-enhancements", "-m", "Check users before use")
    bench.run("patch", "new", "performance-optimizations")
    content = bench.read("shop/user.py").replace(FIELD.format(8), "    return cached(user).field_8\n")
    saved(bench, save, "shop/user.py", content)


def saved(bench: Workbench, save: Save, path: str, content: str) -> None:
    """A file as an editor saves it; a new one is written by the first save."""
    full = bench.root / path
    (save if full.exists() or save in (vim, emacs) else in_place)(full, content.encode())


def told_with(editor: Save) -> pytest.MarkDecorator:
    """The story told with this editor's saves in every run, and with the others' in long runs."""
    editors = [vim, jetbrains_renames, jetbrains_in_place, vscode, emacs]
    return pytest.mark.parametrize(
        "save",
        [pytest.param(one, id=one.__name__, marks=[] if one is editor else [pytest.mark.soak]) for one in editors],
    )


def only_heard_of(bench: Workbench, paths: set[str]) -> None:
    """All was recorded by events, and no editor's own file ever was."""
    steps = Steps(bench)
    assert steps.names() == paths | {"a.txt", "src/b.txt", "README"}
    assert bench.daemon()["scans"] == 1


def ops(bench: Workbench) -> dict[str, int]:
    return {patch["name"]: patch["ops"] for patch in bench.status()["patches"]}


@told_with(vim)
def test_each_edit_goes_to_its_patch(bench: Workbench, save: Save) -> None:
    """The first patch takes what was unassigned; later edits of the same file go to the patch in use."""
    story(bench, save)
    assert ops(bench) == {"validation-enhancements": 3, "performance-optimizations": 1}
    assert bench.status()["unassigned"] == []
    listed = bench.run("patch", "list").out
    assert "(3 ops" in listed and "(1 op" in listed
    only_heard_of(bench, {"shop/user.py", "shop/db.py", "tests/test_user.py", "shop/checks.py"})
    bench.judge()


@told_with(jetbrains_renames)
def test_one_patch_merges_alone(bench: Workbench, save: Save) -> None:
    """Merging one patch lands its lines only; the other stays a draft with its edits untouched on disk."""
    story(bench, save)
    before = bench.read("shop/user.py")
    bench.run("merge", "validation-enhancements", "--ready")
    landed = bench.git("show", "main:shop/user.py").out
    assert "check(user)" in landed and "cached" not in landed
    assert "cached" not in bench.git("diff", "main~1", "main").out
    assert bench.read("shop/user.py") == before
    assert bench.patch("performance-optimizations")["status"] == "draft"
    assert bench.patch("validation-enhancements")["status"] == "merged"
    message = bench.git("log", "-1", "--format=%B", "main").out
    assert message.startswith(
        "Merge patch 'validation-enhancements' of session 'user-improvements'\n\nCheck users before use"
    )
    bench.run("merge", "performance-optimizations", "--ready")
    assert bench.git("show", "main:shop/user.py").out == before
    bench.judge(full=False)


@told_with(vscode)
def test_a_dependent_waits_for_what_it_needs(bench: Workbench, save: Save) -> None:
    """The dependent is refused before, with exit 4 and the name of the other, and merged after."""
    story(bench, save)
    bench.run("patch", "depend", "performance-optimizations", "--on", "validation-enhancements")
    refused = bench.run("merge", "performance-optimizations", "--ready", code=4)
    assert "validation-enhancements" in refused.err and "hint: git session merge validation-enhancements" in refused.err
    assert "cached" not in bench.git("show", "main:shop/user.py").out
    bench.run("merge", "validation-enhancements", "--ready")
    bench.run("merge", "performance-optimizations", "--ready")
    assert "cached" in bench.git("show", "main:shop/user.py").out


@told_with(emacs)
def test_abandoning_a_patch_leaves_the_session_open(bench: Workbench, save: Save) -> None:
    """An abandoned patch keeps its files; the session and the other patch go on."""
    story(bench, save)
    before = bench.read("shop/user.py")
    bench.run("patch", "abandon", "performance-optimizations")
    status = bench.status()
    assert status["session"]["status"] == "open"
    assert bench.read("shop/user.py") == before
    assert {p["name"]: p["status"] for p in status["patches"]} == {
        "validation-enhancements": "draft",
        "performance-optimizations": "abandoned",
    }
    assert status["unassigned"], "an abandoned patch's edits are nobody's"
    bench.run("patch", "reopen", "performance-optimizations")
    assert ops(bench)["performance-optimizations"] == 1


@told_with(jetbrains_in_place)
def test_close_merges_ready_patches_in_dependency_order(bench: Workbench, save: Save) -> None:
    """Close lands a dependency first, lists merged, failed and abandoned, and closes."""
    story(bench, save)
    bench.run("patch", "depend", "validation-enhancements", "--on", "performance-optimizations")
    bench.run("patch", "ready", "performance-optimizations")
    bench.run("patch", "ready", "validation-enhancements")
    bench.run("patch", "new", "left-over")
    done = bench.json("close", "--yes")
    assert [p["name"] for p in done["merged"]] == ["performance-optimizations", "validation-enhancements"]
    assert done["failed"] == []
    assert [p["name"] for p in done["abandoned"]] == ["left-over"]
    assert done["session"]["status"] == "closed" and done["session"]["closed_at"]
    assert bench.json("close", "--yes", "-s", "user-improvements")["already"] is True


@told_with(vim)
def test_what_lands_is_gits_own_merge(bench: Workbench, save: Save) -> None:
    """The tree that a merge puts on the target is the one `git merge` makes of the same two commits elsewhere."""
    story(bench, save)
    other = bench.at(bench.root.parent / "other")
    bench.git("worktree", "add", "-q", str(other.root), "main")
    other.write("README", "moved on\n")
    other.git("commit", "-qam", "main moved on")
    before = bench.git("rev-parse", "main").out.strip()
    for name in ("validation-enhancements", "performance-optimizations"):
        bench.run("merge", name, "--ready")
        tip = bench.patch(name)["tip"]
        scratch = bench.at(bench.root.parent / f"scratch-{name}")
        bench.git("clone", "-q", "--shared", "--no-checkout", str(bench.root), str(scratch.root))
        scratch.git("checkout", "-q", "--detach", before)
        scratch.git("merge", "-q", "--no-ff", "--no-edit", tip)
        landed = bench.git("rev-parse", "main^{tree}").out
        assert scratch.git("rev-parse", "HEAD^{tree}").out == landed
        assert other.git("status", "--porcelain").out == "", "the checked-out target follows"
        before = bench.git("rev-parse", "main").out.strip()

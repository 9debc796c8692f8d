"""The daemon's part of publish and push, without a network: expectations, what is remembered, merges of what was fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import git
from tests.story import DeskBench

THEIRS = "b" * 40


@pytest.fixture
def desk(repo: Path) -> DeskBench:
    """A session with a committed patch, and an ``origin`` that was fetched once."""
    git(repo, "remote", "add", "origin", "/nowhere")
    git(repo, "update-ref", "refs/remotes/origin/main", "main")
    git(repo, "branch", "-q", "-u", "origin/main", "main")
    made = DeskBench(repo)
    made.do("session.start", name="x", here=True)
    made.do("patch.new", name="fix")
    made.save("a.txt", (repo / "a.txt").read_bytes().replace(b"line 2", b"LINE 2"))
    made.do("commit", message="two")
    return made


def plan(desk: DeskBench, **args: Any) -> Any:
    return desk.do("publish", patch="fix", **args)


def known(desk: DeskBench) -> Any:
    """What is remembered of the patch's branches, whole."""
    (live,) = desk.desk.ctx.sessions.values()
    (patch,) = live.state.patches.values()
    return patch.published


def landed(desk: DeskBench, row: dict[str, Any], landed: bool = True) -> Any:
    result = {"patch": row["patch"]["id"], "branch": row["branch"], "commit": row["commit"], "tip": row["tip"]}
    result["landed"] = landed
    return desk.do("published", patch="fix", remote="origin", results=[result], url="https://hub/fix")["patch"]


def test_a_name_that_no_branch_may_have_is_published_as_another(desk: DeskBench) -> None:
    """git keeps HEAD for itself; what is pushed can be recorded. An empty --branch is a name too, and none."""
    desk.do("patch.rename", patch="fix", name="HEAD")
    (row,) = desk.do("publish", patch="HEAD")["branches"]
    assert row["branch"] == "patch-HEAD"
    result = {"patch": row["patch"]["id"], "branch": row["branch"], "commit": row["commit"], "tip": row["tip"]}
    done = desk.do("published", patch="HEAD", remote="origin", results=[result | {"landed": True}])
    assert done["patch"]["published"][0]["branch"] == "patch-HEAD"
    assert desk.ask("publish", patch="HEAD", branch="")["error"]["code"] == "usage"


def test_what_is_tried_is_known_before_and_settled_after(desk: DeskBench) -> None:
    """Recorded before the push; a refusal takes it back; what landed is what the next one expects."""
    (row,) = plan(desk)["branches"]
    assert (row["expected"], row["begun"]) == (None, True) and known(desk)[0].tried == (row["commit"],)
    assert landed(desk, row, False)["published"] == [] and known(desk) == ()
    (view,) = landed(desk, plan(desk)["branches"][0])["published"]
    assert (view["commit"], view["current"], view["url"]) == (row["commit"], True, "https://hub/fix")
    for wrong in (None, {}, [{}], [{"patch": "x", "branch": "y", "commit": "z", "tip": "z"}]):
        assert desk.ask("published", patch="fix", remote="origin", results=wrong)["error"]["code"] == "usage"
    again = plan(desk)["branches"][0]
    assert (again["expected"], again["begun"]) == (row["commit"], False)
    desk.save("a.txt", (desk.root / "a.txt").read_bytes().replace(b"line 3", b"LINE 3"))
    desk.do("commit", message="three")
    assert not desk.do("patch.show", patch="fix")["patch"]["published"][0]["current"]
    second = plan(desk)["branches"][0]
    assert (second["expected"], second["begun"]) == (row["commit"], True)
    # The command is killed here; the series goes on. Only the remote knows which of the two it has.
    desk.save("a.txt", (desk.root / "a.txt").read_bytes().replace(b"line 4", b"LINE 4"))
    desk.do("commit", message="four")
    asked = plan(desk)
    assert asked["ask"] == ["fix"] and asked["branches"] == []
    for there in (row["commit"], second["commit"]):
        assert plan(desk, heads={"fix": there})["branches"][0]["expected"] == there
    refused = desk.ask("publish", patch="fix", heads={"fix": THEIRS})
    assert refused["error"]["code"] == "moved" and "--replace bbbbbbbbbbbb" in refused["error"]["hint"]
    assert plan(desk, heads={"fix": THEIRS}, replace="bbbb")["branches"][0]["expected"] == THEIRS
    assert plan(desk, heads={"fix": None})["branches"][0]["expected"] is None


@pytest.mark.soak
def test_where_it_goes(desk: DeskBench) -> None:
    """As git's own push would choose, then as before; a branch is named like the patch as far as git lets it."""
    git(desk.root, "remote", "add", "fork", "/elsewhere")
    assert plan(desk)["remote"] == "origin"
    git(desk.root, "config", "remote.pushDefault", "fork")
    git(desk.root, "config", "branch.main.pushRemote", "origin")
    assert plan(desk)["remote"] == "origin"
    git(desk.root, "config", "--unset", "branch.main.pushRemote")
    landed(desk, plan(desk, remote="origin", branch="refs/heads/review/fix")["branches"][0])
    assert (plan(desk)["remote"], plan(desk)["branches"][0]["branch"]) == ("origin", "review/fix")
    git(desk.root, "remote", "remove", "origin")
    assert plan(desk)["remote"] == "fork"
    for name, branch in (("topic/two words", "topic-two-words"), ("topic/one", "topic/one"), ("größe", "größe")):
        desk.do("patch.rename", patch="fix", name=name)
        reply = desk.do("publish", patch=name)
        assert reply["branches"][0]["branch"] == branch
        desk.do("patch.rename", patch=name, name="fix")
    for branch, code in (
        ("main", "refused"),
        ("a..b", "usage"),
        ("HEAD", "usage"),
        ("-x", "usage"),
        ("\udcff", "usage"),
    ):
        assert desk.ask("publish", patch="fix", branch=branch)["error"]["code"] == code
    for remote in ("none", "a/\udcff"):
        assert desk.ask("publish", patch="fix", remote=remote)["error"]["code"] == "not_found"


def theirs_on_main(repo: Path, path: str, content: str) -> str:
    """A commit on main's as somebody else's would be, fetched."""
    blob = git(repo, "hash-object", "-w", "--stdin", stdin=content.encode()).decode().strip()
    env = ["-c", "user.name=Bob", "-c", "user.email=bob@example.org"]
    listed = git(repo, "ls-tree", "main").decode().splitlines()
    rows = [row for row in listed if not row.endswith("\t" + path)] + [f"100644 blob {blob}\t{path}"]
    tree = git(repo, "mktree", stdin="\n".join(rows).encode()).decode().strip()
    return git(repo, *env, "commit-tree", "-p", "main", "-m", "bob's", tree).decode().strip()


def test_what_was_fetched_is_merged_or_nothing_moves(desk: DeskBench) -> None:
    """Contained, behind, merged, clashing, and not wanted by pull's settings."""
    start = git(desk.root, "rev-parse", "main").decode().strip()
    fetched = {"remote": "origin", "branch": "main"}
    bobs = theirs_on_main(desk.root, "bob.txt", "bob\n")
    clash = theirs_on_main(desk.root, "a.txt", "bob's\n")
    reply = desk.do("push.merge", commit=bobs, **fetched)
    assert (reply["merged"], reply["behind"], reply["pull"]) == (False, 1, "git fetch origin main:main")
    desk.do("merge", patch="fix", ready=True)
    mine = git(desk.root, "rev-parse", "main").decode().strip()
    reply = desk.do("push.merge", commit=start, **fetched)
    assert (reply["merged"], reply["commit"]) == (False, mine)
    refused = desk.ask("push.merge", commit=clash, **fetched)["error"]
    assert refused["code"] == "conflicts" and "a.txt" in refused["message"] and "git pull" in refused["hint"]
    for ff, rebase, how in [
        ("only", "false", "--no-rebase"),
        ("only", "yes", "--rebase=yes"),
        ("true", "merges", "--rebase=merges"),
    ]:
        git(desk.root, "config", "pull.ff", ff)
        git(desk.root, "config", "pull.rebase", rebase)
        refused = desk.ask("push.merge", commit=bobs, **fetched)["error"]
        assert refused["code"] == "refused" and f"git pull {how} origin main" in refused["hint"].splitlines()
    git(desk.root, "config", "pull.ff", "true")
    git(desk.root, "config", "pull.rebase", "false")
    assert git(desk.root, "rev-parse", "main").decode().strip() == mine
    reply = desk.do("push.merge", commit=bobs, **fetched)
    assert reply["merged"] and git(desk.root, "rev-parse", "main").decode().strip() == reply["commit"]
    assert (
        git(desk.root, "log", "-1", "--format=%s|%P", "main").decode()
        == f"Merge branch 'main' of origin|{mine} {bobs}\n"
    )
    assert not list((desk.root / ".git" / "gitsession" / "intents").glob("*"))


@pytest.mark.soak
def test_a_merge_of_what_was_fetched_that_a_crash_cut_off(desk: DeskBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begun and not moved: dropped. Moved and not forgotten: forgotten. No patch is thought to have landed."""
    bobs = theirs_on_main(desk.root, "bob.txt", "bob\n")
    desk.do("merge", patch="fix", ready=True)

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    before = git(desk.root, "rev-parse", "main")
    statuses = [patch["status"] for patch in desk.do("patch.list")["patches"]]
    for cut, moved in (
        ("gitsessiond.store.landing.move_target", False),
        ("gitsessiond.actions.pushing.forget_intent", True),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(cut, die)
            with pytest.raises(Killed):
                desk.ask("push.merge", commit=bobs, remote="origin", branch="main")
        desk.desk.close()
        desk.__init__(desk.root)  # type: ignore[misc]
        assert not list((desk.root / ".git" / "gitsession" / "intents").glob("*"))
        assert (git(desk.root, "rev-parse", "main") != before) == moved
        assert [patch["status"] for patch in desk.do("patch.list")["patches"]] == statuses


@pytest.mark.soak
def test_a_stack_with_a_join_is_put_on_what_the_remote_has(desk: DeskBench) -> None:
    """c needs fix and other; main has a commit that the remote lacks, and an older patch of it has landed only here.

    The published commits have the trees, authors and words of the series, without what is not theirs, and are the
    same each time.
    """
    repo = desk.root
    desk.do("patch.new", name="landed")
    desk.save("new.txt", b"landed here\n")
    desk.do("merge", patch="landed", ready=True)
    git(repo, "update-ref", "refs/heads/main", theirs_on_main(repo, "README", "at home\n"))
    git(repo, "rebase", "-q", "main")
    desk.do("patch.new", name="other")
    desk.save("src/b.txt", (repo / "src/b.txt").read_bytes().replace(b"b 3", b"B 3"))
    desk.do("commit", message="other three")
    desk.do("patch.new", name="both")
    desk.do("patch.use", patch="both", strict=True)
    desk.save("src/b.txt", (repo / "src/b.txt").read_bytes().replace(b"B 3", b"B three"))
    desk.save("a.txt", (repo / "a.txt").read_bytes().replace(b"LINE 2", b"LINE two"))
    desk.do("commit", message="both of them")
    reply = desk.do("publish", patch="both")
    rows = {row["patch"]["name"]: row for row in reply["branches"]}
    assert list(rows) == ["fix", "other", "both"] and "it lacks" in reply["notes"][0]
    assert reply["onto"] == git(repo, "rev-parse", "origin/main").decode().strip()
    tip = rows["both"]["commit"]
    for name, paths in (("fix", "a.txt"), ("other", "src/b.txt"), ("both", "a.txt src/b.txt")):
        commit = rows[name]["commit"]
        assert git(repo, "diff", "--name-only", "origin/main", commit).decode().split() == paths.split()
        git(repo, "merge-base", "--is-ancestor", commit, tip)
        words = ["log", "-1", "--format=%an %ae %at %cn %ce %ct %B"]
        assert git(repo, *words, commit) == git(repo, *words, rows[name]["tip"])
    assert git(repo, "show", f"{tip}:a.txt") == (repo / "a.txt").read_bytes()
    assert git(repo, "show", f"{tip}:src/b.txt") == (repo / "src/b.txt").read_bytes()
    assert int(git(repo, "rev-list", "--merges", "--count", f"origin/main..{tip}")) == 1
    assert [row["commit"] for row in desk.do("publish", patch="both")["branches"]] == [
        row["commit"] for row in reply["branches"]
    ]


def test_only_a_commit_is_merged_into_the_target(desk: DeskBench) -> None:
    """What is no commit's whole id is refused, also where it is the id of something else."""
    for what in (
        "g" * 40,
        "f" * 40,
        "HEAD",
        "a\0b",
        desk.git("rev-parse", "main^{tree}"),
        desk.git("rev-parse", "main:a.txt"),
    ):
        reply = desk.ask("push.merge", commit=what, remote="origin", branch="main")
        assert reply["error"]["code"] == "usage", what

"""Landing by rebase and squash, and back by revert: what git itself makes, all of it or nothing, and said how."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.model.errors import Refused, StoreFailed
from tests.actions.asking import LINES, Asking, it
from tests.actions.test_merges import hook
from tests.conftest import git
from tests.judge import Judge

__all__ = ["it"]

WAYS = ("merge", "rebase", "squash")


def mostly(*often: Any, seldom: tuple[Any, ...] = ()) -> list[Any]:
    """Parameters of which some are only for the long run."""
    return [*often, *(pytest.param(one, marks=pytest.mark.soak) for one in seldom)]


def commits(it: Asking, *parts: tuple[str, str, str, str]) -> None:
    """Commits of patches, each one edit of a file: patch, path, old, new."""
    known = {patch["name"] for patch in it.ask("patch.list")["patches"]}
    for name, path, old, new in parts:
        if name not in known:
            it.ask("patch.new", name=name)
            known.add(name)
        it.ask("patch.use", patch=name, strict=True)
        it.edit(path, old, new)
        it.ask("commit", message=f"{name}: {new.strip()}\n\nWhy.", patch=name)


def patch(it: Asking, name: str) -> dict[str, Any]:
    return next(one for one in it.ask("patch.list")["patches"] if one["name"] == name)


def told(it: Asking, root: Path, span: str) -> str:
    """Tree, author, date and words of each commit."""
    return git(root, "log", "--format=%T %an %ae %ad%n%B", span).decode()


def scratch(it: Asking, at: str) -> Path:
    """A worktree of a clone where git works alone, with everything the repository has."""
    where = it.root.parent / "scratch"
    git(it.root, "clone", "-q", "--mirror", str(it.root), str(where / ".git"))
    git(where, "config", "core.bare", "false")
    git(where, "checkout", "-q", "--detach", at)
    return where


# What lands.


@pytest.mark.parametrize("name", mostly("two", seldom=("one",)))
def test_rebase_makes_what_git_rebase_makes(it: Asking, name: str) -> None:
    """Two patches in turns in one file: each lands alone, commit for commit as `git rebase` has them."""
    it.env = {"GIT_AUTHOR_NAME": "Eve", "GIT_AUTHOR_DATE": "2020-01-02T03:04:05+0130"}
    commits(
        it, ("one", "a.txt", "line 2", "LINE 2"), ("two", "a.txt", "line 5", "LINE 5"),
        ("one", "a.txt", "line 8", "LINE 8"), ("two", "src/b.txt", "b 3", "B 3"),
    )  # fmt: skip
    it.move_target("README", "moved on\n")
    old = it.rev("main")
    clone = scratch(it, patch(it, name)["tip"])
    git(clone, "rebase", "-q", old)
    it.env = {}
    reply = it.merge(name, strategy="rebase")
    assert (reply["strategy"], reply["commits"], reply["commit"]) == ("rebase", 2, it.rev("main"))
    assert told(it, it.root, f"{old}..main") == told(it, clone, f"{old}..HEAD")
    assert it.git("log", "-1", "--format=%cn", "main").strip() != "Eve"
    assert patch(it, name)["merge_strategy"] == "rebase" and "(rebase)" in it.git("reflog", "-1", "main")


def test_rebase_keeps_commits_that_stand_where_they_are_to_be(it: Asking) -> None:
    """The target did not move and the patch is the lowest: it is a fast-forward, and the session goes on."""
    commits(it, ("one", "a.txt", "line 2", "LINE 2"), ("two", "a.txt", "line 5", "LINE 5"))
    reply = it.merge("one", strategy="rebase")
    assert reply["commits"] == 1 and it.rev("main") == patch(it, "one")["tip"] == it.rev("HEAD~1")
    assert it.merge("two", strategy="rebase")["commits"] == 1
    assert it.git("diff", "main", "HEAD") == "" and it.ask("session.status")["session"]["state"] == "live"


def test_rebase_leaves_out_what_the_target_has(it: Asking) -> None:
    """One of two commits is in the target already, by other hands: the other lands; as git has it."""
    commits(it, ("one", "a.txt", "line 2", "LINE 2"), ("one", "a.txt", "line 8", "LINE 8"))
    it.move_target("a.txt", LINES.replace("line 2", "LINE 2"))
    reply = it.merge("one", strategy="rebase")
    assert reply["commits"] == 1
    assert it.on_target("a.txt") == LINES.replace("line 2", "LINE 2").replace("line 8", "LINE 8")


def test_words_in_another_encoding_are_kept(it: Asking) -> None:
    """A commit that says latin-1 lands as git's own rebase writes it: the same words, in UTF-8."""
    it.ask("patch.new", name="one")
    it.edit("a.txt", "line 2", "LINE 2")
    it.git("config", "i18n.commitEncoding", "latin1")
    git(it.root, "commit", "-q", "-a", "-F", "-", stdin="f\u00fcr alle\n".encode("latin1"))
    it.git("config", "--unset", "i18n.commitEncoding")
    it.move_target("README", "moved on\n")
    it.merge("one", strategy="rebase")
    assert "f\u00fcr alle".encode() in git(it.root, "cat-file", "commit", "main")


def test_squash_makes_one_commit(it: Asking) -> None:
    """The tree of `git merge --squash`; the words of the patch and its commits, other authors named."""
    it.env = {"GIT_AUTHOR_NAME": "Eve", "GIT_AUTHOR_EMAIL": "eve@example.org"}
    commits(it, ("one", "a.txt", "line 2", "LINE 2"), ("one", "src/b.txt", "b 3", "B 3"))
    it.ask("patch.rename", patch="one", description="Shout\n\nBecause.")
    it.move_target("README", "moved on\n")
    old = it.rev("main")
    clone = scratch(it, old)
    git(clone, "merge", "-q", "--squash", patch(it, "one")["tip"])
    it.env = {}
    reply = it.merge("one", strategy="squash")
    assert (reply["strategy"], reply["commits"], reply["files"]) == ("squash", 1, 2)
    assert it.rev("main^{tree}") == git(clone, "write-tree").decode().strip()
    assert it.git("rev-parse", "main^@").split() == [old]
    words = it.git("log", "-1", "--format=%an%n%B", "main")
    assert words.startswith(
        "Ann\nShout\n\nBecause.\n\n* one: LINE 2\n* one: B 3\n\nCo-authored-by: Eve <eve@example.org>\n"
    )
    assert f"Patch-Id: {patch(it, 'one')['id']}" in words


def test_squash_of_one_commit_keeps_its_words(it: Asking) -> None:
    """Nothing is made up where there is one commit; uncommitted edits are committed first."""
    commits(it, ("one", "a.txt", "line 2", "LINE 2"))
    it.merge("one", strategy="squash")
    assert it.git("log", "-1", "--format=%B", "main").startswith("one: LINE 2\n\nWhy.\n\nSession-Id: ")
    it.patch("two", "a.txt", "line 8", "LINE 8")
    it.merge("two", strategy="squash")
    assert it.git("log", "-1", "--format=%B", "main").startswith("two\n\nSession-Id: ")


@pytest.mark.parametrize("seed", range(1))
def test_any_order_by_any_strategy_gives_the_files(it: Asking, seed: int) -> None:
    """Patches that touch, build on each other and take turns: landed as dependencies allow, main has what the files have."""
    mixed(it, seed, 5)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2, *range(100, 125), 320])
def test_any_order_by_any_strategy_gives_the_files_at_length(it: Asking, seed: int) -> None:
    """The same, longer; some landings are taken back on the way and made again."""
    mixed(it, seed, 14)


def mixed(it: Asking, seed: int, edits: int) -> None:
    """A random session landed by random strategies; now and then reverted; judged by git alone."""
    print(f"seed {seed}: ")
    rng = random.Random(seed)
    names = ["p0", "p1", "p2", "p3"]
    for name in names:
        it.ask("patch.new", name=name)
    for number in range(edits):
        it.ask("patch.use", patch=rng.choice(names), strict=rng.random() < 0.5)
        path = it.root / rng.choice(["a.txt", "src/b.txt", "new.txt"])
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        at = rng.randrange(len(lines) + 1)
        lines[at : at + rng.choice([0, 1, 1, 2])] = [f"edit {number}\n"] * rng.choice([1, 1, 2])
        path.write_text("".join(lines))
        it.look()
        if rng.random() < 0.5:
            it.git("add", "-A")
            it.git("commit", "-q", "--allow-empty", "-m", f"commit {number}")
    it.ask("assign", all=True, patch=rng.choice(names))
    it.move_target("README", "moved on\n")
    for _ in range(60):
        left = [one for one in it.ask("patch.list")["patches"] if one["ops"] and one["status"] != "merged"]
        free = [one for one in left if not one["blockers"]]
        done = [one for one in it.ask("patch.list")["patches"] if one["status"] == "merged"]
        if not free:
            assert not left, left
            break
        if done and rng.random() < 0.25:
            take_back(it, rng.choice(done)["name"])
            continue
        before, expected = it.rev("main"), expected_tree(it, free[0]["name"])
        if land_one(it, free[0]["name"], rng.choice(WAYS)):
            assert it.rev("main^{tree}") == expected, free[0]["name"]
        else:
            assert it.rev("main") == before
    unassigned = {row["path"] for row in it.ask("unassigned")["unassigned"]}
    for name in ("a.txt", "src/b.txt", "new.txt"):
        if (it.root / name).exists() and name not in unassigned:
            assert it.on_target(name) == (it.root / name).read_text()
    it.git("fsck", "--strict", "--no-dangling")


def land_one(it: Asking, name: str, way: str) -> bool:
    """Land a patch; False: the commit of its last edits made it need another one, which goes first."""
    try:
        reply = it.merge(name, strategy=way)
    except Refused as refused:
        assert "depends on" in refused.message
        return False
    assert reply["merged"], (name, way, reply)
    return True


def take_back(it: Asking, name: str) -> None:
    """Revert a patch unless another merged one builds on it."""
    try:
        it.ask("revert", patch=name)
    except Refused as refused:
        assert "builds on" in refused.message, refused.message


def expected_tree(it: Asking, name: str) -> str:
    """The target with the diff of the patch put on it, by git alone."""
    diff = it.ask("patch.diff", patch=name)["diff"].encode("utf-8", "surrogateescape")
    where = it.root.parent / "expected"
    git(it.root, "worktree", "add", "-q", "-f", "--detach", str(where), "main")
    try:
        git(where, "apply", "--index", "--3way", stdin=diff)
        return git(where, "write-tree").decode().strip()
    finally:
        git(it.root, "worktree", "remove", "--force", str(where))


@pytest.mark.parametrize("way", mostly("squash", seldom=("merge", "rebase")))
@pytest.mark.parametrize("after", ["rebase", "merge"])
def test_the_session_goes_on_over_a_landing(it: Asking, way: str, after: str) -> None:
    """The user's git brings the landing into the branch: it is the base now, the other patch keeps its lines and lands."""
    commits(
        it, ("one", "a.txt", "line 2", "LINE 2"), ("two", "a.txt", "line 5", "LINE 5"),
        ("one", "a.txt", "line 8", "LINE 8"), ("two", "src/b.txt", "b 3", "B 3"),
    )  # fmt: skip
    it.edit("a.txt", "line 10", "LINE 10")
    it.look()
    it.move_target("README", "moved on\n")
    it.merge("one", strategy=way)
    text = (it.root / "a.txt").read_text()
    it.git("stash", "-q")
    it.git(*(["rebase", "-q", "main"] if after == "rebase" else ["merge", "-q", "--no-edit", "main"]))
    it.git("stash", "pop", "-q")
    it.look()
    session = it.ask("session.status")["session"]
    assert session["base"] == it.rev("main") and session["state"] == "live" and session["behind"] == 0
    assert it.ask("unassigned")["unassigned"] == [] and it.status_of("one") == "merged"
    two = patch(it, "two")
    assert (two["ops"], two["status"], two["blockers"]) == (2, "draft", [])
    assert it.merge("two", strategy=way)["files"] == 2
    assert it.on_target("a.txt") == (it.root / "a.txt").read_text() == text
    assert it.on_target("src/b.txt") == (it.root / "src" / "b.txt").read_text()


# What stops it.


@pytest.mark.parametrize("way", ["rebase", "squash"])
def test_conflicts_are_resolved_and_land(it: Asking, way: str) -> None:
    """Records for each path, nothing has moved; by rebase one commit after the other; what was resolved is used."""
    commits(it, ("one", "a.txt", "line 2", "LINE 2"), ("one", "src/b.txt", "b 3", "B 3"))
    it.move_target("a.txt", LINES.replace("line 2", "two"), ("src/b.txt", "b 1\nb 2\nthree\n"))
    at, files = it.rev("main"), it.files()
    dry = it.ask("merge", patch="one", dry_run=True, strategy=way)
    assert dry["conflicts"] and it.status_of("one") == "draft"
    rounds = 0
    while True:
        reply = it.merge("one", strategy=way)
        if reply["merged"]:
            break
        rounds += 1
        assert it.status_of("one") == "conflicts" and it.rev("main") == at and it.files() == files
        for conflict in reply["conflicts"]:
            it.ask("resolve", id=conflict["id"], how="theirs")
    assert rounds == (2 if way == "rebase" else 1) and reply["commits"] == (2 if way == "rebase" else 1)
    assert "LINE 2" in it.on_target("a.txt") and "B 3" in it.on_target("src/b.txt")
    assert it.ask("conflicts")["conflicts"] == []


@pytest.mark.parametrize("way", mostly("rebase", seldom=("squash",)))
def test_what_is_in_the_way_refuses(it: Asking, tmp_path: Path, way: str) -> None:
    """The target checked out elsewhere with a dirty, an untracked, an ignored file in the way; then it gets its files."""
    other = tmp_path / "main"
    git(it.root, "worktree", "add", "-q", str(other), "main")
    commits(it, ("one", "a.txt", "line 2", "LINE 2"), ("one", "a.txt", "line 8", "LINE 8"))
    (it.root / "new.txt").write_text("new\n")
    it.look()
    at = it.rev("main")
    (it.root / ".git" / "info" / "exclude").write_text("*.ignored\n")
    for name in ("a.txt", "new.txt"):
        kept = (other / name).read_bytes() if (other / name).exists() else None
        (other / name).write_text("mine\n")
        with pytest.raises(Refused, match=name.replace(".", r"\.")):
            it.merge("one", strategy=way)
        assert (other / name).read_text() == "mine\n" and it.rev("main") == at
        (other / name).unlink() if kept is None else (other / name).write_bytes(kept)
    (other / "README").write_text("dirty beside\n")
    assert it.merge("one", strategy=way)["merged"]
    assert git(other, "status", "--porcelain").decode() == " M README\n"
    assert (other / "new.txt").read_text() == "new\n" and "LINE 8" in (other / "a.txt").read_text()
    assert git(other, "reflog").count(b"gitsession merge one") == 1


@pytest.mark.parametrize("way", mostly("rebase", seldom=("squash",)))
def test_an_unmerged_dependency_refuses(it: Asking, way: str) -> None:
    """By any strategy: exit 4 that names it; after that the dependent lands with its own lines only."""
    commits(it, ("one", "a.txt", "line 2", "LINE 2"), ("two", "a.txt", "LINE 2", "LINE TWO"))
    with pytest.raises(Refused, match="depends on one"):
        it.merge("two", strategy=way)
    it.merge("one", strategy=way)
    assert it.merge("two", strategy="merge")["merged"]
    assert it.on_target("a.txt") == LINES.replace("line 2", "LINE TWO")


@pytest.mark.parametrize("way", mostly("merge", "rebase", seldom=("squash",)))
def test_what_a_dependency_did_later_is_no_conflict(it: Asking, way: str) -> None:
    """two builds on one, and one goes on right beside two's lines: two lands after it, though its commit lacks that."""
    commits(it, ("one", "a.txt", "line 2\n", "LINE 2\nMORE\n"), ("two", "a.txt", "MORE", "AND MORE"))
    commits(it, ("one", "a.txt", "AND MORE\nline 3", "AND MORE\nLINE 3"))
    assert [one["name"] for one in patch(it, "two")["depends_on"]] == ["one"]
    it.merge("one", strategy="merge")
    assert it.merge("two", strategy=way)["merged"]
    assert it.on_target("a.txt") == (it.root / "a.txt").read_text()


@pytest.mark.parametrize("way", mostly("merge", seldom=("rebase", "squash")))
def test_the_dependent_of_a_patch_squashed_elsewhere_goes_on(it: Asking, tmp_path: Path, way: str) -> None:
    """Somebody squash-merged one: two, which changes its lines, lands with its own change only, and without conflict."""
    other = tmp_path / "main"
    git(it.root, "worktree", "add", "-q", str(other), "main")
    commits(it, ("one", "a.txt", "line 2", "LINE 2"), ("two", "a.txt", "LINE 2", "LINE TWO"))
    git(other, "merge", "-q", "--squash", patch(it, "one")["tip"])
    (other / "README").write_text("along with it\n")
    git(other, "commit", "-q", "-a", "-m", "squashed elsewhere")
    assert patch(it, "one")["merge_strategy"] == "elsewhere"
    reply = it.merge("two", strategy=way)
    assert reply["merged"] and reply["files"] == 1
    assert it.on_target("a.txt") == LINES.replace("line 2", "LINE TWO") and it.on_target("README") == "along with it\n"


@pytest.mark.parametrize("way", mostly("squash", seldom=("rebase",)))
def test_the_target_is_checked_out_here(it: Asking, way: str) -> None:
    """HEAD is on main, the session parked: what is committed lands into this very checkout; reverting waits."""
    commits(it, ("one", "a.txt", "line 2", "LINE 2"), ("one", "src/b.txt", "b 3", "B 3"))
    it.ask("patch.ready", patch="one")
    it.git("switch", "-q", "main")
    (it.root / "README").write_text("dirty\n")
    assert it.merge("one", strategy=way)["merged"]
    assert "LINE 2" in (it.root / "a.txt").read_text() and it.git("status", "--porcelain") == " M README\n"
    with pytest.raises(Refused, match="parked") as refused:
        it.ask("revert", patch="one")
    assert refused.value.hint == "git switch session/x"


def test_hooks_that_refuse_leave_the_state(it: Asking) -> None:
    """commit-msg is asked about a squash before anything is committed, and never about a rebase."""
    it.patch("one", "a.txt", "line 2", "LINE 2")
    hook(it.root, "commit-msg", 'echo "first word"; echo "no: $(head -1 "$1")" >&2; exit 1\n')
    before = it.files()
    with pytest.raises(Refused, match="no: one") as refused:
        it.merge("one", strategy="squash")
    assert "--no-verify" in str(refused.value.hint) and it.files() == before and it.status_of("one") == "draft"
    hook(it.root, "pre-commit", "echo red >&2; exit 1\n")
    hook(it.root, "commit-msg", "exit 0\n")
    for way in WAYS:
        with pytest.raises(Refused, match="red"):
            it.merge("one", strategy=way)
        assert it.files() == before and it.status_of("one") == "draft"
    assert it.merge("one", strategy="rebase", no_verify=True)["merged"]
    hook(it.root, "commit-msg", "echo not back >&2; exit 1\n")
    at = it.rev("main")
    with pytest.raises(Refused, match="not back"):
        it.ask("revert", patch="one")
    assert it.rev("main") == at and it.status_of("one") == "merged"
    assert it.ask("revert", patch="one", no_verify=True)["reverted"]


@pytest.mark.parametrize("does", ['rm "$1"', ': > "$1"'])
def test_a_hook_that_leaves_no_message_refuses(it: Asking, does: str) -> None:
    """No commit without words, as with `git commit`; nothing has moved, and nothing is left over."""
    it.patch("one", "a.txt", "line 2", "LINE 2")
    before, at = it.files(), it.rev("main")
    hook(it.root, "commit-msg", does + "\n")
    with pytest.raises(Refused, match="left no message"):
        it.merge("one", strategy="squash")
    assert it.files() == before and it.rev("main") == at and it.status_of("one") == "draft"
    assert not list((it.root / ".git" / "gitsession").glob("scratch-*"))


def signing(it: Asking, key: Path) -> None:
    """Commits are signed with an ssh key from now on, and git can tell."""
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        key.with_name("allowed").write_text("ann@example.org " + key.with_name(key.name + ".pub").read_text())
    it.git("config", "gpg.format", "ssh")
    it.git("config", "commit.gpgSign", "true")
    it.git("config", "user.signingKey", str(key))
    it.git("config", "gpg.ssh.allowedSignersFile", str(key.with_name("allowed")))


def test_commits_that_cannot_be_signed_are_told_of(it: Asking, tmp_path: Path) -> None:
    """A commit made from a part of the user's is not signed: look ahead, merge and publish say so; a rebase signs it."""
    signing(it, tmp_path / "key")
    commits(it, ("one", "a.txt", "line 2", "LINE 2"), ("two", "a.txt", "line 9", "LINE 9"))
    git(it.root, "init", "-q", "--bare", str(tmp_path / "hub"))
    it.git("remote", "add", "origin", str(tmp_path / "hub"))
    it.git("push", "-q", "origin", "main")
    words = "1 commit of two is not signed"
    assert not any("signed" in one for one in it.ask("patch.validate", patch="one")["warnings"])
    assert any(one.startswith(words) for one in it.ask("patch.validate", patch="two")["warnings"])
    assert it.merge("two", dry_run=True)["warnings"][0].startswith(words)
    assert it.merge("two", dry_run=True, strategy="rebase")["warnings"] == []
    assert any("two are not signed" in one for one in it.ask("publish", patch="two")["notes"])
    assert it.merge("one")["warnings"] == []
    assert it.merge("two")["warnings"][0].startswith(words)
    assert it.git("log", "-1", "--format=%G?", "main^2") == "N\n"


@pytest.mark.parametrize("way", mostly("rebase", seldom=("merge", "squash")))
def test_what_lands_is_signed_or_nothing_does(it: Asking, tmp_path: Path, way: str) -> None:
    """With an ssh key every commit that lands has a good signature, also one that could have stayed as it is; without
    the key, whether there is still something to commit or not, one error and the state as before."""
    commits(it, ("one", "a.txt", "line 2", "LINE 2"), ("one", "a.txt", "line 8", "LINE 8"))
    signing(it, tmp_path / "key")
    it.git("config", "user.signingKey", str(tmp_path / "none"))
    asked = tmp_path / "asked"
    (tmp_path / "signer").write_text(f'#!/bin/sh\necho once >> {asked}\nexec ssh-keygen "$@"\n')
    (tmp_path / "signer").chmod(0o755)
    it.git("config", "gpg.ssh.program", str(tmp_path / "signer"))
    for uncommitted in (False, True):
        if uncommitted:
            it.edit("src/b.txt", "b 3", "B 3")
            it.look()
        before = it.files()
        with pytest.raises(StoreFailed, match="none") as refused:
            it.merge("one", strategy=way)
        assert "signingKey" in str(refused.value.hint)
        assert it.files() == before and it.status_of("one") == "draft"
        assert asked.read_text() == "once\n"  # and nobody asks for a passphrase again
        asked.unlink()
    it.git("config", "--unset", "gpg.ssh.program")
    signing(it, tmp_path / "key")
    old = it.rev("main")
    it.merge("one", strategy=way)
    it.ask("revert", patch="one")
    found = it.git("log", "--first-parent", "--format=%G? %GS", f"{old}..main").splitlines()
    assert set(found) == {"G ann@example.org"} and len(found) == (4 if way == "rebase" else 2)


def test_closing_lands_by_the_configured_strategy(it: Asking) -> None:
    """`close` merges ready patches, a dependency first, as gitsession.merge says; post-merge hears of a squash."""
    commits(it, ("one", "a.txt", "line 2", "LINE 2"), ("two", "a.txt", "LINE 2", "LINE TWO"))
    other = it.root.parent / "main"
    git(it.root, "worktree", "add", "-q", str(other), "main")
    hook(it.root, "post-merge", 'echo "$1" >>../told\n')
    it.git("config", "gitsession.merge", "squash")
    for name in ("one", "two"):
        it.ask("patch.ready", patch=name)
    assert it.ask("patch.validate", patch="one")["blockers"] == []
    assert [one["name"] for one in it.ask("session.close")["merged"]] == ["one", "two"]
    assert (it.root.parent / "told").read_text() == "1\n1\n"
    assert it.git("rev-list", "--merges", "main") == ""
    assert it.on_target("a.txt") == LINES.replace("line 2", "LINE TWO")


# Back again.


@pytest.mark.parametrize("way", mostly("merge", "rebase", seldom=("squash", "elsewhere")))
def test_a_revert_is_gits_and_the_patch_goes_on(it: Asking, tmp_path: Path, way: str) -> None:
    """One commit with the tree of `git revert`; files untouched; the same series; merged again, once."""
    other = tmp_path / "main"
    git(it.root, "worktree", "add", "-q", str(other), "main")
    commits(
        it,
        ("two", "a.txt", "line 5", "LINE 5"),
        ("one", "a.txt", "line 2", "LINE 2"),
        ("one", "src/b.txt", "b 3", "B 3"),
    )
    it.merge("two", strategy="rebase")
    old, series = it.rev("main"), it.ask("patch.show", patch="one")["series"]
    if way == "elsewhere":
        git(other, "merge", "-q", "--squash", patch(it, "one")["tip"])
        git(other, "commit", "-q", "-m", "by hand")
    else:
        it.merge("one", strategy=way)
    (other / "README").write_text("after\n")
    git(other, "commit", "-q", "-a", "-m", "after")
    assert it.status_of("one") == "merged"
    clone, files = scratch(it, "main"), it.files()
    span = ["-m", "1", "main~1"] if way == "merge" else [f"{old}..main~1"]
    git(clone, "revert", "-n", *span)
    reply = it.ask("revert", patch="one")
    assert it.rev("main^{tree}") == git(clone, "write-tree").decode().strip() and reply["files"] == 2
    assert {k: v for k, v in it.files().items() if k != "refs"} == {k: v for k, v in files.items() if k != "refs"}
    assert git(other, "status", "--porcelain") == b"" and "b 3" in (other / "src" / "b.txt").read_text()
    assert it.ask("patch.show", patch="one")["series"] == series
    again = patch(it, "one")
    assert (again["status"], again["ops"], again["merged_at"], again["merge_strategy"]) == ("draft", 2, None, None)
    it.edit("a.txt", "LINE 2", "LINE TWO")
    it.look()
    assert it.ask("unassigned")["unassigned"] == []
    it.restart()
    assert it.status_of("one") == "draft"
    for back in ("merge", "rebase", "squash"):
        assert it.merge("one", strategy=back)["files"] == 2
        assert it.on_target("a.txt") == (it.root / "a.txt").read_text()
        it.ask("revert", patch="one")
        assert it.on_target("a.txt") == LINES.replace("line 5", "LINE 5")


def test_edits_made_after_the_merge_are_the_patchs_again(it: Asking) -> None:
    """What plain git landed without the uncommitted edits is taken back: those were the patch's, and are so again."""
    commits(it, ("one", "a.txt", "line 2", "LINE 2"))
    it.edit("a.txt", "LINE 2", "LINE TWO")
    it.look()
    it.git("push", "-q", ".", "HEAD:main")
    (row,) = it.ask("unassigned")["unassigned"]
    assert row["code"] == "merged"
    it.ask("revert", patch="one")
    assert it.ask("unassigned")["unassigned"] == []
    assert it.merge("one", strategy="merge")["merged"]
    assert it.on_target("a.txt") == LINES.replace("line 2", "LINE TWO")


def test_a_revert_by_hand_is_taken_over(it: Asking, tmp_path: Path) -> None:
    """The target changed the lines since: nothing moves; done by hand, revert opens the patch, its conflict is over."""
    other = tmp_path / "main"
    git(it.root, "worktree", "add", "-q", str(other), "main")
    commits(it, ("one", "a.txt", "line 2", "LINE 2"))
    it.merge("one", strategy="squash")
    (other / "a.txt").write_text(LINES.replace("line 2", "two"))
    git(other, "commit", "-q", "-a", "-m", "on it")
    at = it.rev("main")
    assert [one["path"] for one in it.ask("revert", patch="one")["conflicts"]] == ["a.txt"]
    assert it.rev("main") == at and it.status_of("one") == "merged"
    (other / "a.txt").write_text(LINES)
    git(other, "commit", "-q", "-a", "-m", "by hand")
    reply = it.ask("revert", patch="one")
    assert reply["commit"] is None and it.status_of("one") == "draft" and it.ask("conflicts")["conflicts"] == []
    assert it.merge("one", strategy="merge")["merged"] and "LINE 2" in it.on_target("a.txt")


def test_a_file_in_the_way_stops_a_revert(it: Asking, tmp_path: Path) -> None:
    """Dirt where the target is checked out is named, and nothing has moved; the patch stays merged."""
    other = tmp_path / "main"
    git(it.root, "worktree", "add", "-q", str(other), "main")
    commits(it, ("one", "a.txt", "line 2", "LINE 2"))
    it.merge("one", strategy="rebase")
    (other / "a.txt").write_text("mine\n")
    at = it.rev("main")
    with pytest.raises(Refused, match=r"a\.txt"):
        it.ask("revert", patch="one")
    assert it.rev("main") == at and (other / "a.txt").read_text() == "mine\n" and it.status_of("one") == "merged"


def test_what_cannot_be_reverted(it: Asking) -> None:
    """A draft; a patch that a merged one builds on; one in the base of a session that is behind, until it is not."""
    commits(it, ("one", "a.txt", "line 2", "LINE 2"), ("two", "a.txt", "LINE 2", "LINE TWO"))
    it.move_target("README", "moved on\n")
    with pytest.raises(Refused, match="draft, not merged"):
        it.ask("revert", patch="one")
    it.merge("one", strategy="squash")
    it.merge("two", strategy="squash")
    with pytest.raises(Refused, match="two is merged and builds on one") as refused:
        it.ask("revert", patch="one")
    assert refused.value.hint == "git session revert two"
    it.git("rebase", "-q", "main")
    it.move_target("README", "and on\n")
    at = it.rev("main")
    with pytest.raises(Refused, match="stands on an older main") as refused:
        it.ask("revert", patch="two")
    assert refused.value.hint == "git session update"
    assert it.rev("main") == at and it.status_of("two") == "merged"
    assert it.ask("session.update")["updated"]
    for name, there in (("two", "LINE 2"), ("one", "line 2")):
        assert it.ask("revert", patch=name)["reverted"] and it.status_of(name) == "draft"
        assert there in it.on_target("a.txt") and "LINE TWO" in (it.root / "a.txt").read_text()
    assert [one["name"] for one in patch(it, "two")["depends_on"]] == ["one"]
    assert it.merge("one")["merged"] and it.merge("two")["merged"] and "LINE TWO" in it.on_target("a.txt")


def test_what_is_gone_with_a_revert_has_not_landed(it: Asking) -> None:
    """two deletes a line of one; one is taken back, so the line is not on main: that is no landing of two."""
    commits(it, ("one", "a.txt", "line 10\n", "line 10\nMORE\n"), ("two", "a.txt", "MORE\n", ""))
    it.merge("one", strategy="squash")
    it.ask("revert", patch="one")
    assert it.status_of("two") == "draft" and patch(it, "two")["depends_on"]
    it.merge("one", strategy="merge")
    assert it.status_of("two") == "draft"
    it.merge("two", strategy="merge")
    assert it.on_target("a.txt") == LINES


def test_an_open_patch_waits_for_the_one_below_it(it: Asking) -> None:
    """two builds on one, which is merged and taken back: two needs it again, and lands after it."""
    commits(it, ("one", "a.txt", "line 2", "LINE 2"), ("two", "a.txt", "LINE 2", "LINE TWO"))
    it.merge("one", strategy="rebase")
    it.ask("revert", patch="one")
    with pytest.raises(Refused, match="depends on one"):
        it.merge("two", strategy="squash")
    it.merge("one", strategy="merge")
    it.merge("two", strategy="merge")
    assert it.on_target("a.txt") == LINES.replace("line 2", "LINE TWO")
    status = it.ask("session.status")["session"]
    it.ask("checkpoint")
    Judge(it.root, status["id"], status["worktree_id"]).i1()

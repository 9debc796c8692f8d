"""Control files in a real worktree: a day without a command, ways of saving, what is refused, what is hostile."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bench import Workbench, wait_for
from tests.scenarios.test_seed_story import DB, FIELD, USER, saved, shop, told_with
from tests.scenarios.writers import EDITORS, SEQUENCES, Save, Terminal, editor, in_place, vscode


class Hand:
    """Somebody who has an editor, cp, mv and cat, and types no command."""

    def __init__(self, bench: Workbench, save: Save = in_place) -> None:
        self.bench, self.home, self.save = bench, bench.root / ".gitsession", save

    def cat(self, path: str) -> str:
        try:
            return (self.home / path).read_bytes().decode("utf-8", "surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            return ""

    def until(self, path: str, wanted: str | Callable[[str], Any], why: str = "") -> str:
        """Read a file until it holds this."""
        holds = wanted if callable(wanted) else lambda text: wanted in text
        try:
            wait_for(lambda: holds(self.cat(path)), why=f"for {path} {why}: {wanted!r}")
        except AssertionError as exc:
            raise AssertionError(f"{exc}; errors: {self.cat('errors')}{self.bench.logs()}") from None
        return self.cat(path)

    def write(self, path: str, content: str | bytes) -> None:
        """Save a file as the editor does; a new one as any program."""
        full = self.home / path
        data = content.encode() if isinstance(content, str) else content
        (self.save if full.exists() else in_place)(full, data)

    def new(self, name: str, description: str = "") -> None:
        """Make a patch's directory, and its description in it."""
        (self.home / "patches" / name).mkdir()
        if description:
            self.write(f"patches/{name}/description", description + "\n")
        self.until(f"patches/{name}/status", "draft")


def begun(bench: Workbench, save: Save = in_place) -> Hand:
    """A session x in the checkout, with its control files."""
    bench.run("start", "x", "--here")
    hand = Hand(bench, save)
    hand.until("STATUS", "Session: x")
    return hand


def removed(directory: Path) -> None:
    """Remove a directory in which files may just be replaced."""
    while directory.exists():
        shutil.rmtree(directory, ignore_errors=True)


@told_with(vscode)
def test_a_day_with_an_editor_and_cat_alone(bench: Workbench, save: Save) -> None:
    """Two patches in one file are made, described, ordered and merged by files; what is refused stands beside."""
    shop(bench)
    bench.git("config", "gitsession.controlFiles", "always")
    bench.run("start", "user-improvements", "-m", "Enhancing user validation", "--here")
    hand = Hand(bench, save)
    hand.until("STATUS", "Create new patch...")
    saved(bench, save, "shop/user.py", USER.replace(FIELD.format(1), "    check(user)\n" + FIELD.format(1)))
    saved(bench, save, "shop/checks.py", "def check(user):\n    assert user\n")
    hand.until("assign", "shop/checks.py")
    hand.new("validation-enhancements", "Check users before use")
    hand.until("patches/validation-enhancements/ops", lambda text: text == "add shop/checks.py\nmodify shop/user.py\n")
    hand.new("performance-optimizations")
    hand.until("use", "performance-optimizations")
    content = bench.read("shop/user.py").replace(FIELD.format(8), "    return cached(user).field_8\n")
    saved(bench, save, "shop/user.py", content)
    hand.until("patches/performance-optimizations/diff", "+    return cached(user).field_8\n")

    hand.write("patches/performance-optimizations/depends-on", "validation-enhancements\n")
    hand.until("patches/performance-optimizations/status", "# validation-enhancements must be merged first")
    hand.write("patches/performance-optimizations/status", "merged\n")
    hand.until("patches/performance-optimizations/status.refused", "validation-enhancements, which is not merged")
    assert "patches/performance-optimizations/status: " in hand.until("errors", "not merged")
    hand.until("patches/performance-optimizations/status", lambda text: text.startswith("draft\n"))

    hand.write("patches/validation-enhancements/status", "merged\n")
    hand.until("patches/validation-enhancements/status", "# as ")
    message = bench.git("log", "-1", "--format=%B", "main").out
    assert "'validation-enhancements'" in message and "Check users before use" in message
    assert "cached" not in bench.git("show", "main:shop/user.py").out
    hand.write("patches/performance-optimizations/status", "merged\n")
    hand.until("patches/performance-optimizations/status", "# as ")
    assert not (hand.home / "patches/performance-optimizations/status.refused").exists()
    assert bench.git("show", "main:shop/user.py").out == content
    assert bench.read("shop/user.py") == content and bench.read("shop/db.py") == DB
    assert bench.git("status", "--porcelain").out == ""
    bench.judge(full=False)
    hand.write("requests/end.json", json.dumps({"verb": "session.close", "args": {}}))
    assert json.loads(hand.until("requests/end.reply", "}\n"))["ok"]["session"]["status"] == "closed"
    hand.until("STATUS", "# Ended ")
    assert sorted(os.listdir(hand.home / "requests")) == ["end.reply"] and not (hand.home / "patches").exists()


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name in SEQUENCES if name not in ("sed", "vscode")])
def test_each_way_of_saving_acts_once(bench: Workbench, name: str) -> None:
    """Each recorded way of saving renames, describes and moves the patch in use, once each."""
    hand = begun(bench, SEQUENCES[name])
    hand.new("one")
    hand.new("two")
    hand.write("patches/one/description", "First line\n\nBody\n")
    wait_for(lambda: bench.patch("one")["description"] == "First line\n\nBody")
    hand.write("use", "one\n")
    wait_for(lambda: bench.status()["session"]["patch_in_use"] == bench.patch("one")["id"])
    told = [step["verb"] for step in bench.json("history", "--limit", "50")["steps"]]
    assert told.count("patch rename") == 1 and told.count("patch use") == 1, told
    assert hand.cat("errors") == ""
    bench.judge()


@pytest.mark.soak
@pytest.mark.parametrize("name", EDITORS)
def test_editors_at_a_terminal(bench: Workbench, name: str) -> None:
    """An editor saves a description twice without leaving; it is never told that somebody else changed the file."""
    one = editor(name)
    hand = begun(bench)
    hand.new("p", "line 1")
    file = hand.home / "patches/p/description"
    terminal = Terminal([*one.command, file.name], file.parent)
    try:
        terminal.wait(lambda: b"line 1" in terminal.printed, "the first screen")
        terminal.read(0.5)
        for n in (2, 3):
            terminal.type(one.line.format(f"line {n}"))
            terminal.read(0.1)
            terminal.type(one.save)
            wanted = "".join(f"line {k}\n" for k in range(1, n + 1))
            terminal.wait(lambda wanted=wanted: file.exists() and file.read_text() == wanted, f"save {n}")
            terminal.wait(lambda wanted=wanted: bench.patch("p")["description"] == wanted.strip(), f"description {n}")
            terminal.read(1.0)
            assert hand.cat("patches/p/description") == wanted
    finally:
        terminal.end(one.leave)
    assert hand.cat("errors") == ""
    told = [step["verb"] for step in bench.json("history", "--limit", "50")["steps"]]
    assert told.count("patch rename") in (2, 3), told  # the first may have come with the directory


@pytest.mark.soak
def test_a_command_sees_what_was_saved_before_it(bench: Workbench) -> None:
    """`git session` right after a save of a control file has it acted on; so has a merge that needs it."""
    hand = begun(bench)
    bench.edit("a.txt", "line 2", "two")
    hand.new("one")
    for n in range(5):
        hand.write("patches/one/description", f"told {n}\n")
        assert bench.patch("one")["description"] == f"told {n}"
    hand.write("patches/one/status", "ready\n")
    bench.run("merge", "one")


@pytest.mark.soak
def test_assigning_finds_an_edit_again(bench: Workbench) -> None:
    """A name behind an arrow assigns that edit, also when lines above it came meanwhile; its neighbours stay."""
    hand = begun(bench)
    hand.new("one")
    hand.write("use", "")
    wait_for(lambda: bench.status()["session"]["patch_in_use"] is None)
    text = bench.read("a.txt").replace("line 2\n", "two\n").replace("line 8\n", "eight\n")
    bench.write("a.txt", text)
    bench.run("assign", "a.txt", "--patch", "-")
    listed = hand.until("assign", lambda text: "a.txt:2-2 ->" in text and "a.txt:8-8 ->" in text)
    bench.write("a.txt", "new\n" + bench.read("a.txt"))
    hand.write("assign", listed.replace("a.txt:8-8 ->", "a.txt:8-8 -> one"))
    wait_for(lambda: bench.patch("one")["ops"] == 1)
    assert bench.run("patch", "diff", "one").out.count("\n+") == 2
    assert "+eight" in bench.run("patch", "diff", "one").out
    hand.write("assign", listed.replace("a.txt:2-2 ->", "a.txt:2-2 -> nobody"))
    hand.until("errors", "no patch 'nobody'")
    bench.judge()


@pytest.mark.soak
def test_what_is_only_read_comes_back(bench: Workbench) -> None:
    """Saves of STATUS, ops and diff change nothing, are kept beside, and are told; emptying errors forgets them."""
    hand = begun(bench)
    hand.new("one")
    for path in ("STATUS", "patches/one/ops", "patches/one/diff"):
        before = hand.cat(path)
        hand.write(path, "mine\n")
        hand.until(path + ".refused", "mine\n")
        hand.until(path, lambda text, before=before: text.split("\n")[1:] == before.split("\n")[1:])
    hand.until("errors", lambda text: text.count("is only read") == 3)
    hand.write("errors", "")
    hand.until("errors", lambda text: text == "")
    wait_for(lambda: hand.cat("errors") == "")
    bench.judge()


@pytest.mark.soak
def test_deleting_is_no_command(bench: Workbench) -> None:
    """Files, a patch's directory and all of .gitsession come back; nothing else happened."""
    hand = begun(bench)
    hand.new("one", "kept")
    bench.edit("a.txt", "line 2", "two")
    hand.until("patches/one/ops", "a.txt")
    before = bench.status()["session"]["step"]
    (hand.home / "patches/one/description").unlink()
    hand.until("patches/one/description", "kept")
    removed(hand.home / "patches/one")
    hand.until("patches/one/description", "kept")
    while bench.git("clean", "-fdx", check=False).code:  # a file was just coming back
        pass
    hand.until("patches/one/description", "kept")
    assert bench.status()["session"]["step"] == before and hand.cat("errors") == ""
    assert bench.git("status", "--porcelain").out == " M a.txt\n"


@pytest.mark.soak
def test_nothing_is_written_again_that_is_so(bench: Workbench) -> None:
    """Files keep inode and mtime while they show what is; the daemon sleeps, over a restart too, but for STATUS."""
    hand = begun(bench)
    hand.new("one", "kept")
    bench.edit("a.txt", "line 2", "two")
    hand.until("patches/one/ops", "a.txt")

    def stamps() -> dict[str, tuple[int, int]]:
        files = [path for path in hand.home.rglob("*") if path.is_file() and path.name not in ("STATUS", ".known")]
        return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}

    wait_for(lambda: hand.cat("patches/one/diff").endswith(" line 5\n"))
    before = stamps()
    bench.run("status")
    bench.run("patch", "list")
    assert stamps() == before
    bench.stop()
    assert hand.cat("STATUS").startswith("# Stopped ")
    bench.run("status")
    hand.until("STATUS", "; kept current by process ")
    assert stamps() == before
    bench.edit("a.txt", "line 9", "nine")
    hand.until("patches/one/diff", "+nine")
    changed = {path for path, stamp in stamps().items() if stamp != before[path]}
    assert changed == {str(hand.home / "patches/one/diff")}


@pytest.mark.soak
@pytest.mark.parametrize("way", ["stopped", "killed"])
def test_saves_while_no_daemon_runs_are_acted_on(bench: Workbench, way: str) -> None:
    """What was saved in between is acted on by the next daemon, and what the last one wrote is not taken for a save."""
    hand = begun(bench)
    hand.new("one", "first")
    bench.edit("a.txt", "line 2", "two")
    hand.until("patches/one/ops", "a.txt")
    if way == "killed":
        os.kill(bench.daemon()["pid"], signal.SIGKILL)
    else:
        bench.stop()
    hand.write("patches/one/description", "second\n")
    (hand.home / "requests/show.json").write_text('{"verb": "patch.show", "args": {"patch": "one"}}')
    (hand.home / "patches/two").mkdir()
    bench.run("status")
    wait_for(lambda: bench.patch("one")["description"] == "second")
    assert json.loads(hand.until("requests/show.reply", "}\n"))["ok"]["patch"]["name"] == "one"
    hand.until("patches/two/status", "draft")
    assert hand.cat("errors") == ""


@pytest.mark.soak
def test_links_lead_nowhere(bench: Workbench, tmp_path: Path) -> None:
    """A link in place of a file, a patch's directory or all of .gitsession makes nobody write behind it."""
    hand = begun(bench)
    hand.new("one", "kept")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "description").write_text("secret\n")
    for name in ("STATUS", "errors", "patches/one/description", "requests/x.json"):
        (hand.home / name).unlink(missing_ok=True)
        (hand.home / name).symlink_to(outside / "description")
        bench.write("a.txt", bench.read("a.txt") + f"{name}\n")
        if name != "requests/x.json":
            wait_for(lambda name=name: not (hand.home / name).is_symlink(), why=f"for {name}")
    hand.until("requests/x.reply", "a link, not a file")
    removed(hand.home / "patches/one")
    (hand.home / "patches/one").symlink_to(outside)
    bench.write("a.txt", bench.read("a.txt") + "more\n")
    bench.run("status")
    removed(hand.home)
    hand.home.symlink_to(outside)
    bench.write("a.txt", bench.read("a.txt") + "and more\n")
    bench.run("patch", "rename", "one", "-m", "other")
    bench.run("status")
    assert (outside / "description").read_text() == "secret\n"
    assert os.listdir(outside) == ["description"]
    assert bench.patch("one")["description"] == "other"


@pytest.mark.soak
def test_what_the_repository_brings_asks_for_nothing(bench: Workbench) -> None:
    """Requests and patches that are tracked are content of the repository: checked out or there before, they do nothing."""
    hand = begun(bench)
    evil = bench.at(bench.root.parent / "evil")
    bench.git("worktree", "add", "-q", "-b", "evil", str(evil.root), "main")
    for path, content in (("requests/x.json", '{"verb": "session.abandon"}'), ("patches/bad/description", "bad\n")):
        evil.write(f".gitsession/{path}", content)
        evil.git("add", "-f", f".gitsession/{path}")
    evil.git("commit", "-qm", "evil")
    bench.git("merge", "-q", "--ff-only", "evil")
    assert (hand.home / "requests/x.json").exists()
    for _ in range(3):
        status = bench.status()
    assert status["session"]["status"] == "open"
    assert status["patches"] == [] and (hand.home / "requests/x.json").exists()
    assert "tracks what is in" in bench.logs()
    bench.stop()
    assert bench.status()["patches"] == [] and (hand.home / "requests/x.json").exists()


@pytest.mark.soak
def test_each_worktree_has_its_own_session(bench: Workbench) -> None:
    """Whatever `$GITSESSION` the daemon was started with; what another session's directory left is no wish."""
    begun(bench)
    made = bench.json("start", "y", "--worktree")["session"]
    other = Hand(bench.at(made["worktree"]))
    other.until("STATUS", "Session: y")
    other.new("one", "of y")
    bench.stop()
    bench.run("list", env={"GITSESSION": "x", "GITSESSION_PATCH": "nowhere"})
    other.until("STATUS", lambda text: "Session: y" in text and "; kept current" in text)
    other.write("patches/one/description", "still of y\n")
    wait_for(lambda: other.bench.patch("one")["description"] == "still of y")
    assert bench.status()["patches"] == []
    bench.stop()
    there = Path(made["worktree"])
    never = {"GITSESSION_DAEMON": "never"}
    bench.at(there).run("abandon", "--yes", env=never)
    bench.at(there).run("start", "z", "--here", "--from", "HEAD", "--target", "main", env=never)
    bench.run("status")
    other.until("STATUS", lambda text: "Session: z" in text)
    wait_for(lambda: not (there / ".gitsession/patches/one").exists())
    assert bench.at(there).status()["patches"] == [] and other.cat("errors") == ""


@pytest.mark.soak
def test_odd_things_are_put_aside(bench: Workbench) -> None:
    """A directory, a pipe, a huge file, bytes that are no text, bad JSON: told, kept, and front goes on."""
    hand = begun(bench)
    hand.new("one", "kept")
    one = hand.home / "patches/one"
    (one / "status").unlink()
    (one / "status").mkdir()
    hand.until("errors", "patches/one/status: it is a directory, not a file")
    hand.until("patches/one/status", "draft")
    (one / "status").unlink()
    os.mkfifo(one / "status")
    hand.until("errors", "patches/one/status: it is something else, not a file")
    hand.write("patches/one/description", b"\xff\xfe\n")
    hand.until("errors", "patches/one/description: it is not UTF-8")
    assert (one / "description.refused").read_bytes().endswith(b"\xff\xfe\n")
    hand.write("patches/one/description", b"x" * (3 << 20))
    hand.until("errors", "it is larger than 1 MiB")
    wait_for(lambda: any(path.stat().st_size == 3 << 20 for path in one.glob("description.refused*")))
    hand.until("patches/one/description", "kept")
    for name, content in (("a", "{"), ("b", "[]"), ("c", '{"verb": 1}'), ("d", '{"verb": "nope"}'), ("e", "[" * 99999),
                          ("f", '{"verb": "uninstall"}'), ("g", '{"verb": "patch.new", "args": {"name": 5}}')):  # fmt: skip
        hand.write(f"requests/{name}.json", content)
        assert json.loads(hand.until(f"requests/{name}.reply", "}\n"))["error"]["exit"] == 2, name
        hand.until(f"requests/{name}.json.refused", content)
    for name in ("con", "a" * 65, " ", "x.refused", ".hidden"):
        (hand.home / "patches" / name).mkdir()
    hand.until("errors", "65 characters long")
    assert {patch["name"] for patch in bench.status()["patches"]} <= {"one", "con"}
    bench.run("patch", "new", "a/b: c?")
    wait_for(lambda: list((hand.home / "patches").glob("a-b-*~*/status")))
    hand.write("patches/one/status", "abandoned\n")
    wait_for(lambda: bench.patch("one")["status"] == "abandoned")
    hand.write("patches/one/status", "draft\n")
    wait_for(lambda: bench.patch("one")["status"] == "draft")


@pytest.mark.soak
def test_patches_are_renamed_and_copied(bench: Workbench) -> None:
    """`mv` of a directory renames its patch, `cp -r` makes one with the same description; no other is touched."""
    hand = begun(bench)
    hand.new("one", "kept")
    pid = bench.patch("one")["id"]
    (hand.home / "patches/one").rename(hand.home / "patches/uno")
    wait_for(lambda: [patch["name"] for patch in bench.status()["patches"]] == ["uno"])
    assert bench.patch("uno")["id"] == pid
    shutil.copytree(hand.home / "patches/uno", hand.home / "patches/due")
    wait_for(lambda: len(bench.status()["patches"]) == 2)
    assert bench.patch("due")["description"] == "kept" and bench.patch("uno")["id"] == pid
    hand.until("patches/due/status", "draft")
    assert hand.cat("errors") == ""


@pytest.mark.soak
def test_two_saves_at_once(bench: Workbench) -> None:
    """Twenty patches made and described at the same moment are all there, each with its words."""
    hand = begun(bench)
    for n in range(20):
        (hand.home / f"patches/p{n}").mkdir()
        (hand.home / f"patches/p{n}/description").write_text(f"words {n}\n")
    for n in range(20):
        (hand.home / f"requests/r{n}.json").write_text('{"verb": "patch.list"}')
    wait_for(lambda: len(bench.status()["patches"]) == 20, 30)
    wait_for(lambda: all(hand.cat(f"requests/r{n}.reply").endswith("}\n") for n in range(20)), 30)
    told = {patch["name"]: patch["description"] for patch in bench.status()["patches"]}
    assert told == {f"p{n}": f"words {n}" for n in range(20)}
    assert hand.cat("errors") == ""


@pytest.mark.soak
def test_polled_worktrees_have_them_too(bench: Workbench) -> None:
    """Where nothing tells of saves they are looked for every two seconds, and before each command."""
    bench.git("config", "gitsession.watch", "poll")
    hand = begun(bench)
    (hand.home / "patches/one").mkdir()
    hand.until("patches/one/status", "draft")
    hand.write("patches/one/description", "polled\n")
    assert bench.patch("one")["description"] == "polled"


@pytest.mark.soak
def test_ends_of_sessions_and_worktrees(bench: Workbench) -> None:
    """A removed worktree stays removed, an ended session's STATUS says so, uninstall leaves no file behind."""
    hand = begun(bench)
    made = bench.json("start", "y", "--worktree")["session"]
    other = Hand(bench.at(made["worktree"]))
    other.until("STATUS", "Session: y")
    bench.at(made["worktree"]).run("close", "--yes", "--remove")
    assert not Path(made["worktree"]).exists()
    made = bench.json("start", "z", "--worktree")["session"]
    other = Hand(bench.at(made["worktree"]))
    other.until("STATUS", "Session: z")
    bench.git("worktree", "remove", made["worktree"])
    bench.edit("a.txt", "line 2", "two")
    hand.until("STATUS", "Editor 1: a.txt")
    assert not Path(made["worktree"]).exists()
    bench.run("abandon", "--yes")
    hand.until("STATUS", "# Ended ")
    assert not (hand.home / "patches").exists()
    bench.run("reopen")
    hand.until("STATUS", "; kept current by process ")
    bench.run("uninstall")
    bench.edit("a.txt", "line 9", "nine")
    bench.run("status")
    assert not hand.home.exists() and bench.git("status", "--porcelain").out == " M a.txt\n"
    bench.run("patch", "new", "again")
    hand.until("patches/again/status", "draft")
    assert bench.git("status", "--porcelain").out == " M a.txt\n"


@pytest.mark.soak
def test_they_can_be_switched_off(bench: Workbench) -> None:
    """With gitsession.controlFiles = never there are none."""
    bench.git("config", "gitsession.controlFiles", "never")
    bench.run("start", "x", "--here")
    bench.run("patch", "new", "one")
    bench.run("status")
    assert not (bench.root / ".gitsession").exists()

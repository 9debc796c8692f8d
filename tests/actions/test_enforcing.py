"""What stands behind locks, with a given table of them: records, write bits, what hooks know, branches."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.actions import lockedrefs
from gitsessiond.actions.context import Asked, Who
from gitsessiond.actions.enforcing import hooks_judged
from gitsessiond.daemon.desk import open_desk
from gitsessiond.daemon.locknews import LOCKS_CHANGED
from gitsessiond.model.errors import Locked, Refused, error_from
from gitsessiond.model.locks import Hold, Holder, Want
from gitsessiond.model.resources import resource
from gitsessiond.store.lockjournal import LockJournal
from tests.actions.asking import Asking, it
from tests.conftest import git

__all__ = ["it"]

BOB = Holder("bob", "Bob <b@b>", branch="session/bob")
MINE = Holder("me", "Ann <a@b>")


class Table:
    """A session on one's own, and the locks that somebody has."""

    def __init__(self, it: Asking) -> None:
        self.it = it
        self.journal = LockJournal(it.desk.ctx.repository.state_dir)
        self.last = 0

    def put(self, name: str, holder: Holder = BOB, mode: str = "X") -> Hold:
        self.last += 1
        hold = Hold(Want(resource(name), mode), holder, self.last, 300.0, time.monotonic(), None)
        self.journal.put(hold)
        self.journal.commit(self.last)
        self.changed()
        return hold

    def drop(self, *holds: Hold) -> None:
        for hold in holds:
            self.journal.drop(hold)
        self.journal.commit(self.last)
        self.changed()

    def changed(self) -> None:
        """What front tells."""
        who = {"cwd": str(self.it.root), "session": None, "env": {}}
        reply = self.it.desk.request({"v": 1, "id": 0, "verb": LOCKS_CHANGED, "args": {}, "who": who})
        assert reply["ok"] == {}

    def conflicts(self, **args: Any) -> list[tuple[str, str, int]]:
        rows = self.it.ask("conflicts", **args)["conflicts"]
        return [(one["path"], one["status"], one["lock"]["saves"]) for one in rows]

    def mode(self, path: str = "a.txt") -> int:
        return stat.S_IMODE(self.it.root.joinpath(path).lstat().st_mode)

    def config(self, value: str) -> None:
        git(self.it.root, "config", "gitsession.locks", value)

    def checked(self, fix: bool = False) -> dict[str, Any]:
        """What doctor says of write bits."""
        message = {"v": 1, "id": 1, "verb": "doctor", "args": {"fix": fix}, "who": {"cwd": str(self.it.root)}}
        checks = self.it.desk.request(message)["ok"]["checks"]
        (found,) = [one for one in checks if one["name"] == "write bits"]
        return dict(found)

    def merge(self, client: str | None, token: int | None = None) -> dict[str, Any]:
        """Merge patch p as that client, under that token."""
        who = {"cwd": str(self.it.root), "session": None, "env": {}, "token": token}
        args = {"patch": "p", "ready": True}
        message = {"v": 1, "id": 1, "verb": "merge", "args": args, "who": who, "client": client}
        reply = self.it.desk.request(message)
        if "error" in reply:
            raise error_from(reply["error"])
        done: dict[str, Any] = reply["ok"]
        return done


@pytest.fixture
def table(it: Asking) -> Iterator[Table]:
    table = Table(it)
    yield table
    table.journal.close(table.last)


def test_a_save_over_a_lock_is_one_record_that_ends_with_it(table: Table) -> None:
    hold = table.put("path/a.txt")
    for text in ("one\n", "two\n", "three\n"):
        table.it.root.joinpath("a.txt").write_text(text)
        table.it.look()
    assert table.conflicts() == [("a.txt", "open", 3)]
    table.drop(hold)
    assert table.conflicts() == [] and table.conflicts(all=True) == [("a.txt", "stale", 3)]
    told = [one["event"] for one in table.it.told if "event" in one]
    kinds = [one["type"] for one in told if one.get("kind") == "resource_lock"]
    assert kinds == ["conflict_detected", "conflict_gone"]
    table.put("path/a.txt")
    table.it.root.joinpath("a.txt").write_text("four\n")
    assert table.conflicts() == [("a.txt", "open", 1)]
    table.it.restart()
    assert table.conflicts() == [("a.txt", "open", 1)]  # it is in the record


def test_it_ends_with_the_edit_too(table: Table) -> None:
    before = table.it.root.joinpath("a.txt").read_text()
    table.put("path/a.txt")
    table.it.root.joinpath("a.txt").write_text("one\n")
    assert table.conflicts() == [("a.txt", "open", 1)]
    table.it.root.joinpath("a.txt").write_text(before)
    assert table.conflicts() == []


def test_nobody_is_in_his_own_way(table: Table) -> None:
    """By the session's id, what that begins with, its name, or its branch; only locks for writing count, and only where they are."""
    session = table.it.ask("session.status")["session"]
    for holder in (
        MINE._replace(session=session["id"]), MINE._replace(session=session["name"]),
        MINE._replace(branch=session["branch"]), MINE._replace(session=session["id"][:4]),
    ):  # fmt: skip
        table.put("path/a.txt", holder)
    table.put("path/a.txt", mode="S")
    table.put("path/a.txt", mode="U")
    table.put("path/a.txt", mode="intent")
    table.put("path/a.tx")
    table.put("path/a.txt/")
    table.put("path/*.md")
    table.put("ref/a.txt")
    table.it.root.joinpath("b.txt").write_text("one\n")
    assert table.conflicts() == []
    rows = table.it.ask("session.status")["locks"]
    assert [(one["path"], one["own"]) for one in rows if one["own"]] == [("a.txt", True)] * 4
    assert all(one["mode"] in ("X", "U") for one in rows)


def test_what_a_lock_covers(table: Table) -> None:
    """Files, directories and patterns, by the record and by write bits; a new file has them until the next command."""
    table.config("readonly")
    (table.it.root / "src/deep").mkdir()
    for number, name in enumerate(
        ("/", "path", "path/src/", "path/src", "path/src/b.*", "path/**/b.txt", "path/src/*/"), 1
    ):
        path = "src/deep/new.txt" if name == "path/src/*/" else "src/b.txt"
        hold = table.put(name, BOB._replace(client=str(number)))
        draft = table.it.root / "draft"  # whoever may not write the file can put another in its place
        draft.write_text(f"{number}\n")
        draft.replace(table.it.root / path)
        assert table.conflicts() == [(path, "open", 1)], name
        assert table.mode(path) == 0o444, name
        table.drop(hold)
        assert table.mode(path) == 0o644 and table.conflicts() == [], name


def test_write_bits_come_back_however_it_ends(table: Table) -> None:
    """The setting, the end of the recorder, its death, uninstall."""
    table.config("readonly")
    table.put("path/*.txt")
    assert (table.mode(), table.mode("src/b.txt")) == (0o444, 0o644)
    for ends, again in (
        (lambda: table.config("hooks"), lambda: table.config("readonly")),
        (lambda: table.config("advisory"), lambda: table.config("readonly")),
        (lambda: table.it.ask("uninstall", yes=True), lambda: table.it.ask("patch.new", name="p")),
    ):
        ends()
        table.changed()
        assert table.mode() == 0o644
        again()
        table.changed()
        assert table.mode() == 0o444
    table.it.desk.close()
    assert table.mode() == 0o644
    table.it.desk = open_desk(str(table.it.root), table.it.told.append)
    assert table.mode() == 0o444
    table.it.desk.ctx.store.close()  # as if it had been killed
    git(table.it.root, "config", "--unset", "gitsession.locks")
    table.it.desk = open_desk(str(table.it.root), table.it.told.append)
    assert table.mode() == 0o644
    table.config("readonly")
    table.changed()
    table.it.ask("session.close")
    assert table.mode() == 0o644
    assert not Path(table.it.desk.ctx.repository.state_dir, "readonly.json").exists()


def test_case_counts_for_nothing_where_git_is_told_so(table: Table) -> None:
    git(table.it.root, "config", "core.ignoreCase", "true")
    table.it.desk.close()
    table.it.desk = open_desk(str(table.it.root), table.it.told.append)
    table.config("readonly")
    hold = table.put("path/A.TXT")
    assert table.mode() == 0o444
    table.it.root.joinpath("a.txt").chmod(0o644)
    table.it.root.joinpath("a.txt").write_text("one\n")
    table.it.look()
    assert table.conflicts() == [("a.txt", "open", 1)]
    table.drop(hold)


def test_write_bits_of_a_file_that_was_moved(table: Table) -> None:
    """And of one that is back when the lock has ended; doctor names what only looks like it."""
    table.config("readonly")
    locks = table.put("path/a.txt"), table.put("path/src/")
    table.it.look()
    root = table.it.root
    (root / "a.txt").rename(root / "c.txt")
    (root / "src").rename(root / "lib")
    table.it.look()
    table.drop(*locks)
    assert (table.mode("c.txt"), table.mode("lib/b.txt")) == (0o644, 0o644)
    lock = table.put("path/c.txt")
    table.it.look()
    (root / "c.txt").rename(root.parent / "aside")
    table.drop(lock)
    (root / "c.txt").write_text("copied\n")
    (root / "c.txt").chmod(0o444)
    told = table.checked()
    assert table.mode("c.txt") == 0o444
    assert (told["state"], told["hint"]) == ("warn", "chmod u+w FILE") and str(root / "c.txt") in told["message"]
    (root.parent / "aside").replace(root / "c.txt")
    table.it.look()
    table.changed()
    assert table.checked()["state"] == "ok"
    assert table.mode("c.txt") == 0o644
    assert not Path(table.it.desk.ctx.repository.state_dir, "readonly.json").exists()


def test_write_bits_wait_for_a_worktree_that_is_elsewhere(table: Table) -> None:
    """Until git has removed it."""
    bits, root = table.it.desk.ctx.write_bits, table.it.root.parent / "two"
    table.config("readonly")
    root.mkdir()
    (root / "f").write_text("")
    bits.apply("kkkkkkkkkkkk", os.fsencode(root), {b"f"})
    git_dir = table.it.root / ".git/worktrees/two"
    git_dir.mkdir(parents=True)
    (git_dir / "gitdir").write_text(f"{root}/.git\n")
    (git_dir / "gitsession-wid").write_text("kkkkkkkkkkkk\n")
    root.rename(root.with_name("away"))
    table.changed()
    assert bits.worktrees == ["kkkkkkkkkkkk"] and table.checked()["hint"] == "git worktree list"
    (git_dir / "gitsession-wid").unlink()
    table.changed()
    assert bits.worktrees == [] and table.checked()["state"] == "ok"


def test_a_damaged_journal_of_write_bits_is_told_and_set_aside(table: Table) -> None:
    table.config("readonly")
    table.put("path/a.txt")
    journal = Path(table.it.desk.ctx.repository.state_dir, "readonly.json")
    damaged = journal.read_bytes()[:40]
    table.it.desk.ctx.store.close()  # as if it had been killed
    journal.write_bytes(damaged)
    table.it.desk = open_desk(str(table.it.root), table.it.told.append)
    told = table.checked()
    assert (told["state"], told["hint"]) == ("fail", "git session doctor --fix") and "a.txt" in told["message"]
    assert journal.read_bytes() == damaged
    told = table.checked(fix=True)
    assert (told["state"], told["hint"]) == ("warn", "chmod u+w FILE") and "a.txt" in told["message"]
    assert journal.with_name("readonly.json.damaged-1").read_bytes() == damaged
    assert table.checked()["state"] == "ok"


def test_git_and_the_record_see_nothing_of_write_bits(table: Table) -> None:
    table.it.look()
    steps = table.it.ask("session.status")["session"]["step"]
    table.config("readonly")
    table.put("path")
    table.it.look()
    assert table.mode() == 0o444
    assert git(table.it.root, "status", "--porcelain") == b""
    assert table.it.ask("session.status")["session"]["step"] == steps


def test_what_hooks_know(table: Table) -> None:
    """Pathspecs that git itself takes, the holder and the time; nothing with ``advisory``."""
    table.it.ask("hooks.install")
    held = [table.put(name) for name in ("path/a.txt", "path/src/", "path/src/*/", "/", "ref/refs/heads/main", "db/x")]
    branch = table.it.ask("session.status")["session"]["branch"]
    held.append(table.put(f"ref/refs/heads/{branch[:-1]}*"))
    wid = table.it.ask("session.status")["session"]["worktree_id"]
    known = Path(table.it.desk.ctx.repository.state_dir, "hooks", f"{wid}.locks")
    assert not known.exists()
    table.config("hooks")
    table.changed()
    rows = [line.split("\t") for line in known.read_text().splitlines()]
    assert [row[:2] for row in rows] == [
        ["branch", branch],
        ["path", ":(top,literal)a.txt"],
        ["path", ":(top,literal)src"],
        ["path", ":(top,glob)src/*"],
        ["path", ":(top,glob)src/*/**"],
        ["path", ":(top)"],
        ["ref", "refs"],
        ["ref", "refs/heads/main"],
    ]
    assert all(row[2].startswith("Bob until ") for row in rows)
    table.drop(*held)
    assert not known.exists()


def test_doctor_misses_the_hooks_that_locks_count_on(table: Table) -> None:
    def found() -> tuple[str, str | None]:
        asked = Asked("doctor", {}, Who(cwd=str(table.it.root), session=None, tty=None, pid=1, env={}))
        finding = hooks_judged(table.it.desk.ctx, asked)
        return finding.state, finding.hint

    assert found() == ("ok", None)
    table.config("hooks")
    assert found() == ("warn", "git session hooks install")
    table.it.ask("hooks.install")
    assert found() == ("ok", None)


def refused(table: Table, rows: list[str], *options: str) -> str:
    """What pre-commit says to a commit of a.txt, with these locks of others."""
    wid = table.it.ask("session.status")["session"]["worktree_id"]
    known = Path(table.it.desk.ctx.repository.state_dir, "hooks", f"{wid}.locks")
    known.write_text("".join(f"path\t{spec}\tBob until 10:00\n" for spec in rows))
    words = [*options, "commit", "-q", "-a", "-m", "over a lock"]
    ran = subprocess.run(["git", *words], cwd=table.it.root, capture_output=True, text=True, check=False)
    assert (ran.returncode == 0) == (ran.stderr == ""), ran
    return ran.stderr.partition("\n")[0]


@pytest.mark.parametrize("option", ["--literal-pathspecs", "--glob-pathspecs"])
def test_how_git_takes_paths_is_nothing_to_a_lock(table: Table, option: str) -> None:
    table.it.ask("hooks.install")
    table.it.root.joinpath("a.txt").write_text("mine\n")
    said = refused(table, [":(top,literal)a.txt"], option)
    assert said == "error: a.txt is locked by Bob until 10:00"


def test_more_locks_than_fit_into_one_command(table: Table) -> None:
    """Ten thousand, of long names; what is not locked is committed."""
    table.it.ask("hooks.install")
    table.it.root.joinpath("a.txt").write_text("mine\n")
    many = [f":(top,literal)d{'x' * 230}/{n}" for n in range(10_000)]
    assert refused(table, [*many, ":(top,literal)a.txt"]) == "error: a.txt is locked by Bob until 10:00"
    assert refused(table, [*many, f":(top,literal){'y' * 4000}"]) == ""


@pytest.fixture
def ready(table: Table) -> Table:
    """Patch p, uncommitted, can be merged into a main that nobody has checked out."""
    table.it.patch("p", "a.txt", "line 2\n", "LINE 2\n")
    return table


def test_a_locked_branch_is_not_moved(ready: Table) -> None:
    """Exit 11 and who has it, everything as before; whoever has it himself may."""
    tip, head = git(ready.it.root, "rev-parse", "main"), git(ready.it.root, "rev-parse", "HEAD")
    hold = ready.put("ref/refs/heads/")
    for client in ("me", None):
        with pytest.raises(Locked, match=r"^main is locked by Bob until \d\d:\d\d$") as refused:
            ready.merge(client)
        assert (refused.value.exit_code, refused.value.reason) == (11, "held")
    with pytest.raises(Locked):
        ready.it.ask("push")
    ready.it.ask("commit", message="for all to see")
    ready.it.git("remote", "add", "origin", "../nowhere")
    head = git(ready.it.root, "rev-parse", "HEAD")
    with pytest.raises(Locked, match=r"^published is locked by Bob"):
        ready.it.ask("publish", patch="p", branch="published")
    assert (git(ready.it.root, "rev-parse", "main"), git(ready.it.root, "rev-parse", "HEAD")) == (tip, head)
    assert hold.client == "bob" and ready.merge("bob")["merged"]


def test_a_stale_token_moves_nothing(ready: Table) -> None:
    """Whoever has the branch now, and if nobody has; a token that counts is its holder's."""
    hold = ready.put("ref/refs/heads/main")
    ready.drop(hold)
    again = ready.put("ref/refs/heads/main", mode="U")
    for client in ("bob", "me"):
        with pytest.raises(Locked, match="token 1 is no more") as refused:
            ready.merge(client, hold.token)
        assert refused.value.reason == "stale"
    assert ready.merge("me", again.token)["merged"]


def test_a_lock_that_comes_meanwhile(ready: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at once more when git holds the branch: nothing moves, and nothing is left to be finished."""
    real, asked = lockedrefs.refuse_locked, []

    def late(*args: Any) -> None:
        asked.append(args)
        if len(asked) == 2:
            ready.last += 1
            hold = Hold(Want(resource("ref/refs/heads/main"), "X"), BOB, ready.last, 300.0, time.monotonic(), None)
            ready.journal.put(hold)
            ready.journal.commit(ready.last)
        real(*args)

    monkeypatch.setattr("gitsessiond.actions.merges.refuse_locked", late)
    monkeypatch.setattr("gitsessiond.actions.landings.refuse_locked", late)
    tip = git(ready.it.root, "rev-parse", "main")
    with pytest.raises(Locked):
        ready.merge("me")
    assert git(ready.it.root, "rev-parse", "main") == tip and len(asked) == 2
    assert not os.listdir(Path(ready.it.desk.ctx.repository.state_dir, "intents"))
    assert ready.merge("bob")["merged"]


def test_there_is_nothing_to_settle(table: Table) -> None:
    table.put("path/a.txt")
    table.it.root.joinpath("a.txt").write_text("one\n")
    (found,) = table.it.ask("conflicts")["conflicts"]
    for verb, args in (("resolve", {"how": "ours"}), ("conflict.reopen", {})):
        with pytest.raises(Refused, match="nothing is to be settled"):
            table.it.ask(verb, id=found["id"], **args)
    assert table.it.ask("conflict.show", id=found["id"])["file"] is None
    hints = table.it.ask("session.status")["hints"]
    assert not any("conflict show" in hint for hint in hints)

"""The recorder's desk without a daemon: requests by verb, saves by looking at the disk."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.daemon.desk import Desk, open_desk
from gitsessiond.model.errors import error_from
from tests.conftest import git

LINES = "".join(f"line {n}\n" for n in range(1, 11))


class Asking:
    """One session, started here, on main; the target is checked out nowhere."""

    def __init__(self, repo: Path) -> None:
        self.root = repo
        self.env: dict[str, str] = {}
        self.told: list[dict[str, Any]] = []
        self.desk: Desk = open_desk(str(repo), self.told.append)

    def ask(self, verb: str, **args: Any) -> dict[str, Any]:
        """The reply to a request; its error is raised."""
        self.look()
        who = {"cwd": str(self.root), "session": None, "tty": None, "pid": 1, "env": self.env}
        reply = self.desk.request({"v": 1, "id": 1, "verb": verb, "args": args, "who": who})
        if "error" in reply:
            raise error_from(reply["error"])
        done: dict[str, Any] = reply["ok"]
        return done

    def look(self, *paths: str) -> None:
        """Record what is on disk: everything, or the paths named."""
        for live in self.desk.ctx.sessions.values():
            if live.worktree is not None:
                batch: Mapping[str, Any] = {"paths": list(paths)} if paths else {"scan": True, "git": True}
                done = self.desk.batch({"n": 1, "worktree": live.worktree.repository.worktree, **batch})
                assert not done["recorded"].get("error"), done

    def restart(self) -> None:
        """A new recorder process over the same disk."""
        self.desk.close()
        self.told.clear()
        self.desk = open_desk(str(self.root), self.told.append)

    def start(self, name: str = "x") -> None:
        self.ask("session.start", name=name, here=True)

    def patch(self, name: str, path: str, old: str, new: str, **more: Any) -> None:
        """A new patch with one edit in one file."""
        self.ask("patch.new", name=name, **more)
        self.edit(path, old, new)
        self.look()

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert text.count(old) == 1, (path, old, text)
        (self.root / path).write_text(text.replace(old, new))

    def merge(self, name: str, **more: Any) -> dict[str, Any]:
        """``merge --ready``."""
        return self.ask("merge", **{"patch": name, "ready": True, **more})

    def status_of(self, name: str) -> str:
        """The status of a patch."""
        patches = self.ask("patch.list")["patches"]
        return str(next(patch["status"] for patch in patches if patch["name"] == name))

    def on_target(self, path: str) -> str:
        """A file as main has it."""
        return self.git("show", f"main:{path}")

    def move_target(self, path: str, content: str | bytes | None, *more: tuple[str, str | None]) -> None:
        """A commit on main, made elsewhere, in which these files have these contents."""
        side = self.root.parent / "elsewhere"
        git(self.root, "worktree", "add", "-q", "--detach", str(side), "main")
        for name, text in ((path, content), *more):
            at = side / name
            at.unlink(missing_ok=True)
            if text is not None:
                at.parent.mkdir(parents=True, exist_ok=True)
                at.write_bytes(text.encode() if isinstance(text, str) else text)
        git(side, "add", "-A")
        git(side, "commit", "-q", "--allow-empty", "-m", f"upstream changes {path}")
        git(side, "push", "-q", ".", "HEAD:main")
        git(self.root, "worktree", "remove", "--force", str(side))

    def git(self, *args: str) -> str:
        return git(self.root, *args).decode()

    def rev(self, name: str) -> str:
        return self.git("rev-parse", name).strip()

    def files(self) -> dict[str, bytes]:
        """What the user has: every file, the index, HEAD and the branches."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=self.root, capture_output=True
        )
        names = listed.stdout.decode().split("\0")
        found = {name: (self.root / name).read_bytes() for name in names if name and (self.root / name).exists()}
        refs = self.git("for-each-ref", "refs/heads") + self.git("status", "--porcelain", "-b")
        return found | {"refs": refs.encode()}


@pytest.fixture
def it(repo: Path) -> Iterator[Asking]:
    """The session, in the checkout of the ``repo`` fixture."""
    asking = Asking(repo)
    asking.start()
    yield asking
    asking.desk.close()

"""One recorded worktree without a daemon: a context of real git and store, saves and adoption by hand."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.actions.adoption import adopt
from gitsessiond.actions.commits import CommitDone, commit_patch
from gitsessiond.actions.context import Asked, Context, Who
from gitsessiond.actions.examining import doctor
from gitsessiond.actions.merges import merge_patch
from gitsessiond.actions.patches import make_patch
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.remembering import taken_up
from gitsessiond.actions.saves import record_reading
from gitsessiond.actions.sessions import status_of
from gitsessiond.actions.starting import reopen_worktree, start_session
from gitsessiond.model.graph import graph_of
from gitsessiond.model.holdings import committed_needs
from gitsessiond.model.names import id_from
from gitsessiond.model.ownership import (
    Tools,
    edits_of,
    live_overlay,
    unassigned_rows,
    uncommitted_paths,
    versions,
)
from gitsessiond.model.records import Patch
from gitsessiond.model.registers import EVERYONE
from gitsessiond.model.values import Entry
from gitsessiond.store.chain import read_commit, tree_of_commit
from gitsessiond.store.config import Config
from gitsessiond.store.repository import open_repository
from gitsessiond.store.steps import load_state
from gitsessiond.store.store import open_store
from gitsessiond.store.text import diff_lines, merge_text
from gitsessiond.store.trees import edit_tree, entry_at, list_tree
from tests.conftest import git


class Desk:
    """A session on the ``repo`` fixture, started here; patches by name; every check is against git."""

    watched = False  # nobody sees what happens between two looks

    def __init__(self, root: Path, session: str = "x", worktree: bool = False) -> None:
        self.repo, self.root = root, root
        self.events: list[dict[str, Any]] = []
        self.repository = open_repository(str(root))
        self.numbers = itertools.count(1)
        self.open()
        args = {"name": session} | ({"worktree": True} if worktree else {})
        start_session(self.ctx, Asked("session.start", args, self.who))
        self.live = next(iter(self.ctx.sessions.values()))
        self.root = Path(self.session.worktree)

    def open(self) -> None:
        """A fresh context, as a recorder that starts has it."""
        self.store = open_store(self.repository, durable=False)
        tools = Tools(
            diff=diff_lines,
            merge3=merge_text,
            read=self.store.blob,
            write=lambda content: self.store.put("blob", content),
            new_id=self.new_id,
        )
        self.ctx = Context(
            repository=self.repository,
            store=self.store,
            config=Config(self.repository),
            now=lambda: datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=next(self.numbers)),
            new_id=self.new_id,
            tools=tools,
            tell=self.events.append,
        )

    def restart(self) -> None:
        """Forget everything that is only in memory."""
        self.store.close()
        self.open()
        for tip in self.store.refs("refs/sessions/").values():
            state = load_state(self.store, tip)
            self.live = taken_up(self.ctx, state)
            self.live.worktree = reopen_worktree(self.ctx, state)
            self.ctx.sessions[self.live.sid] = self.live

    def new_id(self) -> str:
        return id_from(next(self.numbers).to_bytes(6, "big"))

    @property
    def who(self) -> Who:
        return Who(cwd=str(self.root))

    @property
    def session(self) -> Any:
        return self.live.state.session

    # What a person does.

    def patch(self, name: str, use: bool = True) -> str:
        """A new patch, in use unless said otherwise."""
        state, patch = make_patch(self.ctx, self.live, self.live.state, name, "", "Ann <a@b>")
        publish(self.ctx, self.live, state, "patch new", text=name)
        if not use:
            self.use(None)
        return patch.id

    def use(self, name: str | None) -> None:
        pid = self.named(name).id if name else None
        session = self.session.model_copy(update={"patch_in_use": pid})
        publish(self.ctx, self.live, self.live.state.__class__(**{**vars(self.live.state), "session": session}), "use")

    def write(self, path: str, text: str | None) -> None:
        """Write a file (None: delete it) without telling anybody."""
        full = self.root / path
        if text is None:
            full.unlink()
            return
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text)

    def save(self, path: str, text: str | None, patch: str | None = None) -> None:
        """Save a file and let it be recorded; ``patch`` is in use for it and stays so."""
        if patch is not None:
            self.use(patch)
        self.write(path, text)
        self.look(path)

    def look(self, *paths: str) -> None:
        """What the recorder does with a batch; without paths it compares everything."""
        assert self.live.worktree is not None
        tree = self.live.worktree
        reading = tree.read_paths([os.fsencode(path) for path in paths]) if paths else tree.scan()
        if not adopt(self.ctx, self.live, reading):
            record_reading(self.ctx, self.live, reading)
            if self.live.worktree is not None:
                tree.accept(reading)

    def adopt(self) -> None:
        """What the recorder does at a doorbell without paths."""
        adopt(self.ctx, self.live)

    def git(self, *args: str, check: bool = True, look: bool = True) -> str:
        """git as the user runs it, and the recorder's next look."""
        out = git(self.root, *args, check=check).decode()
        if look:
            self.look()
        return out.strip()

    def hook(self, name: str, text: str) -> None:
        """A hook of the user's."""
        path = self.root / ".git/hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def commit_patch(self, name: str, message: str | None = "words", **named: Any) -> CommitDone:
        return commit_patch(self.ctx, self.live, self.named(name).id, message, self.who, **named)

    def land(self, name: str) -> None:
        """Merge a patch into the target."""
        done = merge_patch(
            self.ctx, self.live, self.named(name).id, self.who, ready=True, dry_run=False, no_verify=False
        )
        assert done["merged"], done

    def mend(self) -> None:
        """`doctor --fix`."""
        doctor(self.ctx, Asked("doctor", {"fix": True}, self.who))

    # What is true.

    def recorded(self, path: str) -> str | None:
        """A file as it is recorded."""
        entry = entry_at(self.store, self.live.state.work, os.fsencode(path))
        return self.store.blob(entry.oid).decode() if entry else None

    def named(self, name: str) -> Patch:
        return next(patch for patch in self.live.state.patches.values() if patch.name == name)

    def head(self, name: str = "HEAD") -> str:
        return git(self.root, "rev-parse", name).decode().strip()

    def subjects(self, name: str) -> list[str]:
        """The subjects of a patch's series."""
        return [read_commit(self.store, one.oid).subject for one in self.named(name).series if one.of is not None]

    def chain(self) -> list[str]:
        return [read_commit(self.store, oid).subject for oid in self.session.chain]

    def edits(self, name: str) -> list[tuple[str, tuple[int, int] | None]]:
        """A patch's edits: path and lines on disk."""
        found = edits_of(self.live.state.owners, self.named(name).id)
        return [(os.fsdecode(one.path), one.lines) for one in found]

    def uncommitted(self, name: str) -> list[str]:
        found = uncommitted_paths(self.live.state.owners, self.named(name).id, self.live.tip_bit())
        return [os.fsdecode(path) for path in found]

    def unassigned(self) -> list[tuple[str, str]]:
        """Path and label of every unassigned edit."""
        return [(os.fsdecode(row.path), row.label) for row in unassigned_rows(self.live.state.owners)]

    def needs(self, name: str) -> set[str]:
        closure = graph_of(self.live.state.owners).closure(self.named(name).id)
        return {self.live.state.patches[pid].name for pid in closure}

    def last_text(self) -> str:
        """The text of the last step."""
        steps = [event for event in self.events if "edits" in event]  # others tell what a step meant for a patch
        return str(steps[-1]["text"])

    def warnings(self) -> list[str]:
        """What `git session` warns of."""
        return list(status_of(self.ctx, Asked("session.status", {}, self.who))["warnings"])

    def status(self) -> list[str]:
        return git(self.root, "status", "--porcelain").decode().splitlines()

    def check(self, whole: bool = True) -> None:
        """What must hold at every moment: the record is the disk, series are sound; ``whole``: git finds all objects."""
        state = self.live.state
        assert not [event for event in self.events if event["type"] == "bug"], self.events[-1]
        recorded = {os.fsdecode(path): entry.oid for path, entry in list_tree(self.store, state.work)}
        listed = git(self.root, "ls-files", "-z", "-co", "--exclude-standard").decode().split("\0")
        there = [path for path in dict.fromkeys(listed) if path and (self.root / path).is_file()]
        hashed = git(self.root, "hash-object", "--stdin-paths", stdin="".join(f"{p}\n" for p in there).encode())
        links = {path: self.inner_head(path) for path in listed if path and (self.root / path).is_dir()}
        assert recorded == dict(zip(there, hashed.decode().split(), strict=True)) | links
        assert live_tree(self) == state.work
        if state.session.parked is None and self.live.settled is None:
            self.check_chain()
        for patch in state.patches.values():
            if patch.series and patch.status != "merged":
                self.check_series(patch)
        if whole:
            git(self.root, "fsck", "--strict", "--no-dangling")

    def inner_head(self, path: str) -> str:
        """The commit of a submodule."""
        return git(self.root / path, "rev-parse", "HEAD").decode().strip()

    def check_chain(self) -> None:
        """What all owners hold in the last commit is HEAD's tree."""
        if self.session.chain:
            everyone = versions(self.live.state.owners, EVERYONE, self.ctx.tools, self.live.tip_bit())
            assert self.tree_of(everyone) == git(self.root, "rev-parse", "HEAD^{tree}").decode().strip()

    def check_series(self, patch: Patch) -> None:
        """The tip is what the patch and its dependencies hold in its chain commit, and stands on the base."""
        tip, of = patch.series[-1].oid, patch.series[-1].of
        assert of is not None
        who = committed_needs(self.live.state.owners)[patch.id] | {patch.id}
        held = versions(self.live.state.owners, who, self.ctx.tools, self.session.chain.index(of))
        assert self.tree_of(held) == git(self.root, "rev-parse", f"{tip}^{{tree}}").decode().strip()
        assert git(self.root, "merge-base", tip, self.session.base).decode().strip() == self.session.base

    def tree_of(self, overlay: Mapping[bytes, Entry | None]) -> str:
        """The base with an overlay, as a tree."""
        base = tree_of_commit(self.store, self.session.base)
        return edit_tree(self.store, base, overlay) if overlay else base


def live_tree(desk: Desk) -> str:
    """The worktree as the owners make it."""
    return desk.tree_of(live_overlay(desk.live.state.owners, desk.ctx.tools))


def text_at(desk: Desk, revision: str, path: str) -> str:
    """A file in a commit."""
    return git(desk.root, "show", f"{revision}:{path}").decode()


def recorded_text(desk: Desk, path: str) -> str | None:
    """A file as it is recorded."""
    return desk.recorded(path)


def numbered(*changed: tuple[int, str]) -> str:
    """a.txt of the fixture with some lines replaced."""
    text = {number: f"line {number}" for number in range(1, 11)} | dict(changed)
    return "".join(f"{line}\n" for line in text.values())


@pytest.fixture
def desk(repo: Path) -> Iterator[Desk]:
    """A session x here, on main; patches p and q, q in use."""
    made = Desk(repo)
    made.patch("p")
    made.patch("q")
    yield made
    made.store.close()


P1, Q1 = (2, "p first"), (9, "q first")  # what p and q change in a.txt


@pytest.fixture
def both_dirty(desk: Desk) -> Desk:
    """p and q both dirty in a.txt, q in src/b.txt; nothing committed; q in use."""
    desk.save("a.txt", numbered(P1), "p")
    desk.save("a.txt", numbered(P1, Q1), "q")
    desk.save("src/b.txt", "q\n")
    return desk

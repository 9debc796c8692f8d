"""A random day's work on one session, driven through the recorder's desk: real files, real git, real store.

The desk is the recorder without its process: batches name the paths that were written, requests are what a
client sends. :class:`Story` makes the edits from a seed and lets :mod:`tests.judge` look whenever asked to.

What :meth:`DeskBench.judge` looks at: I1 and the first half of I6 whole; I2 over all patches of the session, merged
and abandoned ones and what depends on them too, since their edits keep their labels: they fold without conflict, and
to the disk but for the paths with unassigned edits (an abandoned patch's count as such). I3 is sampled: at most six of
the orders of up to four patches, two random subsets closed under dependencies of any number. I4 is sampled by
:meth:`Story.step`: one edit in ten.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gitsessiond.daemon.desk import Desk, open_desk
from gitsessiond.model.names import quote_path
from gitsessiond.model.ownership import versions
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.trees import edit_tree
from tests.bench import topological
from tests.judge import Broken, Judge, closure, unassigned_paths


class DeskBench:
    """A repository with a desk of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.events: list[dict[str, Any]] = []
        self.desk: Desk = open_desk(str(root), self.events.append)
        self.sent, self.judged = 0, 0
        self.judges: dict[tuple[str, str], Judge] = {}

    def judge_of(self, session: dict[str, Any]) -> Judge:
        """The one of a session: what git has merged for it once, it knows."""
        key = session["id"], session["worktree_id"]
        if key not in self.judges:
            self.judges[key] = Judge(self.root, *key)
        return self.judges[key]

    def ask(self, verb: str, session: str | None = None, **args: Any) -> dict[str, Any]:
        """The whole reply of a request."""
        self.sent += 1
        who = {"cwd": str(self.root), "session": session, "env": {}}
        return self.desk.request({"v": 1, "id": self.sent, "verb": verb, "args": args, "who": who})

    def do(self, verb: str, **args: Any) -> dict[str, Any]:
        """The ``ok`` of a request that must not fail."""
        reply = self.ask(verb, **args)
        assert "ok" in reply, (verb, args, reply)
        return reply["ok"]  # type: ignore[no-any-return]

    def saved(self, *paths: str, git: bool = False) -> None:
        """Tell the desk that these paths were written."""
        names = [quote_path(os.fsencode(path)) for path in paths]
        done = self.desk.batch({"n": 1, "worktree": str(self.root), "paths": names, "scan": False, "git": git})
        assert "error" not in done["recorded"], done

    def save(self, path: str, content: bytes) -> None:
        """Write a file and tell the desk."""
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(content)
        self.saved(path)

    def git(self, *args: str, check: bool = True) -> str:
        done = subprocess.run(["git", *args], cwd=self.root, capture_output=True)
        assert not check or done.returncode == 0, (args, done)
        return os.fsdecode(done.stdout).strip()

    def judge(self, seed: int = 1, full: bool = True) -> None:
        """I1, I2, I3, I6 by git alone."""
        status = self.do("session.status")
        self.do("checkpoint")
        session = status["session"]
        judge = self.judge_of(session)
        judge.i1()
        if not full:
            return
        patches = status["patches"]
        needs = {p["id"]: {d["id"] for d in p["depends_on"]} for p in patches}
        judge.i6(needs)
        base = judge.out(["rev-parse", session["base"] + "^{tree}"])
        order = topological(list(needs), needs)
        judge.i2(base, order, needs, *unassigned_paths(status))
        judge.i3(base, order, needs, seed)
        self.judged += 1

    def versions(self) -> dict[str, tuple[frozenset[str], str]]:
        """Each open patch: all it needs and itself, and the tree of its version, by git."""
        status = self.do("session.status")
        self.do("checkpoint")
        session = status["session"]
        judge = self.judge_of(session)
        needs = {p["id"]: {d["id"] for d in p["depends_on"]} for p in status["patches"]}
        live = [p["id"] for p in status["patches"] if p["status"] not in ("merged", "abandoned")]
        trees = judge.patch_trees(live)
        return {pid: (frozenset(closure(pid, needs) | {pid}), trees[pid]) for pid in live}

    def version(self, who: frozenset[str]) -> str:
        """The tree that these patches make."""
        (live,) = self.desk.ctx.sessions.values()
        base = tree_of_commit(self.desk.ctx.store, live.state.session.base)
        return edit_tree(self.desk.ctx.store, base, versions(live.state.owners, who, self.desk.ctx.tools))


class Story:
    """Random edits and commands, reproducible from ``seed``."""

    def __init__(self, bench: DeskBench, seed: int, files: int = 4) -> None:
        self.bench, self.rng = bench, random.Random(seed)
        self.seed, self.made = seed, 0
        self.edits = 0  # changes of files that were saved
        self.acts: Counter[str] = Counter()  # commands and plain git by name, refused ones not counted
        self.past: dict[str, list[bytes]] = {}
        self.log: list[str] = []
        for n in range(files):
            lines = [
                f"{self.rng.choice('abcdefgh')} {self.rng.randrange(9)}\n" for _ in range(self.rng.randrange(5, 40))
            ]
            (bench.root / f"f{n}.txt").write_text("".join(lines))
        bench.git("add", "-A")
        bench.git("commit", "-qm", "files")
        bench.do("session.start", name="day")

    def paths(self) -> list[str]:
        """The files of the story on disk, in one order everywhere."""
        found = []
        for directory, names, files in os.walk(self.bench.root):
            names[:] = [name for name in names if name not in (".git", ".gitsession", "src")]
            found += [os.path.relpath(os.path.join(directory, name), self.bench.root) for name in files]
        return sorted(path for path in found if not path.startswith((".gitsession", "a.txt", "README")))

    def text(self) -> bytes:
        self.made += 1
        word = (
            f"{self.rng.choice('abcdefgh')} {self.rng.randrange(9)}" if self.rng.random() < 0.4 else f"new {self.made}"
        )
        return word.encode() + b"\n"

    def step(self) -> None:
        """One edit or, now and then, a command; one edit in ten is watched (I4)."""
        act = self.rng.choices(
            [
                self.edit,
                self.create,
                self.delete,
                self.rename,
                self.chmod,
                self.binary,
                self.reformat,
                self.undo,
                self.command,
            ],
            [60, 4, 2, 3, 2, 1, 4, 8, 17],
        )[0]
        self.log.append(act.__name__)
        if act != self.command and self.edits % 10 == 0:
            self.watched(act)
        else:
            act()

    def watched(self, act: Callable[[], None]) -> None:
        """An edit that must leave alone every version of which neither the patch nor one it needs gets a part (I4).

        What it needs is held: an edit of others can make it need more, where it touches somebody whom it needed not, or
        who needed it only through a third. Git judges but where that is so; there the desk's own version has to do.
        """
        before = self.bench.versions()
        self.bench.events.clear()
        act()
        events = [told["event"] for told in self.bench.events if "edits" in told.get("event", ())]
        got = {edit["patch"]["id"] for event in events for edit in event["edits"] if edit["patch"]}
        after = self.bench.versions()
        for pid, (who, tree) in before.items():
            held = after[pid][1] if after[pid][0] == who else self.bench.version(who)
            if not who & got and held != tree:
                raise Broken(f"I4: the edit is of {got or 'nobody'}, the version of {pid} changed")

    def saved(self, *paths: str) -> None:
        """Tell the desk what was written: one edit."""
        self.edits += 1
        self.bench.saved(*paths)

    def save(self, path: str, content: bytes) -> None:
        """Write a file: an edit, if it says something else than before."""
        full = self.bench.root / path
        self.edits += not full.is_file() or full.read_bytes() != content
        self.bench.save(path, content)

    def edit(self) -> None:
        paths = self.paths()
        if not paths:
            return self.create()
        path = self.rng.choice(paths)
        old = (self.bench.root / path).read_bytes()
        if b"\0" in old:
            return None
        lines = old.splitlines(keepends=True)
        for _ in range(self.rng.choice([1, 1, 1, 2, 3])):
            at = self.rng.randrange(len(lines) + 1)
            gone = self.rng.choice([0, 0, 1, 1, 2, 4])
            fresh = [self.text() for _ in range(self.rng.choice([0, 1, 1, 2, 3]))]
            lines[at : at + gone] = fresh
        if lines and not lines[-1].endswith(b"\n") and self.rng.random() < 0.5:
            lines[-1] += b"\n"
        elif lines and self.rng.random() < 0.03:
            lines[-1] = lines[-1].rstrip(b"\n")
        self.keep(path, old)
        return self.save(path, b"".join(lines))

    def keep(self, path: str, content: bytes) -> None:
        self.past.setdefault(path, []).append(content)

    def create(self) -> None:
        self.made += 1
        self.save(f"new/n{self.made}.txt", b"".join(self.text() for _ in range(self.rng.randrange(6))))

    def delete(self) -> None:
        if paths := self.paths():
            path = self.rng.choice(paths)
            self.keep(path, (self.bench.root / path).read_bytes())
            (self.bench.root / path).unlink()
            self.saved(path)

    def rename(self) -> None:
        if paths := self.paths():
            path = self.rng.choice(paths)
            self.made += 1
            os.rename(self.bench.root / path, self.bench.root / f"r{self.made}.txt")
            self.saved(path, f"r{self.made}.txt")

    def chmod(self) -> None:
        if paths := self.paths():
            path = self.bench.root / self.rng.choice(paths)
            path.chmod(path.stat().st_mode ^ 0o100)
            self.saved(str(path.relative_to(self.bench.root)))

    def binary(self) -> None:
        self.made += 1
        self.save(f"b{self.rng.randrange(3)}.bin", b"\0" + self.text())

    def reformat(self) -> None:
        if paths := self.paths():
            path = self.rng.choice(paths)
            old = (self.bench.root / path).read_bytes()
            self.keep(path, old)
            how = self.rng.randrange(4)
            if how == 0:
                new = b"".join(b"  " + line.lstrip(b" ") for line in old.splitlines(keepends=True))
            elif how == 1:
                new = old.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            elif how == 2:
                new = old.replace(b"\r\n", b"\n")
            else:  # two lines joined
                at = self.rng.randrange(old.count(b"\n") or 1)
                lines = old.splitlines(keepends=True)
                new = b"".join(
                    [*lines[:at], *(line.rstrip(b"\r\n") + b" " for line in lines[at : at + 1]), *lines[at + 1 :]]
                )
            self.save(path, new)

    def undo(self) -> None:
        known = [path for path in self.past if (self.bench.root / path).exists()]
        if known:
            path = self.rng.choice(known)
            self.save(path, self.rng.choice(self.past[path][-4:]))

    def command(self) -> None:
        patches = self.bench.do("patch.list")["patches"]
        live = [p["name"] for p in patches if p["status"] in ("draft", "ready")]
        bench = self.bench
        acts: list[tuple[int, str, Callable[[], Any]]] = [(3, "statuses", lambda: bench.ask("session.status"))]
        if len(live) < 5:
            self.made += 1
            acts.append((4, "patches", lambda: bench.ask("patch.new", name=f"p{self.made}")))
        if live:
            name = self.rng.choice(live)
            acts += [
                (8, "uses", lambda: bench.ask("patch.use", patch=name)),
                (4, "assigns", lambda: bench.ask("assign", all=True, patch=name)),
                (3, "reassigns", lambda: self.reassign(name)),
                (3, "commits", lambda: bench.ask("commit", message=f"work on {name}", patch=name)),
                (2, "merges", lambda: bench.ask("merge", patch=name, ready=True)),
                (1, "abandons", lambda: bench.ask("patch.abandon", patch=name)),
                (2, "plain", self.plain_commit),
            ]
        gone = [p["name"] for p in patches if p["status"] == "abandoned"]
        if gone:
            acts.append((2, "reopens", lambda: bench.ask("patch.reopen", patch=gone[0])))
        _, what, act = self.rng.choices(acts, [weight for weight, _, _ in acts])[0]
        reply = act()
        if "error" in reply:
            assert reply["error"]["exit"] in (3, 4, 10, 12), (self.seed, self.log, reply)
        else:
            self.acts[what] += 1

    def reassign(self, name: str) -> dict[str, Any]:
        paths = self.paths()
        if not paths:
            return {}
        path = self.rng.choice(paths)
        first = self.rng.randrange(1, 20)
        return self.bench.ask("assign", what=f"{path}:{first}-{first + self.rng.randrange(4)}", patch=name)

    def plain_commit(self) -> dict[str, Any]:
        self.made += 1
        self.bench.git("commit", "-qam", f"plain {self.made}", check=False)
        self.bench.saved(git=True)
        return {}

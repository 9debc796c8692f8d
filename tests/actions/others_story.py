"""A story in which others move main, told for a judge that looks at every step; used by the tests of updates."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.judge import Broken
from tests.quick_judge import JudgedBench, QuickJudge
from tests.story import Story

DATE = b"1767323045 +0000"


class Stand(NamedTuple):
    """What a command that does not happen must leave: refs but ours, the index, the files."""

    refs: Mapping[Path, bytes]  # by file, HEAD among them
    staged: str
    files: Mapping[str, tuple[bytes, int, int]]


class OthersStory(Story):
    """One session with the target ``main``, on which others commit."""

    def __init__(self, bench: JudgedBench, seed: int) -> None:
        super().__init__(bench, seed, files=3)
        session = bench.do("session.status")["session"]
        self.judge = bench.judge_of_all = QuickJudge(bench.root, session["id"], session["worktree_id"])
        self.branch = "refs/heads/" + session["branch"]
        self.done: Counter[str] = Counter()
        self.index = b"", ""  # its bytes, and what git says of them
        self.rewritten = False  # since the last update; git rebase would keep what main has lost

    def move_main(self, within: Sequence[str] = ()) -> None:
        """A commit on main by somebody else: edits, a new file, a deletion; what a patch has; or main rewritten.

        ``within``: paths that are edited by preference.
        """
        onto = "main"
        if self.rng.random() < 0.04 and self.judge.theirs.oid("main~1"):
            onto, self.rewritten = "main~1", True
            self.done["rewritten"] += 1
        at = self.judge.theirs.oid(onto)
        assert at is not None
        change = b""
        if self.rng.random() < 0.08 and (tips := [p["tip"] for p in self.patches() if p["tip"]]):
            told = self.bench.git("merge-tree", "--write-tree", at, self.rng.choice(tips), check=False).split("\n")
            if len(told) == 1:
                change = b'M 040000 %s ""\n' % told[0].encode()
                self.done["squashed"] += 1
        else:
            names = self.bench.git("ls-tree", "-r", "--name-only", at).splitlines()
            paths = [path for path in names if path[0] in "fnr"]
            for _ in range(self.rng.choice([1, 1, 2])):
                change += self.change_one(at, list(within) or paths)
        self.made += 1
        words = b"others %d" % self.made
        head = b"commit refs/heads/main\ncommitter Bob <bob@example.org> %s\ndata %d\n%s\n" % (DATE, len(words), words)
        stream = head + b"from %s\n" % at.encode() + change
        args = ["git", "fast-import", "--quiet", "--force"]
        done = subprocess.run(args, cwd=self.bench.root, input=stream, capture_output=True)
        assert done.returncode == 0, done

    def change_one(self, onto: str, paths: list[str]) -> bytes:
        """One file of somebody else's commit, as fast-import takes it."""
        if not paths or self.rng.random() < 0.15:
            self.made += 1
            path, text = f"f-others{self.made}.txt", b"".join(self.text() for _ in range(6))
        else:
            path = self.rng.choice(paths)
            if self.rng.random() < 0.04:
                return b"D %s\n" % path.encode()
            lines = (self.judge.theirs.content(f"{onto}:{path}") or b"").splitlines(keepends=True)
            at = self.rng.randrange(len(lines) + 1)
            lines[at : at + self.rng.choice([0, 1, 1, 2])] = [self.text() for _ in range(self.rng.choice([0, 1, 1, 2]))]
            text = b"".join(lines)
        return b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(text), text)

    def patches(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.bench.do("patch.list")["patches"]
        return found

    def stand(self) -> Stand:
        files = {}
        for name in self.judge.names():
            at = self.bench.root / name
            files[name] = at.read_bytes(), at.stat().st_mtime_ns, at.stat().st_mode
        git_dir = self.bench.root / ".git"
        refs = [git_dir / "HEAD", git_dir / "packed-refs", *(git_dir / "refs" / "heads").rglob("*")]
        return Stand({path: path.read_bytes() for path in refs if path.is_file()}, self.staged(), files)

    def staged(self) -> str:
        """What the index holds; git is asked where it is another one, to the byte, than it was."""
        index = (self.bench.root / ".git" / "index").read_bytes()
        if self.index[0] != index:
            self.index = index, self.bench.git("ls-files", "-s")
        return self.index[1]

    def stands(self, main: str | None) -> None:
        """Nothing is staged, HEAD is on the session's branch, and nobody but a merge has moved main."""
        if staged := self.bench.git("diff", "--cached", "--raw"):
            raise Broken(f"the index shows what nobody staged: {staged}")
        if (self.bench.root / ".git" / "HEAD").read_text() != f"ref: {self.branch}\n":
            raise Broken("HEAD is elsewhere")
        if main is not None and self.judge.theirs.oid("main") != main:
            raise Broken("main has moved")

    def rebased(self) -> str:
        """What `git rebase --autostash` makes of a copy: trees and words of the commits, and the files."""
        copy = self.bench.root.parent / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.bench.root, copy, symlinks=True)
        words = ["git", "-c", "merge.directoryRenames=false", "rebase", "-q", "--autostash", "main"]
        done = subprocess.run(words, cwd=copy, capture_output=True)
        clashed = done.returncode or b"CONFLICT" in done.stdout + done.stderr or b"conflicts" in done.stderr
        return "clashes" if clashed else self.shown(copy)

    def shown(self, root: Path) -> str:
        """The commits beyond main, and every file with its content."""
        words = ["git", "log", "--format=%T %an %ad %s", "main.."]
        told = subprocess.run(words, cwd=root, check=True, capture_output=True).stdout
        files = sorted(path for path in root.rglob("*") if not {".git", ".gitsession"} & set(path.parts))
        return repr([told, *((str(path.relative_to(root)), path.read_bytes()) for path in files if path.is_file())])

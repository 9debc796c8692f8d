"""Command lines nobody would type, and those somebody would: each ends as docs/cli.md says, and refused ones change
nothing."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gitsessiond.faces.cli import app
from gitsessiond.faces.cli.ending import EXIT_CODES, wants_json
from gitsessiond.main import run_command
from tests.bench import Workbench
from tests.conftest import git

ODD = (
    "", " ", "-", "--", "-1", "0", "1", "+1", "999999999999999999999", "NaN", "1e9", "\u0661\u0662", "\u00b2",
    "caf\u00e9", "cafe\u0301", "\u540d\u524d", "\u202eabc", "\U0001f4a9", "a\nb", "a\tb", "\x1b[31mred", "\x7f",
    "x" * 64, "x" * 65, "x" * 5000, "a b", "'", '"', "$(id)", "%s", "{}", "\\", "~", "@", "@{-1}", ":", "*",
    os.fsdecode(b"\xff\xfe.txt"), os.fsdecode(b"caf\xe9"),
)  # fmt: skip
PATHS = (
    "a.txt", "src", "src/b.txt", ".", "..", "/", "./a.txt", "src/../a.txt", "gone.txt", "a.txt/", "a.txt:2-3",
    "a.txt:3-1", "a.txt:0-0", "a.txt:-1-5", "a.txt:999-1000", ":1-2", "a.txt:", "a.txt:x-y", ".git", ".git/config",
    ".gitsession", ".gitsession/conflicts", "/dev/null", "src/b.txt:5", "new\nline.txt", os.fsdecode(b"by\xfftes.txt"),
    "link", "-dash.txt", "deep/" * 40 + "x",
)  # fmt: skip
NAMES = ("day", "DAY", "side", "p", "P", "q", "c", "fresh", "Fresh", "day ", "k", "z", "zzzzzzzzzzzz")
REVISIONS = (
    "HEAD",
    "HEAD~1",
    "HEAD~99",
    "main",
    "refs/heads/main",
    "side",
    "HEAD..main",
    "^HEAD",
    "HEAD:a.txt",
    "0" * 40,
)
TIMES = ("14:05", "25:99", "2026-13-45", "2026-01-02 14:05", "10 minutes ago", "yesterday", "3", "8", "-3", "0")
OPTIONS = (
    "--json",
    "--yes",
    "--all",
    "--force",
    "--no-such",
    "-x",
    "-s",
    "--session",
    "-h",
    "--",
    "--version",
    "--json=1",
)

NEVER = {
    ("demo",),  # makes a repository of its own and takes seconds; tests/faces has it
    ("exec",),  # runs whatever word it is given, and ends as that does
    ("watch",),  # the same, and goes on; tests/faces and tests/scenarios/test_use_cases.py have it
    ("agent-hook",),  # answers in another tool's form and with its exit codes; tests/faces has it
}
HANGS = {"--follow"}
DATA_TOO = {
    ("doctor",): {1}, ("merge",): {3}, ("close",): {3}, ("patch", "validate"): {3, 4}, ("assign",): {4},
    ("daemon", "status"): {13}, ("update",): {3}, ("revert",): {3},
}  # fmt: skip
"""Commands whose answer is the exit code as well: they print it and no error."""
MAY_CHANGE = {
    ("start",), ("commit",), ("merge",), ("close",), ("restore",), ("patch", "ready"), ("patch", "abandon"),
    ("resolve",), ("uninstall",), ("reopen",), ("revert",), ("update",), ("push",),
}  # fmt: skip
"""Commands that may change HEAD, an index, a branch, a worktree or a file, when they end with 0."""

Path_ = tuple[str, ...]


def tree_of(command: click.Command, path: Path_ = ()) -> Iterator[tuple[Path_, click.Command]]:
    """Every command of the real tree with its words."""
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from tree_of(child, (*path, name))


COMMANDS = [(path, command) for path, command in tree_of(app.root) if path not in NEVER]


class Lines:
    """A source of command lines."""

    def __init__(self, seed: int, known: list[str]) -> None:
        self.random, self.known = random.Random(seed), known

    def next(self) -> tuple[Path_, list[str]]:
        """The words of a command, and the line; options and arguments are sometimes what they should be."""
        pick = self.random
        path, command = pick.choice(COMMANDS)
        words: list[str] = list(path)
        if pick.random() < 0.06:
            words[-1:] = [pick.choice([*ODD, "strat", "pacth", "list", "new", "stat us"])]
        rest: list[str] = []
        for param in command.params:
            if isinstance(param, click.Argument):
                times = pick.choice([0, 1, 1, 1, 2]) if param.nargs == -1 or not param.required else 1
                if pick.random() < 0.9:
                    rest += [self.value(param.name or "") for _ in range(times)]
            elif isinstance(param, click.Option) and self.wanted(param):
                name = pick.choice(param.opts)
                if name in HANGS:
                    continue
                if param.is_flag:
                    rest.append(name)
                else:
                    value = self.value(param.name or "")
                    rest += [f"{name}={value}"] if name.startswith("--") and pick.random() < 0.3 else [name, value]
        if pick.random() < 0.15:
            rest.append(pick.choice([*OPTIONS, *ODD]))
        if pick.random() < 0.2:
            pick.shuffle(rest)
        if pick.random() < 0.3:
            rest.insert(0, "--json")
        return path, [*words, *rest]

    def wanted(self, option: click.Option) -> bool:
        """Whether to give an option: those that must be given, often; ``-s`` and ``--json`` less often."""
        if option.required:
            return self.random.random() < 0.9
        return self.random.random() < (0.1 if option.name in ("_session", "_json") else 0.3)

    def value(self, name: str) -> str:
        """A value that suits the parameter, or any."""
        kind = name.lower()
        pools: list[tuple[str, ...]] = [NAMES, tuple(self.known)]
        if "path" in kind or kind in ("what", "file", "worktree"):
            pools = [PATHS, PATHS]
        elif kind in ("rev", "from_", "start", "target"):
            pools = [REVISIONS]
        elif kind in ("when", "at", "limit", "since"):
            pools = [TIMES]
        return self.random.choice(self.random.choice([*pools, *pools, ODD, PATHS, NAMES]))


class World:
    """A repository in the middle of a day's work; it is put in order again when a line has ended that day."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self.root = bench.root

    def set_up(self) -> None:
        """A session with a committed patch, one with edits, one with a conflict; another session beside it."""
        run = self.bench.run
        (self.root / "new\nline.txt").write_text("odd\n")
        (self.root / "-dash.txt").write_text("dash\n")
        Path(os.fsdecode(os.fsencode(self.root) + b"/by\xfftes.txt")).write_text("bytes\n")
        (self.root / "link").symlink_to("a.txt")
        run("start", "day")
        run("patch", "new", "p")
        self.bench.edit("a.txt", "line 2\n", "line two\n")
        run("patch", "ready", "p")
        run("patch", "new", "c")
        self.bench.edit("a.txt", "line 9\n", "line nine\n")
        run("patch", "ready", "c")
        other = self.root.parent / "elsewhere"
        git(self.root, "worktree", "add", "-q", str(other), "main")
        self.bench.at(other).edit("a.txt", "line 9\n", "line 9, by others\n")
        git(other, "commit", "-qam", "others")
        git(self.root, "worktree", "remove", str(other))
        run("merge", "c", code=3)
        run("patch", "new", "q")
        self.bench.edit("src/b.txt", "b 5\n", "b five\n")
        run("start", "side", "--worktree", "../side")

    def known(self) -> list[str]:
        """Ids and names that are there."""
        status = self.bench.status()
        ids = [patch["id"] for patch in status["patches"]] + [one["id"] for one in status["conflicts"]]
        return [status["session"]["id"], *ids, *[one[:4] for one in ids], *[one[:1] for one in ids]]

    def set_right(self) -> None:
        """Work can go on: a session is open here."""
        if run_command(["status", "--json"]) == 10:
            self.bench.git("switch", "-q", "-f", "main")
            self.bench.run("start", f"day-{random.random()}", "--here")
        run_command(["patch", "new", f"patch-{random.random()}"])

    def without_nested(self) -> None:
        """Worktrees that a line made inside this one go: they are not recorded, so no judge is to see them."""
        for line in self.bench.git("worktree", "list", "--porcelain").out.splitlines():
            path = line.removeprefix("worktree ")
            if path != line and path.startswith(f"{self.root}/"):
                self.bench.git("worktree", "remove", "-f", "-f", path)

    def theirs(self) -> dict[str, object]:
        """What is the user's: HEADs, indexes, branches, worktrees, files."""
        found: dict[str, object] = {}
        git_dir = self.root / ".git"
        for top in (git_dir / "refs" / "heads", git_dir / "worktrees"):
            for at, _, names in os.walk(top):
                for name in names:
                    if not name.startswith("gitsession"):
                        found[os.path.join(at, name)] = Path(at, name).read_bytes()
        for path in (git_dir / "HEAD", git_dir / "index", git_dir / "packed-refs", git_dir / "config"):
            found[str(path)] = path.read_bytes() if path.exists() else None
        for at, directories, names in os.walk(self.root.parent):
            directories[:] = [name for name in directories if name not in (".git", ".gitsession")]
            for name in (name for name in names if name != ".git"):
                full = Path(at, name)
                found[str(full)] = os.readlink(full) if full.is_symlink() else full.read_bytes()
        return found


@pytest.fixture
def world(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world, with this process standing in it and nothing to read from."""
    made = World(bench)
    made.set_up()
    monkeypatch.chdir(bench.root)
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        yield made


def run_lines(world: World, capfd: pytest.CaptureFixture[str], seed: int, count: int) -> dict[int, int]:
    """Run ``count`` lines; how often each exit code was met."""
    lines, met = Lines(seed, world.known()), dict[int, int]()
    before = world.theirs()
    for number in range(count):
        path, line = lines.next()
        capfd.readouterr()
        try:
            code = run_command(line)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        told = capfd.readouterr()
        said = (
            f"seed {seed} line {number}: {line!r} ended with {code}\n--- out\n{told.out[-2000:]}\n--- err\n{told.err}"
        )
        met[code] = met.get(code, 0) + 1
        check_ending(path, line, code, told.out, told.err, said)
        after = world.theirs()
        if (code == 0 or (path, code) == (("close",), 3)) and may_change(line):  # some of its patches landed
            world.set_right()
            lines.known = world.known()
            after = world.theirs()
        else:
            changed = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
            assert not changed, f"{said}\nchanged: {changed}"
        before = after
    return met


def may_change(line: list[str]) -> bool:
    """Whether the command of a line is one that may change what is the user's."""
    return any(set(words) <= set(line) for words in MAY_CHANGE)


def check_ending(path: Path_, line: list[str], code: int, out: str, err: str, said: str) -> None:
    """A documented exit code; if it is not 0, one error with a hint where it is looked for."""
    assert "Traceback" not in out + err, said
    assert code in EXIT_CODES and code != 70, said
    if code == 0 or code in DATA_TOO.get(path, ()):
        return
    if wants_json(line):
        found = json.loads(out.splitlines()[-1])["error"]
        assert found["code"] and found["message"] and found["hint"], said
    else:
        lines = err.splitlines()
        assert any(one.startswith("error: ") for one in lines) and any(one.startswith("hint: ") for one in lines), said


def test_command_lines(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    """Eighty generated lines: documented ends, plain errors, and nothing changed by what was refused."""
    met = run_lines(world, capfd, seed=int(os.environ.get("GITSESSION_TEST_SEED", "1")), count=80)
    assert met.keys() >= {0, 2, 4, 10}, met
    world.set_right()  # the last lines may have ended the session
    world.without_nested()
    world.bench.judge(full=False)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(11, 21))
def test_two_thousand_command_lines(world: World, capfd: pytest.CaptureFixture[str], seed: int) -> None:
    """The same, two hundred lines of ten seeds."""
    met = run_lines(world, capfd, seed, 200)
    print(f"seed {seed}: {sum(met.values())} command lines, exit codes {sorted(met.items())}")
    assert met.keys() >= {0, 2, 4, 10}, met

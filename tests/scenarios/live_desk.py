"""The desk of the stories over the installed command and a real daemon; it reads what `--json` and plain git say.

It has the words of ``tests/actions/desk.py``, so the same stories run on both. With ``dead`` the daemon is killed
before anything a person does and started again by the next question; else it runs all the time. With ``hooked`` our
hooks are installed. The first question after an act is a command, unless hooked, as are all commands that change
something; further questions go over the socket. With a twin each act is done in a copy without us too, and git must say and leave the same.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gitsessiond.model.errors import Unreachable
from gitsessiond.store.hookfiles import install
from gitsessiond.store.hookplace import place_of
from gitsessiond.wire.client import Client
from tests.actions import test_adoption
from tests.bench import Result, Workbench, topological, wait_for
from tests.bystanders import files_of
from tests.conftest import git as plain_git
from tests.judge import Judge, unassigned_paths
from tests.scenarios.twin import QUERIES, Twin, forget_us, put_hook, said, seen

Seen = dict[str, Any]
Replies = dict[tuple[str, ...], Any]
VERBS: dict[tuple[str, ...], Callable[[tuple[str, ...]], tuple[str, dict[str, Any]]]] = {
    ("status",): lambda args: ("session.status", {}),
    ("patch", "show"): lambda args: ("patch.show", {"patch": args[2]}),
    ("history", "-n"): lambda args: ("history", {"path": None, "limit": int(args[2])}),
}


class LiveDesk:
    """A session x in the checkout ``root``; patches by name."""

    def __init__(self, root: Path, dead: bool = False, known: Replies | None = None, hooked: bool = False) -> None:
        self.dead, self.hooked = dead, hooked
        self.twin: Twin | None = None
        self.said: list[tuple[int, str, str]] = []  # by git, of each act
        self.here: list[tuple[Path, Path]] = []  # a directory of this telling alone, and what it is called in ``said``
        self.watched = not dead
        self.stand_in(root)
        self.runs = False  # the daemon, as far as this desk started it
        self.replies: Replies = {}
        self.asked = False  # since the last act
        if self.state_dir.exists() and not dead:
            self.ask("status")
        self.replies |= known or {}
        self.left: Seen | None = self.bystanders()  # what the person's last act left

    def stand_in(self, root: Path) -> None:
        """Work in this directory from now on."""
        self.root, self.bench = root, Workbench(root)
        self.bench.quiet = False  # this desk watches the bystanders itself, from one act to the next

    @property
    def state_dir(self) -> Path:
        common = self.bench.git("rev-parse", "--path-format=absolute", "--git-common-dir").out.strip()
        return Path(common, "gitsession")

    # The daemon.

    def ask(self, *args: str) -> Any:
        """A question to `git session`; asked once until somebody acts."""
        if args not in self.replies:
            by_socket = self.asked or self.hooked
            self.replies[args] = self.call(*VERBS[args[:-1] or args](args)) if by_socket else self.bench.json(*args)
            self.asked = self.runs = True
        return self.replies[args]

    def call(self, verb: str, args: dict[str, Any]) -> Any:
        return Client(str(self.root), autostart=not self.asked).call(verb, args)

    def tell(self, *args: str) -> Any:
        """A command that changes records, and no more than that."""
        self.replies, self.asked, self.runs = {}, True, True
        return self.bench.json(*args)

    def checkpoint(self) -> str:
        """All that is recorded, where plain git reads it."""
        if not self.runs:
            self.bench.checkpoint()
            self.asked = self.runs = True
        self.call("daemon.checkpoint", {})
        return str(self.state_dir / "store.git")

    def die(self) -> None:
        """kill -9 of both processes."""
        if not self.runs:
            return
        status = self.call("daemon.status", {})
        pids = [int(status[who]) for who in ("pid", "recorder_pid")]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not any(alive(pid) for pid in pids), why="for killed processes")
        self.runs = False

    def restart(self) -> None:
        self.die()
        self.act()

    def act(self) -> None:
        """Something happens: what was said before no longer counts."""
        self.replies, self.asked = {}, False

    def before_an_act(self) -> None:
        """Nothing of the user's has moved since the last act; in the dead way nobody runs now."""
        self.judge_bystanders()
        if self.dead:
            self.die()
        self.act()
        self.left = None

    # What a person does.

    def patch(self, name: str, use: bool = True) -> str:
        self.tell("patch", "new", name)
        if not use:
            self.use(None)
        return str(self.named(name).id)

    def use(self, name: str | None) -> None:
        self.tell("patch", "use", name or "-")

    def write(self, path: str, text: str | None) -> None:
        self.before_an_act()
        if text is None:
            (self.root / path).unlink()
        else:
            self.bench.write(path, text)
        if self.twin is not None:
            self.twin.write(self.root / path, text)
        self.left = self.bystanders()

    def save(self, path: str, text: str | None, patch: str | None = None) -> None:
        if patch is not None:
            self.use(patch)
        self.write(path, text)

    def look(self, *_paths: str) -> None:
        """The person did something behind this desk's back."""
        self.act()
        self.left = self.bystanders()

    adopt = look

    def git(self, *args: str, check: bool = True, look: bool = True) -> str:
        """git as the user runs it; the daemon sees it by itself, or when it lives again."""
        self.before_an_act()
        done = self.act_of_git(self.root, *args)
        assert not (check and done.code), done
        self.left = self.bystanders()
        return done.out.strip()

    def elsewhere(self, root: Path, *args: str, check: bool = True, stdin: bytes | None = None) -> bytes:
        """``git`` of tests/conftest.py, for what a story does beside its worktree."""
        if args[0] in QUERIES or any("refs/gitsession" in word for word in args):
            return plain_git(root, *args, check=check, stdin=stdin)
        done = self.act_of_git(root, *args, stdin=stdin)
        assert not (check and done.code), done
        return done.out.encode()

    def act_of_git(self, root: Path, *args: str, stdin: bytes | None = None) -> Result:
        """One git of the user's, here and in the twin, which must say the same."""
        if self.twin is not None:
            self.twin.follow(self.root)
        done = Result(subprocess.run(["git", *args], cwd=root, input=stdin, capture_output=True))
        self.said.append(said(done, self.here))
        if self.twin is not None:
            alone = self.twin.git(root, *args, stdin=stdin)
            assert said(done, []) == alone, (args, done, alone)
        return done

    def hook(self, name: str, text: str) -> None:
        """A hook of the user's; ours, where they are, have been put in front of it."""
        put_hook(self.root / ".git/hooks" / (f"{name}.user" if self.hooked else name), text)
        if self.twin is not None:
            self.twin.hook(self.root, name, text)

    def land(self, name: str) -> None:
        """Merge a patch into the target: one of the few commands that move something of the user's."""
        self.judge_bystanders()
        assert self.tell("merge", name, "--ready")["merged"]
        self.followed()

    def followed(self) -> None:
        """A command of ours has moved what is the user's, as it may: from here on that counts."""
        self.left = self.bystanders()
        if self.twin is not None:
            self.twin.take_over(self.root)

    def mend(self) -> None:
        """`doctor --fix`."""
        self.tell("doctor", "--fix")

    # What is true.

    @property
    def session(self) -> Any:
        """The session, with chain and foreign commits as the repository's anchor has them."""
        said = self.ask("status")["session"]
        anchor = json.loads(self.anchored(said["id"]))
        for word in ("base", "branch", "status", "parked", "target"):
            assert anchor[word] == said[word], word
        return SimpleNamespace(**said, chain=tuple(anchor["chain"]), foreign=tuple(anchor["foreign"]))

    def anchored(self, sid: str) -> str:
        return self.bench.git("show", f"refs/gitsession/sessions/{sid}:session.json").out

    @property
    def live(self) -> Any:
        """What a desk within the recorder keeps: the number of the last step, whether its sorting stands."""
        session = self.ask("status")["session"]
        return SimpleNamespace(
            state=SimpleNamespace(number=session["step"]),
            settled=self.stored("log", "-1", "--format=%(trailers:key=Settled)") or None,
            worktree=None if session["state"] == "no worktree" else session["worktree"],
        )

    def stored(self, *args: str) -> str:
        """git in the store, about the last step."""
        sid = self.ask("status")["session"]["id"]
        return self.bench.git("--git-dir", self.checkpoint(), *args, f"refs/sessions/{sid}").out.strip()

    def recorded(self, path: str) -> str | None:
        """A file of the last step."""
        session = self.ask("status")["session"]
        step = self.stored("rev-parse")
        inside = f"work/{session['worktree_id']}/{path}"
        done = self.bench.git("--git-dir", self.checkpoint(), "show", f"{step}:{inside}", check=False)
        return done.out if done.code == 0 else None

    def named(self, name: str) -> Any:
        shown = self.ask("patch", "show", name)
        return SimpleNamespace(**shown["patch"], series=[SimpleNamespace(**one) for one in shown["series"]])

    def head(self, name: str = "HEAD") -> str:
        return self.bench.git("rev-parse", name).out.strip()

    def subject(self, oid: str) -> str:
        return self.bench.git("log", "-1", "--format=%s", oid).out.strip()

    def subjects(self, name: str) -> list[str]:
        return [self.subject(one.oid) for one in self.named(name).series if one.of is not None]

    def chain(self) -> list[str]:
        return [self.subject(oid) for oid in self.session.chain]

    def edits(self, name: str) -> list[tuple[str, tuple[int, int] | None]]:
        found = self.ask("patch", "show", name)["edits"]
        return [(one["path"], tuple(one["lines"]) if one["lines"] else None) for one in found]

    def uncommitted(self, name: str) -> list[str]:
        """Where the patch's recorded version differs from its ref."""
        patch = self.named(name)
        self.checkpoint()
        judge = self.judge_of()
        tip = self.patch_ref(patch) or self.session.base
        differing = judge.out(["diff", "--name-only", "--no-renames", tip, judge.patch_tree(patch.id)], judge.objects)
        shutil.rmtree(judge.scratch)
        return differing.split()

    def patch_ref(self, patch: Any) -> str | None:
        ref = f"refs/gitsession/patches/{patch.session_id}/{patch.id}"
        return self.bench.git("rev-parse", "-q", "--verify", ref, check=False).out.strip() or None

    def unassigned(self) -> list[tuple[str, str]]:
        """Path and label of every unassigned edit."""
        return [(row["path"], self.label(row)) for row in self.ask("status")["unassigned"]]

    def label(self, row: Any) -> str:
        if row["code"] != "foreign":
            return f"~{row['code']}"
        origin, _, commit = row["reason"].removeprefix("from ").rpartition(", commit ")
        return f"~foreign {self.head(commit)} {origin}"

    def needs(self, name: str) -> set[str]:
        return {one["name"] for one in self.named(name).depends_on}

    def last_text(self) -> str:
        return str(self.ask("history", "-n", "1")["steps"][0]["text"])

    def warnings(self) -> list[str]:
        return list(self.ask("status")["warnings"])

    def status(self) -> list[str]:
        return self.bench.git("--no-optional-locks", "status", "--porcelain").out.splitlines()

    # Judges.

    def check(self) -> None:
        """The refs of every patch are its series, and hold the words of the commits they are parts of."""
        for patch in self.ask("status")["patches"]:
            series = self.named(patch["name"]).series
            tip = series[-1].oid if series else None
            assert self.patch_ref(SimpleNamespace(**patch)) == tip == patch["tip"]
            for one in series:
                if one.of is not None:
                    assert self.subject(one.oid) == self.subject(one.of) == one.subject

    def judge_beside_git(self) -> Seen:
        """All that git shows is what it shows without us."""
        found = seen(self.root, self.here)
        if self.twin is not None:
            self.twin.follow(self.root)
            alone, found_here = self.twin.seen(self.root), seen(self.root, [])
            differing = {word: (found_here[word], alone[word]) for word in alone if found_here[word] != alone[word]}
            if self.twin.took_over:
                differing.pop("log -g", None)
            assert not differing, differing
        return found | {"said": self.said}

    def judge_of(self) -> Judge:
        session = self.ask("status")["session"]
        return Judge(self.root, session["id"], session["worktree_id"])

    def judge(self) -> Seen:
        """What ends each story: git judges the invariants, nothing of the user's moved; gives what is true now."""
        self.check()
        self.checkpoint()
        self.judge_invariants()
        self.judge_bystanders()
        patches = self.ask("status")["patches"]
        return self.judge_beside_git() | {
            "bystanders": {word: value for word, value in (self.left or {}).items() if word != "files"},
            "owners": {one["name"]: self.edits(one["name"]) for one in patches} | {"~": self.unassigned()},
            "series": {one["name"]: [each.oid for each in self.named(one["name"]).series] for one in patches},
            "chain": self.session.chain,
            "base": self.session.base,
            "parked": self.session.parked,
            "patches": {one["name"]: one["status"] for one in patches},
        }

    def judge_invariants(self) -> None:
        """I1, I2, I3 and I6 as git sees them; all that is not of a patch is an unassigned edit."""
        judge, status = self.judge_of(), self.ask("status")
        judge.i1()
        live = [one for one in status["patches"] if one["status"] != "abandoned"]
        needs = {one["id"]: {other["id"] for other in one["depends_on"]} for one in live}
        judge.i6(needs)
        if status["session"]["state"] == "live":
            base, order = status["session"]["base"], topological([one["id"] for one in live], needs)
            tree = judge.out(["rev-parse", f"{base}^{{tree}}"])
            folded = judge.i2(tree, order, needs, *unassigned_paths(status))
            work = judge.recorded(f"work/{judge.wid}") or ""
            differing = set(judge.out(["diff", "--name-only", "--no-renames", folded, work], judge.objects).split())
            assert differing == {row["path"] for row in status["unassigned"]}, "I2 but for unassigned edits"
            judge.i3(tree, order, needs, seed=1)
            tips = {one["id"]: one["tip"] for one in live if one["tip"]}
            judge.landing(base, [pid for pid in order if pid in tips], tips)
        judge.fsck()
        shutil.rmtree(judge.scratch)

    def bystanders(self) -> Seen:
        """HEAD and its branch, status, index, and every file with its identity."""
        status = self.bench.git("--no-optional-locks", "status", "--porcelain=v2", "--branch").out
        return {"status": status, "index": self.bench.git("ls-files", "-s").out, "files": files_of(self.root)}

    def judge_bystanders(self) -> None:
        """HEAD, index, status and files are what the person's last act left."""
        if self.left is not None:
            now = self.bystanders()
            assert now == self.left, {
                word: (self.left[word], now[word]) for word in now if now[word] != self.left[word]
            }


def alive(pid: int) -> bool:
    """Whether a process runs (one that only waits to be reaped does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Stage:
    """The places where stories begin, made once by the commands themselves and copied back for each story."""

    def __init__(self, place: Path) -> None:
        self.ground, self.kept, self.home = place / "ground", place / "kept", place / "twin"
        self.root = self.ground / "shop"
        self.known: dict[str, Replies] = {}

    def make(self, repo: Path) -> None:
        """Keep ``desk`` (two patches, nothing changed) and ``it`` (the start of the stories)."""
        shutil.copytree(repo, self.root, symlinks=True)
        first = LiveDesk(self.root)
        first.tell("start", "x")
        first.look()
        first.patch("p")
        first.patch("q")
        self.keep("desk", first)
        second = LiveDesk(self.root)
        test_adoption.begin(second)  # type: ignore[arg-type]
        self.keep("it", second)

    def keep(self, name: str, desk: LiveDesk) -> None:
        """Put the ground away as it is now, with what the desk would say."""
        self.known[name] = {
            args: desk.ask(*args) for args in (("status",), ("patch", "show", "p"), ("patch", "show", "q"))
        }
        desk.bench.stop()
        shutil.copytree(self.ground, self.kept / name, symlinks=True)
        plain = self.kept / f"{name} of git alone"
        shutil.copytree(self.ground, plain, symlinks=True)
        forget_us(plain / self.root.name)

    def begin(self, name: str, dead: bool, hooked: bool = False, beside: bool = False) -> LiveDesk:
        """The ground as it was kept; ``hooked``: with our hooks; ``beside``: with a twin."""
        shutil.rmtree(self.ground)
        shutil.copytree(self.kept / name, self.ground, symlinks=True)
        if hooked:
            install_hooks(self.root)
        Workbench(self.root).git("update-index", "-q", "--refresh", check=False)
        desk = LiveDesk(self.root, dead, self.known[name], hooked)
        if beside:
            desk.twin = Twin(self.ground, self.home, self.kept / f"{name} of git alone")
            Workbench(self.home / self.root.name).git("update-index", "-q", "--refresh", check=False)
        return desk

    def end(self) -> None:
        """No daemon stays."""
        try:
            Client(str(self.root), autostart=False).call("daemon.stop", {})
        except Unreachable:
            pass  # the story killed it


def install_hooks(root: Path) -> None:
    """`git session hooks install`, without asking for a daemon (tests/scenarios/test_hooks.py installs by the command)."""
    state = root / ".git/gitsession"
    (state / "hooks").mkdir(mode=0o700)
    install(place_of(str(root / ".git"), str(state), str(root)), trailers=False)

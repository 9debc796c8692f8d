"""``git push`` as a child of the command: at the person's terminal, with their environment, agent and credentials.

What the remote and hooks say is passed on as it comes; git's own ``error:``, ``fatal:`` and ``hint:`` lines are kept
for the one error that the command ends with. Results are read from ``--porcelain`` (git-push(1), OUTPUT).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gitsessiond.faces.cli.terminal import note
from gitsessiond.faces.cli.words import clean
from gitsessiond.model.errors import GitSessionError, Refused, StoreFailed

URL = re.compile(r"https?://[^\x00-\x20<>\"'\x7f-\U0010ffff]+")
INSIDE = "GITSESSION_PUSHING"  # in the environment of git and its hooks: the process whose turn it is
OF_ANOTHER_PLACE = (  # what would make git look elsewhere than in the repository one stands in
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE",
)  # fmt: skip
PROGRESS = re.compile(r"(Enumerating|Counting|Compressing|Writing|Delta compression|Total|To|Everything up-to-date)\b")
RACED = re.compile(r"cannot lock ref .*(is at [0-9a-f]+ but expected|reference already exists)")
NOT_PUSHED = "failed to push some refs"
GITS_OWN = (
    "fatal: ", "hint: ", f"error: {NOT_PUSHED}", "Please make sure you have the correct access rights",
    "and the repository exists.",
)  # fmt: skip
LINE_ENDS = re.compile(rb"[^\r\n]*[\r\n]+|[^\r\n]+$")


class RefResult(NamedTuple):
    """What became of one ref: git's flag (`` + * = !``), our side, the remote's, and the words behind."""

    flag: str
    source: str
    goal: str
    words: str

    @property
    def landed(self) -> bool:
        """Whether the remote now has it where it was to be."""
        return self.flag != "!"

    @property
    def reason(self) -> str:
        """What git has in brackets."""
        return self.words.rpartition("(")[2].rstrip(")") if "(" in self.words else self.words


class Pushed(NamedTuple):
    """What a push came to."""

    code: int
    refs: tuple[RefResult, ...]
    said: tuple[str, ...]  # lines of the remote and of hooks
    complaints: tuple[str, ...]  # git's own errors

    @property
    def stale(self) -> bool:
        """Whether a branch was not where it was expected, when git looked or when the remote moved it."""
        return self.raced or any(one.reason == "stale info" for one in self.refs if not one.landed)

    @property
    def outrun(self) -> bool:
        """Whether the remote has commits that we do not."""
        lacking = ("fetch first", "non-fast-forward")
        return self.raced or any(one.reason in lacking for one in self.refs if not one.landed)

    @property
    def raced(self) -> bool:
        """Whether another push came first, at the very same moment (git's refs/files-backend.c)."""
        return any(not one.landed for one in self.refs) and any(RACED.search(line) for line in self.said)

    @property
    def refused_here(self) -> bool:
        """Whether the person's own pre-push hook said no, so that nothing went out."""
        return self.code == 1 and not self.refs and any(one.startswith(NOT_PUSHED) for one in self.complaints)

    def of(self, goal: str) -> RefResult | None:
        """The result of one of the remote's refs."""
        return next((one for one in self.refs if one.goal == goal), None)

    @property
    def urls(self) -> list[str]:
        """The addresses the remote answered with, once each."""
        lines = (line for line in self.said if line.startswith("remote:"))
        return list(dict.fromkeys(found.rstrip(".,;:)") for line in lines for found in URL.findall(line)))


def push(remote: str, refspecs: Sequence[str], options: Sequence[str], *, quiet: bool) -> Pushed:
    """Run ``git push``; ``quiet``: nothing is passed on, and nobody is asked for credentials.

    Raises:
        StoreFailed: there is no git.
    """
    progress = [] if quiet or not sys.stderr.isatty() else ["--progress"]
    done = run(["push", "--porcelain", *progress, *options, "--", remote, *refspecs], quiet=quiet)
    refs, other = read_porcelain(done.out.splitlines())
    if other and not quiet:
        note("\n".join(other))
    return Pushed(done.code, refs, (*other, *done.said), done.complaints)


class Done(NamedTuple):
    """What a child of git came to."""

    code: int
    out: str
    said: tuple[str, ...]  # whole lines of its standard error
    complaints: tuple[str, ...]  # those that are git's own errors, without git's word for it


def run(words: Sequence[str], *, quiet: bool) -> Done:
    """Run git here, in the person's environment and process group, so that Ctrl-C ends it too.

    What a hook leaves running may hold its output: that goes to a file, and messages are waited for only so long.

    Raises:
        StoreFailed: there is no git.
    """
    with tempfile.TemporaryFile() as out:
        try:
            child = subprocess.Popen(
                ["git", *words], stdout=out, stderr=subprocess.PIPE, env=environment(os.environ, quiet)
            )
        except OSError as exc:
            raise StoreFailed(f"git cannot be started: {exc}", hint="install git 2.39 or newer") from exc
        relay = Relay(child, quiet)
        try:
            code = child.wait()
        except BaseException:
            child.terminate()
            raise
        relay.finish(code)
        out.seek(0)
        shown = out.read().decode("utf-8", "surrogateescape")
    return Done(code, shown, tuple(relay.said), tuple(relay.complaints))


def environment(told: Mapping[str, str], quiet: bool) -> dict[str, str]:
    """The person's own, about this repository, git's words untranslated; a program is not asked for a password."""
    env = {name: value for name, value in told.items() if name not in OF_ANOTHER_PLACE}
    env["LANGUAGE"], env[INSIDE] = "C", str(os.getpid())
    if quiet:
        env.setdefault("GIT_TERMINAL_PROMPT", "0")
    return env


class Relay:
    """Passes on what a child says on standard error, line by line as it comes, and keeps it."""

    def __init__(self, child: subprocess.Popen[bytes], quiet: bool) -> None:
        assert child.stderr is not None
        self.said: list[str] = []
        self.complaints: list[str] = []
        self._held: list[bytes] = []
        self._quiet, self._pipe = quiet, child.stderr
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        left = b""
        while piece := os.read(self._pipe.fileno(), 1 << 16):
            *whole, left = split_lines(left + piece)
            for line in whole:
                self._take(line)
        if left:
            self._take(left)

    def _take(self, line: bytes) -> None:
        """One line, its end included. From the first error on they wait: the rest may be git's advice."""
        text = text_of(line)
        for word in ("error: ", "fatal: "):
            if text.startswith(word):
                self.complaints.append(clean(text.removeprefix(word)))
        if self.complaints:
            self._held.append(line)
        elif not text.startswith("hint: "):
            self._tell(line)

    def _tell(self, line: bytes) -> None:
        text = text_of(line)
        if not self._quiet:
            self._pass_on(line)
        if line.endswith(b"\n") and text.strip() and not PROGRESS.match(text):
            self.said.append(text)

    def _pass_on(self, line: bytes) -> None:
        """As it came. One who has gone away is no reason to leave git with a full pipe."""
        try:
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
        except (OSError, ValueError):
            self._quiet = True

    def finish(self, code: int) -> None:
        """Wait for the rest, but not for long for what a hook left running; what is not git's own is passed on."""
        self._thread.join(2.0)
        by_git = (
            GITS_OWN if code == 1 and not any(b"fatal: " in line for line in self._held) else (*GITS_OWN, "error: ")
        )
        for line in self._held:
            if not text_of(line).startswith(by_git):
                self._tell(line)


def text_of(line: bytes) -> str:
    """A line without its end."""
    return line.decode("utf-8", "surrogateescape").rstrip("\r\n")


def split_lines(data: bytes) -> list[bytes]:
    """The whole lines of some output, each with its end (progress ends in carriage returns), and the rest."""
    lines = LINE_ENDS.findall(data)
    return lines if lines and not lines[-1].endswith((b"\r", b"\n")) else [*lines, b""]


def read_porcelain(lines: Iterable[str]) -> tuple[tuple[RefResult, ...], list[str]]:
    """The results of ``--porcelain``, and the lines that hooks printed between them."""
    refs, other = [], []
    for line in lines:
        flag, _, rest = line.partition("\t")
        names, tab, words = rest.partition("\t")
        source, colon, goal = names.partition(":")
        if tab and colon and len(flag) == 1:
            refs.append(RefResult(flag, source, goal, words))
        elif line != "Done" and not line.startswith("To "):
            other.append(line)
    return tuple(refs), other


def failure(pushed: Pushed, remote: str, what: str, again: str, *, quiet: bool) -> GitSessionError:
    """Why a push came to nothing, as the one error of its command; ``again``: the command to run then.

    ``quiet``: what the remote and the hooks said was not passed on as it came.
    """
    said = pushed.said[-20:] if quiet else []
    answer = " / ".join(clean(line.removeprefix("remote:").strip()) for line in said)
    refused = [one for one in pushed.refs if not one.landed and "atomic" not in one.reason]
    if refused:
        words = f"{remote} refused {what}: {clean(refused[0].reason)}"
        return Refused(f"{words}: {answer}" if answer else words, hint=again)
    if pushed.refused_here:
        words = f"the pre-push hook refused {what}"
        return Refused(f"{words}: {answer}" if answer else words, hint=f"{again} --no-verify")
    words = "; ".join([*pushed.said[-2:], *pushed.complaints]) or f"git push ended with exit {pushed.code}"
    return StoreFailed(f"{what} could not be pushed to {remote}: {clean(words)}", hint=f"git ls-remote {remote}")


def heads_at(remote: str, branches: Sequence[str], *, quiet: bool) -> dict[str, str | None]:
    """What a remote's branches are at now.

    Raises:
        StoreFailed: it cannot be asked.
    """
    names = [f"refs/heads/{branch}" for branch in branches]
    out = told_by(["ls-remote", "--refs", "--", remote, *names], f"{remote} cannot be asked", quiet=quiet)
    found = {name: oid for oid, _, name in (line.partition("\t") for line in out.splitlines())}
    return {branch: found.get(f"refs/heads/{branch}") for branch in branches}


def fetch(remote: str, ref: str, *, quiet: bool) -> str:
    """Fetch one ref of a remote, as the commit it is; nothing of the person's but remote-tracking refs moves.

    Raises:
        StoreFailed: it cannot be fetched.
    """
    kept = f"refs/gitsession/held/push-{os.getpid()}"  # such refs are swept at a daemon's start
    what = f"{remote} has commits that are not here, and they cannot be fetched"
    words = ["fetch", "-q", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--", remote]
    told_by([*words, f"+{ref}:{kept}"], what, quiet=quiet)
    return told_by(["rev-parse", "--verify", f"{kept}^{{commit}}"], what, quiet=quiet).strip()


def let_go() -> None:
    """Remove the ref that :func:`fetch` kept a commit by."""
    told_by(["update-ref", "-d", f"refs/gitsession/held/push-{os.getpid()}"], "a ref cannot be removed", quiet=True)


def told_by(words: Sequence[str], what: str, *, quiet: bool) -> str:
    """The output of a git command; ``what``: what its failure means.

    Raises:
        StoreFailed: it failed.
    """
    done = run(words, quiet=quiet)
    if done.code != 0:
        said = "; ".join([*done.said[-2:], *done.complaints]) or f"exit {done.code}"
        raise StoreFailed(f"{what}: {clean(said)}", hint="git remote -v")
    return done.out

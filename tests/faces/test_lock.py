"""The commands about locks: what their words mean, and what they say."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.faces.cli import lock
from gitsessiond.faces.cli.app import main
from gitsessiond.faces.cli.locknames import names_of
from gitsessiond.model.errors import BadRequest, Locked, NotFound
from gitsessiond.wire.client import DaemonEnded, locked_by
from tests.faces import replies
from tests.faces.test_app import PARTY, TAKEN


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with odd names and links."""
    top = tmp_path_factory.mktemp("locks") / "repo"
    subprocess.run(["git", "init", "-q", str(top)], check=True)
    (top / "src" / "in").mkdir(parents=True)
    for name in ("src/a.py", "src/[id].tsx", "src/in/b*"):
        (top / name).write_text("x\n")
    (top / "link").symlink_to("src")
    (top / "src" / "out").symlink_to("/")
    (top / "src" / "loop").symlink_to("loop")
    return top


@pytest.mark.parametrize(
    ("where", "word", "name"),
    [
        ("", "src/a.py", "path/src/a.py"),
        ("src", "a.py", "path/src/a.py"),
        ("src/in", "../a.py", "path/src/a.py"),
        ("src", ".", "path/src/"),
        ("", ".", "path"),
        ("src", "..", "path"),
        ("", "src", "path/src/"),
        ("", "new/dir/", "path/new/dir/"),
        ("", "new/file", "path/new/file"),
        ("", "src/[id].tsx", "path/src/\\[id].tsx"),
        ("", "src/[ab].tsx", "path/src/[ab].tsx"),
        ("src", "in/b*", "path/src/in/b\\*"),
        ("src", "*.py", "path/src/*.py"),
        ("", "**/*.md", "path/**/*.md"),
        ("", "link", "path/link"),
        ("", "link/a.py", "path/src/a.py"),
        ("", "link/*.py", "path/src/*.py"),
        ("", "src/out", "path/src/out"),
        ("", "src/loop", "path/src/loop"),
    ],
)
def test_a_path_is_named_from_the_top(ground: Path, where: str, word: str, name: str) -> None:
    """However it is reached it is one name; a file of that very name is meant before a pattern."""
    assert names_of("file", (word,), str(ground / where)) == [name]
    assert names_of("file", (os.path.join(ground, where, word) + "/" * word.endswith("/"),), str(ground)) == [name]


@pytest.mark.parametrize("word", ["..", "../x", "/etc/passwd", "src/out/etc/passwd", "../../*"])
def test_what_is_outside_is_refused(ground: Path, word: str) -> None:
    with pytest.raises(NotFound):
        names_of("file", (word,), str(ground))


def test_other_types(ground: Path) -> None:
    here = str(ground)
    assert names_of("git", ("main", "refs/tags/v1", "git/config"), here) == [
        "ref/refs/heads/main", "ref/refs/tags/v1", "git/config",
    ]  # fmt: skip
    assert names_of("database", ("users",), here) == ["db/users"]
    assert names_of("project", (), here) == ["path"]
    assert names_of("project", ("src",), here) == ["path/src/"]
    assert names_of("exclusive", (), here) == ["/"]
    for kind, words in (("file", ()), ("git", ()), ("exclusive", ("x",))):
        with pytest.raises(BadRequest):
            names_of(kind, words, here)


Run = Callable[..., tuple[int, str, str, list[Any]]]


@pytest.fixture
def run(ground: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command line there: its code, what it printed, and what it asked."""
    monkeypatch.chdir(ground)

    def one(*words: str, **answers: Any) -> tuple[int, str, str, list[Any]]:
        client = replies.FakeClient(answers)
        code = main(words, client.dial)
        told = capsys.readouterr()
        return code, told.out, told.err, client.asked

    return one


@pytest.mark.parametrize(
    ("words", "wait", "names"),
    [
        (["src/a.py"], False, ["path/src/a.py"]),
        (["--wait", "src/a.py"], True, ["path/src/a.py"]),
        (["src/a.py", "--wait"], True, ["path/src/a.py"]),
        (["--wait", "2.5", "src/a.py"], 2.5, ["path/src/a.py"]),
        (["--wait=7", "src/a.py"], 7.0, ["path/src/a.py"]),
        (["--wait", "--", "7"], True, ["path/7"]),
    ],
)
def test_wait_may_stand_alone(run: Run, words: list[str], wait: float | bool, names: list[str]) -> None:
    code, out, _, asked = run("lock", *words, **{"lock.acquire": {"locks": [TAKEN]}})
    assert (code, out) == (0, "Locked a.py (write, 5 min, token 3).\n")
    assert asked[0][1]["wait"] == wait
    assert [one["name"] for one in asked[0][1]["resources"]] == names


def test_a_lock_that_is_more_than_was_asked_for_is_said_to_be_so(run: Run) -> None:
    """It was there before, and how long it lasts may have changed by asking."""
    more = {"lock.acquire": {"locks": [TAKEN]}}
    assert run("lock", "src/a.py", "--mode", "S", **more)[1] == (
        "You have the lock on a.py already, for more than read (write, 5 min from now, token 3).\n"
    )
    assert "more than intent" in run("lock", "src/a.py", "--mode", "intent", **more)[1]
    assert run("lock", "src/a.py", "--mode", "X", **more)[1].startswith("Locked a.py (write, ")


def test_what_is_locked_and_is_not_there_is_named(run: Run) -> None:
    """As `abc` is that was to be a time."""
    granted = {"lock.acquire": {"locks": [TAKEN]}}
    assert run("lock", "src/a.py", "--wait", "abc", "*.md", **granted)[2] == "abc is not there yet\n"
    assert run("lock", "--type", "database", "abc", **granted)[2] == ""


def test_a_refusal_says_what_to_type_where_one_stands(run: Run) -> None:
    held = Locked("src/[id].tsx is locked by Ann", hint="other words", reason="held", details={"held": [TAKEN | PARTY]})
    code, out, err, _ = run("lock", "src/[id].tsx", **{"lock.acquire": held})
    assert (code, out) == (11, "")
    assert err.splitlines()[1] == "hint: git session lock 'src/[id].tsx' --wait"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--mode", "S", "--ttl", "5", "--reason", "to look", "src/a.py"],
         "src/a.py --mode S --ttl 5 --reason 'to look' --wait"),
        (["--", "-x.py"], "--wait -- -x.py"),
        (["--type", "git", "main"], "--type git main --wait"),
        (["--type", "exclusive"], "--type exclusive --wait"),
    ],
)  # fmt: skip
def test_the_hint_asks_for_the_same_again(run: Run, words: list[str], hint: str) -> None:
    """Pasted, it is read as it is meant."""
    held = {"lock.acquire": Locked("it is locked", hint="other words", reason="held", details={"held": []})}
    code, _, err, first = run("lock", *words, **held)
    assert (code, err.splitlines()[1]) == (11, f"hint: git session lock {hint}")
    again = run("lock", *shlex.split(hint), **{"lock.acquire": {"locks": [TAKEN]}})[3]
    assert again[0][1] == first[0][1] | {"wait": True}


@pytest.mark.parametrize(
    ("words", "name", "hint"),
    [
        (["--type", "git", "main"], "ref/refs/heads/main", "--type git main --force --reason WHY"),
        (["--type", "exclusive"], "/", "--type exclusive --force --reason WHY"),
        (["--type", "project"], "path", "--type project --force --reason WHY"),
        (["src/a.py", "src/in"], "path/src/in", "src/in --force --reason WHY"),
        (["--", "-x.py"], "path/-x.py", "--force --reason WHY -- -x.py"),
    ],
)
def test_the_hint_breaks_what_is_anothers(run: Run, words: list[str], name: str, hint: str) -> None:
    other = TAKEN | PARTY | {"name": name}
    code, _, err, _ = run("unlock", *words, **{"lock.release": {"released": [], "others": [other]}})
    assert (code, err.splitlines()[1]) == (11, f"hint: git session unlock {hint}")
    asked = run("unlock", *shlex.split(hint), **{"lock.break": {"locks": [], "broken": [other]}})[3]
    assert asked[0][1]["name"].rstrip("/") == name.rstrip("/") or asked[0][1]["name"] == name


@pytest.mark.parametrize(
    "words",
    [[""], [".git"], ["a\tb"], ["--type", "git", "git/foo"], ["src/a.py", "--reason", ""], ["a", "--reason", "\t"]],
)
def test_what_names_nothing_is_not_asked_for(run: Run, words: list[str]) -> None:
    """And the hint is a command."""
    code, _, err, asked = run("lock", *words)
    assert (code, asked) == (2, [])
    assert err.splitlines()[1].startswith("hint: git session lock ")


def test_who_waits_is_told_for_whom() -> None:
    """On the terminal's line: the first that is another's, and no mark of intent."""
    mine, mark = TAKEN | PARTY | {"mine": True}, TAKEN | PARTY | {"mine": False, "mode": "intent"}
    other = TAKEN | PARTY | {"mine": False, "name": "path/src/"}
    assert locked_by({"locks": [mine, mark, other]}) == "src/, locked by agent-1"
    assert locked_by({"locks": [other | {"named": False}]}) == f"src/, locked by {replies.ANN}"
    assert locked_by({"locks": [mine]}) is None
    assert locked_by({}) is None


def test_unlocking_what_is_anothers_is_refused(run: Run) -> None:
    code, out, err, _ = run("unlock", "src/a.py", **{"lock.release": {"released": [], "others": [TAKEN | PARTY]}})
    assert (code, out) == (11, "")
    assert err.splitlines() == [
        f"error: a.py is locked by agent-1 ({replies.ANN}, process 7, on h, main), not by you",
        "hint: git session unlock src/a.py --force --reason WHY",
    ]
    gone = {"token": 1, "why": "broken", "by": "agent-1", "reason": "she is at lunch"}
    rows = [{"name": name, **gone} for name in ("path/src/a.py", "path/b.py")]
    nothing = {"lock.release": {"released": [], "others": []}, "lock.list": {"locks": [], "waiting": [], "lost": rows}}
    code, out, *_ = run("unlock", "src/a.py", **nothing)
    assert (code, out) == (0, "Nothing of that was locked.\nlost: src/a.py broken by agent-1: she is at lunch\n")
    assert run("unlock", "--all", **nothing)[1].count("lost: ") == 2


def test_what_one_has_of_another_type_is_named(run: Run) -> None:
    """Where nothing of that was locked: the command that gives it back; none for what is somebody else's."""
    mine = TAKEN | PARTY | {"name": "ref/refs/heads/main", "mine": True, "ttl": 300.0}
    users = mine | {"name": "db/users", "mine": False}
    held = {"locks": [mine, users], "waiting": [], "lost": []}
    answers = {"lock.release": {"released": [], "others": []}, "lock.list": held}
    code, out, err, _ = run("unlock", "users", "main", **answers)
    assert (code, out, err) == (0, "Nothing of that was locked.\n", "hint: git session unlock --type git main\n")
    assert run("unlock", "--type", "database", "main", "../..", **answers)[2] == err
    assert run("unlock", "--all", **answers)[2] == ""


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["unlock", "src/a.py", "--force"], "unlock src/a.py --force --reason WHY"),
        (["lock", "--type", "git", "main", "--force"], "lock --type git main --force --reason WHY"),
        (["lock", "a b", "c", "--force", "--reason", "so"], "lock 'a b' --force --reason so"),
        (["lock", "src/a.py", "--reason", ""], "lock src/a.py --reason WHY"),
    ],
)
def test_a_reason_that_is_missing_is_asked_for_with_the_same_words(run: Run, words: list[str], hint: str) -> None:
    code, _, err, asked = run(*words)
    assert (code, asked, err.splitlines()[1]) == (2, [], f"hint: git session {hint}")


@pytest.mark.parametrize("ttl", ["0", "-1", "86401", "nan", "5m", ""])
def test_a_time_that_is_none_is_refused_in_words(run: Run, ttl: str) -> None:
    code, _, err, asked = run("lock", "src/a.py", f"--ttl={ttl}")
    assert (code, asked) == (2, [])
    assert err.splitlines()[0].endswith(f"{ttl!r} is no number of seconds, at least 0.001 and at most a day (86400)")


def test_force_breaks_or_steals(run: Run) -> None:
    broken = {"lock.break": {"locks": [TAKEN], "broken": [TAKEN | PARTY]}}
    code, out, _, asked = run("unlock", "src/a.py", "--force", "--reason", "away", **broken)
    assert (code, out) == (0, f"Broke the lock of agent-1 ({replies.ANN}, process 7, on h, main) on a.py.\n")
    assert asked == [("lock.break", {"name": "path/src/a.py", "reason": "away", "steal": False})]
    assert run("lock", "src/a.py", "--force", "--reason", "away", **broken)[3][0][1]["steal"] is True
    for words in (["lock", "a", "b", "--force"], ["lock", "a", "--force", "--wait"], ["unlock", "--all", "a"]):
        assert run(*words)[0] == 2
    assert run("lock", "src/a.py", "--wait", "-5")[0] == 2


@pytest.mark.parametrize("words", [["lock", "src/a.py"], ["unlock", "--all"], ["locks"]])
def test_locks_in_memory_are_told_as_such(run: Run, words: list[str]) -> None:
    """One line on stderr; with --json it is in the reply."""
    full = {"degraded": "the journal of locks cannot be written: \x1b database or disk is full"}
    answers: dict[str, Any] = {
        "lock.acquire": {"locks": [TAKEN], **full},
        "lock.release": {"released": [], "others": [], **full},
        "lock.list": {"locks": [], "waiting": [], "lost": [], **full},
    }
    _, _, err, _ = run(*words, **answers)
    assert err.startswith("degraded: locks are in memory only, and lost with the daemon: the journal of locks cannot")
    assert err.endswith("disk is full\n") and err.count("\n") == 1 and "\x1b" not in err
    assert '"degraded": ' in run(*words, "--json", **answers)[1]


class Denying:
    """A face whose locks are held for the first tries; it tells how long was slept between them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, denials: int, reason: str = "held") -> None:
        self.left, self.reason = denials, reason
        self.now, self.slept, self.waits, self.ends = 0.0, list[float](), list[float | bool](), 0
        monkeypatch.setattr("gitsessiond.faces.cli.lock.time.monotonic", lambda: self.now)
        monkeypatch.setattr("gitsessiond.faces.cli.lock.time.sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now += seconds

    def call(self, verb: str, **args: Any) -> dict[str, Any]:
        if verb == "config":
            return {"settings": [{"variables": [], "value": "x"}, {"variables": ["LOCK_WAIT_TIMEOUT"], "value": 3.0}]}
        self.waits.append(args["wait"])
        if self.ends:
            self.ends, self.now = self.ends - 1, self.now + 1.0
            raise DaemonEnded("the daemon ended before it answered", hint="run the command again")
        if self.left:
            self.left -= 1
            raise Locked("no", reason=self.reason)
        return {"locks": []}


def test_without_a_daemon_it_is_asked_again_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 0.1, 0.5 and 2 seconds, then every two, for as long as one said or the settings say."""
    face = Denying(monkeypatch, 5)
    assert lock.acquired(face, {}, 30.0) == {"locks": []}  # type: ignore[arg-type]
    assert face.slept == [0.1, 0.5, 2.0, 2.0, 2.0]
    face = Denying(monkeypatch, 9)
    with pytest.raises(Locked):
        lock.acquired(face, {}, True)  # type: ignore[arg-type]
    assert face.slept == [0.1, 0.5, 2.0, 0.4]


@pytest.mark.parametrize(("wait", "left"), [(5.0, 4.0), (True, 2.0), (False, False), (0.5, 0.0)])
def test_the_next_daemon_is_asked_when_one_ends_meanwhile(
    monkeypatch: pytest.MonkeyPatch, wait: float | bool, left: float | bool
) -> None:
    """With what is left of the wait, however that was said; not for ever, or a daemon that falls ill of it never ends."""
    face = Denying(monkeypatch, 0)
    face.ends = 1
    assert lock.acquired(face, {}, wait) == {"locks": []}  # type: ignore[arg-type]
    assert face.waits == [wait, left]
    face.ends = 4
    with pytest.raises(DaemonEnded):
        lock.acquired(face, {}, wait)  # type: ignore[arg-type]


@pytest.mark.parametrize(("reason", "wait"), [("timeout", 30.0), ("deadlock", True), ("held", False), ("held", 0.0)])
def test_what_is_answered_for_good_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch, reason: str, wait: float | bool
) -> None:
    face = Denying(monkeypatch, 1, reason)
    with pytest.raises(Locked):
        lock.acquired(face, {}, wait)  # type: ignore[arg-type]
    assert face.slept == []

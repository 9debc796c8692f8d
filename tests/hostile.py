"""Requests that nobody means well: every verb of docs/protocol.md with arguments that are wrong, missing, too many,
too long, or built to get out of the worktree; and a look at everything that none of them may touch.

:class:`Requests` makes them from a seed. :class:`Siege` sends them to a daemon one after the other, and after each one
compares what is the user's: git's own files, the worktree, what lies beside the repository, the home directory.
"""

from __future__ import annotations

import os
import random
import re
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from gitsessiond.model.errors import GitSessionError
from gitsessiond.wire.client import Client, Talk, dial
from gitsessiond.wire.frames import encode
from gitsessiond.wire.place import find_place
from tests.bench import Workbench
from tests.bystanders import Facts, files_below

PROTOCOL = Path(__file__).parents[1] / "docs" / "protocol.md"
AGENT = ("tool", "id", "call", "patch", "session", "pid", "started")
ENDS = {"daemon.stop"}  # answered whatever the arguments are; the daemon's end is no answer to look behind
SELDOM = {"session.abandon", "session.close", "uninstall", "hooks.install", "hooks.uninstall", "ping", "doctor"}
OURS = {".gitsession", "__pycache__", "run", "objects"}
PASSING = re.compile(
    r"gitsession|\.lock$|^info$"
)  # of git's files those of ours, for a moment or while there is a session
LONG = 1 << 20
ANSWER_S = 10.0
MOST_REPLY = 64 << 10  # of an error, so that no terminal is flooded by what was sent


BESIDE = {
    "client.hello": ("name", "kind", "pid", "ttl"), "client.heartbeat": (), "client.leave": (), "client.list": (),
    "lock.acquire": ("resources", "ttl", "wait", "request", "reason"), "lock.release": ("names", "all"),
    "lock.renew": ("names",), "lock.cancel": ("request",), "lock.check": ("names", "token"), "lock.list": ("name",),
    "lock.break": ("name", "reason", "steal"), "editor.list": (),
}  # fmt: skip
"""Verbs that are answered beside the recorder; here because they wait for nobody, and can be sent by themselves."""


def verbs_told() -> dict[str, tuple[str, ...]]:
    """Every verb in the tables of docs/protocol.md, with the words of its arguments; surplus words are no harm."""
    found: dict[str, tuple[str, ...]] = dict(BESIDE)
    text = PROTOCOL.read_text()
    for line in text[text.index("## Verbs") :].splitlines():
        cells = re.split(r"(?<!\\)\|", line)
        verbs = re.findall(r"`(\.?[a-z][a-z.]*)`", cells[1]) if len(cells) == 5 else []
        words = re.findall(r"(?:^ ?|, |or )([a-z_]+)", cells[2]) if verbs else []
        for verb in verbs:
            name = verbs[0].rpartition(".")[0] + verb if verb.startswith(".") else verb
            found[name] = tuple(dict.fromkeys([*BESIDE.get(name, ()), *words, *(AGENT if "AGENT" in cells[2] else ())]))
    return found


OUTSIDE = (
    "../x", "../outside", "../outside/secret", "/etc/passwd", "/", "a/../../b", "src/../../outside/secret", "..",
    "out/secret", "out", "out/new", "leak", ".git", ".git/config", ".git/hooks/pre-commit", ".GIT/x", ".git/../a.txt",
    ".gitsession", ".gitsession/../../x", ".gitsession/STATUS", "~root/x", "file:///etc/passwd", "src//../..//x",
    "/proc/self/environ", "/dev/full", "...", "a.txt/x", "a.txt/../../outside/secret", '"../x"', '"\\056\\056/x"',
)  # fmt: skip
ODD = (
    "", " ", ".", "a\0b", "\0", "a\nb", "\r\n", "\x1b]0;title\x07", "\x1b[2J\x1b[31m", "\x9b31m", "\u202etxt.a",
    "-x", "--", "--upload-pack=touch pwned", "--output=pwned", "-opwned", "$(touch pwned)", "`touch pwned`",
    "; touch pwned", "| touch pwned", "ext::sh -c touch% pwned", "\udcff", "caf\udce9", "\udcc3\udca9", "\ufeff", "\U0001f4a9",
    "*", "**", "[", "[!", "a{b", "\\", '"', '"unclosed', '"\\777"', '"\\', ":(top)*", ":/", ":!a.txt", "a.txt:1-2",
    "a.txt:0-0", "a.txt:9-1", "a.txt:1-99999999999999999999", "a.txt:-1", "%s%n", "{0}", "None", "null", "nan", "x" * 65,
    "x" * 4096, "../" * 2000, "a/" * 3000, "x" * LONG, "\x1b" * 5000, "\U0001f4a9" * 70000,
)  # fmt: skip
REVISIONS = (
    "HEAD", "@", "@{-1}", "@{upstream}", "HEAD~99", "HEAD^{tree}", "HEAD:a.txt", "main", "refs/heads/main",
    "refs/heads/../../x", "refs/gitsession/x", "refs/heads/-x", "x..y", "a..", "x.lock", ".x", "x/", "/x", "x^", "x~1", "x:y",
    "0" * 40, "f" * 40, "0" * 39, "0" * 64, "g" * 40, "origin", "origin/main",
)  # fmt: skip
RESOURCES = (
    "", "/", "path/", "path", "path/a.txt", "path/src/", "path/src/*.txt", "path/**", "path/***", "path/*/../x", "path/../x",
    "path//x", "path/./x", "path/src/..", "path//etc/passwd", "path/.git/config", "path/.GIT/x", "path/out/secret", "path/[",
    "path/[!", "path/[a-", "path/{a,b}", "path/a\\", "path/?" * 300, "path/" + "*a" * 3000, "path/a\0b", "path/a\nb", "path/\x1b[2J",
    "path/\udcff", "path/caf\u00e9", "path/cafe\u0301", "path/" + "x" * LONG, "path/" + "x/" * 5000, "ref/refs/heads/main",
    "ref/refs/heads/../../x", "ref/HEAD", "ref/", "ref/main", "ref/refs/heads/x.lock", "ref/refs/heads/-x", "ref/@{-1}", "db/", "db/x",
    "db/../x", "db/" + "x" * 5000, "git/config", "git/worktrees", "git/index@main", "git/index@../x", "git/index", "git/x", "nope/x", "PATH/x",
)  # fmt: skip
MODES = ("S", "U", "X", "intent") * 5 + ("", "x", None, 3, "XX")
PLAIN = ("p", "q", "c", "day", "side", "fresh", "a.txt", "src/b.txt", "new.txt", "-", "ours", "merge")


def deep(levels: int) -> Any:
    """A list in a list in a list."""
    found: Any = []
    for _ in range(levels):
        found = [found]
    return found


WRONG: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63, -(2**64), 10**400, 0.5, -0.0, 1e308, 5e-324, [], {}, [[]], [None], [0],
    [""], ["../x"], ["a.txt", 3], [{}], {"": ""}, {"a": None}, {"../x": "../x"}, {"path": "../x"}, deep(400),
    [{"path": "../outside/new", "content": "eA=="}], [{"path": "out/new", "content": "eA=="}],
    [{"path": "a.txt", "content": "no base64"}], [{"path": "a.txt", "content": 3}], [{"path": "a.txt", "pieces": [["a"]]}],
    [{"path": "a.txt", "pieces": [["line 1", "x", 3]]}], [{"path": "a\0b", "deleted": True}], [{"path": 3}],
    [{"path": "a.txt", "from": "../x", "deleted": "yes"}], [{"path": "a.ipynb", "cell": 3}], ["x"] * 10000,
    [{"patch": "../x", "branch": "-x", "commit": "HEAD", "tip": 1, "landed": 3}], "eA==", "====", "text:!",
    [{"patch": None}], {"main": 3}, {"-x": "HEAD"}, ["text:eA==", "skip"], ["text:\0"],
)  # fmt: skip
FITTING: dict[str, tuple[Any, ...]] = {
    "patch": ("p", "q", "c"), "on": ("p", "q", "c"), "depends_on": ([], ["p"]), "paths": (["a.txt"], ["src"]), "take": (None, [], ["a.txt"]),
    "path": ("a.txt", "src", "."), "what": ("a.txt", "a.txt:1-3", "new.txt"), "new": (None, "n"), "at": ("1", "3"), "limit": (5,), "most": (3,),
    "writes": ([{"path": "a.txt", "content": "eA=="}], [{"path": "src/b.txt", "pieces": [["b 1", "B", False]]}]), "how": ("ours", "file", "hunks"),
    "content": (None, "eA=="), "hunks": (["ours"], ["skip"]), "tree": ("0" * 40,), "command": ("true",), "code": (0, 1), "seconds": (0.1, 2),
    "output": ("said",), "message": ("words",), "no_verify": (True,), "ran": ([],), "strategy": (None, "squash"), "remote": ("origin",),
    "tool": ("claude",), "call": ("1",), "agent": ("claude",), "results": ([{"patch": "p", "branch": "b", "commit": "f" * 40, "tip": "f" * 40, "landed": True}],),
    "pid": (None, 1), "started": ("1",), "since": (None, 0), "follow": (False,), "dry_run": (True, False), "fix": (False,), "names": (["path/a.txt"],),
    "resources": ([{"name": "path/a.txt", "mode": "X"}],), "ttl": (None, 5), "wait": (0,), "request": (None, "r"), "reason": (None, "why"),
    "token": (None, 1), "steal": (False, True), "name": ("fresh",), "kind": ("agent", "terminal"),
}  # fmt: skip
ENVIRONMENTS: tuple[Any, ...] = (
    None, [], "x", 3, {"a=b": "c"}, {"": ""}, {"A": "\0"}, {"\0": "A"}, {"GIT_CONFIG_COUNT": "999999999999"},
    {"GIT_CONFIG_COUNT": "-1"}, {"GIT_CONFIG_COUNT": "1"}, {"GIT_CONFIG_PARAMETERS": "'"}, {"A": 3}, {"A": None},
    {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "nonsense", "GIT_CONFIG_VALUE_0": "x"}, {"A": "x" * LONG},
    {"GIT_AUTHOR_NAME": "", "GIT_AUTHOR_EMAIL": ""}, {"GIT_AUTHOR_NAME": "<\n>"}, {"GIT_AUTHOR_DATE": "never"},
    {"GIT_COMMITTER_DATE": "99999999999999999999 +9999"}, {"GIT_AUTHOR_NAME": "\x1b[31m\udcff"}, {"GITSESSION_USER": "a\nb"},
    {"GITSESSION_LOCK_DEFAULT_TTL": "nan", "LOCK_WAIT_TIMEOUT": "-1", "SESSION_TTL": "1e999", "SESSION_HEARTBEAT": "\0"},
    {"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere", "GIT_WORK_TREE": "/"}, {"PATH": ""}, {"HOME": "/nowhere"},
    {str(n): "x" for n in range(5000)}, {"LANG": "x" * 5000, "LC_ALL": "../x"}, {"TMPDIR": "/nowhere"},
)  # fmt: skip
LINES: tuple[bytes, ...] = (
    b"nonsense", b"[]", b"3", b'"x"', b"null", b"{}", b"{}{}", b"{", b'{"v":1', b"\x00", b"\xff\xfe\xfd", b"\xef\xbb\xbf{}",
    b'{"v":1e999}', b'{"v":NaN}', b'{"v":1,"id":1e999,"verb":"ping"}', b'{"v":1,"id":"\\ud800","verb":"ping"}',
    b'{"v":1,"verb":"ping","id":' + b"[" * 500 + b"]" * 500 + b"}", b"[" * 100_000, b'{"a":' * 100_000,
    b'{"v":1,"verb":"ping","id":' + b"9" * 5000 + b"}", b'{"v":1,"verb":"\\udbff\\u0000"}', b'{"v":2,"id":1,"verb":"ping"}',
    b'{"v":true,"id":[],"verb":"ping"}', b'{"v":1,"id":{},"verb":"ping"}', b'{"v":1,"verb":[]}', b'{"v":1,"verb":"ping","args":[]}',
    b'{"v":1,"verb":"no.such"}', b'{"v":1,"verb":"' + b"x" * 70_000 + b'"}', b"GET / HTTP/1.1", b"\x16\x03\x01\x02\x00\x01",
    b'{"v":1,"verb":"session.list","who":[]}', b'{"v":1,"verb":"session.list","who":{"cwd":3}}', b'{"v":1,"verb":"checkpoint"}',
    b'{"batch":{"n":1,"worktree":"/","paths":[],"scan":true,"git":false}}', b'{"cancel":1}', b'{"v":1,"id":1,"ok":{}}',
    b'{"v":1,"id":1,"verb":"ping","verb":"no.such","verb":3}', b'{"v":1,"verb":"session.list","batch":{"n":1},"who":{"cwd":"/"}}',
    b'{"v":1,"verb":"session.list","cancel":7,"watch":[],"event":{},"recorded":{},"failed":{},"left":"x","who":{"cwd":"/"}}',
)  # fmt: skip


class Line(NamedTuple):
    """What is sent, without its end; the verb is empty where it is no request, the number then unknown."""

    verb: str
    sent: bytes
    number: int | None = None


class Requests:
    """A source of lines."""

    def __init__(self, seed: int, cwd: str, known: list[str]) -> None:
        self.seed, self.random, self.cwd = seed, random.Random(seed), cwd
        self.known = [*PLAIN, *known]
        self.verbs = {verb: words for verb, words in sorted(verbs_told().items()) if verb not in ENDS}
        self.number = 0

    def next(self) -> Line:
        """Any line."""
        pick = self.random
        if pick.random() < 0.08:
            return Line("", pick.choice(LINES))
        verb = pick.choice(list(self.verbs))
        if verb in SELDOM and pick.random() < 0.7:
            verb = pick.choice(list(self.verbs))
        return self.of(verb)

    def each(self) -> Iterator[Line]:
        """Each line that is no request, and one of each verb, which stays the same when there are more verbs."""
        for line in LINES:
            yield Line("", line)
        for verb in self.verbs:
            self.random = random.Random(f"{self.seed} {verb}")
            yield self.of(verb)

    def of(self, verb: str) -> Line:
        """A line with this verb, and arguments of which most are wrong."""
        pick = self.random
        names = [name for name in self.verbs[verb] if name != "hard"]  # the daemon would leave, rightly
        args = {name: self.fitting(name) for name in names if pick.random() < 0.7}
        for name in pick.sample(names, min(len(names), pick.choice((0, 1, 1, 1, 2, 9)))):
            args[name] = self.value()
        if pick.random() < 0.1:
            args[pick.choice(ODD)] = self.value()
        if isinstance(args.get("wait"), int | float) and args["wait"] > 0:
            args["wait"] = 0  # or the answer would come late, rightly
        return self.line(verb, args, self.who())

    def one_by_one(self, value: str) -> Iterator[Line]:
        """A line for each argument of each verb: that is this value, or a list of it, and the others may well be right."""
        for verb, words in self.verbs.items():
            for wrong in (name for name in words if name != "hard"):
                args = {name: self.fitting(name) for name in words if name != "hard"}
                args[wrong] = [value] if isinstance(args[wrong], list) else value
                yield self.line(verb, args, {"cwd": self.cwd, "pid": os.getpid(), "env": {}})

    def line(self, verb: str, args: dict[str, Any], who: Any) -> Line:
        """The line of a request."""
        self.number += 1
        frame = {"v": 1, "id": self.number, "verb": verb, "args": args, "who": who}
        return Line(verb, encode(frame)[:-1], self.number)

    def fitting(self, name: str) -> Any:
        """What the argument of this name may well be."""
        pick = self.random
        if name == "resources" and pick.random() < 0.8:
            many = range(pick.choice((1, 1, 1, 1, 2, 3, 40)))
            return [{"name": pick.choice(RESOURCES), "mode": pick.choice(MODES)} for _ in many]
        if name in ("names", "name") and pick.random() < 0.3:
            return [pick.choice(RESOURCES)] if name == "names" else pick.choice(RESOURCES)
        return pick.choice(FITTING[name]) if name in FITTING else pick.choice((*self.known, True, False, None))

    def value(self) -> Any:
        """Anything but what is wanted, most of the time."""
        pick = self.random
        return pick.choice(pick.choice((OUTSIDE, ODD, REVISIONS, WRONG, self.known, OUTSIDE)))

    def who(self) -> Any:
        """Who asks: where the session is, mostly."""
        pick = self.random
        who: Any = {"cwd": self.cwd, "session": None, "tty": None, "pid": os.getpid(), "env": {}}
        if pick.random() < 0.06:
            who["env"] = pick.choice(ENVIRONMENTS)
        if pick.random() < 0.05:
            who["cwd"] = pick.choice(("/", "/nowhere/at/all", "", "a\0b", "../x", "/proc/self/fd", 3, None, "x" * LONG, self.cwd + "/out",
                                      self.cwd + "/.git", self.cwd + "/gone", "\udcff"))  # fmt: skip
        if pick.random() < 0.05:
            who["session"] = self.value()
        if pick.random() < 0.05:
            who[pick.choice(("tty", "pid", "client", "leader"))] = self.value()
        elif pick.random() < 0.3:
            who["client"] = pick.choice(("one", "two"))
        return who if pick.random() < 0.98 else pick.choice(WRONG)


MAY_CHANGE = {
    "session.start", "session.update", "session.close", "session.abandon", "session.reopen", "patch.ready", "patch.abandon",
    "commit", "merge", "revert", "push.merge", "resolve", "restore", "uninstall", "hooks.install", "hooks.uninstall",
    "hooks.agent.install", "hooks.agent.uninstall",
}  # fmt: skip
"""Verbs that change what is the user's when they are answered well."""


class Siege:
    """A daemon, a session with work in it, and what lies around them."""

    def __init__(self, bench: Workbench, home: Path) -> None:
        self.bench, self.root, self.home = bench, bench.root, home
        self.client = Client(str(self.root))
        self.met: Counter[str] = Counter()
        self.said: list[str] = []
        self.set_up()
        self.pids = self.both()
        self.connect()
        self.before = self.theirs()

    def set_up(self) -> None:
        """Links that lead out; a session with a patch in conflict, two with edits, and edits of nobody's."""
        outside = self.root.parent / "outside"
        outside.mkdir()
        (outside / "secret").write_text("secret\n")
        (self.root / "out").symlink_to(outside)
        (self.root / "leak").symlink_to("../outside/secret")
        (self.root / "new.txt").write_text("one\ntwo\n")
        ask = self.client.call
        ask("session.start", {"name": "day"})
        ask("patch.new", {"name": "c"})
        self.bench.edit("a.txt", "line 9\n", "line nine\n")
        ask("patch.ready", {"patch": "c"})
        self.move_target()
        ask("merge", {"patch": "c"})
        self.work()

    def work(self) -> None:
        """Patches p and q with edits, where there are none."""
        there = {
            one["name"] for one in self.client.call("patch.list", {})["patches"] if one["status"] in ("draft", "ready")
        }
        for name, path in (("p", "a.txt"), ("q", "src/b.txt")):
            if name not in there:
                text = self.bench.read(path).splitlines(keepends=True) if (self.root / path).is_file() else []
                with suppress(GitSessionError):  # one of that name is merged, the path claimed for one of another name
                    self.client.call("patch.new", {"name": name})
                    self.bench.write(path, "".join([*text[:4], f"{name} {sum(self.met.values())}\n", *text[5:]]))
                    self.client.call("patch.use", {"patch": name, "paths": [path]})

    def move_target(self) -> None:
        """Others commit on main what the session changed too."""
        blob = self.bench.git("hash-object", "-w", "--stdin", input=b"line 9, by others\n").out.strip()
        tree = self.bench.git("mktree", input=f"100644 blob {blob}\ta.txt\n".encode()).out.strip()
        commit = self.bench.git("commit-tree", "-p", "main", "-m", "others", tree).out.strip()
        self.bench.git("update-ref", "refs/heads/main", commit)

    def both(self) -> tuple[Any, Any]:
        """The daemon's two processes."""
        told = self.client.call("ping", {})
        return told["pid"], told["recorder_pid"]

    def connect(self) -> None:
        """A connection of our own."""
        found = dial(find_place(str(self.root)))
        assert found is not None
        self.connection: socket.socket = found
        self.talk = Talk(found)

    def known(self) -> list[str]:
        """Ids that are there."""
        status = self.client.call("session.status", {})
        oids = self.bench.git("rev-parse", "HEAD", "HEAD^{tree}", "HEAD:a.txt").out.split()
        return [
            *oids,
            oids[0][:7],
            status["session"]["id"],
            *(one["id"] for one in [*status["patches"], *status["conflicts"]]),
        ]

    def send(self, line: bytes, number: int | None) -> dict[str, Any]:
        """The one reply to a line; events that the connection follows by now are none."""
        self.connection.sendall(line + b"\n")
        while True:
            try:
                reply = self.talk.next(ANSWER_S)
            except TimeoutError:
                raise AssertionError(f"no answer to {line[:3000]!r}") from None
            assert reply is not None, line[:3000]
            if "seq" not in reply:
                assert ("ok" in reply) != ("error" in reply), (reply, line[:3000])
                assert reply["id"] == number or number is None, (reply, line[:3000])
                return reply

    def theirs(self) -> Facts:
        """Everything but what is ours: files beside the repository and at home, the worktree, git's own files."""
        git_dir = str(self.root / ".git")

        def left_out(entry: os.DirEntry[str]) -> bool:
            in_git = os.path.dirname(entry.path).startswith(git_dir)
            return entry.name in OURS or bool(in_git and PASSING.search(entry.name))

        return files_below([self.root.parent, self.home], left_out)

    def attack(self, verb: str, line: bytes, number: int | None) -> None:
        """Send one line; its reply is one error or an honest answer, and nothing has changed but what it may change."""
        reply = self.send(line, number)
        self.last = reply
        error = reply.get("error")
        code = error["code"] if error else "ok"
        self.met[code] += 1
        if error and (code == "bug" or not error["message"] or len(encode(reply)) > MOST_REPLY):
            self.complain(f"{len(encode(reply))} bytes: {error['message'][:300]}", line)
        after = self.theirs()
        changed = {key for key in self.before.keys() | after.keys() if self.before.get(key) != after.get(key)}
        if not (code in ("ok", "conflicts") and verb in MAY_CHANGE):
            self.complain(f"{code}, and changed: {sorted(changed)[:5]}", line if changed else b"")
        beside = sorted(key for key in changed if key.startswith((f"{self.root.parent}/outside/", f"{self.home}/")))
        self.complain(f"{code}, and beside the worktree changed: {beside[:5]}", line if beside else b"")
        if code == "ok" and verb in MAY_CHANGE:
            self.set_right()
            after = self.theirs()
        self.before = after

    def complain(self, words: str, line: bytes) -> None:
        """Keep what is wrong with the answer to a line, if there is one."""
        if line:
            self.said.append(f"{words} <- {line[:600]!r}")

    def set_right(self) -> None:
        """Work can go on: a session is open here, and no other."""
        for session in self.client.call("session.list", {})["sessions"]:
            if session["status"] == "open" and session["worktree"] != str(self.root):
                Client(str(self.root), session["id"]).call("session.abandon", {})
                self.bench.git("worktree", "remove", "-f", "-f", session["worktree"], check=False)
        here = [one for one in self.client.call("session.list", {})["sessions"] if one["worktree"] == str(self.root)]
        if not here:
            self.bench.git("switch", "-q", "-f", "main")
            self.client.call("session.start", {"name": f"day-{sum(self.met.values())}", "here": True})
        self.work()

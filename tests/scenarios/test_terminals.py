"""Terminals, agents and people as they are: shells on pseudo terminals, SIGKILL, hang-ups, another pid namespace."""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import signal
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.wire.client import Client
from tests.bench import Workbench, wait_for

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux tells of processes"),
]


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, root: Path) -> None:
        self.end, inner = os.openpty()
        self.name, self.root, self.turns = os.ttyname(inner), root, 0
        self.shell = subprocess.Popen(
            ["sh"], cwd=root, stdin=inner, stdout=inner, stderr=inner, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), env={**os.environ, "PS1": ""},  # noqa: PLW1509
        )  # fmt: skip
        os.close(inner)

    def type(self, command: str) -> str:
        """What the shell prints for a line."""
        self.turns += 1
        os.write(self.end, f"{command}; echo 'end'{self.turns}\n".encode())
        seen = ""
        while f"end{self.turns}\r" not in seen:
            assert select.select([self.end], [], [], 60)[0], seen
            seen += os.read(self.end, 1 << 16).decode()
        return seen

    def me(self, command: str = "git session client hello") -> str:
        """Which client the shell is, by a command that prints its id and a colon."""
        found = re.findall(r"(?m)^(\S+): (?:terminal|other|agent), ", self.type(command).replace("\r", ""))
        assert len(found) == 1, found
        return str(found[0])

    def close(self) -> None:
        """The window is closed."""
        if self.end >= 0:
            os.close(self.end)
            self.end = -1

    def over(self) -> None:
        self.close()
        self.shell.kill()
        self.shell.wait()


@pytest.fixture
def terminals(bench: Workbench) -> Iterator[list[Terminal]]:
    """Three of them."""
    made = [Terminal(bench.root) for _ in range(3)]
    yield made
    for one in made:
        one.over()


def there(bench: Workbench) -> dict[str, Any]:
    """Who is there, by id."""
    return {one["id"]: one for one in Client(str(bench.root)).call("client.list", {})["clients"]}


def roles(bench: Workbench) -> dict[str, str]:
    return {one: client["role"] for one, client in there(bench).items()}


def test_three_terminals(bench: Workbench, terminals: list[Terminal]) -> None:
    """Each is one client, whatever runs in it; killed, hung up, and over a restart of the daemon."""
    one, two, three = terminals
    one.type("git session list")  # any command makes a terminal known
    first = next(iter(there(bench).values()))
    assert (first["tty"], first["kind"], first["pid"], first["role"]) == (
        one.name, "terminal", one.shell.pid, "primary",
    )  # fmt: skip
    ways = (
        "git session client hello",
        "sh -c 'git session client hello'",
        "(git session client hello)",
        "git session client hello </dev/null 2>/dev/null | cat",
        "env -i PATH=\"$PATH\" HOME=\"$HOME\" XDG_RUNTIME_DIR=\"$XDG_RUNTIME_DIR\" git session client hello",
        "git session exec -- git session client hello",
    )  # fmt: skip
    assert {one.me(way) for way in ways} == {first["id"]}
    second, third = two.me(), three.me()
    assert roles(bench) == {first["id"]: "primary", second: "secondary", third: "secondary"}
    os.kill(one.shell.pid, signal.SIGKILL)
    wait_for(lambda: roles(bench) == {second: "primary", third: "secondary"})
    daemon = Client(str(bench.root)).call("ping", {})["pid"]
    end = os.pidfd_open(daemon)
    os.kill(daemon, signal.SIGKILL)
    assert select.select([end], [], [], 60)[0]
    os.close(end)
    assert roles(bench) == {second: "primary", third: "secondary"} and two.me() == second
    assert bench.run("clients").out.count("  terminal  ") == 2
    two.close()  # the shell gets SIGHUP
    wait_for(lambda: roles(bench) == {third: "primary"})
    bench.run("daemon", "stop")
    three.over()
    wait_for(lambda: roles(bench) == {})


def test_what_a_killed_terminal_held(bench: Workbench, terminals: list[Terminal]) -> None:
    """Its lock goes to whoever waits for it, at once."""
    one, two, _ = terminals
    assert "Locked a.txt" in one.type("git session lock a.txt")
    os.write(two.end, b"git session lock a.txt --wait 250\n")
    wait_for(lambda: "lock_waiting" in bench.run("events").out)
    os.kill(one.shell.pid, signal.SIGKILL)
    assert "Locked a.txt" in two.type("true")


def test_an_agent_beside_its_terminal(bench: Workbench, terminals: list[Terminal]) -> None:
    """It names itself and its process: killed, it is gone; without a process it has to be heard of."""
    one, _, _ = terminals
    agent = subprocess.Popen(["sleep", "600"], cwd=bench.root)
    try:
        one.type("export GITSESSION_CLIENT=agent-1")
        assert one.me(f"git session client hello --kind agent --pid {agent.pid}") == "agent-1"
        assert one.me("git session --client agent-2 client hello --ttl 1") == "agent-2"
        one.type("unset GITSESSION_CLIENT")
        terminal = one.me()
        wait_for(lambda: there(bench)["agent-2"]["state"] == "silent")
        agent.kill()
        agent.wait()
        wait_for(lambda: set(there(bench)) == {"agent-2", terminal})
        assert "Alive" in one.type("git session client heartbeat --client agent-2")
        assert "has left" in one.type("git session client leave --client agent-2")
        wait_for(lambda: roles(bench) == {terminal: "primary"})
    finally:
        agent.kill()
        agent.wait()


def test_another_pid_namespace(bench: Workbench) -> None:
    """A container's numbers are not believed here; its own processes are, by the kernel's word."""
    apart = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("no namespaces may be made here")
    victim = subprocess.Popen(["sleep", "600"])
    try:
        Client(str(bench.root)).call("ping", {})
        words = [
            *apart,
            "sh",
            "-c",
            f"git session client hello box --pid {victim.pid} --json; git session client hello --json",
        ]
        done = subprocess.run(words, cwd=bench.root, capture_output=True, check=True)
        named, itself = (json.loads(line)["client"] for line in done.stdout.splitlines())
        assert (named["id"], named["pid"]) == ("box", None)
        assert itself["id"] not in ("box", "") and itself["pid"] not in (1, victim.pid)
        assert there(bench)["box"]["state"] == "live"
    finally:
        victim.kill()
        victim.wait()


def test_two_people(bench: Workbench) -> None:
    """Ann invites Bob, who works on a patch that builds on hers; she merges hers, then a maintainer his."""
    bob = {"GIT_AUTHOR_NAME": "Bob", "GIT_AUTHOR_EMAIL": "bob@example.org"}
    eve = {"GIT_AUTHOR_NAME": "Eve", "GIT_AUTHOR_EMAIL": "eve@example.org"}
    bench.run("start", "team", "--here")
    bench.run("patch", "new", "api")
    bench.edit("a.txt", "line 2\n", "line 2, by Ann\n")
    assert "is a contributor of session team" in bench.run("invite", "bob@example.org").out
    assert bench.json("status")["session"]["collaborators"] == [
        {"user": "Ann <ann@example.org>", "role": "owner"}, {"user": "bob@example.org", "role": "contributor"},
    ]  # fmt: skip
    bench.run("commit", "-m", "Ann's part")
    bench.run("patch", "new", "client", "--depends-on", "api", env=bob)
    bench.edit("src/b.txt", "b 9\n", "b 9, by Bob\n")
    bench.run("commit", "-m", "Bob's part", env=bob)
    bench.run("patch", "ready", "client", env=bob)
    for person, words in (
        (bob, ("patch", "ready", "api")),
        (bob, ("merge", "client")),
        (bob, ("close", "--yes")),
        (eve, ("patch", "new", "hers")),
        (eve, ("assign", "a.txt", "--patch", "client")),
    ):
        refused = bench.run(*words, code=4, env=person)
        assert "needs a" in refused.err and "hint: git session collaborators" in refused.err
    bench.run("patch", "list", env=eve)
    assert "dependency" in bench.run("patch", "validate", "client", "--json", code=4).out
    bench.run("merge", "api", "--ready")
    bench.run("invite", "Bob <bob@example.org>", "--role", "maintainer")
    bench.run("merge", "client", env=bob)
    told = bench.run("history").out
    assert re.search(r"invite +bob@example.org as maintainer .*by Ann", told) and re.search(
        r"merge +client .*by Bob", told
    )
    bench.judge()
    bench.run("uninvite", "bob@example.org", env=bob)
    bench.run("close", "--yes", env=eve)  # Ann is alone again: roles do not count

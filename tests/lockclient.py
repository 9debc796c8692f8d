"""One client of the locks, as a process: ``python -m tests.lockclient ORDERS`` (JSON, see :class:`Orders`).

It speaks to the socket as docs/protocol.md says, with nothing of the package in it, does at random what clients do,
and notes what it knows for certain (tests/histories.py), each note on disk before anything comes of it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import time
from typing import Any, NamedTuple

AGAIN_S = 0.01
CONNECT_S = 30.0
MINE = ("held", "deadlock", "upgrade_conflict", "timeout", "cancelled")
"""Why a request may be refused without anything being wrong."""


class Orders(NamedTuple):
    """What one client is told to do; it goes on until the file ``stop`` is there."""

    common: str  # the git common dir
    client: str
    notes: str
    stop: str
    seed: int
    names: list[str]
    ttl: float
    hold: float = 0.002  # seconds, at most
    wait: float = 0.3


class Denied(Exception):
    """The daemon said no."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("message"))
        self.error = error
        self.reason = error.get("reason")


class Wire:
    """A connection to whatever daemon there is; what got no answer is asked again, with the same words."""

    def __init__(self, common: str, client: str, kind: str = "agent") -> None:
        self._common, self._client, self._kind = common, client, kind
        self._number = 0
        self._socket: socket.socket | None = None
        self._rest = b""
        self.reconnects = 0

    def call(self, verb: str, **args: Any) -> dict[str, Any]:
        """Ask until there is an answer.

        Raises:
            Denied: the answer is no.
        """
        while True:
            try:
                return self.answer(self.send(verb, **args))
            except OSError:
                self.drop()

    def send(self, verb: str, **args: Any) -> int:
        """Ask without waiting for the answer; the number it will bear."""
        if self._socket is None:
            self._connect()
        return self._put(verb, args)

    def _put(self, verb: str, args: dict[str, Any]) -> int:
        assert self._socket is not None
        self._number += 1
        who = {"cwd": os.path.dirname(self._common), "session": None, "tty": None, "pid": os.getpid(), "env": {}, "client": self._client}  # fmt: skip
        frame = {"v": 1, "id": self._number, "verb": verb, "args": args, "who": who}
        self._socket.sendall(json.dumps(frame).encode() + b"\n")
        return self._number

    def answer(self, number: int) -> dict[str, Any]:
        """The good part of one answer; others that come before it are dropped.

        Raises:
            Denied: it is no.
            OSError: there will be none from this daemon.
        """
        assert self._socket is not None
        while True:
            line, found, rest = self._rest.partition(b"\n")
            if not found:
                data = self._socket.recv(1 << 16)
                if not data:
                    raise ConnectionResetError("the daemon ended")
                self._rest += data
                continue
            self._rest = rest
            reply = json.loads(line)
            if reply.get("id") != number:
                continue
            if reply.get("error", {}).get("again"):
                raise ConnectionResetError("the daemon is leaving")
            if "error" in reply:
                raise Denied(reply["error"])
            ok: dict[str, Any] = reply["ok"]
            return ok

    def walk_off(self) -> None:
        """End the connection once the daemon has read all that was sent."""
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_WR)
                while self._socket.recv(1 << 16):
                    pass
            except OSError:
                pass  # it is gone itself
        self.drop()

    def drop(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._rest = None, b""

    def _connect(self) -> None:
        """Find the daemon that runs now and say who this is."""
        until = time.monotonic() + CONNECT_S
        while True:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                with open(os.path.join(self._common, "gitsession", "sock"), encoding="utf-8") as file:
                    made.connect(file.readline().rstrip("\n"))
                self._socket, self._rest = made, b""
                self.answer(
                    self._put(
                        "client.hello", {"name": self._client, "kind": self._kind, "pid": os.getpid(), "ttl": None}
                    )
                )
            except OSError:
                self.drop()
                made.close()
                if time.monotonic() > until:
                    raise
                time.sleep(AGAIN_S)
            else:
                self.reconnects += 1
                return


class Random:
    """A client that does at random what clients do."""

    def __init__(self, orders: Orders) -> None:
        self.orders, self.rng = orders, random.Random(orders.seed)
        self.wire = Wire(orders.common, orders.client)
        self.sleepy = False
        signal.signal(signal.SIGUSR1, lambda *_: setattr(self, "sleepy", True))
        self.notes = os.open(orders.notes, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self.held: dict[str, tuple[str, int, float]] = {}  # name: mode, token, until when for certain
        self.told: dict[str, tuple[int, float]] = {}  # name: the last token, until when for certain
        self.requests = 0

    def note(self, what: str, **told: Any) -> None:
        os.write(self.notes, json.dumps({"what": what, **told}).encode() + b"\n")

    def run(self) -> None:
        """One thing after another."""
        acts = (self.one, self.one, self.one, self.batch, self.nested, self.upgrade, self.renewed, self.called_off, self.walked_off)  # fmt: skip
        while not os.path.exists(self.orders.stop):
            try:
                self.rng.choice(acts)()
            except Denied as exc:
                self.note("denied", reason=exc.reason)
                if exc.error.get("code") != "locked" or exc.reason not in MINE:
                    raise
            self.let_go()
        self.wire.call("client.leave")

    # -- what a client does -----------------------------------------------------------------------------------

    def one(self) -> None:
        """One lock, held for a moment."""
        self.take([self.name()])
        self.pause()

    def batch(self) -> None:
        """Several at once, or none."""
        self.take(self.rng.sample(self.orders.names, self.rng.randint(2, 3)))
        self.pause()

    def nested(self) -> None:
        """One while holding another: others do so the other way round."""
        first, second = self.rng.sample(self.orders.names, 2)
        self.take([first])
        self.pause()
        self.take([second])
        self.pause()

    def upgrade(self) -> None:
        """From reading, or from being about to write, to writing."""
        name = self.name()
        self.take([name], mode=self.rng.choice("SU"))
        self.pause()
        self.take([name], mode="X")
        self.pause()

    def renewed(self) -> None:
        """Held on to by a renewal."""
        self.take([self.name()])
        self.pause()
        asked = time.monotonic()
        for lock in self.wire.call("lock.renew", names=None)["locks"]:
            mode, token, _ = self.held.get(lock["name"], (None, None, None))
            if token == lock["token"] and mode:
                self.note("renewed", tokens=[token], asked=asked, ttl=self.orders.ttl)
                self.held[lock["name"]] = mode, token, asked + self.orders.ttl
                self.told[lock["name"]] = token, asked + self.orders.ttl
        self.pause()

    def called_off(self) -> None:
        """A wait that is called off, if it is not over by then."""
        name, request, asked = self.name(), self.request(), time.monotonic()
        try:
            waiting = self.wire.send("lock.acquire", **self.wanted([name], "X", self.orders.wait, request))
            if self.rng.random() < 0.5:
                time.sleep(self.rng.random() * 0.002)
            self.wire.send("lock.cancel", request=request)
            self.got(asked, self.wire.answer(waiting))
        except OSError:
            self.wire.drop()
            self.wire.call("lock.release", all=True)  # perhaps it was granted: nothing of it was noted
        self.pause()

    def walked_off(self) -> None:
        """A connection that ends in the middle of a wait; now and then only."""
        if self.rng.random() < 0.8:
            return
        try:
            self.wire.send("lock.acquire", **self.wanted([self.name()], "X", self.orders.wait, None))
        except OSError:
            pass
        self.wire.walk_off()
        self.wire.call("lock.release", all=True)

    # -- how --------------------------------------------------------------------------------------------------

    def name(self) -> str:
        return self.rng.choice(self.orders.names)

    def request(self) -> str:
        self.requests += 1
        return f"{self.orders.client}-{self.requests}"

    def wanted(self, names: list[str], mode: str | None, wait: float, request: str | None) -> dict[str, Any]:
        modes = "SUXXX" if self.rng.random() < 0.9 else ["intent"]
        resources = [{"name": name, "mode": mode or self.rng.choice(modes)} for name in names]
        return {"resources": resources, "ttl": self.orders.ttl, "wait": wait, "request": request, "reason": None}

    def take(self, names: list[str], mode: str | None = None) -> None:
        """Acquire; the same request again if the daemon dies meanwhile."""
        wait = self.rng.choice([0, self.orders.wait])
        wanted = self.wanted(names, mode, wait, self.request())
        asked = time.monotonic()
        self.got(asked, self.wire.call("lock.acquire", **wanted))

    def got(self, asked: float, ok: dict[str, Any]) -> None:
        """Note what was granted. A lock that was held already keeps its token, and its note."""
        granted = time.monotonic()
        for lock in ok["locks"]:
            name, mode, token = lock["name"], lock["mode"], lock["token"]
            if lock["state"] == "over":  # an answer of before, whose lock ended meanwhile
                continue
            last, until = self.told.get(name, (None, 0.0))
            if last != token:
                until = asked + self.orders.ttl
                self.note("grant", name=name, mode=mode, token=token, asked=asked, granted=granted, ttl=self.orders.ttl)
                self.told[name] = token, until
            self.held[name] = mode, token, until

    def pause(self) -> None:
        """Work for a moment, then show a token now and then, and always when the lease may be over."""
        if self.rng.random() < 0.5:
            time.sleep(self.rng.random() * self.orders.hold)
        if self.sleepy and self.held:
            self.sleepy = False
            os.kill(os.getpid(), signal.SIGSTOP)  # whoever asked for it lets it go on
        for name, (_, token, until) in list(self.held.items()):
            late = time.monotonic() >= until
            if late or self.rng.random() < 0.05:
                self.check(name, token)
            if late:
                self.note("late", name=name)
                del self.held[name]

    def check(self, name: str, token: int) -> bool:
        """Show a token."""
        asked = time.monotonic()
        try:
            self.wire.call("lock.check", names=[name], token=token)
            good = True
        except Denied as exc:
            if exc.error.get("code") != "locked":
                raise
            good = False
        self.note("check", name=name, token=token, asked=asked, answered=time.monotonic(), good=good)
        return good

    def let_go(self) -> None:
        """Give everything back; now and then show the token once more."""
        old = [(name, token) for name, (_, token, _) in self.held.items()]
        self.held.clear()
        self.note("over", names=None, at=time.monotonic())
        if old and self.rng.random() < 0.5:
            self.wire.call("lock.release", names=[name for name, _ in old])
        self.wire.call("lock.release", all=True)
        if old and self.rng.random() < 0.05:
            self.check(*self.rng.choice(old))


if __name__ == "__main__":
    Random(Orders(**json.loads(sys.argv[1]))).run()

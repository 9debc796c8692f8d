"""A recorder for tests of front: writes down what it is given, answers a few verbs of its own.

Run as a process: ``fake_recorder.py NOTES WORKTREES... --fd N --lock-fd M``. NOTES is a file that gets one JSON line for
each batch and request. Verbs: ``echo`` answers its args, ``sleep`` answers when the file args["until"] is there,
``die`` kills the process (``once``: only if that file can be made), ``watch`` tells other worktrees, ``fail`` is a bug.
While NOTES.hold is there no batch is answered. A batch with the name ``explode`` is a bug too. ``session.status`` reads (so it is asked again); it dies with ``die``.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from gitsessiond.daemon.recorder import run_recorder
from gitsessiond.model.errors import Refused


class Fake:
    def __init__(self, notes: str, worktrees: list[str], tell: Callable[[dict[str, Any]], None]) -> None:
        self.notes, self.worktrees, self.tell = notes, worktrees, tell
        if os.path.exists(notes + ".broken"):
            raise Refused("the state is broken", hint="git session doctor")

    def note(self, message: dict[str, Any]) -> None:
        with open(self.notes, "a") as file:
            file.write(json.dumps(message) + "\n")

    def watches(self) -> list[dict[str, Any]]:
        ignored = ["ignored"] if os.path.isdir(os.path.join((self.worktrees or ["/"])[0], "ignored")) else []
        return [{"worktree": path, "git_dir": path + "/.git", "ignored": ignored} for path in self.worktrees]

    def batch(self, message: dict[str, Any]) -> dict[str, Any]:
        self.note({"batch": message})
        while os.path.exists(self.notes + ".hold"):
            time.sleep(0.005)
        if "explode" in message["paths"]:
            raise ValueError("bang")
        if message["paths"]:
            self.tell({"event": {"type": "saved", "session": "s", "paths": message["paths"][:3]}})
        prune = [path.split("/")[0] for path in message["paths"] if path.startswith("built/")][:1]
        return {"recorded": {"n": message["n"], "prune": prune, "left": 0}}

    def request(self, message: dict[str, Any]) -> dict[str, Any]:
        self.note({"request": message})
        verb, args = message["verb"], message["args"]
        if args.get("once") and not os.path.exists(args["once"]):
            open(args["once"], "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        if verb == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        while verb == "sleep" and not os.path.exists(args["until"]):
            time.sleep(0.005)
        if verb == "fail":
            raise KeyError("nobody foresaw this")
        if verb == "watch":
            self.worktrees = args["worktrees"]
            self.tell({"watch": self.watches()})
        if verb == "run":
            return {"id": message["id"], "ok": {"code": os.system(args["command"])}}
        ok = {"args": args, "left": message.get("left"), "pid": os.getpid()}
        if verb == "uninstall":
            ok["hard"] = True
        return {"id": message["id"], "ok": ok}

    def idle(self) -> float:
        return 60.0

    def close(self) -> None:
        self.note({"closed": True})


if __name__ == "__main__":
    words, fd = sys.argv[1 : sys.argv.index("--fd")], int(sys.argv[sys.argv.index("--fd") + 1])
    with socket.socket(fileno=fd) as pipe:
        run_recorder(pipe, lambda tell: Fake(words[0], words[1:], tell))

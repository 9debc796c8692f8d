"""A scripted coding agent: it tells the real hook command what its tools do, in the JSON of its tool, and does it.

``python -m tests.scenarios.agent TOOL ID OPS SECONDS SEED LOG HOOKS`` in a worktree. It adds lines that name it and nobody
else, to files that others want too, by its editor, by a shell and in new files, and commits now and then. What it has
written is in LOG. It ends after so many operations or seconds, whichever is later. The first HOOKS hooks are the command
itself; for the others this process forks, which spares the start of an interpreter and is the same child of the agent.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from gitsessiond.faces.cli.agenthook import run_agent_hook

SHARED = [f"shared{number}.txt" for number in range(6)]
TOOLS = ("claude", "codex", "cursor")
SLOTS = [f"slot {number}" for number in range(24)]  # each tool has its own: edits that touch would need each other
FILLING = 6  # lines between two slots, so that edits of several do not touch


def shared_text() -> str:
    """A file in which each slot has room for one who writes."""
    return "".join(f"{slot}\n" + "".join(f"{slot} line {n}\n" for n in range(FILLING)) for slot in SLOTS)


@contextmanager
def turn(root: Path) -> Iterator[None]:
    """Read and write in one: editors that overwrite each other are not what is tested."""
    with open(root / ".git" / "test-turn", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def forked(tool: str, content: bytes) -> subprocess.CompletedProcess[bytes]:
    """What the hook does, in a child of this process."""
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(content)
        given.seek(0)
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                for number, file in enumerate((given, out, err)):
                    os.dup2(file.fileno(), number)
                code = run_agent_hook([tool]) or 0
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess([tool], code, out.read(), err.read())


class Agent:
    """One agent of a tool."""

    def __init__(self, root: Path, tool: str, sid: str, log: Path, seed: int, commands: int) -> None:
        self.root, self.tool, self.sid, self.log, self.commands = root, tool, sid, log, commands
        self.random, self.count = random.Random(f"{seed} {tool}"), 0
        self.slots = {name: SLOTS[TOOLS.index(tool) :: 3] for name in SHARED}

    @property
    def patch(self) -> str:
        return f"{self.tool}-{self.sid[:8]}"

    def hook(self, event: str, used: str | None = None, **given: Any) -> Any:
        """Run the hook of the tool, as the tool does: by a shell, with its JSON."""
        cursor = self.tool == "cursor"
        told: dict[str, Any] = {"hook_event_name": event, "cwd": str(self.root)}
        told |= {"conversation_id": self.sid, "cursor_version": "2.0"} if cursor else {"session_id": self.sid}
        if used is not None:
            told |= {"tool_name": used, "tool_input": given, "tool_use_id": f"use {self.count}"}
        content, self.commands = json.dumps(told).encode(), self.commands - 1
        if self.commands >= 0:
            words = f"git session agent-hook {self.tool}"
            done = subprocess.run(words, shell=True, cwd=self.root, input=content, capture_output=True)
        else:
            done = forked(self.tool, content)
        assert done.returncode == 0 and not done.stderr, done
        return json.loads(done.stdout) if done.stdout else {}

    def events(self) -> tuple[str, str]:
        return ("preToolUse", "postToolUse") if self.tool == "cursor" else ("PreToolUse", "PostToolUse")

    def use(self, used: str, write: Any, **given: Any) -> bool:
        """Use a tool; False: it was refused."""
        before, after = self.events()
        answer = self.hook(before, used, **given)
        told = answer.get("permission") or answer.get("hookSpecificOutput", {}).get("permissionDecision")
        if told == "deny":
            return False
        write()
        self.hook(after, used, **given)
        return True

    def line(self) -> str:
        self.count += 1
        return f"by {self.tool} {self.sid[:4]}-{self.count}\n"

    def wrote(self, path: str, line: str) -> None:
        with open(self.log, "a") as log:
            log.write(f"{path}\t{line}")

    def edit(self, name: str) -> bool:
        """Put a line below a slot that is free."""
        if not self.slots[name]:
            return False
        slot, line, path = self.slots[name].pop(0) + "\n", self.line(), self.root / name
        used, given = self.edit_tool(name, slot, line)

        def write() -> None:
            with turn(self.root):
                text = path.read_text()
                path.write_text(text.replace(slot, slot + line, 1))
                self.wrote(name, line)

        return self.use(used, write, **given)

    def edit_tool(self, name: str, slot: str, line: str) -> tuple[str, dict[str, Any]]:
        """The edit in the words of the tool."""
        path = str(self.root / name)
        if self.tool == "codex":
            patch = f"*** Begin Patch\n*** Update File: {name}\n@@\n {slot}+{line} {slot[:-1]} line 0\n*** End Patch\n"
            return "apply_patch", {"command": patch}
        return ("StrReplace" if self.tool == "cursor" else "Edit"), {
            "file_path": path,
            "old_string": slot,
            "new_string": slot + line,
        }

    def new_file(self) -> bool:
        line = self.line()
        name = f"{self.tool}-{self.count}.txt"
        if self.tool == "codex":
            return self.use(
                "apply_patch",
                lambda: self.put(name, line),
                command=f"*** Begin Patch\n*** Add File: {name}\n+{line}*** End Patch",
            )
        return self.use("Write", lambda: self.put(name, line), file_path=str(self.root / name), content=line)

    def put(self, name: str, line: str) -> None:
        (self.root / name).write_text(line)
        self.wrote(name, line)

    def shell(self) -> bool:
        """Append to a file of one's own by a shell."""
        line = self.line()
        name = f"{self.tool}-shell.txt"
        command = f"echo '{line.strip()}' >> {name}"

        def run() -> None:
            subprocess.run(command, shell=True, cwd=self.root, check=True)
            self.wrote(name, line)

        return self.use("Shell" if self.tool == "cursor" else "Bash", run, command=command)

    def commit(self) -> bool:
        """Commit what the patch has; that there is nothing yet, or that its turn did not come, is no harm."""
        words = ["git", "session", "commit", "--patch", self.patch, "-m", f"{self.patch} {self.count}"]
        done = subprocess.run(words, cwd=self.root, capture_output=True)
        assert done.returncode in (0, 4, 10, 12), done
        return True

    def work(self, ops: int, seconds: float) -> None:
        end = time.monotonic() + seconds
        done = 0
        while done < ops or time.monotonic() < end:
            name = self.random.choice(SHARED)
            kind = done if done < 3 else self.random.randrange(12)
            if kind == 0 or kind > 6:
                self.edit(name)
            elif kind in (1, 4, 5):
                self.shell()
            elif kind in (2, 6):
                self.new_file()
            else:
                self.commit()
            done += 1
        self.hook("sessionEnd" if self.tool == "cursor" else "SessionEnd")


if __name__ == "__main__":
    tool, sid, ops, seconds, seed, log, hooks = sys.argv[1:]
    Agent(Path(os.getcwd()), tool, sid, Path(log), int(seed), int(hooks)).work(int(ops), float(seconds))

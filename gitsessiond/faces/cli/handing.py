"""The terminal is handed to a program of the person's: the editor git would start, or a merge tool.

Here faces start git themselves: what it starts wants the terminal, which the daemon does not have.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any, NamedTuple

from gitsessiond.faces.cli.words import command
from gitsessiond.model.errors import GitSessionError, NotFound, Refused
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.wire.place import find_place

Json = Mapping[str, Any]

STAGES = {1: "base", 2: "ours", 3: "theirs"}
AWAY = (  # of the environment: the repository that somebody else means
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE",
)  # fmt: skip


def environment(**more: str) -> dict[str, str]:
    """The person's environment, without what names a repository."""
    return {name: value for name, value in os.environ.items() if name not in AWAY} | more


# The editor.


def edit_text(content: bytes, name: str) -> bytes:
    """A text as the person leaves it in the editor; ``name`` is what the file is called at its end.

    Raises:
        GitSessionError: the editor failed.
    """
    top = tempfile.mkdtemp(prefix="gitsession-edit-")
    try:
        path = os.path.join(top, os.path.basename(name) or "text")
        with open(path, "wb") as file:
            file.write(content)
        edit_file(path)
        with open(path, "rb") as file:
            return file.read()
    finally:
        shutil.rmtree(top, ignore_errors=True)


def edit_file(path: str, left: str = "nothing was resolved") -> None:
    """Have a file edited by the editor that git would start (git-var(1), GIT_EDITOR); ``left``: if that fails.

    Raises:
        GitSessionError: there is none, or it failed.
    """
    told = subprocess.run(["git", "var", "GIT_EDITOR"], capture_output=True, check=False)
    editor = os.fsdecode(told.stdout).rstrip("\n")
    if told.returncode or not editor:
        why = told.stderr.decode("utf-8", "replace").strip() or "git knows no editor"
        raise GitSessionError(why, hint="git config --global core.editor EDITOR")
    done = subprocess.run(["/bin/sh", "-c", f'{editor} "$@"', editor, path], env=environment(), check=False)
    if done.returncode:
        raise GitSessionError(
            f"the editor {editor!r} ended with exit code {done.returncode}; {left}",
            hint="git var GIT_EDITOR",
        )


# The merge tool.


class Outcome(NamedTuple):
    """What a tool left: a side taken whole (``ours``, ``theirs``), ``delete``, or content."""

    take: str | None
    content: bytes = b""


def run_tool(shown: Json, tool: str, cwd: str) -> Outcome:
    """Have a conflict settled by ``git mergetool``, in a repository made for it that holds nothing else.

    Any tool works that works with git, as the person has set it up for this repository; ``tool`` names one, else
    ``merge.tool`` does.

    Raises:
        Refused: the tool did not settle it.
        GitSessionError: git failed.
    """
    top = tempfile.mkdtemp(prefix="gitsession-merge-")
    try:
        scratch = Scratch(top, cwd)
        path = path_in(shown["conflict"])
        scratch.put(shown, path)
        words = ["mergetool", *([f"--tool={tool}"] if tool else []), "--", path]
        code = subprocess.run(["git", *words], cwd=top, env=scratch.env, check=False).returncode
        return scratch.outcome(shown["conflict"], path, code)
    finally:
        shutil.rmtree(top, ignore_errors=True)


def path_in(conflict: Json) -> str:
    """What the file is called there: git mergetool cannot handle names that git would quote, nor what is no file."""
    quoted = str(conflict["ours"]["path"] or conflict["theirs"]["path"] or conflict["path"])
    path = unquote_path(quoted)
    if quoted.startswith('"') or quote_path(path) != quoted or not quoted.isprintable():
        return "conflict" + os.path.splitext(os.fsdecode(os.path.basename(path)))[1].encode().decode("ascii", "ignore")
    return quoted


class Scratch:
    """A repository with one unmerged path, and the configuration of the one the conflict is in."""

    def __init__(self, top: str, cwd: str) -> None:
        self.top = top
        settings = {"core.fsmonitor": "false", "core.sparseCheckout": "false", "core.hooksPath": "/dev/null"}
        count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
        more: dict[str, str] = {}
        for n, (name, value) in enumerate(settings.items(), count):
            more |= {f"GIT_CONFIG_KEY_{n}": name, f"GIT_CONFIG_VALUE_{n}": value}
        self.env = environment(
            GIT_DIR=os.path.join(top, ".git"), GIT_WORK_TREE=top, GIT_CONFIG_COUNT=str(count + len(settings)), **more
        )
        subprocess.run(
            ["git", "init", "-q", "--template=", top], env=environment(), check=True, capture_output=True, cwd=top
        )
        self.git("config", "include.path", os.path.join(find_place(cwd).common_dir, "config"))

    def git(self, *words: str, given: bytes = b"") -> bytes:
        """What git says.

        Raises:
            GitSessionError: it failed.
        """
        done = subprocess.run(
            ["git", *words], cwd=self.top, env=self.env, input=given, capture_output=True, check=False
        )
        if done.returncode:
            why = done.stderr.decode("utf-8", "replace").strip()
            raise GitSessionError(f"git {words[0]} failed: {why}", hint="git session conflicts")
        return done.stdout

    def put(self, shown: Json, path: str) -> None:
        """Put the three sides into the index, and the text with markers into the file."""
        conflict, rows = shown["conflict"], b""
        for stage, name in STAGES.items():
            side = conflict[name]
            if side is None or side["oid"] is None:
                continue
            oid = side["oid"]
            if shown[name] is not None:
                content = shown[name].encode("utf-8", "surrogateescape")
                oid = self.git("hash-object", "-w", "--stdin", given=content).decode().strip()
            rows += f"{side['mode']} {oid} {stage}\t".encode() + os.fsencode(path) + b"\0"
        self.git("update-index", "-z", "--index-info", given=rows)
        both = shown["ours"] is not None and shown["theirs"] is not None  # else git leaves the one there is
        names = ("marked", "ours", "theirs") if both else ("ours", "theirs")
        there = next((shown[name] for name in names if shown[name] is not None), None)
        if there is not None:
            at = os.path.join(self.top, path)
            os.makedirs(os.path.dirname(at), exist_ok=True)
            with open(at, "wb") as file:
                file.write(there.encode("utf-8", "surrogateescape"))

    def outcome(self, conflict: Json, path: str, code: int) -> Outcome:
        """What the index holds now.

        Raises:
            Refused: the path is unmerged still.
        """
        rows = [row.split(b"\t")[0].split(b" ") for row in self.git("ls-files", "-s", "-z").split(b"\0") if row]
        if code or any(row[2] != b"0" for row in rows):
            again = command("resolve", str(conflict["id"]), "--tool")
            raise Refused("the tool did not settle it; nothing was changed", hint=again)
        if not rows:
            without = [name for name in ("ours", "theirs") if conflict[name]["oid"] is None]
            return Outcome(without[0] if without else "delete")
        mode, oid = rows[0][0].decode(), rows[0][1].decode()
        for name in ("ours", "theirs"):
            if (conflict[name]["mode"], conflict[name]["oid"]) == (mode, oid):
                return Outcome(name)
        return Outcome(None, self.git("cat-file", "blob", oid))


def read_content(file: str) -> bytes:
    """The bytes of a file.

    Raises:
        NotFound: it cannot be read.
    """
    try:
        with open(file, "rb") as opened:
            return opened.read()
    except OSError as refused:
        raise NotFound(f"cannot read {file}: {refused.strerror}", hint="name a file that can be read") from refused

"""Every shape of conflict, made for real in one repository; and what git's own merge of it gives by hand.

A tree is a dict from path to what is there: text, a link's target, an executable file, the commit of a submodule.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.conftest import git


class Item(NamedTuple):
    """What is at a path: git's mode and the content (a submodule's: its commit)."""

    mode: str
    content: bytes


Tree = Mapping[str, Item | None]


def text(content: str | bytes) -> Item:
    return Item("100644", content.encode() if isinstance(content, str) else content)


def link(target: str) -> Item:
    return Item("120000", target.encode())


def script(content: str) -> Item:
    return Item("100755", content.encode())


def ten(name: str, third: str = "3") -> Item:
    """Ten lines that no other file has."""
    return text("".join(f"{name} {third if n == 3 else n}\n" for n in range(1, 11)))


class Shape(NamedTuple):
    """One clash: three trees, and the path and shape its record has."""

    shape: str
    path: str
    base: Tree
    ours: Tree
    theirs: Tree


def shapes(sub: list[str]) -> dict[str, Shape]:
    """All shapes by a name of their own; ``sub``: three commits of a submodule."""
    one = Item("160000", sub[0].encode()), Item("160000", sub[1].encode()), Item("160000", sub[2].encode())
    return {
        "content": Shape("content", "content/a", {"content/a": ten("c")}, {"content/a": ten("c", "ours")}, {"content/a": ten("c", "theirs")}),
        "add-add": Shape("add/add", "aa/n", {}, {"aa/n": text("ours\n")}, {"aa/n": text("theirs\n")}),
        "deleted-there": Shape("modify/delete", "md/a", {"md/a": ten("m")}, {"md/a": None}, {"md/a": ten("m", "theirs")}),
        "deleted-here": Shape("modify/delete", "dm/a", {"dm/a": ten("d")}, {"dm/a": ten("d", "ours")}, {"dm/a": None}),
        "renamed-twice": Shape("rename/rename", "rr/f", {"rr/f": ten("r")}, {"rr/f": None, "rr/o": ten("r")}, {"rr/f": None, "rr/t": ten("r")}),
        "renamed-and-changed": Shape(
            "rename/rename", "rc/f", {"rc/f": ten("rc")}, {"rc/f": None, "rc/o": ten("rc", "ours")}, {"rc/f": None, "rc/t": ten("rc", "theirs")}
        ),
        "renamed-deleted": Shape("rename/delete", "rd/t", {"rd/f": ten("rd")}, {"rd/f": None}, {"rd/f": None, "rd/t": ten("rd")}),
        "file-directory": Shape("directory/file", "fd/d", {}, {"fd/d": text("file\n")}, {"fd/d/x": text("below\n")}),
        "directory-file": Shape("directory/file", "df/d", {}, {"df/d/x": text("below it\n")}, {"df/d": text("a file\n")}),
        "mode": Shape("mode", "mode/x", {}, {"mode/x": text("run\n")}, {"mode/x": script("run\n")}),
        "link": Shape("symlink", "link/l", {"link/l": link("a")}, {"link/l": link("b")}, {"link/l": link("c")}),
        "link-file": Shape("symlink", "lf/f", {"lf/f": ten("lf")}, {"lf/f": link("elsewhere")}, {"lf/f": ten("lf", "theirs")}),
        "binary": Shape("binary", "bin/b", {"bin/b": text(b"\0base")}, {"bin/b": text(b"\0ours")}, {"bin/b": text(b"\0theirs")}),
        "submodule": Shape("submodule", "sub", {"sub": one[0]}, {"sub": one[1]}, {"sub": one[2]}),
    }  # fmt: skip


def submodule(root: Path) -> list[str]:
    """A repository at ``sub`` with a commit and two that stand on it apart; at the first of them."""
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    git(root, "commit", "-q", "--allow-empty", "-m", "sub")
    commits = [git(root, "rev-parse", "HEAD").decode().strip()]
    for side in ("ours", "theirs"):
        git(root, "checkout", "-q", "-b", side, commits[0])
        git(root, "commit", "-q", "--allow-empty", "-m", f"sub of {side}")
        commits.append(git(root, "rev-parse", "HEAD").decode().strip())
    git(root, "checkout", "-q", "--detach", commits[0])
    return commits


def put(root: Path, tree: Tree) -> None:
    """Write a tree into a worktree as a person's tools would."""
    for path, item in sorted(tree.items(), key=lambda one: one[1] is not None):
        at = root / path
        if item is not None and item.mode == "160000":
            git(at, "checkout", "-q", "--detach", item.content.decode())
            continue
        if at.is_symlink() or at.exists():
            at.unlink()
        if item is None:
            continue
        at.parent.mkdir(parents=True, exist_ok=True)
        if item.mode == "120000":
            at.symlink_to(os.fsdecode(item.content))
        else:
            at.write_bytes(item.content)
            at.chmod(int(item.mode[3:], 8))


def edited(root: Path, tree: str, edits: Tree) -> str:
    """A tree object with edits made, by git alone."""
    env = {**os.environ, "GIT_INDEX_FILE": str(root / ".git" / "shapes-index")}

    def run(*args: str, stdin: bytes = b"") -> str:
        done = subprocess.run(["git", *args], cwd=root, env=env, input=stdin, capture_output=True, check=True)
        return done.stdout.decode().strip()

    run("read-tree", tree)
    for path, item in sorted(edits.items(), key=lambda one: one[1] is not None):
        if item is None:
            run("update-index", "--force-remove", path)
        else:
            oid = (
                item.content.decode()
                if item.mode == "160000"
                else run("hash-object", "-w", "--stdin", stdin=item.content)
            )
            run("update-index", "--add", "--replace", "--cacheinfo", f"{item.mode},{oid},{path}")
    return run("write-tree")


def merged_by_hand(root: Path, ours: str, theirs: str, choice: Tree) -> str:
    """The tree of ``git merge`` in a scratch clone, what it left unmerged replaced by a choice."""
    clone = root.parent / "by-hand"
    git(root, "clone", "-q", "--no-checkout", str(root), str(clone))
    git(clone, "fetch", "-q", "origin", theirs)
    git(clone, "checkout", "-q", "--detach", ours)
    git(clone, "-c", "merge.directoryRenames=false", "merge", "-q", theirs, check=False)
    listed = git(clone, "ls-files", "-u", "-z").decode().split("\0")
    for path in {line.partition("\t")[2] for line in listed if line}:
        git(clone, "update-index", "--force-remove", path)
    return edited(clone, git(clone, "write-tree").decode().strip(), choice)

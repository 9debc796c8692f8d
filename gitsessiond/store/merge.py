"""git's own three-way merge of trees, in a scratch object directory: the last word at every landing.

``git merge-tree --write-tree`` writes what it makes; it is given a directory of its own to write to, so that
a merge that does not land leaves nothing in the repository. Two settings are fixed, for the judge of
dependencies and for landings alike: no directory renames (they would move another patch's new file) and no
limit on rename detection. Everything else is as the user has set it.

Source: git-merge-tree(1), OUTPUT; gitformat of object directories in git(1), GIT_OBJECT_DIRECTORY.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

from gitsessiond.model.errors import StoreFailed
from gitsessiond.model.values import Entry
from gitsessiond.store.clashes import PathConflict, Side, Sides, clashes_in, messages, shape_of
from gitsessiond.store.git import run_git
from gitsessiond.store.objects import Object, loose_bytes, oid_of
from gitsessiond.store.repository import Repository

__all__ = ["PathConflict", "Side", "Sides", "TreeMerge", "git_merge", "git_merge_trees", "shape_of"]

SETTINGS = (
    "merge.directoryRenames=false",
    "merge.renameLimit=0",
    "merge.conflictStyle=merge",  # the diff3 styles call more a conflict (xdiff's merge level)
    "merge.verbosity=2",
    "core.fsync=none",  # scratch; what lands is made durable by Store.to_repository
)


@dataclass(frozen=True)
class TreeMerge:
    """A merge of trees: ``tree`` when it is clean, else ``conflicts``; ``made`` are new objects, by id.

    ``marked`` is git's tree with conflict markers in it (in ``made``); None when it is clean or walked.
    """

    tree: str | None
    conflicts: tuple[PathConflict, ...]
    by: Literal["walk", "git"]
    made: Mapping[str, Object] = field(default_factory=dict)
    marked: str | None = None


@contextmanager
def scratch_objects(repository: Repository, objects: Mapping[str, Object] | None = None) -> Iterator[str]:
    """A scratch object directory (holding ``objects``), gone afterwards; what a kill leaves goes at start."""
    os.makedirs(repository.state_dir, mode=0o700, exist_ok=True)
    home = tempfile.mkdtemp(prefix="scratch-", dir=repository.state_dir)
    try:
        for oid, (kind, data) in (objects or {}).items():
            os.makedirs(os.path.join(home, oid[:2]), exist_ok=True)
            with open(os.path.join(home, oid[:2], oid[2:]), "wb") as file:
                file.write(loose_bytes(kind, data))
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def sweep_scratch(state_dir: str) -> None:
    """Remove the scratch directories of processes that were killed; nobody else uses them."""
    for name in os.listdir(state_dir):
        if name.startswith("scratch-"):
            shutil.rmtree(os.path.join(state_dir, name), ignore_errors=True)


def scratch_environment(repository: Repository, home: str) -> dict[str, str]:
    """What makes a git child write its objects to ``home`` and read the repository's."""
    objects = os.path.join(repository.common_dir, "objects")
    quoted = '"' + objects.replace("\\", "\\\\").replace('"', '\\"') + '"'  # git(1): it may hold a ":"
    return {"GIT_OBJECT_DIRECTORY": home, "GIT_ALTERNATE_OBJECT_DIRECTORIES": quoted}


def made_in(home: str) -> dict[str, Object]:
    """The objects in a scratch directory, all loose."""
    found: dict[str, Object] = {}
    for fan in os.scandir(home):
        if len(fan.name) != 2:
            continue
        for file in os.scandir(fan.path):
            with open(file.path, "rb") as content:
                head, _, data = zlib.decompress(content.read()).partition(b"\0")
            found[fan.name + file.name] = Object(head.split(b" ")[0].decode("ascii"), data)
    return found


def git_merge(
    repository: Repository,
    ours: str,
    theirs: str,
    *,
    labels: tuple[str, str] = ("ours", "theirs"),
    cwd: str | None = None,
) -> TreeMerge:
    """Merge two commits as ``git merge`` would, from the merge base git finds.

    Args:
        labels: what ``ours`` and ``theirs`` are called in messages.
        cwd: the worktree whose attributes count; None: this repository's.

    Raises:
        StoreFailed: git failed; a conflict is no failure.
    """
    with scratch_objects(repository) as home:
        return _merge_in(repository, home, ((ours, labels[0]), (theirs, labels[1])), cwd)


def git_merge_trees(
    repository: Repository,
    base: str,
    ours: str,
    theirs: str,
    *,
    objects: Mapping[str, Object] | None = None,
    labels: tuple[str, str] = ("ours", "theirs"),
    cwd: str | None = None,
) -> TreeMerge:
    """Merge two trees from a given base tree, as git would merge commits of them.

    Args:
        objects: what these trees reach and the repository lacks.

    Raises:
        StoreFailed: git failed; a conflict is no failure.
    """
    # git 2.39 takes commits only, and finds the base itself: three commits that say so.
    root = _commit(base)
    sides = [_commit(tree, oid_of(*root)) for tree in (ours, theirs)]
    more = {oid_of(*one): one for one in (root, *sides)}
    with scratch_objects(repository, {**(objects or {}), **more}) as home:
        (one, other), known = (oid_of(*side) for side in sides), {*more, *(objects or {})}
        return _merge_in(repository, home, ((one, labels[0]), (other, labels[1])), cwd, known)


def _commit(tree: str, parent: str | None = None) -> Object:
    """A commit that says only what it stands on."""
    who = b"gitsessiond <gitsessiond@localhost> 0 +0000"
    lines = [b"tree " + tree.encode()] + ([b"parent " + parent.encode()] if parent else [])
    return Object("commit", b"\n".join([*lines, b"author " + who, b"committer " + who, b"", b"merge\n"]))


def _merge_in(
    repository: Repository,
    home: str,
    sides: tuple[tuple[str, str], tuple[str, str]],
    cwd: str | None,
    known: Iterable[str] = (),
) -> TreeMerge:
    """Run merge-tree on two commits (each with its label), its objects going to ``home``; read what it said.

    ``known`` are objects that were in ``home`` before.
    """
    words = [word for setting in SETTINGS for word in ("-c", setting)]
    words += ["merge-tree", "--write-tree", "--allow-unrelated-histories", "-z", "--messages"]
    words += [commit for commit, _ in sides]
    env = scratch_environment(repository, home)
    told = run_git(words, cwd=cwd or repository.worktree, env=env, check=False)
    if told.code not in (0, 1) or not told.out:
        raise StoreFailed(f"git merge-tree failed: {told.words()}", hint="git session doctor")
    tree, _, rest = told.out.partition(b"\0")
    made = made_in(home)
    for oid in known:
        made.pop(oid, None)
    if told.code == 0:
        return TreeMerge(tree.decode("ascii"), (), "git", made)
    listed, _, said = rest.partition(b"\0\0")
    found = list(clashes_in(listed, messages(said, dict(sides))))
    if not found:
        raise StoreFailed("git merge-tree told of a conflict but not where", hint="git session doctor")
    for n, clash in enumerate(found):
        if clash.shape == "rename/rename":
            found[n] = _unmixed(clash, sides, made, cwd or repository.worktree, env)
    return TreeMerge(None, tuple(found), "git", made, marked=tree.decode("ascii"))


def _unmixed(
    clash: PathConflict,
    sides: tuple[tuple[str, str], tuple[str, str]],
    made: dict[str, Object],
    cwd: str,
    env: Mapping[str, str],
) -> PathConflict:
    """A clash of renames whose sides are what somebody wrote.

    git lists the merge of both contents as either side of it. Where that merge has markers in it, each side of one
    file with two new names is what that side has; where different files came to one name, the markers are all there
    is to see of the third file, so they stay, with names in place of ids.
    """
    known = []
    for listed, (commit, _) in zip((clash.ours, clash.theirs), sides, strict=True):
        data = made[listed.entry.oid].data if listed is not None and listed.entry.oid in made else b""
        side = listed
        if side is not None and any(b"<<<<<<< " + one.encode() + b":" in data for one, _ in sides):
            if clash.base is not None:
                told = run_git(["ls-tree", "-z", "--full-tree", commit, "--", side.path], cwd=cwd, env=env).out
                mode, _, oid = told.partition(b"\t")[0].split(b" ")
                side = side._replace(entry=Entry(int(mode, 8), oid.decode("ascii")))
            else:
                for one, name in sides:
                    data = data.replace(b" " + one.encode() + b":", b" " + os.fsencode(name) + b":")
                blob = Object("blob", data)
                made[oid_of(*blob)] = blob
                side = side._replace(entry=Entry(side.entry.mode, oid_of(*blob)), marked=True)
        known.append(side)
    return replace(clash, ours=known[0], theirs=known[1])

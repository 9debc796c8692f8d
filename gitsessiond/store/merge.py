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
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from gitsessiond.model.errors import StoreFailed
from gitsessiond.model.records import ConflictShape
from gitsessiond.model.values import GITLINK, SYMLINK, Entry
from gitsessiond.store.git import run_git
from gitsessiond.store.objects import Object, loose_bytes, oid_of
from gitsessiond.store.repository import Repository

SETTINGS = (
    "merge.directoryRenames=false",
    "merge.renameLimit=0",
    "merge.conflictStyle=merge",  # the diff3 styles call more a conflict (xdiff's merge level)
    "merge.verbosity=2",
    "core.fsync=none",  # scratch; what lands is made durable by Store.to_repository
)

# git's stable short names of what it says -> our shapes; the first that was said of a path wins
SAID: tuple[tuple[bytes, ConflictShape], ...] = (
    (b"rename/rename", "rename/rename"),
    (b"rename involved in collision", "rename/rename"),
    (b"rename/delete", "rename/delete"),
    (b"file/directory", "directory/file"),
    (b"modify/delete", "modify/delete"),
    (b"distinct", "mode"),
    (b"submodule", "submodule"),
    (b"binary", "binary"),
)


class Side(NamedTuple):
    """What one side has at a conflict; ``path`` differs from the conflict's when the side renamed it."""

    entry: Entry
    path: bytes


Sides = tuple[Side | None, Side | None, Side | None]  # base, ours, theirs


@dataclass(frozen=True)
class PathConflict:
    """A clash at one path; a side that is None has nothing there."""

    path: bytes
    shape: ConflictShape
    base: Side | None
    ours: Side | None
    theirs: Side | None
    message: str = ""  # what git said, oids replaced by labels; empty from a walk

    @property
    def paths(self) -> frozenset[bytes]:
        """Every path the clash is about."""
        return frozenset({self.path, *(side.path for side in (self.base, self.ours, self.theirs) if side)})


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
    conflicts = tuple(_conflicts(listed, _messages(said, dict(sides))))
    if not conflicts:
        raise StoreFailed("git merge-tree told of a conflict but not where", hint="git session doctor")
    return TreeMerge(None, conflicts, "git", made, marked=tree.decode("ascii"))


class _Said(NamedTuple):
    """One message of merge-tree: the paths it is about, its stable short name, its text."""

    paths: tuple[bytes, ...]
    kind: bytes
    text: str


def _messages(said: bytes, names: Mapping[str, str]) -> list[_Said]:
    """The message section of ``-z`` output: count, paths, short name, text; each ended by NUL."""
    fields = iter(said.split(b"\0"))
    out = []
    for count in fields:
        if not count:
            break  # the end of the output
        paths = tuple(next(fields) for _ in range(int(count)))
        kind, text = next(fields), next(fields).decode("utf-8", "surrogateescape").strip()
        for oid, name in names.items():
            text = text.replace(oid, name)
        out.append(_Said(paths, kind, text))
    return [one for one in out if one.kind.startswith(b"CONFLICT")]


def _conflicts(listed: bytes, said: list[_Said]) -> Iterator[PathConflict]:
    """The conflicts from the listed stages, paths that git names in one rename put together."""
    stages: dict[bytes, dict[int, Entry]] = {}
    for line in listed.split(b"\0"):
        facts, _, path = line.partition(b"\t")
        mode, oid, stage = facts.split(b" ")
        stages.setdefault(path, {})[int(stage)] = Entry(int(mode, 8), oid.decode("ascii"))
    left = dict(stages)
    for paths in [one.paths for one in said if one.kind.endswith(b"(rename/rename)")]:
        group = [path for path in paths if path in left]
        if _one_each([left[path] for path in group]):
            for path in group:
                del left[path]
            yield _conflict(group[0], {path: stages[path] for path in group}, said)
    for path, entries in left.items():
        yield _conflict(path, {path: entries}, said)


def _one_each(groups: list[dict[int, Entry]]) -> bool:
    """Whether these stages together are at most one base, one ours and one theirs, of several paths."""
    numbers = [stage for group in groups for stage in group]
    return len(groups) > 1 and len(numbers) == len(set(numbers))


def _conflict(path: bytes, stages: dict[bytes, dict[int, Entry]], said: list[_Said]) -> PathConflict:
    """One conflict from its stages and what was said of its paths."""
    sides: dict[int, Side] = {}
    for at, entries in stages.items():
        for stage, entry in entries.items():
            sides[stage] = Side(entry, at)
    about = [one for one in said if stages.keys() & set(one.paths)]
    three = (sides.get(1), sides.get(2), sides.get(3))
    told = [shape for kind, shape in SAID if any(kind in one.kind for one in about)]
    shape = told[0] if told else shape_of(three)
    return PathConflict(path, shape, *three, message="; ".join(dict.fromkeys(one.text for one in about)))


def shape_of(sides: Sides) -> ConflictShape:
    """The shape of a conflict as far as its sides tell it."""
    base, ours, theirs = sides
    there = [side.entry for side in sides if side is not None]
    if any(entry.mode == GITLINK for entry in there):
        return "submodule"
    if ours is None or theirs is None:
        return "modify/delete"
    if any(entry.mode == SYMLINK for entry in there):
        return "symlink"
    if ours.entry.oid == theirs.entry.oid:
        return "mode"
    return "content" if base is not None else "add/add"

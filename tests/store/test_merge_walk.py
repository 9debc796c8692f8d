"""The merge in memory says what git says, or that git must be asked."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gitsessiond.model.values import EXECUTABLE, REGULAR, SYMLINK, Entry
from gitsessiond.store.merge import Side, TreeMerge, git_merge_trees
from gitsessiond.store.objects import Object, oid_of
from gitsessiond.store.repository import open_repository
from gitsessiond.store.trees import TreeCache, edit_tree
from gitsessiond.store.walk import disjoint_merge, walk_merge

WORDS = [b"alpha", b"beta", b"gamma", b"delta", b"}", b"", b"    return x", b"def f():", b"# end"]
Files = dict[bytes, Entry]


class InMemory:
    """Objects in a dict, for trees."""

    def __init__(self) -> None:
        self.trees = TreeCache()
        self.objects: dict[str, Object] = {}

    def read(self, oid: str) -> Object:
        return self.objects[oid]

    def put(self, kind: str, data: bytes) -> str:
        self.objects[oid_of(kind, data)] = Object(kind, data)
        return oid_of(kind, data)


def random_text(rng: random.Random) -> bytes:
    """Lines of which many repeat, as in source code; sometimes empty, binary or without a last newline."""
    lines = [
        rng.choice(WORDS) if rng.random() < 0.3 else b"line %d" % rng.randrange(10**6)
        for _ in range(rng.choice([0, 1, 3, 10, 40]))
    ]
    text = b"".join(line + b"\n" for line in lines)
    if rng.random() < 0.05:
        text = b"\0" + text
    return text[:-1] if rng.random() < 0.1 else text


def edited(rng: random.Random, text: bytes) -> bytes:
    """A few lines changed, added or removed."""
    lines = text.split(b"\n")
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(lines) + 1)
        kind = rng.random()
        if kind < 0.4 and at < len(lines):
            lines[at] = b"changed %d" % rng.randrange(3)
        elif kind < 0.7:
            lines.insert(at, rng.choice([*WORDS, b"new %d" % rng.randrange(10**6)]))
        elif at < len(lines) and len(lines) > 1:
            del lines[at]
    return b"\n".join(lines)


def changed(rng: random.Random, store: InMemory, files: Files) -> Files:
    """Some files of a tree edited, added, deleted, renamed, made executable or a link.

    Most sides either add or delete, so that most merges are the walk's own.
    """
    files = dict(files)
    adds, deletes = rng.choice([(True, False), (True, False), (False, True), (False, True), (True, True)])
    for _ in range(rng.randint(1, 6)):
        path = rng.choice(sorted(files))
        mode, oid = files[path]
        kind = rng.random()
        if kind < 0.55 and mode != SYMLINK:
            files[path] = Entry(mode, store.put("blob", edited(rng, store.read(oid).data)))
        elif kind < 0.65 and mode != SYMLINK:
            files[path] = Entry(REGULAR + EXECUTABLE - mode, oid)
        elif kind < 0.72:
            files[path] = Entry(SYMLINK, store.put("blob", rng.choice([b"a", b"b", b"c"])))
        elif kind < 0.86 and adds:
            name = b"%snew%d" % (rng.choice([b"", b"a/", b"b/", b"new1/"]), rng.randrange(4))
            if not blocked(name, files):
                files[name] = Entry(REGULAR, store.put("blob", random_text(rng)))
        elif kind < 0.94 and deletes and len(files) > 3:
            del files[path]
        elif adds and deletes:
            name = b"moved%d/x" % rng.randrange(3)
            if not blocked(name, files):
                files[name] = files.pop(path)
    return files


def blocked(name: bytes, files: Files) -> bool:
    """Whether a tree cannot hold this path beside the others."""
    return any(other.startswith(name + b"/") or name.startswith(other + b"/") for other in files)


def random_merge(rng: random.Random, store: InMemory) -> tuple[str, str, str]:
    """Base, ours and theirs: trees of some files in a few directories."""
    base: Files = {}
    for number in range(rng.randint(4, 9)):
        path = rng.choice([b"", b"a/", b"a/deep/", b"b/"]) + b"f%d" % number
        base[path] = Entry(rng.choice([REGULAR, REGULAR, EXECUTABLE]), store.put("blob", random_text(rng)))
    if rng.random() < 0.05:
        attributes = rng.choice([b"f1 merge=union\n", b"*.bin binary\n", b"* text=auto\n"])
        base[b".gitattributes"] = Entry(REGULAR, store.put("blob", attributes))
    sides = [base, changed(rng, store, base), changed(rng, store, base)]
    one, two, three = (edit_tree(store, None, dict(files)) for files in sides)
    return one, two, three


def reached(store: InMemory, trees: tuple[str, ...]) -> dict[str, Object]:
    """Everything three trees hold."""
    wanted, todo = {}, list(trees)
    while todo:
        oid = todo.pop()
        wanted[oid] = store.read(oid)
        if wanted[oid].kind == "tree":
            data = wanted[oid].data
            while data:
                stop = data.index(0) + 21
                todo.append(data[stop - 20 : stop].hex())
                data = data[stop:]
    return wanted


def clashes(merge: TreeMerge) -> set[tuple[bytes, str, Side | None, Side | None, Side | None]]:
    """The conflicts as plain values."""
    return {(one.path, one.shape, one.base, one.ours, one.theirs) for one in merge.conflicts}


def compare(repo: Path, rounds: int, seed: int) -> tuple[int, int, int]:
    """Merge at random, by the walk and by git: how many were clean, conflicting, and handed to git.

    Of the clean ones at least a fifth are disjoint, and then that merge is git's too.
    """
    repository = open_repository(str(repo))
    rng = random.Random(seed)
    clean = conflicting = handed = disjoint = 0
    for number in range(rounds):
        store = InMemory()
        trees = random_merge(rng, store)
        walked, apart = walk_merge(store, *trees), disjoint_merge(store, *trees)
        if walked is None:
            assert apart is None
            handed += 1
            continue
        told = git_merge_trees(repository, *trees, objects=reached(store, trees))
        where = f"seed {seed}, round {number}"
        assert walked.tree == told.tree, where
        if apart is not None:
            disjoint += 1
            assert (apart.tree, apart.conflicts) == (told.tree, ()), where
        assert clashes(walked) == clashes(told), where
        if walked.tree is not None:
            clean += 1
        else:
            conflicting += 1
    assert disjoint * 5 > clean
    return clean, conflicting, handed


def test_the_walk_equals_git(repo: Path) -> None:
    """200 random merges: same tree, same conflicts with the same three sides; the rest is handed to git."""
    clean, conflicting, handed = compare(repo, 200, seed=1)
    print(f"seed 1: 200 merges, {clean} clean, {conflicting} conflicting, {handed} handed to git")
    assert clean > 20 and conflicting > 20 and handed < 100


@pytest.mark.soak
def test_the_walk_equals_git_for_long(repo: Path) -> None:
    """2,000 random merges more."""
    clean, conflicting, handed = compare(repo, 2000, seed=2)
    print(f"seed 2: 2000 merges, {clean} clean, {conflicting} conflicting, {handed} handed to git")

"""The commits of a session's branch: which they are, what they stand on, and what each says.

Commits are read through libgit2 from the user's repository; nothing here writes. All ids are 40 hex digits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import pygit2

from gitsessiond.model.commits import CommitFacts, parse_commit
from gitsessiond.model.errors import StoreFailed
from gitsessiond.store.git import run_git

LOCAL, REMOTE = "refs/heads/", "refs/remotes/"


class ReadsObjects(Protocol):
    """What reads an object by id: kind and content."""

    def read(self, oid: str) -> tuple[str, bytes]: ...  # noqa: D102


class Places(Protocol):
    """Where a repository's objects and refs are."""

    @property
    def common_dir(self) -> str: ...  # noqa: D102


def read_commit(store: ReadsObjects, oid: str) -> CommitFacts:
    """A commit's facts, from wherever the store finds it.

    Raises:
        StoreFailed: there is no such object, or it is no commit.
    """
    kind, data = store.read(oid)
    if kind != "commit":
        raise StoreFailed(f"{oid} is a {kind}, not a commit", hint="git session doctor")
    return parse_commit(oid, data)


def tree_of_commit(store: ReadsObjects, oid: str) -> str:
    """The tree of a commit."""
    return read_commit(store, oid).tree


def subject_of(store: ReadsObjects, oid: str) -> str:
    """The subject of a commit.

    Raises:
        StoreFailed: there is no such commit.
    """
    return read_commit(store, oid).subject


def commits_behind(repository: Places, base: str, ref: str) -> int | None:
    """How many commits a ref has that ``base`` lacks; None: no such ref."""
    tip = CommitGraph(repository.common_dir).ref(ref)
    return None if tip is None else commits_apart(repository.common_dir, base, tip)[1]


@lru_cache(maxsize=256)
def commits_apart(common_dir: str, one: str, other: str) -> tuple[int, int]:
    """How many commits each of two has that the other lacks. Counted once for any two: a panel asks each time."""
    return CommitGraph(common_dir).apart(one, other)


@dataclass(frozen=True)
class Foreign:
    """A chain commit that came from a branch that is no session's."""

    oid: str
    branch: str  # as git abbreviates it: ``other``, ``origin/other``


class CommitGraph:
    """Reads of the commit graph of one repository. Commits that do not exist have no relation to anything."""

    def __init__(self, common_dir: str) -> None:
        self._repo = _open(common_dir)

    def ref(self, name: str) -> str | None:
        """The commit a full ref name stands for, tags peeled; None: no such ref, or no commit."""
        try:
            return str(self._repo.lookup_reference(name).peel(pygit2.Commit).id)
        except (KeyError, ValueError, pygit2.GitError):
            return None

    def commit(self, oid: str) -> CommitFacts:
        """A commit's facts.

        Raises:
            StoreFailed: the repository has no such commit.
        """
        try:
            kind, data = self._repo.odb.read(oid)[:2]
        except (KeyError, ValueError, pygit2.GitError) as exc:
            raise StoreFailed(f"commit {oid} is not in the repository", hint="git fsck") from exc
        if kind != pygit2.enums.ObjectType.COMMIT:
            raise StoreFailed(f"{oid} is not a commit", hint="git fsck")
        return parse_commit(oid, data)

    def has(self, oid: str) -> bool:
        """Whether the repository has this object."""
        return pygit2.Oid(hex=oid) in self._repo.odb

    def has_commit(self, oid: str) -> bool:
        """Whether this is the whole id of a commit that the repository has."""
        try:
            return len(oid) == 40 and isinstance(self._repo.get(oid), pygit2.Commit)
        except (ValueError, pygit2.GitError):  # no hexadecimal number, or damaged
            return False

    def merge_base(self, one: str, other: str) -> str | None:
        """A best common ancestor, as ``git merge-base`` gives it; None: none."""
        try:
            found = self._repo.merge_base(one, other)
        except (KeyError, ValueError, pygit2.GitError):
            return None
        return str(found) if found is not None else None

    def line_base(self, trunk: str, tip: str) -> str | None:
        """The merge base of two commits when ``tip`` is a line without merges on it, so that there is no other.

        None: there may be several, or git sees another history than ours (replaced objects, grafts, shallow).
        """
        if self._is_shallow() or self._is_replaced():
            return None
        base, at = self.merge_base(trunk, tip), tip
        while base is not None and at != base:
            parents = self.commit(at).parents
            if len(parents) != 1:
                return None
            at = parents[0]
        return base

    def only_base(self, one: str, other: str) -> str | None:
        """The merge base of two commits as git tells it, where it finds but one and reads in it what is written there.

        Raises:
            StoreFailed: git cannot be started.
        """
        if self._is_replaced():
            return None
        told = run_git(["merge-base", "--all", one, other], git_dir=self._repo.path, check=False)
        found = told.out.decode("ascii").split() if told.code == 0 else []
        return found[0] if len(found) == 1 else None

    def _is_shallow(self) -> bool:
        """Whether git takes commits for roots that are none."""
        return os.path.exists(os.path.join(self._repo.path, "shallow"))

    def _is_replaced(self) -> bool:
        """Whether git takes commits or trees for others than are written (git-replace(1), gitrepository-layout(5))."""
        home = self._repo.path
        if os.path.exists(os.path.join(home, "info", "grafts")):
            return True
        replaced = os.path.join(home, "refs", "replace")
        if os.path.isdir(replaced) and os.listdir(replaced):
            return True
        try:
            with open(os.path.join(home, "packed-refs"), "rb") as file:
                return b" refs/replace/" in file.read()
        except FileNotFoundError:
            return False

    def within(self, ancestor: str, tip: str) -> bool:
        """Whether ``ancestor`` is ``tip`` or lies in its history."""
        if ancestor == tip:
            return True
        try:
            return bool(self._repo.descendant_of(tip, ancestor))
        except (KeyError, ValueError, pygit2.GitError):
            return False

    def later(self, one: str | None, other: str | None) -> str | None:
        """Of two commits the one that has the other in its history; the first when they are unrelated."""
        if one is None or other is None:
            return one or other
        return other if self.within(one, other) else one

    def upstream(self, branch: str) -> str | None:
        """The commit of a local branch's upstream; None: it has none, or that was never fetched."""
        try:
            found = self._repo.branches.local[branch].upstream
            return str(found.peel(pygit2.Commit).id) if found is not None else None
        except (KeyError, ValueError, pygit2.GitError):
            return None

    def upstream_name(self, branch: str) -> str | None:
        """The full ref name of a local branch's upstream."""
        try:
            return self._repo.branches.local[branch].upstream_name
        except (KeyError, ValueError, pygit2.GitError):
            return None

    def count_beyond(self, base: str, tip: str) -> int:
        """How many commits ``tip`` has that ``base`` lacks; 0 when either does not exist."""
        return self.apart(tip, base)[0]

    def apart(self, one: str, other: str) -> tuple[int, int]:
        """How many commits each has that the other lacks; none when either does not exist."""
        try:
            return self._repo.ahead_behind(one, other)
        except (KeyError, ValueError, pygit2.GitError):
            return 0, 0

    def chain(self, base: str, tip: str) -> list[CommitFacts]:
        """``rev-list --first-parent --reverse base..tip``.

        Raises:
            StoreFailed: a commit is missing.
        """
        return [self.commit(oid) for oid in self._walk(tip, [base], first_parent=True)][::-1]

    def beyond(self, base: str, tip: str) -> list[CommitFacts]:
        """The commits of ``tip`` that ``base`` lacks, of all parents, each after its own.

        Raises:
            StoreFailed: a commit is missing.
        """
        return [self.commit(oid) for oid in self._walk(tip, [base])][::-1]

    def foreign(self, chain: Sequence[CommitFacts], base: str, ours: Callable[[str], bool]) -> list[Foreign]:
        """The chain commits that some branch holds for which ``ours(full ref name)`` is false.

        A chain merge that brings such a branch in counts too, with the merged side as its ``branch``.
        """
        others = {name: oid for name, oid in self._branches() if not ours(name)}
        if not chain or not others:
            return []
        own = set(self._walk(chain[-1].oid, [base, *others.values()]))
        found: list[Foreign] = []
        for facts in chain:
            if facts.oid not in own:
                found.append(Foreign(facts.oid, self._branch_with(facts.oid, others)))
                continue
            side = next((parent for parent in facts.parents[1:] if parent not in own), None)
            if side is not None and not self.within(side, base):
                found.append(Foreign(facts.oid, self._branch_with(side, others)))
        return found

    def _branches(self) -> Iterator[tuple[str, str]]:
        """All local and remote branches with their commits; ``origin/HEAD`` and the like left out."""
        for reference in self._repo.references.iterator():
            if reference.name.startswith((LOCAL, REMOTE)) and isinstance(reference.target, pygit2.Oid):
                yield reference.name, str(reference.target)

    def _walk(self, tip: str, hidden: Iterable[str], first_parent: bool = False) -> Iterator[str]:
        """The commits of ``tip`` that none of ``hidden`` has in its history, newest first."""
        walk = self._repo.walk(tip, pygit2.enums.SortMode.TOPOLOGICAL)
        if first_parent:
            walk.simplify_first_parent()
        for oid in hidden:
            try:
                walk.hide(oid)
            except (KeyError, ValueError, pygit2.GitError):
                continue  # a ref to a missing object hides nothing
        for commit in walk:
            yield str(commit.id)

    def _branch_with(self, oid: str, branches: dict[str, str]) -> str:
        """The first of these branches, local ones first, whose history has ``oid``."""
        for name in sorted(branches, key=lambda name: (name.startswith(REMOTE), name)):
            if self.within(oid, branches[name]):
                return name.removeprefix(LOCAL).removeprefix(REMOTE)
        return "another branch"


def _open(common_dir: str) -> pygit2.Repository:
    """The repository at a git common dir.

    Raises:
        StoreFailed: libgit2 cannot open it.
    """
    try:
        return pygit2.Repository(common_dir)
    except pygit2.GitError as exc:
        raise StoreFailed(f"cannot open {common_dir}: {exc}", hint="git session doctor") from exc


def patch_ids(common_dir: str, commits: Sequence[str]) -> dict[str, str]:
    """commit -> git's stable patch id, for commits that change anything (git-patch-id(1)).

    Raises:
        StoreFailed: git could not show the commits.
    """
    if not commits:
        return {}
    shown = run_git(
        ["diff-tree", "--stdin", "-p", "-r", "--root", "--no-ext-diff", "--no-textconv", "--full-index"],
        git_dir=common_dir,
        input="".join(f"{oid}\n" for oid in commits).encode("ascii"),
    ).out
    told = run_git(["patch-id", "--stable"], git_dir=common_dir, input=shown).out
    return {words[1]: words[0] for words in (line.split() for line in told.decode("ascii").splitlines())}
